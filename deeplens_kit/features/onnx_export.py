"""Networks of PyTorch as ONNX files in the model cache: made once, held against PyTorch, then run without it.

Takes a module, an example of its input and the fingerprint of everything that its numbers depend on, and gives a tower;
must not keep a file whose vectors are not those of PyTorch, or leave a partial one under a final name. The files are a
cache: they may be removed at any time and are made again.
"""

from __future__ import annotations

import json
import os
import tempfile
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from threading import RLock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deeplens_kit.errors import ModelCorruptError, ModelUnavailableError
from deeplens_kit.features.base import Thumbnail
from deeplens_kit.features.onnx_session import first_words, onnx_session
from deeplens_kit.features.torch_runtime import auto_device, import_library
from deeplens_kit.features.towers import CUDA_BATCH, OnnxTower, TorchTower, Tower
from deeplens_kit.features.weights import model_cache_dir
from deeplens_kit.telemetry import get_logger

__all__ = ["LEAST_COSINE", "Network", "cosine", "example_thumbnail", "exported_path", "fingerprint", "tower_of"]

LEAST_COSINE = 0.9999
"""Between the vectors of PyTorch and of the exported file for one input, inclusive: float16 itself costs 1e-7."""

EXPORT_VERSION = 1
"""Raised when what is exported, or what is written beside it, changes."""

_OPSET = 17
_INPUT = "input"
# A file of protobuf may hold 2 GiB; what is larger stays with PyTorch.
_MOST_BYTES = 2**31 - 2**26
_DIGITS = 16

_log = get_logger(__name__)
# Two threads that ask for one model wait for each other rather than load it twice.
_building = RLock()


@dataclass(frozen=True, slots=True)
class Network:
    """What can be exported.

    Attributes:
        module: A PyTorch module in evaluation mode, (batch, ...) to (batch, size).
        example: One input without the batch axis: what is traced, and what both runtimes are compared on.
        notes: What else must be known to use it without PyTorch; kept in the file.
    """

    module: Any
    example: NDArray[Any]
    notes: Mapping[str, str]


def fingerprint(*parts: str) -> str:
    """64 hexadecimal digits that change with any of the parts: weights, architecture, preparation."""
    return sha256(json.dumps([EXPORT_VERSION, *parts]).encode()).hexdigest()


def exported_path(name: str, key: str) -> Path:
    """Where the exported file is, in the model cache.

    Args:
        name: The model's name, and which of its towers.
        key: A `fingerprint`.
    """
    return model_cache_dir() / "onnx" / f"{name}-{key[:_DIGITS]}.onnx"


def tower_of(feature: str, name: str, key: str, build: Callable[[], Network]) -> tuple[Tower, Mapping[str, str]]:
    """The tower to run here, and its notes: by ONNX Runtime on a CPU where it can be exported, else by PyTorch.

    Args:
        feature: The feature that needs it, for errors.
        name: What is exported, for the file's name.
        key: The `fingerprint` of everything that its numbers depend on.
        build: Loads the network; not called where an exported file is there.

    Raises:
        ModelUnavailableError: As `build` does, or PyTorch is not installed where it is needed.
        ModelCorruptError: As `build` does.
    """
    with _building:
        if auto_device() == "cuda":
            network = build()
            return _by_torch(network, cuda=True), network.notes
        path = exported_path(name, key)
        found = _read(feature, path, key)
        if found is not None:
            return found
        network = build()
        tower = _by_torch(network)
        try:
            _export(feature, network, tower, path, key)
        except ModelUnavailableError as error:
            _log.info("a model is run by PyTorch", feature=feature, reason=str(error))
            return tower, network.notes
        return _read(feature, path, key) or (tower, network.notes)


def example_thumbnail() -> Thumbnail:
    """(64, 64, 3) uint8: all levels, so that no part of a network has nothing to do when it is compared."""
    return np.linspace(0, 255, 64 * 64 * 3).astype(np.uint8).reshape(64, 64, 3)


def cosine(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    """Of the angle between two vectors; 0 where one of them is null."""
    lengths = float(np.linalg.norm(one) * np.linalg.norm(other))
    return float(one @ other) / lengths if lengths else 0.0


def _by_torch(network: Network, *, cuda: bool = False) -> TorchTower:
    torch = import_library("torch", "")
    module = network.module.to("cuda") if cuda else network.module
    with torch.inference_mode():
        probe = torch.from_numpy(network.example[None])
        size = int(module(probe.to("cuda") if cuda else probe).shape[-1])
    return TorchTower(module, size, "cuda", CUDA_BATCH) if cuda else TorchTower(module, size)


def _read(feature: str, path: Path, key: str) -> tuple[OnnxTower, Mapping[str, str]] | None:
    if not path.is_file():
        return None
    try:
        session = onnx_session(feature, path)
    except (ModelCorruptError, ModelUnavailableError) as error:
        _log.info("an exported model is not used", file=path.name, reason=str(error))
        return None
    notes = dict(session.get_modelmeta().custom_metadata_map)
    if notes.get("fingerprint") != key:
        return None
    return OnnxTower(session, int(notes["size"])), notes


def _export(feature: str, network: Network, tower: TorchTower, path: Path, key: str) -> None:
    """Write the file where its vectors are those of PyTorch.

    Raises:
        ModelUnavailableError: They are not, or the network cannot be exported, or the file not be written.
    """
    try:
        _write(feature, network, tower, path, key)
    except Exception as error:  # the exporter, the runtime and the file system raise classes that share no base
        raise ModelUnavailableError(f"It cannot be exported: {first_words(error)}") from error


def _write(feature: str, network: Network, tower: TorchTower, path: Path, key: str) -> None:
    import onnx
    import torch

    held = sum(item.numel() * item.element_size() for item in network.module.state_dict().values())
    if held > _MOST_BYTES:
        raise ModelUnavailableError(f"{held:,} bytes of weights do not fit into one ONNX file")
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    os.close(descriptor)
    temporary = Path(name)
    fast = torch.backends.mha.get_fastpath_enabled()
    try:
        # The fused attention of evaluation mode has no counterpart in ONNX.
        torch.backends.mha.set_fastpath_enabled(False)
        with warnings.catch_warnings():
            # Constants that depend on the example's shape are meant: the shape is fixed. The exporter that takes the
            # place of this one needs further libraries, and several times as long.
            warnings.simplefilter("ignore")
            torch.onnx.export(
                network.module,
                (torch.from_numpy(network.example[None]),),
                str(temporary),
                dynamo=False,
                opset_version=_OPSET,
                input_names=[_INPUT],
                output_names=["vector"],
            )
        model = onnx.load(str(temporary))
        onnx.helper.set_model_props(model, {**network.notes, "fingerprint": key, "size": str(tower.size)})
        onnx.save(model, str(temporary))
        exported = OnnxTower(onnx_session(feature, temporary), tower.size)
        agreement = cosine(exported.rows([network.example])[0], tower.rows([network.example])[0])
        if agreement < LEAST_COSINE:
            raise ModelUnavailableError(f"ONNX Runtime and PyTorch differ: their cosine is {agreement:.6f}")
        with temporary.open("rb") as stream:
            os.fsync(stream.fileno())
        temporary.replace(path)
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)
        temporary.unlink(missing_ok=True)
