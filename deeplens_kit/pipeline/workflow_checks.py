"""What is not as it should be about a workflow: found before it plans, of its plan, and after it acted.

Takes an open workspace and what the runs before came to, gives the first anomaly or None; must not change anything. A
workflow that meets one is paused: an error that recurs by itself is the worst one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from statistics import median
from typing import Any

import polars as pl

from deeplens_kit.errors import (
    CredentialMissingError,
    LocationError,
    ObjectError,
    ObjectGoneError,
    UnknownNameError,
)
from deeplens_kit.ledger import Application, ApplicationState, Location, Workflow, WorkflowRun
from deeplens_kit.pipeline.plan_choices import PlanChoice
from deeplens_kit.pipeline.planning import load_steps
from deeplens_kit.pipeline.workspace import Workspace
from deeplens_kit.schemas import Outcome
from deeplens_kit.telemetry import redact

__all__ = ["Anomaly", "amiss_of_figures", "drift", "location_amiss", "locations_of_choice", "shrunk", "unfinished"]

_UNFINISHED = (
    ApplicationState.RUNNING,
    ApplicationState.PAUSED,
    ApplicationState.HALTED,
    ApplicationState.UNDOING,
)
_PROBED = 20
"""Files of each location that are asked for: where none of them is there, the location is taken for emptied."""
_LEAST_SHARE_LEFT = 0.8
_RUNS_COMPARED, _LEAST_RUNS = 5, 3
_DRIFT_STEPS = 20
"""A plan of fewer steps never drifts: three times two is no news."""


@dataclass(frozen=True, slots=True)
class Anomaly:
    """Why a workflow is paused.

    Attributes:
        code: Stable.
        message: In a sentence or two.
    """

    code: str
    message: str


def unfinished(workspace: Workspace, runs: Sequence[WorkflowRun]) -> Anomaly | None:
    """An application of an earlier plan of the workflow that was neither finished nor undone."""
    plans = {run.plan_id for run in runs if run.plan_id}
    for item in workspace.ledger.applications():
        if item.plan_id in plans and item.state in _UNFINISHED:
            name = item.application_id
            return Anomaly(
                "unfinished",
                f"Application {name} of its plan {item.plan_id} is {item.state}, not finished. Go on with it by "
                f"`deeplens apply --resume {name}`, or take it back by `deeplens undo {name}`.",
            )
    return None


def locations_of_choice(workspace: Workspace, choice: PlanChoice) -> list[Location]:
    """The locations that a workflow works at.

    Raises:
        UnknownNameError: One of them is not there any more under its name.
    """
    active = workspace.ledger.locations()
    if not choice.locations:
        return active
    by_name = {item.name: item for item in active}
    for name in choice.locations:
        if name not in by_name:
            raise UnknownNameError("active location", name, by_name)
    return [by_name[name] for name in choice.locations]


def location_amiss(workspace: Workspace, locations: Sequence[Location], *, named: bool) -> Anomaly | None:
    """A location that cannot be listed, or where none of the files is that are known there.

    Args:
        workspace: An open workspace.
        locations: Which.
        named: The workflow names them: then it is an anomaly too where one is not opened for changes any more.
    """
    for location in locations:
        try:
            with closing(workspace.kind_of(location)) as kind:
                kind.check()
                if named and not kind.takes_writing:
                    return Anomaly("closed", f"Location {location.name!r} is of a kind that can only be read.")
                if named and not kind.may_change:
                    return Anomaly(
                        "closed",
                        f"Location {location.name!r} is not opened for changes; `deeplens locations set "
                        f"{location.name} --option permissions=change` opens it.",
                    )
                known = _probed(workspace, location)
                if known and not any(_is_there(kind.stat, path) for path in known):
                    return Anomaly(
                        "emptied",
                        f"Location {location.name!r} has none of {len(known)} files that were known there: its disk or "
                        "share may be disconnected. Connect it, or index it again.",
                    )
        except (LocationError, CredentialMissingError) as error:
            return Anomaly("unavailable", redact(str(error)))
    return None


def shrunk(
    workspace: Workspace, now: Mapping[str, int], runs: Sequence[WorkflowRun], applications: Sequence[Application]
) -> Anomaly | None:
    """A location with less than four fifths of the files of last time, without what was taken away by plans since.

    Args:
        workspace: An open workspace.
        now: Files known at each location, by its id.
        runs: Of the workflow, the latest first.
        applications: All.
    """
    before = next((run for run in runs if run.figures.get("files")), None)
    if before is None or before.finished_at is None:
        return None
    taken: dict[str, int] = {}
    for item in applications:
        if item.started_at > before.finished_at and item.state is not ApplicationState.UNDONE:
            steps = load_steps(workspace, workspace.ledger.plan(item.plan_id))
            for key, count in steps.group_by("victim_location_id").len().iter_rows():
                taken[key] = taken.get(key, 0) + count
    names = {item.location_id: item.name for item in workspace.ledger.locations(inactive=True)}
    for key, count in before.figures["files"].items():
        left = now.get(key, 0) + taken.get(key, 0)
        if left < count * _LEAST_SHARE_LEFT:
            return Anomaly(
                "shrunk",
                f"Location {names.get(key, key)!r} has {now.get(key, 0):,} files where it had {count:,} at the run of "
                f"{before.started_at:%Y-%m-%d %H:%M} UTC: more than a fifth went, and not by plans.",
            )
    return None


def drift(steps: int, workflow: Workflow, runs: Sequence[WorkflowRun], factor: float) -> Anomaly | None:
    """A plan of many more steps than the last ones; runs that found nothing to do are no measure."""
    usual = [
        int(run.figures["steps"]) for run in runs if run.figures.get("steps") and run.started_at >= workflow.baseline_at
    ][:_RUNS_COMPARED]
    if len(usual) < _LEAST_RUNS or steps < _DRIFT_STEPS or steps <= factor * median(usual):
        return None
    return Anomaly(
        "drift",
        f"Its plan has {steps:,} steps, more than {factor:g} times the median of its last {len(usual)} plans, which is "
        f"{median(usual):,.0f}.",
    )


def amiss_of_figures(figures: Mapping[str, Any], stop_at_skip_share: float) -> Anomaly | None:
    """Failures, or too many skips, of an application that came to its end."""
    tried = figures["done"] + figures["skipped"] + figures["failed"]
    if figures["failed"]:
        return Anomaly("failures", f"{figures['failed']:,} of {tried:,} steps failed.")
    if tried and figures["skipped"] / tried >= stop_at_skip_share:
        return Anomaly(
            "skips",
            f"{figures['skipped']:,} of {tried:,} steps were skipped, and [actions] stop_at_skip_share is "
            f"{stop_at_skip_share:g}.",
        )
    return None


def _probed(workspace: Workspace, location: Location) -> list[str]:
    """Some paths of a location, from all over it."""
    objects = workspace.catalog.objects(location.location_id, columns=["path", "outcome"])
    paths = objects.filter(pl.col("outcome") != Outcome.GONE)["path"].sort()
    return paths.gather_every(max(1, -(-len(paths) // _PROBED))).to_list()


def _is_there(stat: Any, path: str) -> bool:
    try:
        stat(path)
    except ObjectGoneError:
        return False
    except ObjectError:
        return True
    return True
