"""Where signing in takes place, and the header by which pages know who asks.

Takes nothing, gives names; must not import what answers them.
"""

from __future__ import annotations

__all__ = ["FORMS", "LINK", "PROVIDER", "RETURN", "SESSION_HEADER", "SIGN_IN", "SIGN_OUT", "local_path"]

SESSION_HEADER = "x-deeplens-session"
"""Tells a page who asked for it, sealed; what anybody sends under this name is taken away."""

SIGN_IN = "/sign-in"
SIGN_OUT = "/sign-out"
LINK = "/sign-in/link"
PROVIDER = "/sign-in/with/{provider}"
RETURN = "/sign-in/with/{provider}/return"

FORMS = frozenset({SIGN_IN, SIGN_OUT, LINK})
"""Forms of ours: whoever answers them looks at the token among their fields."""


def local_path(wanted: str) -> str:
    """Where to go after signing in: a path of this server, whatever was asked for."""
    # "//host" and "/\\host" are other hosts to a browser; so is what it takes line breaks and tabs out of.
    odd = any(letter in wanted for letter in "\\\r\n\t") or not wanted.isprintable()
    is_ours = wanted.startswith("/") and not wanted.startswith("//") and not odd
    return wanted if is_ours and not wanted.startswith((SIGN_IN, SIGN_OUT)) else "/"
