"""What a search needs of the stores, read once and kept as long as it is true.

Takes an open workspace, gives a library of its pictures; reads the catalog and the cache. After a change only the
vectors that are new are read; frames, which are small, are read again.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property, partial

import numpy as np
import polars as pl
from numpy.typing import NDArray

from deeplens_kit.decode import FORMATS
from deeplens_kit.features import available
from deeplens_kit.matching.evidence import VECTOR_COLUMNS
from deeplens_kit.pipeline.choices_in_use import choices_state
from deeplens_kit.pipeline.duplicate_facts import DuplicateFrames
from deeplens_kit.pipeline.file_listing import indexed_places
from deeplens_kit.pipeline.held_features import HeldFeatures
from deeplens_kit.pipeline.library_snapshot import KEPT_FROM_PICTURES, LibrarySnapshot, snapshot_name
from deeplens_kit.pipeline.search_cache import Generations, SearchCache
from deeplens_kit.pipeline.search_notes import notes_of_places
from deeplens_kit.pipeline.workspace import Workspace
from deeplens_kit.schemas import FeatureSpec
from deeplens_kit.search import Library, SearchFilters, VectorShelf
from deeplens_kit.search.hash_shelf import HashName, HashShelf
from deeplens_kit.search.library import PICTURE_COLUMNS, PLACE_COLUMNS
from deeplens_kit.telemetry import get_logger, span

__all__ = ["Held", "HeldState", "held_state", "load_held"]

_log = get_logger(__name__)

# While an index run commits, the library changes every few seconds: what is written then is of no use to anybody.
_KEPT_EVERY_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class HeldState:
    """What a library depends on; equal states mean equal libraries.

    Attributes:
        versions: Of the catalog, see `CatalogReader.versions`.
        locations: Id, name and address of each active location.
        pairs: Of the pairs that groups are made of, see `CatalogReader.pairs_version`.
        notes: Of what people say, see `Ledger.notes_version`.
        decisions: Of what people decided on groups, see `Ledger.decisions_version`.
        generations: Of the indices of vectors.
        chosen: The rule and the keep policy in use, see `choices_state`.
    """

    versions: tuple[int, int]
    locations: tuple[tuple[str, str, str], ...]
    pairs: int
    notes: tuple[int, ...]
    decisions: tuple[int, int] = (0, 0)
    generations: Generations = ()
    chosen: str = ""

    @property
    def groups(self) -> tuple[object, ...]:
        """What groups depend on beside pictures and places."""
        return self.pairs, self.decisions, self.chosen

    def has_pictures_of(self, other: HeldState) -> bool:
        """Whether pictures and places are the same; notes, groups and indices may differ."""
        return (self.versions, self.locations) == (other.versions, other.locations)


@dataclass(frozen=True)
class Held:
    """A library and what is to be said beside every answer from it.

    Attributes:
        state: What it was read from.
        library: The pictures.
        duplicates: What is proposed for them, made when it is first asked for.
        collections: Names of all collections.
        current: Whether every picture has all vectors that pictures here have.
        missing: What it lacks, a sentence each.
        features: Of these pictures, those that only some searches look at.
        content: Fingerprint of the pictures and places in the catalog: a catalog that was made anew may have the
            versions of the one before.
        loaded_at: When it was read, on the monotonic clock.
    """

    state: HeldState
    library: Library
    duplicates: DuplicateFrames
    collections: tuple[str, ...]
    current: bool
    missing: tuple[str, ...]
    features: HeldFeatures
    content: str = ""
    loaded_at: float = field(default_factory=time.monotonic)

    @property
    def locations(self) -> tuple[str, ...]:
        """Names of the active locations."""
        return tuple(name for _, name, _ in self.state.locations)

    def require_known(self, filters: SearchFilters) -> None:
        """Refuse names in filters that nothing can have.

        Raises:
            UnknownNameError: No such location, format, camera, collection or tag; the nearest is suggested.
        """
        filters.require_known(
            self.locations,
            FORMATS,
            cameras=self.library.picture_facts.cameras.names if filters.cameras else None,
            collections=self.collections,
            tags=self.library.note_facts.tags.names if filters.tags else None,
        )

    @cached_property
    def facets(self) -> pl.DataFrame:
        """Pictures by location and format."""
        return self.library.facets()

    def shelves(self) -> dict[str, VectorShelf]:
        """The vectors that have been read, by `FeatureSpec.key`."""
        return {item.shelf.key: item.shelf for item in self.library.vectors} | self.features.shelves()


def held_state(workspace: Workspace) -> HeldState:
    """What the stores say of themselves, without reading a picture: about two milliseconds on a local disk."""
    locations = tuple((item.location_id, item.name, item.url) for item in workspace.ledger.locations())
    catalog, ledger = workspace.catalog, workspace.ledger
    generations = SearchCache(workspace.settings.cache_dir).generations()
    said = ledger.notes_version(), ledger.decisions_version()
    chosen = choices_state(workspace)
    return HeldState(catalog.versions(), locations, catalog.pairs_version(), *said, generations, chosen)


def load_held(workspace: Workspace, state: HeldState, before: Held | None) -> Held:
    """Read the library in a state or a later one.

    Args:
        workspace: An open workspace.
        state: As it was before the reading began: what changes meanwhile is read again by the next search.
        before: What was held until now; its vectors need not be read again.
    """
    if before is not None and state.has_pictures_of(before.state):
        return _said_anew(workspace, state, before)
    duplicates = DuplicateFrames(workspace)
    with span("search.load"):
        content = workspace.catalog.content_fingerprint()
        library = _pictures(workspace, state, content, before)
        library, features = _with_features(workspace, library, before)
        notes = notes_of_places(workspace, library.places)
        library = library.changed(notes=notes, duplicates=duplicates.frame)
        state = _state_with(state, library, workspace)
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
    current = not lacking and not (without and enabled)
    return Held(state, library, duplicates, _collections(workspace), current, tuple(missing), features, content)


def _said_anew(workspace: Workspace, state: HeldState, before: Held) -> Held:
    """The same pictures where only notes, groups or indices have changed, so that no picture is read again."""
    library, duplicates = before.library, before.duplicates
    if state.notes != before.state.notes:
        library = library.changed(notes=notes_of_places(workspace, library.places))
    if state.groups != before.state.groups:
        duplicates = DuplicateFrames(workspace)
        library = library.changed(duplicates=duplicates.frame)
    features = before.features
    if state.generations != before.state.generations:
        library, features = _with_features(workspace, library, before)
        state = _state_with(state, library, workspace)
    return replace(
        before,
        state=state,
        library=library,
        duplicates=duplicates,
        collections=_collections(workspace),
        features=features,
    )


def _collections(workspace: Workspace) -> tuple[str, ...]:
    return tuple(collection.name for collection in workspace.ledger.collections())


def _pictures(workspace: Workspace, state: HeldState, content: str, before: Held | None) -> Library:
    """The library without its vectors: from its snapshot, else from the catalog."""
    snapshots = LibrarySnapshot(workspace.settings.cache_dir)
    name = snapshot_name(content, state.locations)
    kept = snapshots.load(name)
    if kept is not None:
        return kept
    places = indexed_places(workspace, PLACE_COLUMNS)
    pictures = workspace.catalog.pictures(columns=PICTURE_COLUMNS, unreferenced=True)
    library = Library.of(pictures, places, {})
    lately = before is not None and time.monotonic() - before.loaded_at < _KEPT_EVERY_SECONDS
    # A commit in between is in the rows and not in the name.
    if len(library) >= KEPT_FROM_PICTURES and not lately and held_state(workspace) == state:
        # Beside the first answer; the process stays until it is written.
        threading.Thread(target=snapshots.keep, args=(name, library), name="deeplens-library").start()
    return library


def _specs(workspace: Workspace) -> dict[str, FeatureSpec]:
    """The vectors that the catalog holds, by feature, those of copies first; of several versions the one installed."""
    specs: dict[str, list[FeatureSpec]] = {name: [] for name in VECTOR_COLUMNS}
    for spec in workspace.catalog.vector_specs():
        if spec.kind == "vector":
            specs.setdefault(spec.name, []).append(spec)
    chosen = {}
    for name, versions in specs.items():
        if len(versions) > 1:
            versions.sort(key=lambda spec: spec.key == _installed_key(workspace, name))
        if versions:
            chosen[name] = versions[-1]
    return chosen


def _hashes(workspace: Workspace, library: Library, name: HashName) -> HashShelf:
    """A hash of the library's pictures."""
    if name not in library.pictures.columns:
        read = workspace.catalog.pictures(columns=["digest", name])
        return HashShelf.of(name, library.pictures.select("digest").join(read, on="digest", how="left")[name])
    return HashShelf.of(name, library.pictures[name])


