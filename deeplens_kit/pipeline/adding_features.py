"""Features of known pictures from their stored thumbnails, where their models take those: no file is read.

Takes the pictures that lack features and the cache of thumbnails; gives vectors, committed in batches, and the digests
that are complete now. Must not touch a location. What has no fitting thumbnail is left for reading.
"""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
import polars as pl
from numpy.typing import NDArray

from deeplens_kit.decode import DECODE_SPEC, ThumbnailCache, decode_thumbnail
from deeplens_kit.features import Extractor, thumbnail_px
from deeplens_kit.pipeline.analysis import Toolbox
from deeplens_kit.pipeline.execution import Flow, run_flow
from deeplens_kit.pipeline.progress import ProgressMeter
from deeplens_kit.pipeline.throttle import step_back
from deeplens_kit.pipeline.workspace import Workspace
from deeplens_kit.schemas import FeatureSpec
from deeplens_kit.telemetry import span

__all__ = ["Addition", "add_features", "additions", "stored"]

STORED_PX = 300
"""Long side of the thumbnails that indexing keeps."""

# About what a thumbnail takes while it waits; it bounds memory, nothing depends on it.
_THUMBNAIL_BYTES = 64 * 2**10

_Vectors: TypeAlias = Mapping[FeatureSpec, tuple[list[str], NDArray[np.float16]]]


@dataclass(frozen=True, slots=True)
class Addition:
    """What some pictures lack, and what they have afterwards.

    Attributes:
        extractors: Of the features that they lack.
        features: The `features` of their rows when they have them.
        digests: The pictures.
    """

    extractors: tuple[Extractor, ...]
    features: str
    digests: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Task:
    digest: str
    addition: int


@dataclass(frozen=True, slots=True)
class _Stored:
    task: _Task
    content: bytes


@dataclass(frozen=True, slots=True)
class _Added:
    addition: int
    digests: list[str]
    vectors: _Vectors


@dataclass(frozen=True, slots=True)
class _Unfit:
    """A thumbnail that is missing or damaged."""

    digest: str


_Result: TypeAlias = _Added | _Unfit


def additions(workspace: Workspace, pictures: pl.DataFrame, toolbox: Toolbox, among: pl.Series) -> list[Addition]:
    """Which pictures get which features from their thumbnails; what lacks any other feature is not among them.

    Args:
        workspace: Where models are named.
        pictures: Columns digest, features and decode_spec of all pictures.
        toolbox: What is computed.
        among: Digests that may be added to.
    """
    least = {
        item.spec.key: thumbnail_px(item.spec.name, workspace.settings.features)
        for item in toolbox.extractors
        if item.spec.kind == "vector"
    }
    by_key = {item.spec.key: item for item in toolbox.extractors}
    present = pictures.filter((pl.col("decode_spec") == DECODE_SPEC) & pl.col("digest").is_in(among.unique().implode()))
    found = []
    sizes: pl.DataFrame | None = None
    for (features,), group in present.group_by("features"):
        held = set(str(features).split(","))
        lacking = sorted(by_key.keys() - held)
        if not lacking or not all(least.get(key) for key in lacking):
            continue
        if sizes is None:
            sizes = workspace.catalog.pictures(columns=["digest", "width_px", "height_px"])
        fitting = group.join(sizes, on="digest").filter(_fits(max(least[key] for key in lacking)))
        if fitting.height:
            after = ",".join(sorted(held.union(lacking)))
            found.append(Addition(tuple(by_key[key] for key in lacking), after, tuple(fitting["digest"].sort())))
    return sorted(found, key=lambda item: item.features)


def _fits(least_px: int) -> pl.Expr:
    """The stored thumbnail is large enough, or the picture is no larger than it."""
    long_side, short_side = pl.max_horizontal("width_px", "height_px"), pl.min_horizontal("width_px", "height_px")
    shrunk = (short_side * STORED_PX / long_side).round().clip(lower_bound=1)
    return (long_side <= STORED_PX) | (shrunk >= least_px)


def stored(thumbnails: ThumbnailCache, wanted: Sequence[Addition]) -> Iterator[str]:
    """Digests of additions whose thumbnail is there; it is not opened."""
    for addition in wanted:
        yield from (digest for digest in addition.digests if thumbnails.path(digest, STORED_PX).is_file())


