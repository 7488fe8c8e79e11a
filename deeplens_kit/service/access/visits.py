"""What of a request signing in needs: where it comes from, and its cookies; and what goes back with the answer.

Takes requests and answers, gives a visit and sets cookies; must not know who may sign in.
"""

from __future__ import annotations

import hmac
import secrets
from typing import Annotated

from fastapi import Depends, Request, Response

from deeplens_kit.errors import AccessError
from deeplens_kit.service.access.gate import Gate
from deeplens_kit.service.access.signing_in import BrowserSession, Visit
from deeplens_kit.service.context import service_of

__all__ = [
    "GateOf",
    "Visiting",
    "base_url",
    "check_form",
    "drop_session",
    "form_token",
    "keep_form_token",
    "keep_session",
    "the_gate",
]

_LONGEST_AGENT = 200


async def visit(request: Request) -> Visit:
    """Where a request comes from."""
    address = request.client.host if request.client is not None else ""
    return Visit(address, request.headers.get("user-agent", "")[:_LONGEST_AGENT])


Visiting = Annotated[Visit, Depends(visit)]
"""Of a route: where the request comes from."""


async def the_gate(request: Request) -> Gate:
    """The gate of the process that a request has come to."""
    return service_of(request).gate


GateOf = Annotated[Gate, Depends(the_gate)]
"""Of a route: the gate."""


def base_url(request: Request) -> str:
    """How the browser reaches this server, as "https://pictures.example.org"."""
    return f"{request.url.scheme}://{request.headers.get('host', request.url.netloc)}"


def keep_session(response: Response, gate: Gate, session: BrowserSession) -> None:
    """Have a browser keep its session."""
    lifetime = round(gate.settings.session_hours * 3600)
    response.set_cookie(
        gate.cookie_name, session.cookie, max_age=lifetime, path="/", secure=gate.secure, httponly=True, samesite="lax"
    )
    # Read by the script of a page, to be sent along in a form.
    response.set_cookie(
        gate.csrf_cookie_name, session.csrf_token, max_age=lifetime, path="/", secure=gate.secure, samesite="strict"
    )


def drop_session(response: Response, gate: Gate) -> None:
    """Have a browser forget its session."""
    response.delete_cookie(gate.cookie_name, path="/", secure=gate.secure, httponly=True, samesite="lax")
    response.delete_cookie(gate.csrf_cookie_name, path="/", secure=gate.secure, samesite="strict")


def form_token(request: Request, gate: Gate) -> str:
    """What a form of ours has among its fields, for a browser that has not signed in yet."""
    return request.cookies.get(gate.csrf_cookie_name) or secrets.token_hex(32)


def keep_form_token(response: Response, gate: Gate, token: str) -> None:
    """Have a browser send along what the form has among its fields."""
    response.set_cookie(gate.csrf_cookie_name, token, path="/", secure=gate.secure, samesite="strict")


def check_form(request: Request, gate: Gate, token: str) -> None:
    """Refuse a form that is none of ours: what it holds must be what the browser keeps.

    Raises:
        AccessError: It is not.
    """
    kept = request.cookies.get(gate.csrf_cookie_name, "")
    if not kept or not hmac.compare_digest(kept.encode(), token.encode()):
        raise AccessError("This form was open for too long, or comes from elsewhere; send it once more.")
