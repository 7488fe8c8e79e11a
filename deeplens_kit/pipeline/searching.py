"""Search by image: which stored pictures are like this one, and where are they?

Takes an open workspace and a picture, gives ranked results with every place; must not write but into the cache. What
is searched is read from the catalog once and held; before each search the catalog is asked whether it has changed,
also by another process, and what is new is read then.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import polars as pl

from deeplens_kit.decode import FORMATS
from deeplens_kit.errors import SettingsError
from deeplens_kit.features import available
from deeplens_kit.matching import STRICT
from deeplens_kit.pipeline.analysis import Toolbox
from deeplens_kit.pipeline.query_picture import Asked, features_of, sought
from deeplens_kit.pipeline.search_library import Held, held_state, load_held
from deeplens_kit.pipeline.workspace import Workspace
from deeplens_kit.search import QueryPicture, SearchFilters, rank
from deeplens_kit.search.results import places_found, results_of

__all__ = ["SearchAnswer", "Searcher"]

_ALL = SearchFilters()
# Measures that the rules look at: always computed for a query, they cost two milliseconds together.
_HASHES = ("clarity", "phash", "pdq")
_LONGEST_LIMIT = 10_000


@dataclass(frozen=True, slots=True)
class SearchAnswer:
    """What was found.

    Attributes:
        results: SEARCH_RESULTS, the best first.
        places: SEARCH_PLACES: every object of the result pictures, also at locations that were not asked for.
        query: name, digest, width_px, height_px, format, size_bytes, is_indexed.
        searched: Pictures that were compared: those that the filters on facts let through.
        found: Results before the limit; where not `found_all`, at least so many.
        found_all: Whether `found` is all; else the search ended when the best were certain.
        current: False where pictures lack vectors that others have, so that they were found by hashes alone.
        missing: What could not be used, with the reason, a sentence each.
        seconds: How long it took.
    """

    results: pl.DataFrame
    places: pl.DataFrame
    query: Mapping[str, object]
    searched: int
    found: int
    found_all: bool
    current: bool
    missing: tuple[str, ...]
    seconds: float


class Searcher:
    """Searches the pictures of a workspace; safe to share between threads.

    Args:
        workspace: An open workspace; it has to stay open.
    """

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._lock = threading.Lock()
        self._held: Held | None = None
        self._ready: _Tools | None = None

    def warm(self) -> None:
        """Load pictures, indices and models now, so that the first search is as fast as the others."""
        held = self._fresh()
        toolbox = self._tools(held).toolbox
        grey = np.full((8, 8, 3), 128, np.uint8)
        columns = [(extractor.spec, extractor.extract([grey])) for extractor in toolbox.extractors]
        vectors = {spec.name: values["vector"][0] for spec, values in columns if spec.kind == "vector"}
        facts = {"pdq": bytes(32), "phash": 0}
        ranking = rank(
            QueryPicture("", facts, vectors), held.library, _ALL, 1, rule=STRICT, floors=self._workspace.settings.match
        )
        results_of(ranking.rows.head(1), held.library, _ALL)

    def search(
        self,
        image: bytes | Path | str,
        *,
        filters: SearchFilters = _ALL,
        limit: int = 50,
        name: str | None = None,
        allow_private: bool = False,
    ) -> SearchAnswer:
        """Find the stored pictures most like a picture.

        Args:
            image: The bytes of a picture; the path of a file; or a text, which is, in this order, a link (http,
                https), the digest of an indexed picture, "location:path" of an indexed object, or a path.
            filters: What may be found; applied before the limit.
            limit: Results at most.
            name: What to call the picture in the answer.
            allow_private: Whether a link may lead to an address that is not public. Not for links of strangers.

        Raises:
            QueryError: The picture cannot be used; LinkRefusedError for a link that is not followed.
            UnknownNameError: A filter names a location or format that does not exist.
            SettingsError: The limit is not allowed.
        """
        started = time.perf_counter()
        if not 1 <= limit <= _LONGEST_LIMIT:
            raise SettingsError(f"The limit is {limit}; it must be from 1 to {_LONGEST_LIMIT:,}.")
        # 1. What is searched, as it is now.
        held = self._fresh()
        filters.require_known(held.locations, FORMATS)
        # 2. The picture and its features.
        tools = self._tools(held)
        given = sought(image, held.library, tools.toolbox.decode, name=name, allow_private=allow_private)
        asked = features_of(given, held.library, tools.toolbox)
        # 3. The most alike, and where they lie.
        ranking = rank(asked.picture, held.library, filters, limit, rule=STRICT, floors=self._workspace.settings.match)
        best = ranking.rows.head(limit)
        return SearchAnswer(
            results=results_of(best, held.library, filters),
            places=places_found(best, held.library),
            query=asked.facts,
            searched=ranking.compared,
            found=ranking.rows.height,
            found_all=ranking.is_whole,
            current=held.current,
            missing=self._missing(held, asked, tools),
            seconds=time.perf_counter() - started,
        )

    def facets(self) -> pl.DataFrame:
        """What the filters can choose: location, format, pictures (Int64), sorted."""
        return self._fresh().facets

    def _fresh(self) -> Held:
        state = held_state(self._workspace)
        held = self._held
        if held is not None and held.state == state:
            return held
        with self._lock:
            # Another thread may have read it meanwhile.
            state = held_state(self._workspace)
            if self._held is None or self._held.state != state:
                self._held = load_held(self._workspace, state, self._held)
            return self._held

    def _tools(self, held: Held) -> _Tools:
        """Extractors of the hashes, and of the vectors that the library has."""
        keys = {vectors.name: vectors.shelf.key for vectors in held.library.vectors}
        with self._lock:
            # A search that began before a change may still ask for those of before.
            if self._ready is None or self._ready.keys != keys:
                self._ready = _tools_for(self._workspace, keys)
            return self._ready

    def _missing(self, held: Held, asked: Asked, tools: _Tools) -> tuple[str, ...]:
        lines = list(held.missing)
        for vectors in held.library.vectors:
            if vectors.name not in asked.picture.vectors:
                why = tools.unavailable.get(vectors.name, "the picture has no vector of it; run `deeplens index`")
                lines.append(f"{vectors.name} was not used: {why.rstrip('.')}.")
        return tuple(lines)


@dataclass(frozen=True, slots=True)
class _Tools:
    """Extractors for a library with these vectors (feature -> key), and why others cannot be used."""

    keys: Mapping[str, str]
    toolbox: Toolbox
    unavailable: Mapping[str, str]


def _tools_for(workspace: Workspace, keys: Mapping[str, str]) -> _Tools:
    found = available(replace(workspace.settings.features, enabled=(*_HASHES, *keys)))
    usable, unavailable = [], dict(found.missing)
    for name, extractor in found.extractors.items():
        if keys.get(name, extractor.spec.key) == extractor.spec.key:
            usable.append(extractor)
        else:
            unavailable[name] = "the pictures were indexed with another version of the model; run `deeplens index`"
    return _Tools(keys, Toolbox(tuple(usable), workspace.settings.decode, thumbnails=None), unavailable)
