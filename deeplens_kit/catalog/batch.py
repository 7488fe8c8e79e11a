"""What one commit writes to the catalog.

Takes frames of a few hundred objects with their pictures, failures and vectors and gives them back checked, each
key once; must not open a table.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import polars as pl
from numpy.typing import NDArray

from deeplens_kit.schemas import FAILURES, METADATA, OBJECTS, PICTURES, FeatureSpec, TableSchema

__all__ = ["CatalogBatch"]


@dataclass(frozen=True, slots=True)
class CatalogBatch:
    """Rows that are committed together; the rows of `objects` are what makes the others count.

    Every picture that an indexed object refers to must be in this batch or in one committed before it.

    Attributes:
        objects: OBJECTS, new and changed rows.
        pictures: PICTURES, new and changed rows.
        failures: FAILURES, new and changed rows, also those of folders.
        cleared_failures: Object ids that no longer fail.
        vectors: By feature, digests (n) and float16 (n, `spec.size`) in the same order.
        run_id: The run that writes the vectors; by default the one named in `objects` or `pictures`.
        metadata: METADATA, of pictures in this batch.
    """

    objects: pl.DataFrame = field(default_factory=OBJECTS.empty)
    pictures: pl.DataFrame = field(default_factory=PICTURES.empty)
    failures: pl.DataFrame = field(default_factory=FAILURES.empty)
    cleared_failures: list[str] = field(default_factory=list)
    vectors: Mapping[FeatureSpec, tuple[list[str], NDArray[np.float16]]] = field(default_factory=dict)
    run_id: str = ""
    metadata: pl.DataFrame = field(default_factory=METADATA.empty)

    def checked(self) -> CatalogBatch:
        """Return the batch with frames in schema order and each key once, the last row winning.

        Raises:
            TypeError: A frame does not fit its schema or vectors do not fit their feature: a defect of the
                stage that made the batch.
        """
        objects, pictures = _unique(OBJECTS, self.objects), _unique(PICTURES, self.pictures)
        return CatalogBatch(
            objects=objects,
            pictures=pictures,
            failures=_unique(FAILURES, self.failures),
            metadata=_unique(METADATA, self.metadata),
            cleared_failures=list(dict.fromkeys(self.cleared_failures)),
            vectors={spec: _checked_vectors(spec, *pair) for spec, pair in self.vectors.items()},
            run_id=self.run_id or _first_run_id(objects) or _first_run_id(pictures),
        )


def _unique(schema: TableSchema, frame: pl.DataFrame) -> pl.DataFrame:
    # Lance inserts both rows where a new key comes twice in one upsert.
    return schema.check(frame).unique(subset=list(schema.key), keep="last", maintain_order=True)


def _first_run_id(frame: pl.DataFrame) -> str:
    return str(frame["run_id"][0]) if frame.height else ""


def _checked_vectors(
    spec: FeatureSpec, digests: list[str], matrix: NDArray[np.float16]
) -> tuple[list[str], NDArray[np.float16]]:
    if spec.kind not in ("vector", "regions"):
        raise TypeError(f"feature {spec.key} is a {spec.kind}; only vectors and regions have a table of their own")
    if matrix.dtype != np.float16 or matrix.shape != (len(digests), spec.size):
        raise TypeError(
            f"vectors of {spec.key} are {matrix.dtype} {matrix.shape}, should be float16 {(len(digests), spec.size)}"
        )
    last = {digest: row for row, digest in enumerate(digests)}
    if len(last) == len(digests):
        return digests, matrix
    return list(last), matrix[list(last.values())]
