"""Texts that go out and come back unchanged: who asked for a page, what a sign-in under way remembers.

Takes values, gives texts signed with a key of the server (HMAC-SHA-256), and back; must not be used for what others may
not read. Each use has a key of its own, so that a text made for one is none for another.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import json
import time
from typing import TYPE_CHECKING, Any
from weakref import WeakValueDictionary

from deeplens_kit.errors import NotAuthenticatedError
from deeplens_kit.ledger.access_values import NOBODY, Principal, PrincipalKind, Scope, local_principal
from deeplens_kit.service.access.paths import SESSION_HEADER

if TYPE_CHECKING:
    from deeplens_kit.service.access.gate import Gate

__all__ = [
    "Sealer",
    "count_password_try",
    "csrf_cookie_name",
    "gate_of",
    "lay_gate",
    "owner_in",
    "same_as_sealed",
    "seal",
    "unseal",
]

_PAGE = "page"
_gates: WeakValueDictionary[str, Gate] = WeakValueDictionary()
_served = False


class Sealer:
    """Signs for one server, all processes of which have its key.

    Args:
        key: 32 bytes.
    """

    def __init__(self, key: bytes) -> None:
        self._key = key

    @property
    def name(self) -> str:
        """Tells keys apart; public."""
        return self.mac("name", b"").hex()[:8]

    def key_for(self, use: str) -> bytes:
        """A key for one use."""
        return hmac.digest(self._key, f"deeplens {use}".encode(), "sha256")

    def mac(self, use: str, content: bytes) -> bytes:
        """The signature of bytes."""
        return hmac.digest(self.key_for(use), content, "sha256")

    def seal(self, use: str, value: Any, lifetime_seconds: float | None = None) -> str:
        """A value that JSON can hold as a text that opens for the same use and in time."""
        until = None if lifetime_seconds is None else int(time.time() + lifetime_seconds)
        content = json.dumps([until, value], separators=(",", ":")).encode()
        return f"{_text(content)}.{_text(self.mac(use, content))}"

    def unseal(self, use: str, text: str) -> Any:
        """The value of a text, None where it is none of ours or too old."""
        content, _, signature = text.partition(".")
        try:
            given, found = _bytes(content), _bytes(signature)
        except (binascii.Error, ValueError):
            return None
        if not hmac.compare_digest(self.mac(use, given), found):
            return None
        until, value = json.loads(given)
        return value if until is None or time.time() < until else None


def lay_gate(gate: Gate) -> None:
    """Have pages of this process be asked for through a gate."""
    global _served
    _served = True
    _gates[gate.sealer.name] = gate


def csrf_cookie_name() -> str:
    """The cookie with the token that goes with what a page sends; empty where there is no server."""
    return next((gate.csrf_cookie_name for gate in _gates.values()), "")


def gate_of(text: str) -> Gate | None:
    """The gate by which somebody asked for a page, whose signature is not looked at; None where there is no server.

    Args:
        text: What `seal` gave.
    """
    return _gates.get(text.partition("~")[0])


def owner_in(gate: Gate, text: str) -> str:
    """The user, or who else, that asked for a page; empty where the text is none of this server's.

    Args:
        gate: Of the server.
        text: What `seal` gave.
    """
    value = gate.sealer.unseal(_PAGE, text.partition("~")[2])
    return str(value[2] or value[1]) if value is not None else ""


def count_password_try(name: str) -> None:
    """Count a try of somebody's password on a page, before it is looked at; nothing to count where there is no server.

    Args:
        name: Whose.

    Raises:
        RateLimitedError: There were too many.
    """
    for gate in list(_gates.values()):
        gate.rates.try_to_sign_in(f"the page of {name}", name, known=True)


def seal(gate: Gate, principal: Principal) -> str:
    """Who asked for a page, for the page alone."""
    # A role and scopes are read anew each time, so they are not in it.
    value = [principal.kind.value, principal.name, principal.user_id, principal.credential_id]
    return f"{gate.sealer.name}~{gate.sealer.seal(_PAGE, value)}"


def unseal(text: str) -> Principal:
    """Who asked for a page and what they may do now: nobody where their session is over or the text is none of ours.

    Args:
        text: What `seal` gave; empty where a page runs without the server, for whoever started it.
    """
    if not text and not _served:
        return local_principal()
    gate = gate_of(text)
    value = gate.sealer.unseal(_PAGE, text.partition("~")[2]) if gate is not None else None
    if gate is None or value is None:
        return NOBODY
    kind, shown, user_id, credential_id = value
    sealed_as = Principal(shown, None, frozenset[Scope](), PrincipalKind(kind), user_id, credential_id)
    try:
        return gate.as_of_now(sealed_as)
    except NotAuthenticatedError:
        return NOBODY


def same_as_sealed(gate: Gate, principal: Principal, token: str) -> bool:
    """Whether somebody is who asked for the page that a token of Bokeh's speaks of.

    Args:
        gate: Of the server.
        principal: Who opens the page's websocket.
        token: With the headers of the request for the page; whoever takes it looks at its signature.
    """
    if not gate.enabled:
        return True
    from bokeh.util.token import get_token_payload

    try:
        headers = {str(name).lower(): value for name, value in get_token_payload(token)["headers"].items()}
        name, _, sealed = str(headers[SESSION_HEADER]).partition("~")
    except Exception:  # noqa: BLE001 - a text that anybody may have made up
        return False
    value = gate.sealer.unseal(_PAGE, sealed) if name == gate.sealer.name else None
    return value is not None and value[2:] == [principal.user_id, principal.credential_id]


def _text(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def _bytes(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
