"""The one writer of an index run: results in, whole batches to the catalog out.

Takes what readers and workers found, in any order; gives batches in which every object's picture is settled. Must
not read objects. An object waits until its picture is analysed, because `objects` is the commit point.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Set
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

import numpy as np
import polars as pl
from numpy.typing import NDArray

from deeplens_kit.catalog import Catalog, CatalogBatch
from deeplens_kit.errors import ObjectKeptOutError
from deeplens_kit.ledger import ImageStage
from deeplens_kit.pipeline.analysis import Analysed, AnalysisFailure
from deeplens_kit.pipeline.kept_out import KeptOut, kept_out_error
from deeplens_kit.pipeline.known_failures import dependence
from deeplens_kit.pipeline.reading import READ, LeftForLater, ObjectRead, ReadFailure, ReadTask
from deeplens_kit.pipeline.stage_telling import Telling, no_telling
from deeplens_kit.schemas import FAILURES, METADATA, OBJECTS, PICTURES, FeatureSpec, Outcome
from deeplens_kit.settings import WorkspaceSettings
from deeplens_kit.telemetry import get_logger, span

__all__ = ["BatchWriter", "outcome_of"]

_log = get_logger(__name__)
_BY_CODE = {str(outcome): outcome for outcome in Outcome if outcome != Outcome.INDEXED}


def outcome_of(code: str) -> Outcome:
    """The outcome that a failure code stands for: the one of its name, else unreadable."""
    return _BY_CODE.get(code, Outcome.UNREADABLE)


@dataclass
class _Pending:
    objects: list[dict[str, object]] = field(default_factory=list)
    failures: list[dict[str, object]] = field(default_factory=list)
    pictures: list[dict[str, object]] = field(default_factory=list)
    metadata: list[dict[str, object]] = field(default_factory=list)
    vectors: dict[FeatureSpec, list[tuple[list[str], NDArray[np.float16]]]] = field(
        default_factory=lambda: defaultdict(list)
    )


class BatchWriter:
    """Collects results and commits them.

    Args:
        catalog: Where they go.
        location_id: The location that is indexed.
        run_id: Stands on every row.
        known: Digests that are in the catalog already, complete.
        failing: Object ids that have a row in `failures` so far.
        failed: Contents that failed before and are not tried again, by digest.
        measured: Effective pixels by digest, of known pictures that are analysed again: they depend on the bytes alone.
        settings: How often to commit, and the limits under which files failed.
        before_commit: Called before each commit; raises when the run has lost its lease.
        telling: Around each commit: to what stages it brings images.
        kept_out: What must not come back, also where its content is known from elsewhere.
    """

    def __init__(
        self,
        catalog: Catalog,
        location_id: str,
        run_id: str,
        known: Set[str],
        failing: Set[str],
        failed: Mapping[str, AnalysisFailure],
        measured: Mapping[str, Mapping[str, object]],
        settings: WorkspaceSettings,
        before_commit: Callable[[], None],
        telling: Telling = no_telling,
        *,
        kept_out: KeptOut | None = None,
    ) -> None:
        self._catalog, self._location_id, self._run_id = catalog, location_id, run_id
        self._kept_out = kept_out or KeptOut()
        self.known, self._failing, self._measured = known, failing, measured
        self._settings, self._limits = settings.index, settings.decode
        self._before_commit, self._telling = before_commit, telling
        self._settled: set[str] = set()
        self.failed = dict(failed)
        self._waiting: dict[str, list[ReadTask]] = defaultdict(list)
        self._pending = _Pending()
        self._committed_at = time.monotonic()
        self.indexed = self.failures = self.pictures = self.read_bytes = self.read_files = 0
        self.identified = self.left = self.left_bytes = 0

    def add(self, result: ObjectRead | ReadFailure | LeftForLater | Analysed) -> int:
        """Take a result; returns how many objects are settled by it. Commits when it is time."""
        before = self.indexed + self.failures
        if isinstance(result, ReadFailure):
            self._fail(result.task, None, "read", result.code, result.message, result.depends)
        elif isinstance(result, LeftForLater):
            self.left += 1
            self.left_bytes += result.task.stat.size_bytes
        elif isinstance(result, ObjectRead):
            if result.task.identity_basis == READ:
                self.read_files += 1
                self.read_bytes += result.task.stat.size_bytes
            else:
                self.identified += 1
            self._settle(result.task, result.digest)
        else:
            self._take(result)
        self._commit_when_due()
        return self.indexed + self.failures - before

    @property
    def waiting(self) -> int:
        """Objects whose picture is not analysed yet."""
        return sum(len(tasks) for tasks in self._waiting.values())

    def commit(self) -> None:
        """Write what is settled; what waits for its picture stays."""
        pending, self._pending = self._pending, _Pending()
        self._committed_at = time.monotonic()
        if not (pending.objects or pending.failures):
            self._pending = pending
            return
        self._before_commit()
        vectors = {spec: _joined(parts) for spec, parts in pending.vectors.items()}
        failing_now = {str(row["object_id"]) for row in pending.failures}
        written = {str(row["object_id"]) for row in pending.objects}
        with span("commit"), self._telling(_stages(pending)):
            self._catalog.write_batch(
                CatalogBatch(
                    objects=pl.DataFrame(pending.objects, schema=OBJECTS.polars),
                    pictures=pl.DataFrame(pending.pictures, schema=PICTURES.polars),
                    metadata=pl.DataFrame(pending.metadata, schema=METADATA.polars),
                    failures=pl.DataFrame(pending.failures, schema=FAILURES.polars),
                    cleared_failures=sorted((written & self._failing) - failing_now),
                    vectors=vectors,
                )
            )

    def _commit_when_due(self) -> None:
        count = max(len(self._pending.pictures), len(self._pending.objects) // 4)
        waited = time.monotonic() - self._committed_at
        if count >= self._settings.commit_pictures or waited >= self._settings.commit_seconds:
            self.commit()

    def _take(self, analysed: Analysed) -> None:
        self._pending.pictures.extend(
            {**row, **self._measured.get(str(row["digest"]), {}), "run_id": self._run_id} for row in analysed.pictures
        )
        self._pending.metadata.extend({**row, "run_id": self._run_id} for row in analysed.metadata)
        for spec, part in analysed.vectors.items():
            self._pending.vectors[spec].append(part)
        self.pictures += len(analysed.pictures)
        for failure in analysed.failures:
            self.failed[failure.digest] = failure
            self._release(failure.digest)
        for row in analysed.pictures:
            digest = str(row["digest"])
            self._settled.add(digest)
            self._release(digest)

    def _release(self, digest: str) -> None:
        for task in self._waiting.pop(digest, ()):
            self._settle(task, digest)

    def _settle(self, task: ReadTask, digest: str) -> None:
        if self._kept_out.covers(digest, f"{self._location_id}/{task.path}"):
            # Its content is known by another object, so that nobody had to read this one.
            code, why = ObjectKeptOutError.code, str(kept_out_error())
            self._fail(replace(task, indexed=False), None, "read", code, why, self._kept_out.version)
        elif digest in self.known or digest in self._settled:
            self.indexed += 1
            self._pending.objects.append(self._object(task, digest, Outcome.INDEXED))
        elif (failure := self.failed.get(digest)) is not None:
            self._fail(task, digest, failure.stage, failure.code, failure.message)
        else:
            self._waiting[digest].append(task)

    def _fail(
        self, task: ReadTask, digest: str | None, stage: str, code: str, message: str, depends: str | None = None
    ) -> None:
        self.failures += 1
        if task.indexed:
            _log.warning("not analysed again", path=task.path, code=code, reason=message)
            return
        row = self._object(task, digest, outcome_of(code))
        self._pending.objects.append(row)
        self._pending.failures.append(
            {
                **{name: row[name] for name in ("object_id", "location_id", "path", "size_bytes", "digest", "run_id")},
                "stage": stage,
                "decode_spec": depends or dependence(stage, code, self._limits),
                "code": code,
                "message": message,
                "failed_at": datetime.now(UTC),
            }
        )

    def _object(self, task: ReadTask, digest: str | None, outcome: Outcome) -> dict[str, object]:
        stat = task.stat
        return {
            "object_id": f"{self._location_id}/{task.path}",
            "location_id": self._location_id,
            "path": task.path,
            "size_bytes": stat.size_bytes,
            "change_token": stat.change_token,
            "modified_at": stat.modified_at,
            "link_id": stat.link_id,
            "link_count": stat.link_count,
            # What a storage lists may be the very digest.
            "checksum": None if outcome is Outcome.KEPT_OUT else stat.checksum,
            "storage_class": stat.storage_class,
            "digest": digest,
            "identity_basis": None if digest is None else task.identity_basis,
            "outcome": outcome.value,
            "run_id": self._run_id,
        }


def _stages(pending: _Pending) -> list[ImageStage]:
    codes = {str(row["object_id"]): str(row["code"]) for row in pending.failures}
    stages = []
    for row in pending.objects:
        object_id, outcome = str(row["object_id"]), str(row["outcome"])
        if outcome == Outcome.INDEXED.value:
            stages.append(ImageStage(object_id, "indexed", {"digest": row["digest"]}))
        else:
            stages.append(ImageStage(object_id, "failed", {"outcome": outcome, "code": codes.get(object_id, outcome)}))
    return stages


def _joined(parts: list[tuple[list[str], NDArray[np.float16]]]) -> tuple[list[str], NDArray[np.float16]]:
    return [digest for digests, _ in parts for digest in digests], np.concatenate([array for _, array in parts])
