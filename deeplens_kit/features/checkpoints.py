"""Files of weights that a person places or pulls: where they are looked for, and how they are fetched when asked.

Takes the name of a checkpoint and gives the file; must not fetch anything unless `pull_checkpoint` is called, which
indexing never does, nor leave a partial file under a final name. The user's folder goes before the cache.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deeplens_kit.errors import ModelUnavailableError
from deeplens_kit.features.onnx_session import first_words
from deeplens_kit.features.torch_runtime import INSTALL
from deeplens_kit.features.weights import (
    MODEL_CACHE_VARIABLE,
    Download,
    WeightsFile,
    download,
    model_cache_dir,
    sha256_of,
)

__all__ = ["SUFFIXES", "Publication", "find_checkpoint", "pull_checkpoint", "pull_folder"]

SUFFIXES = (".safetensors", ".bin", ".pt", ".pth")
"""What a file of weights may end with, in the order in which it is looked for."""

_TOKENIZER_FILES = ["*.json", "*.txt", "*.model"]


@dataclass(frozen=True, slots=True)
class Publication:
    """Where its authors publish a checkpoint: in a repository of Hugging Face, else at an address.

    Attributes:
        repository: "owner/name"; empty where there is none.
        files: Names of the checkpoint in it, the first one that exists is taken.
        url: Empty where there is none.
    """

    repository: str = ""
    files: tuple[str, ...] = ()
    url: str = ""


def find_checkpoint(feature: str, checkpoint: str, model_dir: str, *, pullable: bool) -> WeightsFile:
    """Find a checkpoint in the user's folder, else in the model cache.

    Args:
        feature: The feature that needs it, for the error.
        checkpoint: Its file name, with or without one of `SUFFIXES`: another one of them will do.
        model_dir: The user's folder; empty where there is none.
        pullable: Whether `deeplens models pull` can fetch it.

    Raises:
        ModelUnavailableError: It is in neither; the file, the folder and what fetches it are named.
    """
    names = _names(checkpoint)
    for folder in _folders(model_dir):
        for name in names:
            path = folder / name
            if path.is_file():
                return WeightsFile(path, sha256_of(path))
    others = ", ".join(Path(name).suffix for name in names[1:])
    places = " or ".join(repr(str(folder)) for folder in _folders(model_dir))
    fetch = f"`deeplens models pull {feature}` fetches it, or place it" if pullable else "place it"
    named = "" if model_dir else ", or in a folder that features.model_dir names"
    raise ModelUnavailableError(
        f"Feature {feature!r} is left out: its weights are not installed; {fetch} as {names[0]!r} (or {others}) "
        f"in {places}{named}."
    )


def pull_checkpoint(
    feature: str, checkpoint: str, published: Publication, model_dir: str = "", *, cache_dir: Path | None = None
) -> WeightsFile:
    """Give a checkpoint that is on this machine, else fetch it into the model cache.

    Raises:
        ModelUnavailableError: It cannot be fetched; the file to place and its folder are named.
        ModelCorruptError: What was sent does not have the checksum that its address names; it is not kept.
    """
    folder = cache_dir or model_cache_dir()
    for place in (Path(model_dir), folder) if model_dir else (folder,):
        for name in _names(checkpoint):
            if (place / name).is_file():
                return WeightsFile(place / name, sha256_of(place / name))
    stem = _stem(checkpoint)
    if not published.repository and published.url:
        suffix = Path(published.url).suffix
        return download(
            feature,
            Download(published.url, stem + (suffix if suffix in SUFFIXES else ".pt"), 0, _digest_in(published.url)),
            "",
            cache_dir=folder,
        )
    if not published.repository:
        raise ModelUnavailableError(
            f"Nobody publishes the weights of {feature!r}; place them as {_names(checkpoint)[0]!r} in {str(folder)!r} "
            "or in features.model_dir."
        )

    def fetch(hub: Any, into: str) -> Path:
        for name in published.files[:-1]:
            if hub.file_exists(published.repository, name):
                break
        else:
            name = published.files[-1]
        return Path(hub.hf_hub_download(published.repository, name, local_dir=into))

    with _fetched(feature, published.repository, published.files[0], _names(checkpoint)[0], folder, fetch) as path:
        target = folder / (stem + (path.suffix if path.suffix in SUFFIXES else ".bin"))
        with path.open("rb") as stream:
            os.fsync(stream.fileno())
        path.replace(target)
    return WeightsFile(target, sha256_of(target))


def pull_folder(feature: str, repository: str, name: str, *, cache_dir: Path | None = None) -> Path:
    """Fetch the vocabulary of a repository of Hugging Face into the folder `name` of the model cache.

    Raises:
        ModelUnavailableError: It cannot be fetched.
    """
    folder = cache_dir or model_cache_dir()
    target = folder / name
    if target.is_dir():
        return target

    def fetch(hub: Any, into: str) -> Path:
        hub.snapshot_download(repository, allow_patterns=_TOKENIZER_FILES, local_dir=into)
        shutil.rmtree(Path(into) / ".cache", ignore_errors=True)  # what the library notes of its downloads
        return Path(into)

    with _fetched(feature, repository, "its tokenizer", name, folder, fetch) as path:
        path.rename(target)
    return target


@contextmanager
def _fetched(
    feature: str, repository: str, what: str, name: str, folder: Path, fetch: Callable[[Any, str], Path]
) -> Iterator[Path]:
    """What was fetched, in a folder beside its place; whatever is left there is removed."""
    try:
        import huggingface_hub
    except ImportError as error:
        raise ModelUnavailableError(
            f"Cannot fetch {feature!r}: huggingface_hub is not installed; {INSTALL}."
        ) from error
    try:
        folder.mkdir(parents=True, exist_ok=True)
        into = tempfile.mkdtemp(prefix=".pull-", dir=folder)
    except OSError as error:
        raise ModelUnavailableError(
            f"Cannot fetch {feature!r}: {str(folder)!r} cannot be written ({error.strerror or error}); "
            f"set {MODEL_CACHE_VARIABLE} to a folder that can be."
        ) from error
    try:
        try:
            path = fetch(huggingface_hub, str(Path(into) / "files"))
        except Exception as error:  # the library and those below it raise classes that share no base
            raise ModelUnavailableError(
                f"Cannot fetch {what} of {feature!r} from the repository {repository!r} of Hugging Face "
                f"({first_words(error)}); place it as {name!r} in {str(folder)!r} or in features.model_dir, "
                "or try again with a network."
            ) from error
        yield path
    finally:
        shutil.rmtree(into, ignore_errors=True)


def _folders(model_dir: str) -> tuple[Path, ...]:
    return (Path(model_dir), model_cache_dir()) if model_dir else (model_cache_dir(),)


def _stem(checkpoint: str) -> str:
    path = Path(checkpoint)
    return str(path.with_suffix("")) if path.suffix in SUFFIXES else checkpoint


def _names(checkpoint: str) -> list[str]:
    every = [_stem(checkpoint) + suffix for suffix in SUFFIXES]
    return [checkpoint, *(name for name in every if name != checkpoint)] if checkpoint in every else every


def _digest_in(url: str) -> str:
    """The first digits of a file's SHA-256, as many publishers put them at the end of its name; else nothing."""
    found = re.search(r"-([0-9a-f]{8,64})$", Path(url).stem)
    return found[1] if found else ""
