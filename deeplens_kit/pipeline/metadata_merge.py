"""What people wrote into files that go is kept in a sidecar beside the keeper, where the keeper does not tell it.

Takes an open workspace and a draft of a plan, gives the draft with the steps that write sidecars; reads sidecars that
are there and nothing else, and never writes. What a step writes is made again when it is done, and is written only
where it is exactly what was approved.
"""

from __future__ import annotations

import hashlib
import json
import re
import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

import polars as pl

from deeplens_kit.actions import (
    ActStep,
    PlanDraft,
    PlanPlace,
    PlanPrices,
    Sidecar,
    Told,
    covered_by_holds,
    merged,
    new_sidecar,
    sidecar_path,
    sidecar_tells,
    sidecar_with,
    telling_steps,
    told_by,
    with_sidecars,
)
from deeplens_kit.errors import ObjectError, ObjectGoneError
from deeplens_kit.pipeline.workspace import Workspace
from deeplens_kit.schemas import ActionKind
from deeplens_kit.storage import LocationKind

__all__ = ["metadata_content", "with_merged_metadata"]

_MOST_BYTES = 2**20
_EDITED = "EXIF DateTime"
"""When a file was written last: no date of a picture."""


# Of METADATA, as `decode.tags` words them: what a file tells was not kept whole.
_UNTOLD = re.compile(r"has a value that was cut|more tags than are kept|XMP is (?:too long|no XML)")


@dataclass(frozen=True, slots=True)
class _Beside:
    """A keeper, and the steps of files that go because it stays."""

    location_id: str
    path: str
    digest: str
    goes: tuple[tuple[int, str], ...]


def with_merged_metadata(
    workspace: Workspace,
    draft: PlanDraft,
    files: pl.DataFrame,
    places: Mapping[str, PlanPlace],
    prices: PlanPrices | None,
) -> PlanDraft:
    """A draft with steps that keep what only files that go tell; those whose words cannot be kept stay.

    Args:
        workspace: An open workspace.
        draft: Of a plan.
        files: As `with_objections` gives them.
        places: What locations can do, by id.
        prices: For `money_per_month`; None for no price.

    Raises:
        LocationUnavailableError: The location of a keeper cannot be reached.
    """
    besides = _besides(draft.steps)
    told = _told(workspace, besides)
    sidecars, without = [], set[int]()
    locations = {item.location_id: item for item in workspace.ledger.locations()}
    barred = _barred(workspace, files, draft.steps)
    with ExitStack() as stack:
        kinds: dict[str, LocationKind] = {}
        for beside in besides:
            without.update(step for step, digest in beside.goes if digest not in told)
            tells = _telling(beside, told, told.get(beside.digest, Told()))
            if not tells:
                continue
            if beside.digest not in told:
                without.update(tells)
                continue
            if beside.location_id not in kinds:
                kind = workspace.kind_of(locations[beside.location_id])
                stack.callback(kind.close)
                kinds[beside.location_id] = kind
            try:
                sidecar = _sidecar(kinds[beside.location_id], beside, told)
            except (ObjectError, ValueError):
                sidecar = None
            if sidecar is None or (sidecar.gained and not _may_write(sidecar, places, barred)):
                without.update(tells)
            elif sidecar.gained:
                sidecars.append(sidecar)
    return with_sidecars(draft, sidecars, without, prices) if sidecars or without else draft


def metadata_content(
    workspace: Workspace, steps: pl.DataFrame, kinds: Mapping[str, LocationKind]
) -> Callable[[ActStep], bytes | None]:
    """What steps that write sidecars write, made again; None where that is not what was approved.

    Args:
        workspace: An open workspace.
        steps: PLAN_STEPS.
        kinds: The opened locations, by id.
    """
    making = steps.filter(pl.col("action").is_in([str(ActionKind.CREATE), str(ActionKind.REWRITE)]))
    wanted = {
        row["step"]: row["target"] if row["action"] == ActionKind.REWRITE else row["victim_digest"]
        for row in making.iter_rows(named=True)
    }
    besides = {(beside.location_id, sidecar_path(beside.path)): beside for beside in _besides(steps)}
    told: dict[str, Told] = {}
    lock = threading.Lock()

    def content(step: ActStep) -> bytes | None:
        beside = besides.get((step.victim.location_id, step.victim.path))
        if step.step not in wanted or beside is None:
            return None
        with lock:
            if not told:
                told.update(_told(workspace, list(besides.values())))
        if beside.digest not in told:
            return None  # what the keeper tells is not known any more
        try:
            sidecar = _sidecar(kinds[beside.location_id], beside, told)
        except ValueError:
            return None
        return sidecar.data if hashlib.sha256(sidecar.data).hexdigest() == wanted[step.step] else None

    return content


