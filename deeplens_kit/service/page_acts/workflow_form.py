"""What somebody filled in for a plan or a workflow, read field by field.

Takes texts of a form, gives what the pipeline takes, and what is wrong by the field that it is in; must not add or make
anything.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from deeplens_kit import pipeline
from deeplens_kit.errors import DeepLensError, SettingsError
from deeplens_kit.pipeline.keep_policies import policy_named
from deeplens_kit.pipeline.notify_targets import check_target
from deeplens_kit.pipeline.plan_choices import PlanChoice
from deeplens_kit.pipeline.planning import check_choice
from deeplens_kit.pipeline.workflow_bounds import WorkflowBounds
from deeplens_kit.reporting.cron import parse_cron
from deeplens_kit.reporting.schedule import check_zone, local_zone
from deeplens_kit.views.state.plans_state import PlanWanted, WorkflowWanted

__all__ = ["FilledWorkflow", "choice_of", "read_workflow"]

_Value = TypeVar("_Value")

_GIGABYTE = 10**9
_BOUNDS = {"objects": "files", "gigabytes": "gigabytes", "share": "percent of a location's files"}
# Where what does not go together with an action is filled in.
_OF_ACTION = {"move": "to", "storage_class": "storage_class"}


@dataclass(frozen=True, slots=True)
class FilledWorkflow:
    """A workflow that can be added.

    Attributes:
        choice: What its plans are made from.
        every: When, as cron says it.
        timezone: Of these times.
        notify: Who is told.
        bounds: Within which its plans need no person; None: each waits for one.
        drift: A plan of more than so many times the usual one waits for a person.
    """

    choice: PlanChoice
    every: str
    timezone: str
    notify: tuple[str, ...]
    bounds: WorkflowBounds | None
    drift: float


def choice_of(workspace: pipeline.Workspace, wanted: PlanWanted) -> PlanChoice:
    """What a plan is made from.

    Raises:
        SettingsError: A value is not allowed; UnknownNameError for a name that there is none of.
    """
    limit = _limit(wanted)
    if not wanted.tiers:
        raise SettingsError("No evidence is ticked; tick at least one, such as bytes.")
    return pipeline.plan_choice(
        workspace,
        tiers=wanted.tiers,
        action=wanted.action,
        rule=pipeline.chosen_rule(workspace, wanted.rule or None),
        policy=policy_named(workspace, wanted.policy) if wanted.policy else None,
        locations=wanted.locations,
        limit=limit,
        to=f"{wanted.to}/{wanted.folder.strip('/')}".rstrip("/") if wanted.to else "",
        storage_class=wanted.storage_class,
        merge_metadata=wanted.merge_metadata,
    )


def read_workflow(
    workspace: pipeline.Workspace, wanted: WorkflowWanted
) -> tuple[FilledWorkflow | None, dict[str, str]]:
    """A workflow as it was filled in, or None and what is wrong with it by field, in the order of the form."""
    faults: dict[str, str] = {}

    def read(field: str, take: Callable[[], _Value]) -> _Value | None:
        try:
            return take()
        except DeepLensError as error:
            faults[field] = str(error)
            return None

    read("name", lambda: _free(workspace, wanted.name))
    every = read("every", lambda: parse_cron(wanted.every).text)
    choice = _read_choice(workspace, wanted.plan, read, faults)
    bounds = _read_bounds(wanted, read, faults)
    zone = read("timezone", lambda: check_zone(wanted.timezone) if wanted.timezone else local_zone())
    drift = read("drift", lambda: _number(wanted.drift, above=1))
    notify = read("notify", lambda: _addresses(wanted.notify))
    if faults or every is None or choice is None or zone is None or drift is None or notify is None:
        return None, faults
    return FilledWorkflow(choice, every, zone, notify, bounds, drift), {}


def _read_choice(
    workspace: pipeline.Workspace,
    plan: PlanWanted,
    read: Callable[[str, Callable[[], object]], object | None],
    faults: dict[str, str],
) -> PlanChoice | None:
    before = len(faults)
    if not plan.tiers:
        faults["tiers"] = "Tick at least one, such as bytes."
    read("rule", lambda: pipeline.chosen_rule(workspace, plan.rule or None))
    read("policy", lambda: policy_named(workspace, plan.policy) if plan.policy else None)
    read("locations", lambda: [workspace.ledger.location(name) for name in plan.locations])
    read("limit", lambda: _limit(plan))
    if len(faults) > before:
        return None

    def whole() -> PlanChoice:
        choice = choice_of(workspace, plan)
        check_choice(workspace, choice)
        return choice

    found = read(_OF_ACTION.get(plan.action, "action"), whole)
    return found if isinstance(found, PlanChoice) else None


def _read_bounds(
    wanted: WorkflowWanted,
    read: Callable[[str, Callable[[], object]], object | None],
    faults: dict[str, str],
) -> WorkflowBounds | None:
    if not any((wanted.objects, wanted.gigabytes, wanted.share, wanted.precision)):
        return None
    for name in _BOUNDS:
        if not getattr(wanted, name):
            rest = ", ".join(what for other, what in _BOUNDS.items() if other != name)
            faults[name] = f"Bounds need this too, beside {rest}; without any of them each plan waits for a person."
    objects = read("objects", lambda: _whole(wanted.objects)) if wanted.objects else None
    size = read("gigabytes", lambda: _number(wanted.gigabytes, above=0)) if wanted.gigabytes else None
    share = read("share", lambda: _number(wanted.share, above=0, most=100)) if wanted.share else None
    precision = read("precision", lambda: _number(wanted.precision, least=50, most=100)) if wanted.precision else None
    if not (isinstance(objects, int) and isinstance(size, float) and isinstance(share, float)):
        return None
    copies = precision / 100 if isinstance(precision, float) else None
    return WorkflowBounds(objects, max(1, round(size * _GIGABYTE)), share / 100, copies)


def _free(workspace: pipeline.Workspace, name: str) -> None:
    if not name:
        raise SettingsError("Give it a name.")
    if any(item.name == name for item in workspace.ledger.workflows()):
        raise SettingsError(f"There is a workflow {name!r} already; give another name.")


def _limit(wanted: PlanWanted) -> int | None:
    return _whole(wanted.limit) if wanted.limit else None


def _whole(text: str) -> int:
    digits = text.replace(",", "")
    if not (digits.isdecimal() and 0 < int(digits[:19]) < 2**53):
        raise SettingsError(f"{text!r} is no number above 0; write one such as 500.")
    return int(digits)


def _number(text: str, *, above: float | None = None, least: float | None = None, most: float = 1e9) -> float:
    try:
        number = float(text.strip().removesuffix("%"))
    except ValueError:
        number = float("nan")
    low = above if above is not None else least or 0
    fits = number > low if above is not None else number >= low
    if not (fits and number <= most):
        kind = "above" if above is not None else "from"
        upper = f" to {most:g}" if most < 1e9 else ""
        raise SettingsError(f"{text!r} is not allowed; write a number {kind} {low:g}{upper}.")
    return number


def _addresses(text: str) -> tuple[str, ...]:
    found = tuple(dict.fromkeys(line.strip() for line in text.splitlines() if line.strip()))
    for address in found:
        check_target(address)
    return found
