"""Whether a model can be used here, and how to get it.

Takes descriptors and settings, gives what is there and what is missing; must not load a model. Only `pull_model` goes
to a network.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from deeplens_kit.errors import ModelCorruptError, ModelUnavailableError
from deeplens_kit.features.custom_models import TorchDescriptor
from deeplens_kit.features.model_descriptor import Model, ModelFile
from deeplens_kit.features.registry import custom_descriptor
from deeplens_kit.features.weights import Download, WeightsFile, download, model_cache_dir, sha256_of
from deeplens_kit.settings import FeatureSettings

__all__ = ["ModelState", "model_state", "pull_model"]


@dataclass(frozen=True, slots=True)
class ModelState:
    """What of a model is on this machine.

    Attributes:
        reason: One line: what is missing and what to do; empty where nothing is.
        files: Where its files are, in the order of the descriptor; without those that are missing.
    """

    reason: str
    files: tuple[Path, ...]

    @property
    def installed(self) -> bool:
        """All that it needs is there; whether it is right only loading it can tell."""
        return not self.reason


def model_state(model: Model, settings: FeatureSettings) -> ModelState:
    """Look whether a model's modules and files are there."""
    found = [_found(file, settings.model_dir) for file in model.files]
    missing = [
        f"{need.module} is not installed: install deeplens-kit with {need.install}"
        for need in model.needs
        if not _is_installed(need.module)
    ]
    missing += [
        _how_to_get(model, file, settings.model_dir)
        for file, path in zip(model.files, found, strict=True)
        if path is None
    ]
    return ModelState("; ".join(missing), tuple(path for path in found if path is not None))


def pull_model(
    model: Model, settings: FeatureSettings, progress: Callable[[int], object] | None = None
) -> tuple[WeightsFile, ...]:
    """Get the files of a model that can be fetched; those that are there are checked and left.

    Args:
        model: What to get.
        settings: Its `model_dir` is looked into first.
        progress: Told how many bytes of a file have come.

    Returns:
        Where the files are; none for a model that needs none.

    Raises:
        ModelUnavailableError: A file can be fetched from nowhere, or not now; one line names it and where to place it.
        ModelCorruptError: What is there, or came, is not what it should be.
    """
    if model.kind in ("open_clip", "timm"):
        from deeplens_kit.features.torch_models import pull_torch

        descriptor = custom_descriptor(model.name, settings)
        named = descriptor if isinstance(descriptor, TorchDescriptor) else model.name
        return (pull_torch(named, settings.model_dir),)
    return tuple(_pulled(model, file, settings.model_dir, progress) for file in model.files)


def _pulled(model: Model, file: ModelFile, model_dir: str, progress: Callable[[int], object] | None) -> WeightsFile:
    if file.url:
        what = Download(file.url, file.name, file.size_bytes, file.sha256)
        return download(model.name, what, model_dir, progress=progress)
    path = _found(file, model_dir)
    if path is None:
        raise ModelUnavailableError(f"Model {model.name!r}: {_how_to_get(model, file, model_dir)}.")
    weights = WeightsFile(path, sha256_of(path))
    if file.sha256 and weights.sha256 != file.sha256:
        raise ModelCorruptError(
            f"{str(path)!r} is not the {file.name} that {model.name!r} was tested with: SHA-256 "
            f"{weights.sha256[:16]}..., should be {file.sha256[:16]}...; replace the file, or keep it as a model of "
            "your own."
        )
    return weights


def _found(file: ModelFile, model_dir: str) -> Path | None:
    """Where a file is, in the order in which a model looks for it."""
    names = [file.name, *(_stem(file) + ending for ending in file.endings)]
    folders = [Path(model_dir)] if model_dir else []
    if file.can_be_fetched or file.endings:
        folders.append(model_cache_dir())
    places = [folder / name for folder in folders for name in names]
    if file.package:
        places += _packaged(file.package, file.packaged_as or file.name)
    return next((path for path in places if path.is_file()), None)


def _stem(file: ModelFile) -> str:
    return next((file.name.removesuffix(ending) for ending in file.endings if file.name.endswith(ending)), file.name)


def _packaged(package: str, name: str) -> list[Path]:
    # By its list of files: importing a package of weights may import a runtime with it.
    try:
        listed = metadata.distribution(package).files or []
    except metadata.PackageNotFoundError:
        return []
    return [Path(str(item.locate())) for item in listed if item.name == name]


def _how_to_get(model: Model, file: ModelFile, model_dir: str) -> str:
    folder = repr(model_dir) if model_dir else "a folder that features.model_dir names"
    if file.can_be_fetched:
        return f"{file.name} is not there: run `deeplens models pull {model.name}`, or place it in {folder}"
    if file.package:
        return (
            f"{file.name} is not there: install deeplens-kit with the extra `{file.extra}` (package {file.package}), "
            f"or place it in {folder}"
        )
    return f"{file.name} is not there: place it in {folder}"


def _is_installed(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ValueError:  # a module that must not be imported
        return False
