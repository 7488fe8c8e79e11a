"""Credentials that were made for servers of this run of the tests, so that each can be looked for afterwards.

Takes values and keeps them in memory; must not show one.
"""

from __future__ import annotations

from pathlib import Path

__all__ = ["issue", "issued", "server_folder", "server_folders"]

_issued: list[str] = []
_folders: list[Path] = []


def issue(secret: str) -> str:
    """Remember a credential, and give it back."""
    _issued.append(secret)
    return secret


def issued() -> tuple[str, ...]:
    """All of them, in the order in which they were made."""
    return tuple(_issued)


def server_folder(folder: Path) -> None:
    """Remember a folder in which a server keeps what it needs, its users' passwords among it."""
    _folders.append(folder)


def server_folders() -> tuple[Path, ...]:
    """All of them."""
    return tuple(_folders)
