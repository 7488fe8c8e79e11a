"""Whether a plan may still be trusted: its age, and whether what it speaks of is as it was.

Takes an open workspace, a plan and its steps, raises where it has to be made anew; must not touch a file. The catalog
is asked, not the storage: that is for the moment when a step is done.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import polars as pl

from deeplens_kit.actions import check_plan, decided_against
from deeplens_kit.errors import LocationReadOnlyError, PlanStaleError
from deeplens_kit.ledger import PlanRecord
from deeplens_kit.matching import policy_from_json
from deeplens_kit.pipeline.keep_policies import chosen_policy
from deeplens_kit.pipeline.plan_facts import files_acted_on, location_names, plan_places, with_objections
from deeplens_kit.pipeline.workspace import Workspace
from deeplens_kit.schemas import ActionKind, Outcome
from deeplens_kit.storage.base import UNSETTLED
from deeplens_kit.storage.paths import display_path

__all__ = ["evidence_at", "require_fresh"]

_FILE = ["location_id", "path"]
# Files that no picture is: what they hold is proved when the step is done.
_UNKNOWN = [str(action) for action in (ActionKind.CREATE, ActionKind.REWRITE, ActionKind.RELINK)]


def require_fresh(workspace: Workspace, record: PlanRecord, steps: pl.DataFrame, now: datetime) -> None:
    """Refuse a plan that has to be made anew.

    Args:
        workspace: An open workspace.
        record: The plan.
        steps: Its steps, PLAN_STEPS.
        now: UTC.

    Raises:
        PlanStaleError: It is too old; a file of it, or its keeper, changed in the catalog; a person decided against a
            step, a hold or a keep policy covers its file, or its evidence is not acted on any more.
        LocationReadOnlyError: A location of it is not opened for changes.
        PlanError: Its steps contradict each other.
    """
    _require_young(workspace, record, now)
    check_plan(steps)
    _require_permitted(workspace, record, steps)
    _require_open(workspace, record, steps)
    _require_unchanged(workspace, record, steps)
    _require_no_objection(workspace, record, steps)


def evidence_at(record: PlanRecord) -> datetime:
    """When the files of a plan were looked at; of one that was trimmed, when the first one was made."""
    told = record.document.get("evidence_at")
    return record.created_at if told is None else min(record.created_at, datetime.fromisoformat(str(told)))


def _require_young(workspace: Workspace, record: PlanRecord, now: datetime) -> None:
    most = workspace.settings.actions.plan_max_age_days
    days = (now - evidence_at(record)).days
    if days > most:
        raise _stale(record, f"it was made {days:,} days ago, and plans hold for {most:,}")
    # A clock that was set back would keep a plan young for ever.
    if record.created_at - now > timedelta(days=1):
        raise _stale(record, "it was made in the future, as this machine's clock goes")


def _require_permitted(workspace: Workspace, record: PlanRecord, steps: pl.DataFrame) -> None:
    permitted = list(workspace.settings.actions.tiers)
    wrong = steps.filter(pl.col("tier").is_not_null() & ~pl.col("tier").is_in(permitted))
    if wrong.height:
        raise _stale(
            record, f"{wrong.height:,} of its steps rest on {wrong['tier'][0]}, which is not acted on any more"
        )


def _require_open(workspace: Workspace, record: PlanRecord, steps: pl.DataFrame) -> None:
    places, names = plan_places(workspace), location_names(workspace)
    changing = steps.filter(pl.col("action") != ActionKind.CREATE)["victim_location_id"].unique().sort()
    making = pl.concat(
        [steps.filter(pl.col("action") == ActionKind.CREATE)["victim_location_id"], steps["target_location_id"]]
    )
    for location_id in changing:
        name = names.get(location_id, location_id)
        place = places.get(location_id)
        if place is not None and not place.takes_writing:
            raise LocationReadOnlyError(
                name, f"Location {name!r} is of a kind that can only be read, so the plan cannot be applied."
            )
        if place is None or not place.may_change:
            raise LocationReadOnlyError(
                name,
                f"Location {name!r} is not opened for changes, so the plan cannot be applied; open it with `deeplens "
                f"locations set {name} --option permissions=change`.",
            )
        if place.immutable:
            raise LocationReadOnlyError(
                name, f"Location {name!r} has the option 'immutable': nothing there is changed."
            )
    for location_id in steps["keeper_location_id"].drop_nulls().unique().sort():
        if location_id not in places:
            raise _stale(record, f"the location {names.get(location_id, location_id)!r} of keepers was left out since")
    for location_id in making.drop_nulls().unique().sort():
        name, place = names.get(location_id, location_id), places.get(location_id)
        if place is None or not place.may_create:
            raise LocationReadOnlyError(name, f"Location {name!r} is not opened for new files (permissions=create).")


def _require_unchanged(workspace: Workspace, record: PlanRecord, steps: pl.DataFrame) -> None:
    """Every file as the catalog had it when the plan was made."""
    columns = [*_FILE, "change_token", "digest", "size_bytes", "outcome"]
    objects = workspace.catalog.objects(columns=columns)
    for end in ("victim", "keeper"):
        asked = steps.filter(pl.col(f"{end}_path").is_not_null() & ~pl.col("action").is_in(_UNKNOWN)).select(
            "step",
            **{name: pl.col(f"{end}_{name}") for name in _FILE},
            token=f"{end}_token",
            known=f"{end}_digest",
            size=f"{end}_size_bytes",
        )
        found = asked.join(objects, on=_FILE, how="left", maintain_order="left")
        other = (pl.col("digest") != pl.col("known")).fill_null(False)
        # A token that was not settled yet may be by now; the digest says the rest.
        now, then = (pl.col(name).str.strip_suffix(UNSETTLED) for name in ("change_token", "token"))
        changed = (now != then) | (pl.col("size_bytes") != pl.col("size")) | other
        gone = pl.col("change_token").is_null() | (pl.col("outcome") == Outcome.GONE)
        wrong = found.filter(gone | changed)
        if wrong.height:
            path, why = wrong["path"][0], "is gone" if wrong.filter(gone).height == wrong.height else "changed"
            of = "" if end == "victim" else " that should stay"
            raise _stale(record, f"the file {display_path(path)!r}{of} {why} since ({wrong.height:,} in all)")


def _require_no_objection(workspace: Workspace, record: PlanRecord, steps: pl.DataFrame) -> None:
    against = steps.filter(decided_against(steps, workspace.ledger.decisions()))
    if against.height:
        raise _stale(record, f"a person decided against {against.height:,} of its steps since")
    policies = [chosen_policy(workspace)]
    if "choice" in record.document:
        policies.append(policy_from_json(record.document["choice"]["policy"]))
    files = files_acted_on(workspace, steps.filter(pl.col("action") != ActionKind.CREATE))
    judged = with_objections(workspace, files, *policies)
    for column, what in (("held", "a hold covers"), ("protected", "the keep policy protects")):
        covered = judged.filter(column)
        if covered.height:
            first = display_path(covered["path"][0])
            raise _stale(record, f"{what} {covered.height:,} of its files, {first!r} among them")


def _stale(record: PlanRecord, why: str) -> PlanStaleError:
    return PlanStaleError(
        f"Plan {record.plan_id} is stale: {why}. Nothing was touched; make it anew with `deeplens plan refresh "
        f"{record.plan_id}`, and look at what changed."
    )
