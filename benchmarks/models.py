"""How many pictures and texts a second each model of `semantic` takes, by ONNX Runtime and by PyTorch, on CPU and GPU.

Preparation of a thumbnail of 384 px, network and normalisation, as the product does them; on a CPU one at a time on one
thread, by seconds of that thread, on a GPU by the clock. Weights that are not installed are made by chance in a folder
that is removed afterwards, and the table says so: they multiply as much as trained ones.

    python -m benchmarks.models [--models NAME,NAME] [--seconds S] [--json]
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.report import Report, print_report
from deeplens_kit.errors import ModelUnavailableError
from deeplens_kit.features import efficientnet_lite0, open_clip, timm_cnn
from deeplens_kit.features.checkpoints import find_checkpoint
from deeplens_kit.features.onnx_export import Network, cosine
from deeplens_kit.features.open_clip import OPEN_CLIP_PRESETS
from deeplens_kit.features.timm_cnn import TIMM_PRESETS
from deeplens_kit.features.torch_runtime import import_library
from deeplens_kit.features.towers import CUDA_BATCH, OnnxTower, TorchTower, Tower, unit_rows
from deeplens_kit.features.weights import MODEL_CACHE_VARIABLE, model_cache_dir

__all__ = ["main", "measure"]

SEED = 20_261_130
NAMES = ("efficientnet_lite0", *TIMM_PRESETS, *OPEN_CLIP_PRESETS)
SECONDS = 3.0
_TEXTS = ("a red truck in snow", "two dogs on a beach at night", "an invoice", "a brick wall")


@dataclass(frozen=True, slots=True)
class Part:
    """One tower of a model.

    Attributes:
        takes: What it is given.
        weights: Whether they are installed or made by chance.
        tower: As the product runs it.
        network: The same in PyTorch.
        prepare: Makes so many inputs, at most `CUDA_BATCH`, of the benchmark's pictures or texts.
    """

    takes: str
    weights: str
    tower: Tower
    network: Network
    prepare: Callable[[int], list[NDArray[Any]]]


def measure(names: Sequence[str], seconds: float, seed: int = SEED) -> Report:
    """Measure each model by every runtime that there is.

    Args:
        names: Of `NAMES`.
        seconds: At least this long each.
        seed: Of pictures and of weights by chance.
    """
    report = Report("models", seed)
    torch = import_library("torch", "benchmark")
    torch.manual_seed(seed)
    report.figures["torch"] = torch.__version__
    report.figures["gpu"] = torch.cuda.get_device_name(0) if torch.cuda.is_available() else "none"
    pixels = list(np.random.default_rng(seed).integers(0, 256, (CUDA_BATCH, 384, 288, 3), dtype=np.uint8))
    for name in names:
        with tempfile.TemporaryDirectory() as folder:
            for part in _parts(name, Path(folder), pixels):
                by_torch = TorchTower(part.network.module, part.tower.size)
                one = part.prepare(1)
                row: dict[str, object] = {
                    "model": name,
                    "takes": part.takes,
                    "weights": part.weights,
                    "dimensions": part.tower.size,
                    "cosine": cosine(part.tower.rows(one)[0], by_torch.rows(one)[0]),
                    "torch_per_cpu_second": _rate(by_torch, part.prepare, seconds),
                }
                if isinstance(part.tower, OnnxTower):
                    row["onnx_per_cpu_second"] = _rate(part.tower, part.prepare, seconds)
                if torch.cuda.is_available():
                    on_gpu = TorchTower(part.network.module.to("cuda"), part.tower.size, "cuda", CUDA_BATCH)
                    row["torch_cuda_per_second"] = _rate(on_gpu, part.prepare, seconds)
                report.add(**row)
    return report


def _rate(tower: Tower, prepare: Callable[[int], list[NDArray[Any]]], seconds: float) -> float:
    """Inputs a second, preparation included, after one that is not counted."""
    on_gpu = isinstance(tower, TorchTower) and tower.device == "cuda"
    clock = time.perf_counter if on_gpu else time.thread_time
    count = CUDA_BATCH if on_gpu else 2
    unit_rows(tower, prepare(1))
    done, started = 0, clock()
    while (passed := clock() - started) < seconds:
        unit_rows(tower, prepare(count))
        done += count
    return done / passed


def _parts(name: str, folder: Path, pixels: list[NDArray[np.uint8]]) -> list[Part]:
    if name == efficientnet_lite0.FEATURE:
        lite = efficientnet_lite0.efficientnet_lite0_extractor("")
        network = efficientnet_lite0.network_of(efficientnet_lite0._weights(""))
        prepare = efficientnet_lite0._prepared
        return [
            Part("pictures", "installed", lite.tower, network, lambda count: [prepare(item) for item in pixels[:count]])
        ]
    make = _open_clip if name in OPEN_CLIP_PRESETS else _timm
    try:
        return make(name, "", pixels)
    except ModelUnavailableError:
        _by_chance(name, folder)
        before = os.environ.get(MODEL_CACHE_VARIABLE, str(model_cache_dir()))
        # What is exported of weights by chance is of no use to anybody.
        os.environ[MODEL_CACHE_VARIABLE] = str(folder)
        try:
            return [dataclasses.replace(part, weights="by chance") for part in make(name, str(folder), pixels)]
        finally:
            os.environ[MODEL_CACHE_VARIABLE] = before


def _open_clip(name: str, model_dir: str, pixels: list[NDArray[np.uint8]]) -> list[Part]:
    made = open_clip.open_clip_extractor(OPEN_CLIP_PRESETS[name], model_dir)
    texts = list(_TEXTS) * (CUDA_BATCH // len(_TEXTS))

    def pictures(count: int) -> list[NDArray[Any]]:
        return [made.preprocessing.apply(item) for item in pixels[:count]]

    def words(count: int) -> list[NDArray[Any]]:
        return list(open_clip._tokenizer(made.files)(texts[:count]).numpy())

    text_tower = open_clip._text_tower(made.files)
    return [
        Part("pictures", "installed", made.pictures, open_clip.picture_network(made.files), pictures),
        Part("texts", "installed", text_tower, open_clip.text_network(made.files), words),
    ]


def _timm(name: str, model_dir: str, pixels: list[NDArray[np.uint8]]) -> list[Part]:
    model = TIMM_PRESETS[name]
    made = timm_cnn.timm_extractor(model, model_dir)
    network = timm_cnn.network_of(model, find_checkpoint(name, model.file_name, model_dir, pullable=True))
    return [
        Part(
            "pictures",
            "installed",
            made.tower,
            network,
            lambda count: [made.preprocessing.apply(item) for item in pixels[:count]],
        )
    ]


def _by_chance(name: str, folder: Path) -> None:
    """A checkpoint as it would be installed, with the weights that a network has before it is trained."""
    from safetensors.torch import save_model

    if name in OPEN_CLIP_PRESETS:
        preset = OPEN_CLIP_PRESETS[name]
        library = import_library("open_clip", name)
        module, file_name = library.CLIP(**library.get_model_config(preset.model)), preset.file_name
    else:
        library = import_library("timm", name)
        file_name = TIMM_PRESETS[name].file_name
        module = library.create_model(TIMM_PRESETS[name].model, pretrained=False)
    save_model(module, str(folder / file_name))


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="benchmarks.models", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--models", default=",".join(NAMES), help=f"names, of {', '.join(NAMES)}")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="at least so long each")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args(arguments)
    names = given.models.split(",")
    if unknown := set(names) - set(NAMES):
        parser.error(f"no such model: {', '.join(sorted(unknown))}; there are {', '.join(NAMES)}")
    print_report(measure(names, given.seconds), as_json=given.json)


if __name__ == "__main__":
    main()
