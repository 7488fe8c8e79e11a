"""Credentials of a file that only its owner can read: `${file:/path/secrets.toml#key}`.

Takes the path of a TOML file and a key of it, dotted where tables are nested, and gives the text that stands there;
must not read a file that others could read or write, and must not show a line of one.
"""

from __future__ import annotations

import os
import re
import shlex
import stat
import tomllib
from pathlib import Path

from deeplens_kit.errors import CredentialMissingError, SettingsError
from deeplens_kit.storage.credentials.base import Reference

__all__ = ["SecretsFile"]

# Read and write by the owner: what may be set at most.
_MODE = 0o600
# A file of secrets is small; another was named by mistake.
_MAX_BYTES = 2**20


class SecretsFile:
    """TOML files of texts."""

    def check(self, reference: Reference) -> None:
        """See `CredentialProvider`."""
        path, key = _parts(reference)
        if not path.is_absolute() or not all(key.split(".")):
            raise SettingsError(
                f"{reference.text} names no entry of a secrets file; write ${{file:/PATH/secrets.toml#KEY}} with the "
                "whole path of the file."
            )

    def look_up(self, reference: Reference, *, fresh: bool) -> str:
        """See `CredentialProvider`."""
        path, key = _parts(reference)
        value: object = _table(reference, path)
        for name in key.split("."):
            value = value.get(name) if isinstance(value, dict) else None
        if value is None or value == "":
            state = "is empty" if value == "" else "is not"
            advice = 'add it as `KEY = "VALUE"`, under [TABLE] where the key has a dot'
            raise CredentialMissingError(reference.text, f"{key!r} {state} in {str(path)!r}", advice)
        if not isinstance(value, str):
            raise SettingsError(f"{key!r} in {str(path)!r} is no text; write its value in quotes.")
        return value


def _parts(reference: Reference) -> tuple[Path, str]:
    path, _, key = reference.name.rpartition("#")
    try:
        return Path(path).expanduser(), key
    except RuntimeError:
        # There is no home of that name: no absolute path, which `check` says.
        return Path(path), key


def _table(reference: Reference, path: Path) -> dict[str, object]:
    advice = "make it with mode 0600, or mend the reference"
    try:
        # Without waiting: a named pipe would hold us until somebody writes to it.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    except FileNotFoundError as error:
        raise CredentialMissingError(reference.text, f"there is no file {str(path)!r}", advice) from error
    except OSError as error:
        raise CredentialMissingError(
            reference.text, f"{str(path)!r} cannot be read: {error.strerror or error}", advice
        ) from error
    try:
        # Of the open file: the name may be given to another meanwhile.
        _check_owner_and_mode(path, os.fstat(descriptor))
        content = os.read(descriptor, _MAX_BYTES + 1)
    finally:
        os.close(descriptor)
    if len(content) > _MAX_BYTES:
        raise SettingsError(f"The secrets file {str(path)!r} is larger than 1 MiB; name a smaller one.")
    try:
        return tomllib.loads(content.decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        # The cause is left out, it may quote the file; of its words only the place is said.
        place = re.search(r"line \d+", str(error))
        said = f" ({place[0]})" if place else ""
        raise SettingsError(f"The secrets file {str(path)!r} is not valid TOML{said}; mend it.") from None


def _check_owner_and_mode(path: Path, state: os.stat_result) -> None:
    if not stat.S_ISREG(state.st_mode):
        raise SettingsError(f"The secrets file {str(path)!r} is no regular file; name a file.")
    if state.st_uid != os.geteuid():
        raise SettingsError(
            f"The secrets file {str(path)!r} belongs to user {state.st_uid} and not to {os.geteuid()}, who runs this; "
            f"`chown {os.geteuid()} {shlex.quote(str(path))}`, or name a file of your own."
        )
    mode = stat.S_IMODE(state.st_mode)
    if mode & ~_MODE:
        raise SettingsError(
            f"The secrets file {str(path)!r} has mode {mode:04o}, so that others may get at it; allowed is 0600 or "
            f"stricter: `chmod 600 {shlex.quote(str(path))}`."
        )