def _besides(steps: pl.DataFrame) -> list[_Beside]:
    keeper = ["keeper_location_id", "keeper_path", "keeper_digest"]
    grouped = telling_steps(steps).group_by(keeper, maintain_order=True).agg("step", "victim_digest")
    return [
        _Beside(location_id, path, digest, tuple(zip(numbers, digests, strict=True)))
        for location_id, path, digest, numbers, digests in grouped.iter_rows()
    ]


def _told(workspace: Workspace, besides: Sequence[_Beside]) -> dict[str, Told]:
    """What pictures tell, by digest; those of which not all is known are left out."""
    digests = list(
        dict.fromkeys(digest for beside in besides for digest in (beside.digest, *(said for _, said in beside.goes)))
    )
    if not digests:
        return {}
    columns = ["digest", "gps_latitude", "gps_longitude", "dated_at", "taken_at_utc", "taken_at_origin"]
    rows = workspace.catalog.metadata(digests).select("digest", "tags", "problems").iter_rows()
    tags = {digest: said for digest, said, problems in rows if not _UNTOLD.search(problems)}
    found = {}
    for digest, north, east, dated, utc, origin in workspace.catalog.pictures(digests, columns).iter_rows():
        if digest not in tags:
            continue
        written = str(origin or "").partition(" + ")[0] == _EDITED
        found[digest] = told_by(
            json.loads(tags[digest]),
            position=None if north is None or east is None else (north, east),
            dated_at=None if written else dated,
            taken_at_utc=None if written else utc,
        )
    return found


def _sidecar(kind: LocationKind, beside: _Beside, told: Mapping[str, Told]) -> Sidecar:
    """The sidecar of a keeper with what the files that go tell.

    Raises:
        ObjectError: One that is there cannot be read.
        ValueError: It cannot take more.
    """
    goes = [told[digest] for _, digest in beside.goes if digest in told]
    path = sidecar_path(beside.path)
    mine = told[beside.digest]
    try:
        state = kind.stat(path)
    except ObjectGoneError:
        whole, gained = merged(mine, goes)
        return Sidecar(beside.location_id, path, new_sidecar(whole), gained, _telling(beside, told, mine))
    if state.link_count > 1:
        raise ValueError("the sidecar has several names")
    data = kind.read(path, expected=state, max_bytes=_MOST_BYTES)
    # What a person wrote into the sidecar counts before what the picture says itself.
    whole = merged(sidecar_tells(data), [mine])[0]
    gained = merged(whole, goes)[1]
    new = sidecar_with(data, merged(whole, goes)[0]) if gained else data
    digest = hashlib.sha256(data).hexdigest()
    return Sidecar(beside.location_id, path, new, gained, _telling(beside, told, whole), state, digest)


def _telling(beside: _Beside, told: Mapping[str, Told], stays: Told) -> tuple[int, ...]:
    return tuple(step for step, digest in beside.goes if digest in told and merged(stays, [told[digest]])[1])


def _may_write(sidecar: Sidecar, places: Mapping[str, PlanPlace], barred: Callable[[str, str], bool]) -> bool:
    place = places.get(sidecar.location_id)
    if place is None or place.immutable or barred(sidecar.location_id, sidecar.path):
        return False
    return place.may_create if sidecar.state is None else place.may_change and place.may_create


def _barred(workspace: Workspace, files: pl.DataFrame, steps: pl.DataFrame) -> Callable[[str, str], bool]:
    """Whether a sidecar must stay as it is: it is protected, held, or a file that the plan speaks of."""
    kept = files.filter(pl.col("protected") | pl.col("held")).select("location_id", "path")
    spoken = [
        steps.select(location_id=f"{end}_location_id", path=f"{end}_path").drop_nulls() for end in ("victim", "keeper")
    ]
    closed: Collection[tuple[str, str]] = set(pl.concat([kept, *spoken]).iter_rows())
    holds = [hold for hold in workspace.ledger.holds() if not hold.digest and not hold.collection]

    def barred(location_id: str, path: str) -> bool:
        if (location_id, path) in closed:
            return True
        rows = {"location_id": [location_id], "path": [path], "digest": [None]}
        frame = pl.DataFrame(rows, schema=dict.fromkeys(rows, pl.String()))
        return bool(holds) and bool(covered_by_holds(frame, holds, {})[0])

    return barred
