"""What a search needs of the stores, read once and kept as long as it is true.

Takes an open workspace, gives a library of its pictures; reads the catalog and the cache. After a change only the
vectors that are new are read; frames, which are small, are read again.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import polars as pl

from deeplens_kit.features import available
from deeplens_kit.matching.evidence import VECTOR_COLUMNS
from deeplens_kit.pipeline.findings import indexed_files
from deeplens_kit.pipeline.search_cache import CACHED_FROM_VECTORS, SearchCache
from deeplens_kit.pipeline.workspace import Workspace
from deeplens_kit.schemas import FeatureSpec
from deeplens_kit.search import Library, VectorShelf
from deeplens_kit.search.library import PICTURE_COLUMNS, PLACE_COLUMNS
from deeplens_kit.telemetry import get_logger, span

__all__ = ["Held", "HeldState", "held_state", "load_held"]

_log = get_logger(__name__)

# Vectors that came or went since an index was kept, as a share of it; beyond, one is made of those there are.
_STALE_SHARE = 0.2


@dataclass(frozen=True, slots=True)
class HeldState:
    """What a library depends on; equal states mean equal libraries.

    Attributes:
        versions: Of the catalog, see `CatalogReader.versions`.
        locations: Id, name and address of each active location.
    """

    versions: tuple[int, int]
    locations: tuple[tuple[str, str, str], ...]


@dataclass(frozen=True)
class Held:
    """A library and what is to be said beside every answer from it.

    Attributes:
        state: What it was read from.
        library: The pictures.
        current: Whether every picture has all vectors that pictures here have.
        missing: What it lacks, a sentence each.
    """

    state: HeldState
    library: Library
    current: bool
    missing: tuple[str, ...]

    @property
    def locations(self) -> tuple[str, ...]:
        """Names of the active locations."""
        return tuple(name for _, name, _ in self.state.locations)

    @cached_property
    def facets(self) -> pl.DataFrame:
        """Pictures by location and format."""
        return self.library.facets()


def held_state(workspace: Workspace) -> HeldState:
    """What the stores say of themselves, without reading a row: about a millisecond on a local disk."""
    locations = tuple((item.location_id, item.name, item.url) for item in workspace.ledger.locations())
    return HeldState(workspace.catalog.versions(), locations)


def load_held(workspace: Workspace, state: HeldState, before: Held | None) -> Held:
    """Read the library in a state or a later one.

    Args:
        workspace: An open workspace.
        state: As it was before the reading began: what changes meanwhile is read again by the next search.
        before: What was held until now; its vectors need not be read again.
    """
    with span("search.load"):
        places = indexed_files(workspace).select(PLACE_COLUMNS)
        pictures = workspace.catalog.pictures(columns=PICTURE_COLUMNS)
        digests = places["digest"].unique().sort()
        shelves = {name: _shelf(workspace, spec, before, digests) for name, spec in _specs(workspace).items()}
        library = Library.of(pictures, places, shelves)
    lacking = {vectors.name: vectors.absent for vectors in library.vectors if vectors.absent}
    missing = [
        f"{count:,} of {len(library):,} pictures have no vector of {name} and were compared by hashes alone; run "
        "`deeplens index`."
        for name, count in lacking.items()
    ]
    without = len(library) > 0 and not library.vectors
    if without:
        missing.append(f"The pictures have no vectors, so only hashes were compared: {_why_none(workspace)}.")
    _log.info("search library loaded", pictures=len(library), places=library.places.height)
    enabled = any(name in VECTOR_COLUMNS for name in workspace.settings.features.enabled)
    return Held(state, library, not lacking and not (without and enabled), tuple(missing))


def _specs(workspace: Workspace) -> dict[str, FeatureSpec]:
    """The copy-detection vectors that the catalog holds, by feature; of several versions the one that is installed."""
    specs: dict[str, list[FeatureSpec]] = {}
    for spec in workspace.catalog.vector_specs():
        if spec.name in VECTOR_COLUMNS:
            specs.setdefault(spec.name, []).append(spec)
    chosen = {}
    for name in VECTOR_COLUMNS:
        versions = specs.get(name, [])
        if len(versions) > 1:
            versions.sort(key=lambda spec: spec.key == _installed_key(workspace, name))
        if versions:
            chosen[name] = versions[-1]
    return chosen


def _installed_key(workspace: Workspace, name: str) -> str | None:
    features = workspace.settings.features
    found = available(type(features)(enabled=(name,), model_dir=features.model_dir)).extractors
    return found[name].spec.key if name in found else None


def _shelf(workspace: Workspace, spec: FeatureSpec, before: Held | None, digests: pl.Series) -> VectorShelf:
    """The vectors of a feature: those held or kept, and beside them those of pictures that are new."""
    cache = SearchCache(workspace.settings.cache_dir)
    known = (
        next((item.shelf for item in before.library.vectors if item.shelf.key == spec.key), None) if before else None
    )
    shelf = known or cache.load(spec.key)
    if shelf is not None:
        new = digests.filter(~digests.is_in(shelf.digests.implode()))
        # A running search takes all that comes; a new one starts afresh where much has come or gone.
        if known is not None or _is_near(shelf, digests, len(new)):
            return shelf.extended(*workspace.catalog.vectors(spec, new.to_list())) if len(new) else shelf
    made = VectorShelf.of(spec.key, *workspace.catalog.vectors(spec))
    if len(made) >= CACHED_FROM_VECTORS:
        cache.keep(made)
    return made


def _is_near(shelf: VectorShelf, digests: pl.Series, new: int) -> bool:
    gone = len(shelf) - (len(digests) - new)
    return max(new, gone) <= _STALE_SHARE * len(shelf)


def _why_none(workspace: Workspace) -> str:
    """Why no picture has a vector."""
    wanted = [name for name in workspace.settings.features.enabled if name in VECTOR_COLUMNS]
    if not wanted:
        return "no model is enabled in workspace.toml"
    features = workspace.settings.features
    missing = available(type(features)(enabled=tuple(wanted), model_dir=features.model_dir)).missing
    return "; ".join(reason.rstrip(".") for reason in missing.values()) or "run `deeplens index`"
