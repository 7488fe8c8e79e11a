"""SSCD as its authors published it: the TorchScript file of `sscd_disc_mixup`, run by PyTorch.

Takes thumbnails and gives L2-normalised vectors; must not run a file whose SHA-256 is not the published one, since a
TorchScript file is a program. It is fetched on first use, when this feature is enabled, and never otherwise.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from deeplens_kit.errors import ModelCorruptError, ModelUnavailableError
from deeplens_kit.features.base import Columns, Thumbnail, require_thumbnails
from deeplens_kit.features.sscd import DIMENSIONS, SIDE_PX, SOURCE, SQUARE, square, unit_vectors
from deeplens_kit.features.weights import Download, WeightsFile, download
from deeplens_kit.schemas import FeatureSpec

__all__ = ["PUBLISHED", "SscdTorch", "sscd_torch_extractor"]

FEATURE = "sscd_torch"

PUBLISHED = Download(
    url="https://dl.fbaipublicfiles.com/sscd-copy-detection/sscd_disc_mixup.torchscript.pt",
    file_name="sscd_disc_mixup.torchscript.pt",
    size_bytes=98_791_638,
    sha256="9f26bd4c848cc19b73d2ae92eea6e04886f61a7b764ceb7a13aeee62e6a6db56",
)
"""The authors publish no checksum; this one is what several independent public projects pin."""

# The mean and deviation of ImageNet in RGB, which the model was trained with.
_MEAN = np.array([0.485, 0.456, 0.406], dtype=np.float32)
_DEVIATION = np.array([0.229, 0.224, 0.225], dtype=np.float32)
_LEVELS = np.float32(255.0)


@dataclass(frozen=True, slots=True)
class SscdTorch:
    """Gives {"vector": (n, 512) float16}; one module in evaluation mode, shared by all threads."""

    spec: FeatureSpec
    module: Any

    def extract(self, thumbnails: Sequence[Thumbnail]) -> Columns:
        """Embed each thumbnail, one at a time, so that none depends on the others."""
        require_thumbnails(thumbnails)
        rows = np.empty((len(thumbnails), DIMENSIONS), dtype=np.float32)
        for index, pixels in enumerate(thumbnails):
            rows[index] = _embed(self.module, pixels)[0]
        return {"vector": unit_vectors(rows)}


def sscd_torch_extractor(
    model_dir: str, *, published: Download = PUBLISHED, cache_dir: Path | None = None
) -> SscdTorch:
    """Load the published model from `model_dir` or the cache, else fetch it into the cache.

    Args:
        model_dir: The user's folder of weights; empty where there is none.
        published: What to load.
        cache_dir: Where fetched weights are kept; by default the user's cache folder.

    Raises:
        ModelUnavailableError: PyTorch is not installed, or the weights can neither be found nor fetched.
        ModelCorruptError: The file is not the published one, or does not give 512 numbers for a picture.
    """
    try:
        import torch
    except ImportError as error:
        raise ModelUnavailableError(
            f"Feature {FEATURE!r} is left out: torch is not installed; "
            "install deeplens-kit with the extra `torch`, or enable 'sscd', which needs no PyTorch."
        ) from error
    weights = download(FEATURE, published, model_dir, cache_dir=cache_dir)
    torch.set_num_threads(1)  # the pipeline's threads are the parallelism
    module = _loaded(weights)
    spec = FeatureSpec(
        name=FEATURE,
        version=1,
        kind="vector",
        size=DIMENSIONS,
        columns=(),
        metric="cosine",
        preprocessing=SQUARE,
        weights=weights.name,
        source=f"{SOURCE}; sscd_disc_mixup, float32",
    )
    return SscdTorch(spec, module)


def _loaded(weights: WeightsFile) -> Any:
    import torch

    jit: Any = torch.jit
    try:
        with warnings.catch_warnings():
            # PyTorch deprecates TorchScript; the published file has no other form.
            warnings.simplefilter("ignore", DeprecationWarning)
            module = jit.load(str(weights.path), map_location="cpu").eval()
        shape = _embed(module, np.full((SIDE_PX, SIDE_PX, 3), 128, dtype=np.uint8)).shape
    except RuntimeError as error:
        raise ModelCorruptError(
            f"{str(weights.path)!r} cannot be run as a TorchScript model "
            f"({str(error).strip().splitlines()[0][:120]}); remove the file, and it is fetched again."
        ) from error
    if shape != (1, DIMENSIONS):
        raise ModelCorruptError(
            f"{str(weights.path)!r} gives {shape} for one picture, should be (1, {DIMENSIONS}); replace the file."
        )
    return module


def _embed(module: Any, pixels: Thumbnail) -> Any:
    import torch

    scaled = (square(pixels).astype(np.float32) / _LEVELS - _MEAN) / _DEVIATION
    with torch.inference_mode():
        return module(torch.from_numpy(np.ascontiguousarray(scaled.transpose(2, 0, 1))[None])).float().numpy()
