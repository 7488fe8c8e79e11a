"""Errors of Lance and the operating system, said in our own words.

Takes whatever a table operation raised and gives one of our errors with the cause kept; must not hide an error
or show a credential.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from deeplens_kit.errors import StoreFullError, WorkspaceError
from deeplens_kit.telemetry import redact

__all__ = ["is_conflict", "is_missing", "translated"]

# Lance passes on the text of the system's or the object store's error; numbers are ENOSPC, EDQUOT and EFBIG.
_FULL = re.compile(
    r"no space left|disk quota exceeded|file too large|os error (28|122|27)\b|quotaexceeded|insufficientstorage"
    r"|storagefull|insufficient storage",
    re.IGNORECASE,
)
_DENIED = re.compile(
    r"permission denied|read-only file system|operation not permitted|os error (13|30|1)\b|accessdenied|forbidden",
    re.IGNORECASE,
)
_MISSING = re.compile(r"was not found|not found:|no such file", re.IGNORECASE)
_CONFLICT = re.compile(r"conflict|concurrent|too many attempts|preempted", re.IGNORECASE)
# Where in its own sources Lance noticed the error: nothing a user can act on.
_SOURCE_PLACE = re.compile(r",?\s*\S*/rust/\S+\.rs:\d+:\d+")


@contextmanager
def translated(doing: str, url: str) -> Iterator[None]:
    """Turn errors of Lance, Arrow and the system into ours.

    Args:
        doing: What was being done, as in "write to".
        url: The catalog, named in the message without credentials.

    Raises:
        StoreFullError: No space is left or a quota is reached.
        WorkspaceError: Anything else that the store refused.
    """
    try:
        yield
    except (OSError, ValueError, RuntimeError) as error:
        text = redact(_SOURCE_PLACE.sub("", str(error))).strip().replace("\n", " ")
        place = redact(url)
        if _FULL.search(text):
            raise StoreFullError(
                f"The catalog at {place!r} cannot be written: the disk or quota is full; what was committed "
                "is kept. Make room and run again."
            ) from error
        if _DENIED.search(text):
            raise WorkspaceError(
                f"Cannot {doing} the catalog at {place!r}: access is denied ({text}); grant it or use another place."
            ) from error
        if is_conflict(error):
            raise WorkspaceError(
                f"Cannot {doing} the catalog at {place!r}: other writers kept getting in between; "
                "run again when fewer work on it."
            ) from error
        raise WorkspaceError(f"Cannot {doing} the catalog at {place!r}: {text}.") from error


def is_missing(error: Exception) -> bool:
    """Whether an error of Lance says that there is no such table."""
    return bool(_MISSING.search(str(error)))


def is_conflict(error: Exception) -> bool:
    """Whether an error of Lance says that another writer committed first."""
    return bool(_CONFLICT.search(str(error)))
