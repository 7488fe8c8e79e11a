"""PyTorch and what stands on it, imported where a model is made: torchvision beside a CPU build, the device, weights.

Takes names of libraries and files of weights and gives modules and tensors; must not read a file of weights as a
program, and must not touch an installation in which torchvision imports as it should.
"""

from __future__ import annotations

import importlib
import sys
import types
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from threading import Lock
from typing import Any, Literal, TypeAlias

from deeplens_kit.errors import ModelCorruptError, ModelUnavailableError
from deeplens_kit.features.onnx_session import first_words

__all__ = ["INSTALL", "Device", "auto_device", "import_library", "state_of"]

Device: TypeAlias = Literal["cpu", "cuda"]

INSTALL = "install deeplens-kit with the extra `semantic`"

_CPU_BUILD = "+cpu"
_TORCHVISION = "torchvision"
_CUSTOM_OPERATORS = "torchvision._meta_registrations"
# Registering shapes of operators that a CPU build of PyTorch does not have: what fails, and all that fails.
_NO_OPERATOR = "torchvision::nms does not exist"

_importing = Lock()


def import_library(name: str, feature: str) -> Any:
    """Import torch, or a library that stands on it.

    Args:
        name: "torch", "torchvision", "open_clip", "timm" or another one.
        feature: The feature that needs it, for the error.

    Raises:
        ModelUnavailableError: It is not installed, or cannot be imported beside this PyTorch.
    """
    try:
        if name == "torch":
            torch = importlib.import_module(name)
            torch.set_num_threads(1)  # the pipeline's threads are the parallelism
            return torch
        with _importing:
            _import_torchvision()
            return importlib.import_module(name)
    except ImportError as error:
        raise ModelUnavailableError(
            f"Feature {feature!r} is left out: {error.name or name} is not installed; {INSTALL}."
        ) from error
    except RuntimeError as error:
        raise ModelUnavailableError(
            f"Feature {feature!r} is left out: {name} cannot be imported beside this PyTorch ({first_words(error)}); "
            f"{INSTALL}, with the versions that constraints.txt names."
        ) from error


def auto_device() -> Device:
    """`cuda` where PyTorch can use one, else `cpu`; a CPU build is told without an import, which takes seconds."""
    try:
        if metadata.version("torch").endswith(_CPU_BUILD):
            return "cpu"
        torch: Any = importlib.import_module("torch")
    except ImportError:
        return "cpu"
    return "cuda" if torch.cuda.is_available() else "cpu"


def state_of(path: Path, what: str) -> Mapping[str, Any]:
    """Tensors by name of a checkpoint, on the CPU: safetensors, or PyTorch's own format.

    Args:
        path: The file; what its name ends with says how it is read.
        what: Whose weights it should hold, for the error.

    Raises:
        ModelCorruptError: It is neither, or holds anything but tensors and plain values: that is refused, never run.
    """
    import torch

    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            state: Any = load_file(str(path), device="cpu")
        else:
            state = torch.load(str(path), map_location="cpu", weights_only=True)
    except Exception as error:  # torch, pickle and safetensors raise classes that share no base
        raise corrupt(path, what, error) from error
    for wrapped in ("state_dict", "model"):
        if isinstance(state, Mapping) and isinstance(state.get(wrapped), Mapping):
            state = state[wrapped]
    if not isinstance(state, Mapping) or not all(isinstance(value, torch.Tensor) for value in state.values()):
        raise corrupt(path, what, TypeError("it is no table of tensors"))
    # As training on several GPUs saves it.
    return {str(name).removeprefix("module."): value for name, value in state.items()}


def corrupt(path: Path, what: str, error: Exception) -> ModelCorruptError:
    """The error for a file that does not hold the weights of `what`."""
    return ModelCorruptError(
        f"{str(path)!r} does not hold the weights of {what} ({first_words(error)}); replace the file."
    )


def _import_torchvision() -> None:
    try:
        importlib.import_module(_TORCHVISION)
    except RuntimeError as error:
        if _NO_OPERATOR not in str(error):
            raise
        # The wheels are CUDA builds. Beside a CPU build of PyTorch the module that tells the shapes of their operators
        # finds none of these, and nothing that models need; with an empty one in its place the rest imports.
        sys.modules[_CUSTOM_OPERATORS] = types.ModuleType(_CUSTOM_OPERATORS)
        importlib.import_module(_TORCHVISION)
