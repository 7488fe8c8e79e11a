"""Any ONNX file that turns a picture into a vector, by the words of its descriptor.

Takes an `OnnxDescriptor` and thumbnails, gives L2-normalised vectors; must not let a vector depend on the pictures
beside it: each is run alone, on one thread. What the file takes and gives is tried when it is loaded, so that a wrong
descriptor is told before a picture is read.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from deeplens_kit.errors import ModelCorruptError, ModelUnavailableError, SettingsError
from deeplens_kit.features.base import Columns, Thumbnail, require_thumbnails
from deeplens_kit.features.onnx_descriptor import OnnxDescriptor
from deeplens_kit.features.onnx_session import first_words, onnx_session
from deeplens_kit.features.sscd import unit_vectors
from deeplens_kit.features.weights import WeightsFile, sha256_of
from deeplens_kit.schemas import FeatureSpec

__all__ = ["OnnxFile", "model_input", "onnx_file_extractor"]

_GREY = 128
_FILTERS = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}
_TYPES = {"tensor(float)": np.float32, "tensor(float16)": np.float16, "tensor(uint8)": np.uint8}
_PLAIN = (255.0, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0))


@dataclass(frozen=True, slots=True)
class OnnxFile:
    """Gives {"vector": (n, dimensions) float16}; one session, shared by all threads."""

    spec: FeatureSpec
    descriptor: OnnxDescriptor
    session: Any

    def extract(self, thumbnails: Sequence[Thumbnail]) -> Columns:
        """Embed each thumbnail, one at a time, so that none depends on the others."""
        require_thumbnails(thumbnails)
        rows = np.empty((len(thumbnails), self.descriptor.dimensions), dtype=np.float32)
        for index, pixels in enumerate(thumbnails):
            rows[index] = _run(self.descriptor, self.session, pixels).ravel()
        return {"vector": unit_vectors(rows)}


def onnx_file_extractor(descriptor: OnnxDescriptor, model_dir: str) -> OnnxFile:
    """Load the file of a descriptor.

    Args:
        descriptor: What to load, and how it is fed.
        model_dir: The folder that a relative file name is meant from.

    Raises:
        ModelUnavailableError: ONNX Runtime or the file is not there.
        ModelCorruptError: The file is not an ONNX model, or gives something else than the descriptor says.
        SettingsError: The descriptor asks for an input or output that the file does not have.
    """
    path = Path(model_dir) / descriptor.file
    if not path.is_file():
        raise ModelUnavailableError(
            f"Feature {descriptor.name!r} is left out: {str(path)!r} does not exist; "
            f"place the file there, or mend `file` in {descriptor.name}.toml."
        )
    weights = WeightsFile(path, sha256_of(path))
    words = f"{descriptor.preprocessing}/{descriptor.layout}/{descriptor.input_name}>{descriptor.output_name}"
    spec = FeatureSpec(
        name=descriptor.name,
        # The user changes a mean and not a version: other numbers must have another key all the same.
        version=zlib.crc32(words.encode()),
        kind="vector",
        size=descriptor.dimensions,
        columns=(),
        metric="cosine",
        preprocessing=descriptor.preprocessing,
        weights=weights.name,
        source=descriptor.source or f"the user's own ONNX file {path.name}",
    )
    return OnnxFile(spec, descriptor, _session(descriptor, weights))


def model_input(descriptor: OnnxDescriptor, pixels: Thumbnail, dtype: Any = np.float32) -> NDArray[Any]:
    """A thumbnail as the file gets it: (1, 3, height, width) or (1, height, width, 3)."""
    image, (height, width) = Image.fromarray(pixels), descriptor.input_px
    how = _FILTERS[descriptor.resample]
    if descriptor.resize == "crop":
        # Cropped first: no strip of one pixel becomes a picture of millions.
        image = ImageOps.fit(image, (width, height), how)
    elif descriptor.resize == "squash":
        image = image.resize((width, height), how)
    else:
        image = _padded(image, width, height, how)
    samples = np.asarray(image)
    if dtype != np.uint8:
        scaled = samples.astype(np.float32) / np.float32(descriptor.scale)
        mean, std = (np.array(values, dtype=np.float32) for values in (descriptor.mean, descriptor.std))
        samples = ((scaled - mean) / std).astype(dtype)
    return np.ascontiguousarray(samples.transpose(2, 0, 1) if descriptor.layout == "nchw" else samples)[None]


def _padded(image: Image.Image, width: int, height: int, how: Image.Resampling) -> Image.Image:
    shrink = min(width / image.width, height / image.height)
    size = (max(1, round(image.width * shrink)), max(1, round(image.height * shrink)))
    whole = Image.new("RGB", (width, height))
    whole.paste(image.resize(size, how), ((width - size[0]) // 2, (height - size[1]) // 2))
    return whole


def _run(descriptor: OnnxDescriptor, session: Any, pixels: Thumbnail) -> NDArray[Any]:
    taken = _input_of(descriptor, session)
    fed = model_input(descriptor, pixels, _TYPES[taken.type])
    outputs = [descriptor.output_name] if descriptor.output_name else None
    return np.asarray(session.run(outputs, {taken.name: fed})[0])


def _input_of(descriptor: OnnxDescriptor, session: Any) -> Any:
    named = {item.name: item for item in session.get_inputs()}
    return named[descriptor.input_name or next(iter(named))]


# A session is safe to share between threads and runs; the name of the weights holds their checksum.
@lru_cache(maxsize=4)
def _session(descriptor: OnnxDescriptor, weights: WeightsFile) -> Any:
    session = onnx_session(descriptor.name, weights.path)
    inputs, outputs = [item.name for item in session.get_inputs()], [item.name for item in session.get_outputs()]
    _require_name(descriptor, weights, "input_name", descriptor.input_name, inputs)
    _require_name(descriptor, weights, "output_name", descriptor.output_name, outputs)
    if len(inputs) != 1:
        raise _wrong(descriptor, weights, f"it takes {len(inputs)} inputs ({', '.join(inputs)}), one is allowed")
    kind = _input_of(descriptor, session).type
    if kind not in _TYPES:
        raise _wrong(descriptor, weights, f"its input is {kind}, allowed are {', '.join(_TYPES)}")
    if kind == "tensor(uint8)" and (descriptor.scale, descriptor.mean, descriptor.std) != _PLAIN:
        raise SettingsError(
            f"{descriptor.name}.toml sets scale, mean or std, and {str(weights.path)!r} takes samples of 0..255 as "
            "they are (uint8); remove these keys."
        )
    probe = np.full((*descriptor.input_px, 3), _GREY, dtype=np.uint8)
    try:
        found = _run(descriptor, session, probe)
    except Exception as error:  # the runtime raises classes of its own that share no base
        raise _wrong(
            descriptor,
            weights,
            f"it fails on a picture of {descriptor.input_px[0]} x {descriptor.input_px[1]} px as {descriptor.layout} "
            f"({first_words(error)})",
        ) from error
    if found.size != descriptor.dimensions or found.shape[0] != 1:
        raise _wrong(
            descriptor, weights, f"one picture gives {found.shape}, the descriptor says {descriptor.dimensions} numbers"
        )
    if found.dtype.kind != "f" or not np.isfinite(found).all():
        raise _wrong(descriptor, weights, f"a grey picture gives {found.dtype} that are not all finite numbers")
    return session


def _require_name(descriptor: OnnxDescriptor, weights: WeightsFile, key: str, name: str, known: Sequence[str]) -> None:
    if name and name not in known:
        raise SettingsError(
            f"{descriptor.name}.toml sets {key} to {name!r}, which {str(weights.path)!r} does not have; "
            f"it has: {', '.join(known)}."
        )


def _wrong(descriptor: OnnxDescriptor, weights: WeightsFile, found: str) -> ModelCorruptError:
    return ModelCorruptError(
        f"{str(weights.path)!r} is not what {descriptor.name}.toml says: {found}; mend the descriptor or the file."
    )