def _installed_key(workspace: Workspace, name: str) -> str | None:
    features = workspace.settings.features
    found = available(type(features)(enabled=(name,), model_dir=features.model_dir)).extractors
    return found[name].spec.key if name in found else None


def _with_features(workspace: Workspace, library: Library, before: Held | None) -> tuple[Library, HeldFeatures]:
    """The library with the vectors that copies are found by, and all else that it can be compared by."""
    specs = _specs(workspace)
    # Not the library of before itself, which would keep all those before it.
    read = partial(_shelf, workspace, packed=library.packed, known=before.shelves() if before is not None else {})
    found = library.with_vectors({name: read(spec) for name, spec in specs.items() if name in VECTOR_COLUMNS})
    return found, HeldFeatures(found, specs, read, partial(_hashes, workspace, found))


def _shelf(
    workspace: Workspace, spec: FeatureSpec, *, packed: NDArray[np.uint8], known: Mapping[str, VectorShelf]
) -> VectorShelf:
    """The vectors of a feature: those held or kept, and beside them those of pictures that are new."""
    return SearchCache(workspace.settings.cache_dir).shelf(workspace.catalog, spec, packed, known.get(spec.key))


def _state_with(state: HeldState, library: Library, workspace: Workspace) -> HeldState:
    """The state with the indices that were made for it, so that these count as no change."""
    used = {(shelf.key, shelf.stored.base) for shelf in (item.shelf for item in library.vectors) if shelf.stored}
    there = SearchCache(workspace.settings.cache_dir).generations()
    known = dict(state.generations) | {key: base for key, base in there if (key, base) in used}
    return replace(state, generations=tuple(sorted(known.items())))


def _why_none(workspace: Workspace) -> str:
    """Why no picture has a vector."""
    wanted = [name for name in workspace.settings.features.enabled if name in VECTOR_COLUMNS]
    if not wanted:
        return "no model is enabled in workspace.toml"
    features = workspace.settings.features
    missing = available(type(features)(enabled=tuple(wanted), model_dir=features.model_dir)).missing
    return "; ".join(reason.rstrip(".") for reason in missing.values()) or "run `deeplens index`"
