"""Whether what stands at the root of a location now is what an application acted on.

Takes opened locations and an application, gives the reasons against those that are away: a disk that is unplugged, a
share that is not mounted, another disk in its place. Must not write anything. What is looked for on another root would
be told as missing, and what was made there as gone.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from itertools import islice
from typing import Any

import polars as pl

from deeplens_kit.actions import StepHistory
from deeplens_kit.errors import LocationError, ObjectError
from deeplens_kit.ledger import Application, JournalEntry, QuarantinedFile, QuarantineState
from deeplens_kit.pipeline.workspace import Workspace
from deeplens_kit.schemas import ActionKind
from deeplens_kit.storage import LocationKind

__all__ = ["ROOTS", "locations_of_act", "roots_away", "roots_of"]

ROOTS = "roots"
"""Among the settings of an application: what stood at the root of each location, by its id."""

_LOOKED_FOR = 100
"""Files that are looked for on a root that is not told apart otherwise."""

_MOVING = ("quarantine", "undo.quarantine")
"""Operations whose file has one of two names at any moment."""


def roots_of(kinds: Mapping[str, LocationKind]) -> dict[str, str]:
    """What stands at the root of each location now, by its id; those that do not tell are left out.

    Raises:
        LocationUnavailableError: One cannot be reached.
    """
    told = {location_id: kind.root_id() for location_id, kind in kinds.items()}
    return {location_id: root for location_id, root in told.items() if root is not None}


def roots_away(
    workspace: Workspace,
    application: Application,
    steps: pl.DataFrame,
    kinds: Mapping[str, LocationKind],
    histories: Mapping[int, StepHistory] | None = None,
) -> dict[str, str]:
    """Locations whose root is not the one that an application acted on, by id, each with a sentence.

    A root is the same where it is told to be, or where a file that the application put there, one that it was at work
    on when its process ended, or else one of its plan, is found there: a share that is mounted anew may have another
    name, and a server tells none.

    Args:
        workspace: An open workspace.
        application: The application.
        steps: Of its plan, PLAN_STEPS.
        kinds: The opened locations by id.
        histories: What stands of it; what it made is looked for too.
    """
    known = application.settings.get(ROOTS, {})
    name = application.application_id
    items = workspace.ledger.quarantined(application_id=name, states=None)
    opened = workspace.ledger.open_operations(name)
    away = {}
    for location_id, kind in kinds.items():
        mine = [item for item in items if item.location_id == location_id]
        try:
            now, then = kind.root_id(), known.get(location_id)
            if now is not None and now == then:
                continue
            another = now is not None and then is not None
            here = [line for line in opened if line.facts.get("location_id") == location_id]
            sought = _sought(location_id, steps, mine, here, histories or {}, another=another)
            if _finds(kind, [*_worked_on(here), *sought]) or not (another or sought):
                continue
        except LocationError as error:
            away[location_id] = str(error)
            continue
        away[location_id] = (
            f"Location {kind.name!r} is not the one that application {name} acted on, or is "
            "empty: another disk or share stands there, or none; connect the right one and do it again. Nothing was "
            "touched there."
        )
    return away


def locations_of_act(facts: Mapping[str, Any]) -> set[str]:
    """The locations where an operation does something, and from which it copied."""
    source = facts.get("source") or {}
    return {str(name) for name in (facts.get("location_id"), source.get("location_id")) if name is not None}


def _finds(kind: LocationKind, paths: Collection[str]) -> bool:
    for path in paths:
        try:
            kind.stat(path)
        except ObjectError:
            continue
        return True
    return False


def _worked_on(opened: Collection[JournalEntry]) -> list[str]:
    """Where the files of operations that have no end are, if they are anywhere."""
    names = ("path", "quarantine_path")
    return [str(line.facts[name]) for line in opened for name in names if name in line.facts][:_LOOKED_FOR]


def _sought(
    location_id: str,
    steps: pl.DataFrame,
    items: Collection[QuarantinedFile],
    opened: Collection[JournalEntry],
    histories: Mapping[int, StepHistory],
    *,
    another: bool,
) -> list[str]:
    """Paths of which one at least is there where the root is the right one; empty where nothing can be told."""
    # What was being removed for good may be gone, on the right root too.
    ending = {line.step for line in opened if line.operation == "empty"}
    held = [item.quarantine_path for item in items if item.state is QuarantineState.HELD and item.step not in ending]
    moving = [line for line in opened if line.operation in _MOVING]
    if held or moving:
        return [*_worked_on(moving), *held[:_LOOKED_FOR]]
    over = [item.step for item in items if item.state is QuarantineState.EMPTIED or item.step in ending]
    return list(
        islice(_of_plan(location_id, steps.filter(~pl.col("step").is_in(over)), histories, another), _LOOKED_FOR)
    )


def _of_plan(
    location_id: str, steps: pl.DataFrame, histories: Mapping[int, StepHistory], another: bool
) -> Iterator[str]:
    made = pl.col("action") == ActionKind.CREATE
    yield from (
        str(act.facts["path"])
        for history in histories.values()
        for act in history.done
        if act.facts.get("location_id") == location_id and act.operation != "quarantine"
    )
    yield from steps.filter(pl.col("keeper_location_id") == location_id)["keeper_path"]
    # On a root that is told to be another one a new file speaks for it; elsewhere it need not be made yet.
    here = (pl.col("victim_location_id") == location_id) & (pl.lit(another) | ~made)
    yield from steps.filter(here)["victim_path"]
