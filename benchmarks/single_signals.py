"""What single signals say of every pair of a benchmark: PDQ, pHash and each vector feature, alone.

Takes an indexed workspace and a benchmark, gives all query-reference pairs ranked by each signal; must not score them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from benchmarks.copy_scores import Answered, CopyBenchmark
from deeplens_kit.features import available, dihedral_pdq, dihedral_phash
from deeplens_kit.pipeline import Workspace

__all__ = ["single_signals"]

_BLOCK_ROWS = 64
"""Queries compared at once: 64 x 100,000 references of PDQ take 200 MB."""


def single_signals(workspace: Workspace, bench: CopyBenchmark, digest_at: Mapping[str, str]) -> dict[str, Answered]:
    """All query-reference pairs, ranked by each signal that the workspace holds; higher is more alike.

    Args:
        workspace: An open workspace.
        bench: The benchmark.
        digest_at: Digest of the picture at each path.
    """
    digest_of = {row: digest for path, digest in digest_at.items() if (row := bench.row(path)) is not None}
    pictures = workspace.catalog.pictures(columns=["digest", "pdq", "phash"])
    found: dict[str, Answered] = {}
    for name, column in (("PDQ", "pdq"), ("pHash", "phash")):
        known = pictures.drop_nulls(column)
        variants = dihedral_pdq(_pdq(known)) if column == "pdq" else dihedral_phash(known[column].to_numpy())
        words = np.ascontiguousarray(variants).view(np.uint64).reshape(8, known.height, -1)
        at, queries, references = _chosen(bench, digest_of, known["digest"].to_list())
        found[name] = _ranked(
            queries, references, (_closeness(words, at[block], at[references]) for block in _blocks(queries))
        )
    for spec in (extractor.spec for extractor in available(workspace.settings.features).extractors.values()):
        if spec.kind == "vector":
            digests, vectors = workspace.catalog.vectors(spec)
            at, queries, references = _chosen(bench, digest_of, digests)
            wide = vectors.astype(np.float32)
            found[spec.name] = _ranked(
                queries, references, (wide[at[block]] @ wide[at[references]].T for block in _blocks(queries))
            )
    return found


def _pdq(pictures: pl.DataFrame) -> NDArray[np.uint8]:
    return np.frombuffer(b"".join(pictures["pdq"]), np.uint8).reshape(-1, 32)


def _chosen(
    bench: CopyBenchmark, digest_of: dict[int, str], digests: Sequence[str]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Place of each row's picture among `digests` (-1: none), and the queries and references that have one."""
    place = {digest: number for number, digest in enumerate(digests)}
    at = np.array([place.get(digest_of.get(row, ""), -1) for row in range(len(bench.paths))], np.int64)
    return at, bench.queries[at[bench.queries] >= 0], bench.references[at[bench.references] >= 0]


def _blocks(rows: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
    return (rows[start : start + _BLOCK_ROWS] for start in range(0, len(rows), _BLOCK_ROWS))


def _closeness(words: NDArray[np.uint64], first: NDArray[np.int64], second: NDArray[np.int64]) -> NDArray[np.int64]:
    """Minus the Hamming distance of each pair, best of eight orientations, both ways round: as the product compares."""

    def nearest(turned: NDArray[np.int64], upright: NDArray[np.int64]) -> NDArray[np.int64]:
        best = np.full((len(turned), len(upright)), np.iinfo(np.int64).max)
        for variant in words:
            differing = variant[turned][:, None, :] ^ words[0][upright][None, :, :]
            np.minimum(best, np.bitwise_count(differing).sum(axis=2, dtype=np.int64), out=best)
        return best

    return -np.minimum(nearest(first, second), nearest(second, first).T)


def _ranked(
    queries: NDArray[np.int64], references: NDArray[np.int64], blocks: Iterator[NDArray[np.number]]
) -> Answered:
    scores = [block.astype(np.float64).ravel() for block in blocks]
    return Answered(
        np.repeat(queries, len(references)),
        np.tile(references, len(queries)),
        np.concatenate(scores) if scores else np.zeros(0),
    )
