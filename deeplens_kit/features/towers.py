"""A network that turns one prepared input into one vector, run by ONNX Runtime or by PyTorch.

Takes arrays that are prepared one by one and gives L2-normalised rows; must not let a row depend on its neighbours. On
a CPU ONNX Runtime runs what `onnx_export` made, and PyTorch what could not be exported. The two agree so closely
(`onnx_export.LEAST_COSINE`) that vectors of both may lie in one table: which one ran is not part of a feature's key.

Milliseconds per input alone, one thread, 224 px, random weights, AMD EPYC, torch 2.13 and ONNX Runtime
1.32 in one run (`python -m benchmarks.models` measures them anew): a ratio of 1.6 to 3 in favour of ONNX Runtime.

    EfficientNet-Lite0       32 by torch     10 by ONNX Runtime
    EfficientNet-B0          30              12
    ResNet-50               147              81
    CLIP ViT-B-32 pictures  174             108
    CLIP ViT-B-32 words     111              68
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from deeplens_kit.features.sscd import unit_vectors
from deeplens_kit.features.torch_runtime import Device

__all__ = ["CUDA_BATCH", "OnnxTower", "TorchTower", "Tower", "unit_rows"]

CUDA_BATCH = 32
"""Inputs that a GPU gets at once, always as many: their number chooses how it multiplies, and so the last bits."""


class Tower(Protocol):
    """Runs one network. Safe to call from several threads at once."""

    @property
    def size(self) -> int:
        """Dimensions of a vector."""
        ...

    def rows(self, inputs: Sequence[NDArray[Any]]) -> NDArray[np.float32]:
        """(n, size) float32 of n inputs of the network's shape without the batch axis; none depends on another."""
        ...


@dataclass(frozen=True, slots=True)
class OnnxTower:
    """An `onnxruntime.InferenceSession` with one input and one output, one at a time on the CPU."""

    session: Any
    size: int

    def rows(self, inputs: Sequence[NDArray[Any]]) -> NDArray[np.float32]:
        """Run each input."""
        rows = np.empty((len(inputs), self.size), dtype=np.float32)
        name = self.session.get_inputs()[0].name
        for index, item in enumerate(inputs):
            rows[index] = self.session.run(None, {name: item[None]})[0][0]
        return rows


@dataclass(frozen=True, slots=True)
class TorchTower:
    """A module in evaluation mode that gets `batch` inputs at a time: 1 on the CPU, `CUDA_BATCH` on a GPU."""

    module: Any
    size: int
    device: Device = "cpu"
    batch: int = 1

    def rows(self, inputs: Sequence[NDArray[Any]]) -> NDArray[np.float32]:
        """Run each input."""
        import torch

        rows = np.empty((len(inputs), self.size), dtype=np.float32)
        for start in range(0, len(inputs), self.batch):
            some = np.stack(inputs[start : start + self.batch])
            missing = self.batch - len(some)
            some = np.concatenate([some, np.repeat(some[-1:], missing, axis=0)]) if missing else some
            with torch.inference_mode():
                found = self.module(torch.from_numpy(some).to(self.device)).float().cpu().numpy()
            rows[start : start + self.batch] = found[: len(inputs) - start]
        return rows


def unit_rows(tower: Tower, inputs: Sequence[NDArray[Any]]) -> NDArray[np.float16]:
    """(n, size) float16, L2-normalised, of n inputs."""
    return unit_vectors(tower.rows(inputs))
