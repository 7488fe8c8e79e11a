"""URLs of kinds that lie in one file of this machine: `zip:///PATH/pictures.zip`, `sqlite:///PATH/pictures.db`.

Takes a URL and gives the file's path and the one spelling that is kept; must not touch the file.
"""

from __future__ import annotations

import os
import re
import stat
from urllib.parse import quote, unquote_to_bytes

from deeplens_kit.errors import SettingsError
from deeplens_kit.storage.paths import encode_path

__all__ = ["file_of_url", "is_openable", "place_of_file", "url_of_file"]

_URL = re.compile(r"[a-z]+://(?:localhost)?(/.*)", re.DOTALL | re.IGNORECASE)


def file_of_url(url: str, scheme: str, example: str) -> str:
    """The native path that a URL names.

    Args:
        url: With %-escapes; `SCHEME:///PATH`.
        scheme: Of the kind.
        example: A name for the message: "pictures.zip".

    Raises:
        SettingsError: It names no file by its whole path.
    """
    match = _URL.fullmatch(url)
    path = os.fsdecode(unquote_to_bytes(match[1])) if match else ""
    if not path.strip("/") or "\0" in path:
        raise SettingsError(f"The URL names no file; write {scheme}:///PATH/{example} with the whole path of the file.")
    return "/" + re.sub("/+", "/", path).strip("/")


def is_openable(state: os.stat_result) -> bool:
    """Whether opening it cannot wait for ever, as that of a named pipe or device does; a folder refuses by itself."""
    return stat.S_ISREG(state.st_mode) or stat.S_ISDIR(state.st_mode)


def url_of_file(scheme: str, path: str) -> str:
    """The URL of a native path: ASCII, %-escaped."""
    return f"{scheme}://{quote(os.fsencode(path))}"


def place_of_file(scheme: str, path: str) -> str:
    """What names the file whichever link leads to it; ends in '/'. No place of a folder begins alike."""
    return f"{scheme}://{encode_path(os.path.realpath(path))}/"
