"""Which pictures may have a part in common with a picture: those worth a closer look, the likeliest first.

Takes vectors of a picture and of parts of it, a library, and the stored regions of its pictures; gives positions, each
with the part that found it. A part against whole pictures finds what it was cut from, the whole against stored regions
what it was pasted into. Must not judge whether there is anything in common at all.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deeplens_kit.search.library import Library, LibraryVectors
from deeplens_kit.search.part_views import ALL_OF_IT
from deeplens_kit.search.query import Box
from deeplens_kit.search.region_shelf import RegionShelf

__all__ = ["AskedPart", "PartCandidate", "part_candidates"]

_FETCHED = 32  # by each part
# What a part reaches with strangers is the mean of the cosines in these places; where there are fewer it is unknown.
_STRANGERS = slice(5, 15)
_UNKNOWN_LEVEL = 0.15
# Below it (exclusive) a part is as close to strangers. On the development benchmark the sources of 98 crops, collages
# and screenshots have 0.10 and more, and so have four other pictures for each of them.
_LEAST_CLOSENESS = 0.04
# A picture with more copies than that has no strangers there, and is no worse for it.
_HIGHEST_LEVEL = 0.60
# Bits of 256 (inclusive) within which a hash is near, and nearer; strangers differ in 100 and more.
_PDQ_RADII = (40, 72)


@dataclass(frozen=True, slots=True, eq=False)
class AskedPart:
    """A part of the picture that is asked for.

    Attributes:
        box: Where it is, in shares of that picture.
        vector: Of the whole-picture model, (d,) of length one; None where there is no model.
        pdq: Its hash; None where it was not computed.
    """

    box: Box
    vector: NDArray[np.floating] | None
    pdq: bytes | None = None


@dataclass(frozen=True, slots=True)
class PartCandidate:
    """A picture that may have a part in common.

    Attributes:
        position: In the library.
        asked: What found it, in shares of the picture that is asked for.
        found: The stored region that it was found by, in shares of the picture found; all of it elsewhere.
        closeness: More is likelier: the cosine above what strangers reach, 0..1.
    """

    position: int
    asked: Box
    found: Box
    closeness: float


def part_candidates(
    parts: Sequence[AskedPart],
    library: Library,
    vectors: LibraryVectors | None,
    regions: RegionShelf | None,
    wanted: NDArray[np.bool_] | None,
    most: int,
) -> list[PartCandidate]:
    """The likeliest candidates, each picture once, by the part that it is closest to.

    Args:
        parts: Of the picture asked for, all of it first.
        library: Where to search.
        vectors: Of the model that the parts were embedded with; None compares hashes alone.
        regions: Of the same model; None where no picture has one.
        wanted: bool by position, what may be found; None for all.
        most: Candidates at most.
    """
    best: dict[int, PartCandidate] = {}
    for candidate in _each(parts, library, vectors, regions, wanted):
        if candidate.closeness < _LEAST_CLOSENESS:
            continue
        known = best.get(candidate.position)
        if known is None or candidate.closeness > known.closeness:
            best[candidate.position] = candidate
    return sorted(best.values(), key=lambda item: (-item.closeness, item.position))[:most]


def _each(
    parts: Sequence[AskedPart],
    library: Library,
    vectors: LibraryVectors | None,
    regions: RegionShelf | None,
    wanted: NDArray[np.bool_] | None,
) -> Iterator[PartCandidate]:
    whole = parts[0].vector
    for part in parts:
        if vectors is not None and part.vector is not None:
            positions, cosines = _nearest(part.vector, vectors, wanted)
            for position, closeness in zip(positions.tolist(), _above(cosines).tolist(), strict=True):
                yield PartCandidate(position, part.box, ALL_OF_IT, closeness)
        elif part.pdq is not None:
            yield from _by_hash(part, library, wanted)
    if regions is not None and whole is not None:
        rows, cosines = regions.nearest(whole, _FETCHED, wanted)
        for row, closeness in zip(rows.tolist(), _above(cosines).tolist(), strict=True):
            left, top, right, bottom = regions.boxes[row].tolist()
            yield PartCandidate(int(regions.positions[row]), ALL_OF_IT, (left, top, right, bottom), closeness)


def _nearest(
    vector: NDArray[np.floating], vectors: LibraryVectors, wanted: NDArray[np.bool_] | None
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """The nearest whole pictures with their cosines, falling."""
    positions, _ = vectors.nearest(vector, _FETCHED, -1.0, wanted)
    rows = vectors.shelf.rows(vectors.row_of_position[positions])
    cosines = np.asarray(rows @ vector.astype(np.float32), np.float32) if len(rows) else np.zeros(0, np.float32)
    order = np.argsort(-cosines, kind="stable")
    return positions[order], cosines[order]


def _above(cosines: NDArray[np.float32]) -> NDArray[np.float64]:
    """Falling cosines, less what this part has in common with strangers."""
    strangers = cosines[_STRANGERS]
    level = float(strangers.mean()) if len(strangers) == _STRANGERS.stop - _STRANGERS.start else _UNKNOWN_LEVEL
    return cosines.astype(np.float64) - min(max(level, 0.0), _HIGHEST_LEVEL)


def _by_hash(part: AskedPart, library: Library, wanted: NDArray[np.bool_] | None) -> Iterator[PartCandidate]:
    """Where there is no model: pictures whose hash is near."""
    for shelf in library.hashes:
        for radius in _PDQ_RADII if shelf.name == "pdq" else ():
            for position in shelf.nearest(part.pdq, radius, _FETCHED, wanted).positions.tolist():
                yield PartCandidate(position, part.box, ALL_OF_IT, 1.0 - radius / 128)
