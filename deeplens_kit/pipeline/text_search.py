"""The full text of a library: made where it is first asked for, then only what is new is made.

Takes an open workspace and a library, gives an index of words; reads the catalog and writes the cache, nothing else.
What is new is laid beside what there is; many small parts, or much that is no longer true, are joined into one.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from deeplens_kit.pipeline.progress import ProgressListener, ProgressMeter
from deeplens_kit.pipeline.public_tags import public_text
from deeplens_kit.pipeline.text_cache import TextCache
from deeplens_kit.pipeline.workspace import Workspace
from deeplens_kit.search import Library
from deeplens_kit.search.text_documents import documents_of, text_fingerprints
from deeplens_kit.search.text_index import TextIndex
from deeplens_kit.search.text_segment import SegmentBuilder, TextSegment
from deeplens_kit.search.vectors.digests import rows_of
from deeplens_kit.telemetry import get_logger, span

__all__ = ["TextSearch"]

_log = get_logger(__name__)

# So many documents are made at once: their words take some hundred megabytes.
_BATCH = 50_000
_MOST_SEGMENTS = 6
# Documents that are no longer true, as a share of all; beyond, they are left out of a new segment.
_DEAD_SHARE = 0.3
# Fewer documents are made faster than they are written down and read again.
_KEPT_FROM = 500


class TextSearch:
    """Full text over the libraries of a workspace; safe to share between threads, which wait while it is made.

    Args:
        workspace: An open workspace; it has to stay open.
    """

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._cache = TextCache(workspace.settings.cache_dir)
        self._lock = threading.Lock()
        self._held: tuple[Library, TextIndex] | None = None

    def index(self, library: Library, progress: ProgressListener | None = None) -> TextIndex:
        """The words of a library's pictures.

        Args:
            library: As it is held now.
            progress: Told how many documents have been made.
        """
        held = self._held
        if held is not None and held[0] is library:
            return held[1]
        with self._lock:
            held = self._held
            if held is None or held[0] is not library:
                with span("search.text"):
                    held = library, self._made(library, held[1].segments if held else None, progress)
                self._held = held
            return held[1]

    def _made(
        self, library: Library, before: Sequence[TextSegment] | None, progress: ProgressListener | None
    ) -> TextIndex:
        # 1. The documents that there are and are still true, each once.
        # Read before the metadata: what is written in between is made again.
        fingerprints = text_fingerprints(library, self._workspace.catalog.metadata_runs())
        segments = list(self._cache.load() if before is None else before)
        digests = library.pictures["digest"]
        owners, missing = _laid_against(segments, library.packed, fingerprints)
        # 2. Those that are not.
        if len(missing):
            builder = SegmentBuilder()
            meter = ProgressMeter(progress, "", "text", len(missing))
            for positions, metadata in self._parts(digests, missing):
                documents = documents_of(library, positions, metadata)
                builder.add(library.packed[positions], fingerprints[positions], documents)
                meter.advance(len(positions))
            segments.insert(0, builder.segment())
            owners.insert(0, rows_of(library.packed, segments[0].digests))
            meter.finish()
            _log.info("full text made", pictures=len(missing))
        # 3. Few segments, most of which is true.
        segments, owners, joined = _tidied(segments, owners)
        if joined or len(missing) >= _KEPT_FROM:
            self._cache.keep(segments[0], segments[1:])
        return TextIndex(tuple(segments), tuple(owners), len(library))

    def _parts(self, digests: pl.Series, missing: NDArray[np.int64]) -> Iterator[tuple[NDArray[np.int64], pl.Series]]:
        """Positions with what their files say, in parts: as the catalog gives them, then those of which it has none."""
        wanted = pl.DataFrame({"digest": digests.gather(missing), "position": missing})
        done = np.zeros(len(digests), bool)
        kept: list[pl.DataFrame] = []
        for tags in self._workspace.catalog.metadata_tags(wanted["digest"].to_list()):
            found = tags.join(wanted, on="digest")
            said = found.select("position", text=public_text(found["tags"]))
            done[found["position"].to_numpy()] = True
            kept.append(said)
            if sum(frame.height for frame in kept) >= _BATCH:
                yield _taken(kept)
                kept = []
        rest = missing[~done[missing]]
        kept.append(pl.DataFrame({"position": rest, "text": pl.Series([""] * len(rest), dtype=pl.String)}))
        positions, texts = _taken(kept)
        for first in range(0, len(positions), _BATCH):
            yield positions[first : first + _BATCH], texts.slice(first, _BATCH)


def _taken(frames: list[pl.DataFrame]) -> tuple[NDArray[np.int64], pl.Series]:
    together = pl.concat(frames)
    return together["position"].to_numpy(), together["text"]


def _laid_against(
    segments: Sequence[TextSegment], packed: NDArray[np.uint8], fingerprints: NDArray[np.uint64]
) -> tuple[list[NDArray[np.int64]], NDArray[np.int64]]:
    """For each segment the position of each document that is true and in none before it; and the positions of none."""
    free, owners = np.ones(len(packed), bool), []
    for segment in segments:
        at = rows_of(packed, segment.digests)
        known = np.flatnonzero(at >= 0)
        true = known[(fingerprints[at[known]] == segment.fingerprints[known]) & free[at[known]]]
        positions = np.full(len(segment), -1, np.int64)
        positions[true] = at[true]
        free[at[true]] = False
        owners.append(positions)
    return owners, np.flatnonzero(free)


def _tidied(
    segments: list[TextSegment], owners: list[NDArray[np.int64]]
) -> tuple[list[TextSegment], list[NDArray[np.int64]], bool]:
    """The same documents in few segments; and whether some were joined, into the first."""
    live = [int((positions >= 0).sum()) for positions in owners]
    used = [at for at, count in enumerate(live) if count]
    segments, owners, live = [segments[at] for at in used], [owners[at] for at in used], [live[at] for at in used]
    documents = sum(map(len, segments))
    if sum(live) < (1 - _DEAD_SHARE) * documents:
        chosen = list(range(len(segments)))
    elif len(segments) > _MOST_SEGMENTS:
        # The great one stays: what was made since is joined beside it.
        great = max(range(len(segments)), key=lambda at: len(segments[at]))
        chosen = [at for at in range(len(segments)) if at != great]
    else:
        return segments, owners, False
    builder = SegmentBuilder()
    for at in chosen:
        builder.add_segment(segments[at], owners[at] >= 0)
    together = builder.segment()
    positions = np.concatenate([owners[at][owners[at] >= 0] for at in chosen])
    rest = [at for at in range(len(segments)) if at not in chosen]
    return [together, *(segments[at] for at in rest)], [positions, *(owners[at] for at in rest)], True
