"""What applying, undoing and emptying stand on: opened locations, leases on them, and what may not be touched.

Takes an open workspace and files, gives a `Ground`; must not touch a file. Holds are asked for at the moment of acting;
the keep policy in use and the options of locations when the work begins.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import polars as pl

from deeplens_kit.actions import (
    ActStep,
    ApplyOptions,
    FileAt,
    Ground,
    covered_by_holds,
    decided_against,
    no_boundary,
    no_content,
    nothing_protected,
)
from deeplens_kit.errors import DeepLensError, Interrupted, LeaseHeldError, LocationError, ObjectError, SettingsError
from deeplens_kit.ledger import Lease, Location
from deeplens_kit.ledger.holder import current_holder
from deeplens_kit.matching import KeepPolicy
from deeplens_kit.pipeline.file_listing import active_files
from deeplens_kit.pipeline.keep_policies import chosen_policy
from deeplens_kit.pipeline.plan_facts import with_objections
from deeplens_kit.pipeline.workspace import Workspace
from deeplens_kit.settings import ActionSettings
from deeplens_kit.storage import QUARANTINE_FOLDER, LocationKind
from deeplens_kit.telemetry import get_logger

__all__ = ["Leases", "Protection", "ground_of", "leased", "opened_kinds", "options_of", "tidy_quarantine"]

_log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Leases:
    """The leases that a piece of work holds.

    Attributes:
        run_id: The run that it is.
        held: One for each location.
    """

    run_id: str
    held: tuple[Lease, ...]

    def check(self) -> None:
        """Raise unless all are still ours; as `Lease.check`."""
        for lease in self.held:
            lease.check()


class Protection:
    """Why a file must not be touched.

    Args:
        workspace: An open workspace.
        policies: Keep policies whose protected places count, besides the one in use.
        steps: PLAN_STEPS; those that a person decided against are left alone. None for none.
    """

    def __init__(self, workspace: Workspace, *policies: KeepPolicy, steps: pl.DataFrame | None = None) -> None:
        self._decided = frozenset[tuple[str, str]]()
        if steps is not None:
            against = steps.filter(decided_against(steps, workspace.ledger.decisions()))
            self._decided = frozenset(against.select("victim_location_id", "victim_path").iter_rows())
        self._ledger = workspace.ledger
        self._immutable = {
            item.location_id: item.name for item in workspace.ledger.locations() if item.options.get("immutable")
        }
        self._protected = _protected_files(workspace, (chosen_policy(workspace), *policies))
        self._collections: tuple[tuple[int, ...], Mapping[str, set[str]]] = ((), {})
        self._lock = threading.Lock()

    def of_step(self, file: FileAt, digest: str | None) -> str | None:
        """Why a file must not be acted on now; None where it may."""
        if (name := self._immutable.get(file.location_id)) is not None:
            return f"Location {name!r} has the option 'immutable': nothing there is changed."
        if (file.location_id, file.path) in self._protected:
            return "The keep policy in use protects its place."
        if (file.location_id, file.path) in self._decided:
            return "A person decided against it since the plan was made."
        return self.held(file, digest)

    def held(self, file: FileAt, digest: str | None) -> str | None:
        """Why a hold covers a file now; None where none does."""
        holds = self._ledger.holds()
        if not holds:
            return None
        wanted = any(hold.collection for hold in holds)
        rows = {"location_id": [file.location_id], "path": [file.path], "digest": [digest]}
        frame = pl.DataFrame(rows, schema=dict.fromkeys(rows, pl.String()))
        if not covered_by_holds(frame, holds, self._in_collections() if wanted else {})[0]:
            return None
        return "A hold covers it; `deeplens holds list` says which and why."

    def _in_collections(self) -> Mapping[str, set[str]]:
        with self._lock:
            version = self._ledger.notes_version()
            if self._collections[0] != version:
                found: dict[str, set[str]] = {}
                for note in self._ledger.notes():
                    if note.collection:
                        found.setdefault(note.collection, set()).add(note.digest)
                self._collections = version, found
            return self._collections[1]


def options_of(settings: ActionSettings, *, proof: str | None = None) -> ApplyOptions:
    """How plans are applied, by the settings of a workspace."""
    return ApplyOptions(
        tiers=settings.tiers,
        proof=proof or settings.proof,
        quarantine_days=settings.quarantine_days,
        stop_after_failures=settings.stop_after_failures,
        stop_at_skip_share=settings.stop_at_skip_share,
        steps_per_second=settings.steps_per_second,
    )


def ground_of(
    workspace: Workspace,
    application_id: str,
    kinds: Mapping[str, LocationKind],
    options: ApplyOptions,
    *,
    boundary: Callable[[str], None] = no_boundary,
    protected: Callable[[FileAt, str | None], str | None] = nothing_protected,
    content: Callable[[ActStep], bytes | None] | None = None,
    may_go_on: Callable[[], object] = lambda: None,
) -> Ground:
    """A `Ground` over the ledger of a workspace."""
    return Ground(
        application_id,
        kinds,
        workspace.ledger,
        options,
        boundary,
        protected,
        content or no_content,
        may_go_on=may_go_on,
    )


@contextmanager
def opened_kinds(
    workspace: Workspace, location_ids: Collection[str], *, inactive: bool
) -> Iterator[dict[str, LocationKind]]:
    """Open locations; those that cannot be opened by their settings are left out, and told of by what needs them.

    Args:
        workspace: An open workspace.
        location_ids: Which.
        inactive: Also those that are left out of runs: what was put there may be taken back.
    """
    with ExitStack() as stack:
        kinds = {}
        for location in workspace.ledger.locations(inactive=inactive):
            if location.location_id in location_ids:
                try:
                    kind = workspace.kind_of(location)
                except (SettingsError, LocationError) as error:
                    _log.warning("location left out", location=location.name, reason=str(error))
                    continue
                stack.callback(kind.close)
                kinds[location.location_id] = kind
        yield kinds


@contextmanager
def leased(workspace: Workspace, what: str, location_ids: Collection[str]) -> Iterator[Leases]:
    """Hold the lease on each of some locations while the block runs, as one run of the ledger.

    Locations that overlap with these, one in the folder of the other, are held too: their files are the same.

    Raises:
        LeaseHeldError: Another run works at one of them; nothing was begun.
    """
    ledger, stale = workspace.ledger, workspace.settings.index.lease_stale_seconds
    wanted = _overlapping(workspace, location_ids)
    holder = current_holder()
    run = ledger.start_run(what, None, {"locations": sorted(item.name for item in wanted)}, holder=holder)
    try:
        with ExitStack() as stack:
            # In one order everywhere, so that two never wait for each other's.
            ordered = sorted(wanted, key=lambda item: item.location_id)
            held = [stack.enter_context(ledger.lease(item, holder, run.run_id, stale)) for item in ordered]
            yield Leases(run.run_id, tuple(held))
    except Exception as error:
        state = "interrupted" if isinstance(error, Interrupted | LeaseHeldError) else "failed"
        ledger.finish_run(run.run_id, state, message=str(error) if isinstance(error, DeepLensError) else "")
        raise
    ledger.finish_run(run.run_id, "finished")


def _overlapping(workspace: Workspace, location_ids: Collection[str]) -> list[Location]:
    """Locations with those that overlap with one of them."""
    places: dict[str, str] = {}
    locations = workspace.ledger.locations(inactive=True)
    for location in locations:
        try:
            kind = workspace.kind_of(location)
        except (SettingsError, LocationError):
            continue  # what cannot be opened is not worked at
        places[location.location_id] = kind.place
        kind.close()
    mine = [place for location_id, place in places.items() if location_id in location_ids]

    def overlaps(location: Location) -> bool:
        place = places.get(location.location_id)
        return place is not None and any(place.startswith(other) or other.startswith(place) for other in mine)

    return [item for item in locations if item.location_id in location_ids or overlaps(item)]


def tidy_quarantine(kinds: Mapping[str, LocationKind], application_id: str) -> None:
    """Remove the folders of an application's quarantine that hold nothing any more."""
    for kind in kinds.values():
        if not kind.may_change:
            continue
        try:
            kind.remove_empty_folders(f"{QUARANTINE_FOLDER}/{application_id}")
            kind.remove_empty_folders(f"{QUARANTINE_FOLDER}/{application_id}.taken-back")
            kind.remove_empty_folders(QUARANTINE_FOLDER)
        except (ObjectError, LocationError) as error:
            # Empty folders harm nobody.
            _log.info("empty folders left", location=kind.name, reason=str(error))


def _protected_files(workspace: Workspace, policies: Collection[KeepPolicy]) -> frozenset[tuple[str, str]]:
    files = with_objections(workspace, active_files(workspace), *policies).filter("protected")
    return frozenset(files.select("location_id", "path").iter_rows())
