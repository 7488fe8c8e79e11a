"""Symbolic links that lead to files that went, and where they are to lead.

Takes what links say and redirects, gives what they are to say; must not follow or change a link.
"""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from dataclasses import dataclass

from deeplens_kit.actions.reference_names import Redirect, folder_of

__all__ = ["SAYS", "ReferringLink", "relinked"]

SAYS = "symlink:"
"""Begins the change token of a symbolic link; what it says follows."""


@dataclass(frozen=True, slots=True)
class ReferringLink:
    """A symbolic link that leads to a file that went.

    Attributes:
        location_id: Its location.
        path: Its path there, encoded.
        before: What it says, encoded.
        after: What it is to say, encoded.
    """

    location_id: str
    path: str
    before: str
    after: str


def relinked(text: str, address: str, redirects: Mapping[str, Redirect]) -> str | None:
    """What a link is to say; None where it leads to no file that went, empty where no link leads to the new place.

    Args:
        text: What it says.
        address: Its own, an absolute path.
        redirects: By the old place.
    """
    folder = folder_of(address)
    leads_to = posixpath.normpath(posixpath.join(folder, text))
    found = redirects.get(leads_to)
    if found is None:
        return None
    if not found.new.startswith("/"):
        return ""
    return found.new if text.startswith("/") else posixpath.relpath(found.new, folder)
