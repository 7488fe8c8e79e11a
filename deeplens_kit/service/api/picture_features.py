"""The features of a picture as the API gives them.

Takes an open workspace and an image, gives hashes, measures and vectors as the catalog has them; must not compute any.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from deeplens_kit.errors import UnknownNameError
from deeplens_kit.pipeline import Workspace
from deeplens_kit.schemas import PICTURES, FeatureSpec
from deeplens_kit.service.api.ids import image_id_of
from deeplens_kit.service.api.lookups import FoundImage
from deeplens_kit.service.api.values.images import Feature, ImageFeatures

__all__ = ["features_of_picture"]

# Features whose values are columns of `pictures`: bits of each hash, and the names of the measures.
_HASHES: Mapping[str, int] = {"phash": 64, "dhash": 64, "ahash": 64, "whash": 64, "pdq": 256}
_MEASURES: Mapping[str, tuple[str, ...]] = {
    "clarity": ("sharpness", "flatness", "dominant_tone", "colourfulness", "low_information")
}
_ADVICE = "it could not be analysed; `status` and `failure` of the image say why."


def features_of_picture(
    workspace: Workspace, found: FoundImage, *, names: Sequence[str] = (), vectors: bool = False
) -> ImageFeatures:
    """What was computed from the picture of an image.

    Args:
        workspace: An open workspace.
        found: The image.
        names: Only these features; empty for all.
        vectors: Whether to give the numbers of vectors.

    Raises:
        UnknownNameError: The picture has no features.
    """
    digest = found.digest or ""
    columns = ["features", *_HASHES, *(name for listed in _MEASURES.values() for name in listed)]
    rows = workspace.catalog.pictures([digest], columns=[name for name in columns if name in PICTURES.names])
    if not digest or rows.is_empty():
        raise UnknownNameError("analysed picture", image_id_of(found.row["object_id"])[:80], (), advice=_ADVICE)
    row = rows.row(0, named=True)
    keys = [key for key in str(row["features"]).split(",") if key]
    # What has no weights has the key NAME_VERSION.
    by_name = {key.rpartition("_")[0]: key for key in keys}
    features = [*_hashes(row, by_name), *_measures(row, by_name)]
    specs = [spec for spec in workspace.catalog.vector_specs() if spec.key in keys]
    features += [_vector(workspace, spec, digest, vectors=vectors) for spec in specs]
    wanted = set(names)
    return ImageFeatures(
        picture_id=digest,
        image_id=image_id_of(found.row["object_id"]),
        features=[item for item in features if not wanted or item.name in wanted],
    )


def _hashes(row: Mapping[str, Any], keys: Mapping[str, str]) -> list[Feature]:
    found = []
    for name, bits in _HASHES.items():
        value = row[name]
        if value is None:
            continue
        text = value.hex() if isinstance(value, bytes) else f"{value:0{bits // 4}x}"
        key = keys.get(name, name)
        found.append(Feature(name=name, key=key, kind="hash", size=bits, metric="hamming", hash=text))
    return found


def _measures(row: Mapping[str, Any], keys: Mapping[str, str]) -> list[Feature]:
    found = []
    for name, columns in _MEASURES.items():
        values = {column: row[column] for column in columns}
        if all(value is None for value in values.values()):
            continue
        key = keys.get(name, name)
        found.append(Feature(name=name, key=key, kind="measure", size=len(columns), metric="none", values=values))
    return found


def _vector(workspace: Workspace, spec: FeatureSpec, digest: str, *, vectors: bool) -> Feature:
    values: list[float] | None = None
    if vectors and spec.kind == "vector":
        named, matrix = workspace.catalog.vectors(spec, [digest])
        values = [float(number) for number in matrix[0]] if named else None
    return Feature(name=spec.name, key=spec.key, kind=spec.kind, size=spec.size, metric=spec.metric, vector=values)
