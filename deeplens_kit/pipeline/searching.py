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
        self._toolbox: Toolbox | None = None
        self._unavailable: Mapping[str, str] = {}

    def warm(self) -> None:
        """Load pictures, indices and models now, so that the first search is as fast as the others."""
        held = self._fresh()
        toolbox = self._tools(held)
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
        decode = self._workspace.settings.decode
        asked = features_of(
            sought(image, held.library, decode, name=name, allow_private=allow_private), held.library, self._tools(held)
        )
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
            missing=self._missing(held, asked),
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
                self._toolbox = None
            return self._held

    def _tools(self, held: Held) -> Toolbox:
        """Extractors of the hashes, and of the vectors that the library has."""
        with self._lock:
            if self._toolbox is None:
                wanted = (*_HASHES, *(vectors.name for vectors in held.library.vectors))
                found = available(replace(self._workspace.settings.features, enabled=wanted))
                usable, self._unavailable = {}, dict(found.missing)
                keys = {vectors.name: vectors.shelf.key for vectors in held.library.vectors}
                for name, extractor in found.extractors.items():
                    if keys.get(name, extractor.spec.key) == extractor.spec.key:
                        usable[name] = extractor
                    else:
                        self._unavailable[name] = (
                            "the pictures were indexed with another version of the model; run `deeplens index`"
                        )
                self._toolbox = Toolbox(tuple(usable.values()), self._workspace.settings.decode, thumbnails=None)
            return self._toolbox

    def _missing(self, held: Held, asked: Asked) -> tuple[str, ...]:
        lines = list(held.missing)
        for vectors in held.library.vectors:
            if vectors.name not in asked.picture.vectors:
                why = self._unavailable.get(vectors.name, "the picture has no vector of it; run `deeplens index`")
                lines.append(f"{vectors.name} was not used: {why.rstrip('.')}.")
        return tuple(lines)
