"""From contents to pictures: decode, thumbnail, features, as a function of a batch.

Takes contents and a frozen set of tools, gives rows of `pictures`, vectors, and failures by digest. Must not read
objects or write stores; the thumbnail cache is the one thing it fills. Runs unchanged in a thread or a process; the
decoding itself is done by other processes, which hostile bytes may bring down.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from deeplens_kit.decode import (
    DECODE_SPEC,
    DecodedPicture,
    IsolatedDecoder,
    ThumbnailCache,
    encode_thumbnail,
)
from deeplens_kit.errors import ObjectError, WorkspaceError
from deeplens_kit.features import Extractor
from deeplens_kit.pipeline.reading import Content
from deeplens_kit.schemas import PICTURES, FeatureSpec
from deeplens_kit.settings import DecodeSettings
from deeplens_kit.telemetry import span

__all__ = ["Analysed", "AnalysisFailure", "Toolbox", "analyse", "plain_values"]

_FEATURE_COLUMNS = (
    "phash",
    "dhash",
    "ahash",
    "whash",
    "pdq",
    "pdq_quality",
    "sharpness",
    "flatness",
    "dominant_tone",
    "colourfulness",
    "low_information",
)


@dataclass(frozen=True, slots=True)
class Toolbox:
    """What an analysis needs.

    Attributes:
        extractors: What computes the features.
        decode: Limits on what is decoded.
        thumbnails: The cache of thumbnails; None: none are kept.
        niceness: How far the decoders step back for other processes, 0..19.
    """

    extractors: tuple[Extractor, ...]
    decode: DecodeSettings
    thumbnails: ThumbnailCache | None
    niceness: int = 0

    @property
    def feature_keys(self) -> str:
        """Keys of the features that this toolbox computes, as the `features` column has them."""
        return ",".join(sorted(item.spec.key for item in self.extractors))


@dataclass(frozen=True, slots=True)
class AnalysisFailure:
    """A content that is no picture for us."""

    digest: str
    stage: str
    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Analysed:
    """What became of a batch.

    Attributes:
        pictures: Rows of `pictures` without `run_id`.
        vectors: Per vector feature the digests and a float16 array of shape (len(digests), size); of regions only
            the pictures that have some.
        failures: Contents that could not be decoded.
        metadata: Rows of `metadata` without `run_id`, one per picture.
    """

    pictures: tuple[dict[str, object], ...]
    vectors: Mapping[FeatureSpec, tuple[list[str], NDArray[np.float16]]]
    failures: tuple[AnalysisFailure, ...]
    metadata: tuple[dict[str, object], ...] = ()


def analyse(contents: Sequence[Content], toolbox: Toolbox) -> Analysed:
    """Decode a batch of contents and compute every feature of those that are pictures."""
    decoded, failures = _decode(contents, toolbox)
    if not decoded:
        return Analysed((), {}, tuple(failures))
    thumbnails = [picture.rgb for _, picture in decoded]
    digests = [content.digests.sha256 for content, _ in decoded]
    if toolbox.thumbnails is not None:
        _keep_thumbnails(digests, thumbnails, toolbox.thumbnails)
    columns, vectors = _features(digests, thumbnails, toolbox.extractors)
    rows = tuple(
        _row(content, picture, {name: values[position] for name, values in columns.items()}, toolbox)
        for position, (content, picture) in enumerate(decoded)
    )
    metadata = tuple(_metadata_row(content, picture) for content, picture in decoded)
    return Analysed(rows, vectors, tuple(failures), metadata)


def _decode(
    contents: Sequence[Content], toolbox: Toolbox
) -> tuple[list[tuple[Content, DecodedPicture]], list[AnalysisFailure]]:
    decoder = IsolatedDecoder(toolbox.decode, toolbox.niceness)
    decoded, failures = [], []
    for content in contents:
        try:
            with span("decode"):
                decoded.append((content, decoder.picture(content.data)))
        except ObjectError as error:
            failures.append(AnalysisFailure(content.digests.sha256, "decode", error.code, str(error)))
    return decoded, failures


def _keep_thumbnails(digests: Sequence[str], thumbnails: Sequence[NDArray[np.uint8]], cache: ThumbnailCache) -> None:
    with span("thumbnail"):
        for digest, rgb in zip(digests, thumbnails, strict=True):
            try:
                cache.put(digest, encode_thumbnail(rgb))
            except OSError as error:
                raise WorkspaceError(
                    f"The cache of thumbnails cannot be written: {error.strerror or error}; make the folder that "
                    "cache_dir in workspace.toml names writable, and run again."
                ) from error


def _features(
    digests: list[str], thumbnails: Sequence[NDArray[np.uint8]], extractors: Sequence[Extractor]
) -> tuple[dict[str, list[object]], dict[FeatureSpec, tuple[list[str], NDArray[np.float16]]]]:
    columns: dict[str, list[object]] = {}
    vectors: dict[FeatureSpec, tuple[list[str], NDArray[np.float16]]] = {}
    for extractor in extractors:
        with span(f"feature {extractor.spec.name}"):
            computed = extractor.extract(thumbnails)
        if extractor.spec.kind == "vector":
            vectors[extractor.spec] = (digests, computed["vector"])
        elif extractor.spec.kind == "regions":
            vectors[extractor.spec] = _of_those_with_some(digests, computed["regions"])
        else:
            columns.update((name, plain_values(values)) for name, values in computed.items())
    return columns, vectors


def _of_those_with_some(digests: list[str], rows: NDArray[np.float16]) -> tuple[list[str], NDArray[np.float16]]:
    some = np.flatnonzero(rows.any(axis=1))
    return [digests[row] for row in some], rows[some]


def plain_values(values: NDArray[np.generic]) -> list[object]:
    """Values of a column as polars takes them; a row of bytes is one binary value."""
    if values.ndim == 2:
        return [row.tobytes() for row in values]
    return list(values.tolist())


def _metadata_row(content: Content, picture: DecodedPicture) -> dict[str, object]:
    return {
        "digest": content.digests.sha256,
        "tags": picture.tags.tags_json(),
        "maker_note": picture.tags.maker_note,
        "problems": "; ".join(picture.tags.problems),
    }


def _row(
    content: Content, picture: DecodedPicture, features: Mapping[str, object], toolbox: Toolbox
) -> dict[str, object]:
    metadata = {item.name: getattr(picture.metadata, item.name) for item in fields(picture.metadata)}
    row: dict[str, object] = dict.fromkeys(_FEATURE_COLUMNS)
    row.update(
        digest=content.digests.sha256,
        md5=content.digests.md5,
        crc32c=content.digests.crc32c,
        size_bytes=len(content.data),
        decode_spec=DECODE_SPEC,
        features=toolbox.feature_keys,
        effective_pixels=None,
        samples=None,
        **metadata,
    )
    row.update(features)
    unknown = row.keys() - set(PICTURES.names)
    assert not unknown, f"no such columns of pictures: {sorted(unknown)}"
    return row
