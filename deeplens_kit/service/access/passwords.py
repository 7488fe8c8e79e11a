"""Passwords: what is taken as one, and what argon2id makes of it.

Takes passwords in clear, gives hashes and verdicts; must not keep or tell a password. Looking at one takes some 60 ms
and 64 MiB (the second choice of RFC 9106, section 4), so only so many are looked at together.
"""

from __future__ import annotations

import threading
from functools import cache

from argon2 import PasswordHasher, Type
from argon2.exceptions import InvalidHashError, VerificationError

from deeplens_kit.errors import SettingsError

__all__ = ["LEAST_LETTERS", "check_password", "hash_password", "is_right", "needs_new_hash"]

LEAST_LETTERS = 12
"""Of a password, inclusive; length says more than odd signs do (NIST SP 800-63B)."""

_MOST_BYTES = 1024
_LEAST_DIFFERENT = 5
_AT_ONCE = 4

_hasher = PasswordHasher(time_cost=3, memory_cost=64 * 1024, parallelism=4, type=Type.ID)
_turns = threading.BoundedSemaphore(_AT_ONCE)


def check_password(password: str, name: str) -> None:
    """Refuse a password that is guessed too easily.

    Raises:
        SettingsError: It is too short or too long, holds too few different letters, or the user's name.
    """
    if len(password) < LEAST_LETTERS:
        raise SettingsError(f"A password needs at least {LEAST_LETTERS} letters; a few words are a good one.")
    if len(password.encode("utf-8", errors="surrogatepass")) > _MOST_BYTES:
        raise SettingsError(f"A password may take {_MOST_BYTES:,} bytes at most; choose a shorter one.")
    if len(set(password.casefold())) < _LEAST_DIFFERENT:
        raise SettingsError(f"A password needs at least {_LEAST_DIFFERENT} different letters; choose another one.")
    if name and name.casefold() in password.casefold():
        raise SettingsError("A password must not hold the user's name; choose another one.")


def hash_password(password: str) -> str:
    """What argon2id makes of a password, with its parameters."""
    with _turns:
        return _hasher.hash(password)


def is_right(password: str, hashed: str) -> bool:
    """Whether a password is the one that was hashed; takes as long where there is none.

    Args:
        password: As it was given.
        hashed: What `hash_password` gave; empty where nobody has the name, or no password.
    """
    if len(password.encode("utf-8", errors="surrogatepass")) > _MOST_BYTES:
        return False
    with _turns:
        try:
            _hasher.verify(hashed or _nobodys(), password)
        except (VerificationError, InvalidHashError):
            return False
    return bool(hashed)


def needs_new_hash(hashed: str) -> bool:
    """Whether a hash was made with other parameters than today's."""
    return _hasher.check_needs_rehash(hashed)


@cache
def _nobodys() -> str:
    """Looked at in place of a hash that is not there, so that time does not tell who has a password."""
    return _hasher.hash("nobody has this password")