def add_features(
    workspace: Workspace,
    wanted: Sequence[Addition],
    *,
    workers: int,
    run_id: str,
    before_commit: Callable[[], None],
    meter: ProgressMeter,
    stop: threading.Event,
) -> pl.Series:
    """Compute and commit; batch by batch, so that a run that is stopped or killed goes on where it was.

    Args:
        workspace: Where thumbnails are, and vectors go.
        wanted: As `additions` gives it.
        workers: Threads.
        run_id: Stands on every vector.
        before_commit: Called before each commit; raises when the run has lost its lease.
        meter: Told how many pictures are done.
        stop: Set it to end early; what is computed is committed.

    Returns:
        Digests of the pictures that have the features now.
    """
    settings = workspace.settings
    writer = _Writer(workspace, wanted, run_id, before_commit)
    flow: Flow[_Task, _Stored, _Result] = Flow(
        read=lambda task: _read(workspace.thumbnails, task),
        size_of=lambda task: _THUMBNAIL_BYTES,
        work=lambda batch: _work(batch, wanted),
        readers=workers,
        workers=workers,
        batch_size=settings.features.batch_size,
        budget_bytes=settings.index.max_waiting_bytes,
        begin=lambda: step_back(settings.index.niceness),
    )
    tasks = (_Task(digest, number) for number, addition in enumerate(wanted) for digest in addition.digests)
    try:
        for result in run_flow(flow, tasks, stop):
            if isinstance(result, _Added):
                writer.add(result)
                meter.advance(len(result.digests))
            else:
                meter.advance(1)
    finally:
        # Also after an error: what is computed is whole, so it is kept.
        writer.commit()
    return pl.Series("digest", writer.done, pl.String)


def _read(thumbnails: ThumbnailCache, task: _Task) -> tuple[Sequence[_Result], _Stored | None]:
    content = thumbnails.get(task.digest, STORED_PX)
    return ([_Unfit(task.digest)], None) if content is None else ([], _Stored(task, content))


def _work(batch: Sequence[_Stored], wanted: Sequence[Addition]) -> list[_Result]:
    results: list[_Result] = []
    pixels: dict[int, dict[str, NDArray[np.uint8]]] = defaultdict(dict)
    for item in batch:
        decoded = decode_thumbnail(item.content)
        if decoded is None:
            results.append(_Unfit(item.task.digest))
        else:
            pixels[item.task.addition][item.task.digest] = decoded
    for number, by_digest in pixels.items():
        vectors: dict[FeatureSpec, tuple[list[str], NDArray[np.float16]]] = {}
        for extractor in wanted[number].extractors:
            with span(f"feature {extractor.spec.name}"):
                vectors[extractor.spec] = (list(by_digest), extractor.extract(list(by_digest.values()))["vector"])
        results.append(_Added(number, list(by_digest), vectors))
    return results


@dataclass
class _Pending:
    features: list[tuple[str, str]] = field(default_factory=list)
    vectors: dict[FeatureSpec, list[tuple[list[str], NDArray[np.float16]]]] = field(
        default_factory=lambda: defaultdict(list)
    )


class _Writer:
    """Collects results and commits them, as often as an index run does."""

    def __init__(
        self, workspace: Workspace, wanted: Sequence[Addition], run_id: str, before_commit: Callable[[], None]
    ) -> None:
        self._catalog, self._settings = workspace.catalog, workspace.settings.index
        self._wanted, self._run_id, self._before_commit = wanted, run_id, before_commit
        self._pending = _Pending()
        self._committed_at = time.monotonic()
        self.done: list[str] = []

    def add(self, result: _Added) -> None:
        after = self._wanted[result.addition].features
        self._pending.features.extend((digest, after) for digest in result.digests)
        for spec, part in result.vectors.items():
            self._pending.vectors[spec].append(part)
        waited = time.monotonic() - self._committed_at
        if len(self._pending.features) >= self._settings.commit_pictures or waited >= self._settings.commit_seconds:
            self.commit()

    def commit(self) -> None:
        pending, self._pending = self._pending, _Pending()
        self._committed_at = time.monotonic()
        if not pending.features:
            return
        self._before_commit()
        with span("commit"):
            self._catalog.add_features(
                pl.DataFrame(pending.features, schema={"digest": pl.String, "features": pl.String}, orient="row"),
                {spec: _joined(parts) for spec, parts in pending.vectors.items()},
                self._run_id,
            )
        self.done += [digest for digest, _ in pending.features]


def _joined(parts: Collection[tuple[list[str], NDArray[np.float16]]]) -> tuple[list[str], NDArray[np.float16]]:
    return [digest for digests, _ in parts for digest in digests], np.concatenate([array for _, array in parts])
