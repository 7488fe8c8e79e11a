"""The key by which a workspace signs what it exports: made when it is first needed, and kept in the workspace's folder.

Takes an open workspace, gives an Ed25519 key; writes the key's file, readable by its owner alone, and nothing else. It
is listed among the workspace's own files, so that no scan ever indexes it.
"""

from __future__ import annotations

import os
import secrets
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from deeplens_kit.errors import WorkspaceError
from deeplens_kit.pipeline.workspace import SIGNING_KEY_FILE, Workspace

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

__all__ = ["public_key", "signing_key"]

_PRIVATE = 0o600
_OTHERS = 0o077


def signing_key(workspace: Workspace) -> Ed25519PrivateKey:
    """The workspace's key; it is made where there is none.

    Raises:
        WorkspaceError: Its file cannot be read or written, is no such key, or others than its owner can read it.
    """
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    path = workspace.directory / SIGNING_KEY_FILE
    try:
        if not path.exists():
            _make(path, Ed25519PrivateKey.generate())
        if os.name == "posix" and stat.S_IMODE(path.stat().st_mode) & _OTHERS:
            raise WorkspaceError(
                f"The signing key {str(path)!r} can be read by others than its owner, so nothing is signed with it: "
                f"`chmod 600 {path}`, or remove it and a new one is made."
            )
        key = serialization.load_pem_private_key(path.read_bytes(), password=None)
    except OSError as error:
        raise WorkspaceError(f"Cannot use the signing key {str(path)!r}: {error.strerror or error}.") from error
    except (ValueError, TypeError) as error:
        raise WorkspaceError(f"{str(path)!r} is no signing key; remove it and a new one is made.") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise WorkspaceError(f"{str(path)!r} is no Ed25519 key; remove it and a new one is made.")
    return key


def public_key(workspace: Workspace) -> str | None:
    """By which others check what the workspace signed, 64 hexadecimal digits; None where it signed nothing yet."""
    if not (workspace.directory / SIGNING_KEY_FILE).exists():
        return None
    return signing_key(workspace).public_key().public_bytes_raw().hex()


def _make(path: Path, key: Ed25519PrivateKey) -> None:
    """Write the key under a temporary name and link it into place: of two processes the first one's stays."""
    from cryptography.hazmat.primitives import serialization

    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    temporary = path.with_name(f"{path.name}.new-{secrets.token_hex(8)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, _PRIVATE)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(pem)
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
