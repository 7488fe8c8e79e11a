"""The key by which a server signs sessions: from the settings, or kept in the workspace's folder.

Takes an open workspace, gives 32 bytes; writes the key's file, readable by its owner alone, and nothing else. It is
listed among the workspace's own files, so that no scan ever indexes it.
"""

from __future__ import annotations

import os
import secrets
import stat
from hashlib import sha256
from typing import TYPE_CHECKING

from deeplens_kit.errors import SettingsError, WorkspaceError
from deeplens_kit.pipeline.workspace import ACCESS_KEY_FILE
from deeplens_kit.storage.credentials import resolve

if TYPE_CHECKING:
    from pathlib import Path

    from deeplens_kit.pipeline import Workspace

__all__ = ["access_key"]

_BYTES = 32
_LEAST_LETTERS = 32
_PRIVATE = 0o600
_OTHERS = 0o077


def access_key(workspace: Workspace) -> bytes:
    """The key; it is made where there is none.

    Raises:
        SettingsError: The setting names a secret that is not there, or is too short.
        WorkspaceError: The file cannot be read or written, is no such key, or others than its owner can read it.
    """
    reference = workspace.settings.sign_in.secret
    if reference:
        secret = resolve(reference)
        if len(secret) < _LEAST_LETTERS:
            raise SettingsError(
                f"The secret at {reference} is too short; 'sign_in.secret' needs {_LEAST_LETTERS} letters."
            )
        return sha256(secret.encode()).digest()
    path = workspace.directory / ACCESS_KEY_FILE
    try:
        if not path.exists():
            _make(path)
        if os.name == "posix" and stat.S_IMODE(path.stat().st_mode) & _OTHERS:
            raise WorkspaceError(
                f"The key {str(path)!r} can be read by others than its owner, so nobody signs in by it: "
                f"`chmod 600 {path}`, or remove it and everybody signs in anew."
            )
        key = bytes.fromhex(path.read_text(encoding="ascii").strip())
    except OSError as error:
        raise WorkspaceError(f"Cannot use the key {str(path)!r}: {error.strerror or error}.") from error
    except ValueError as error:
        raise WorkspaceError(f"{str(path)!r} is no such key; remove it and everybody signs in anew.") from error
    if len(key) != _BYTES:
        raise WorkspaceError(f"{str(path)!r} is no such key; remove it and everybody signs in anew.")
    return key


def _make(path: Path) -> None:
    """Write the key under a temporary name and link it into place: of two processes the first one's stays."""
    temporary = path.with_name(f"{path.name}.new-{secrets.token_hex(8)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, _PRIVATE)
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as stream:
            stream.write(secrets.token_hex(_BYTES) + "\n")
            stream.flush()
            os.fsync(stream.fileno())
        try:
            path.hardlink_to(temporary)
        except FileExistsError:
            pass
        except OSError:
            # A file system without hard links.
            temporary.replace(path)
            return
    finally:
        temporary.unlink(missing_ok=True)
