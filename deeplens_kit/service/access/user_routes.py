"""The API about users, for administrators.

Takes requests, gives documents; must not judge anything itself.
"""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from deeplens_kit.ledger.access_values import Scope
from deeplens_kit.service.access.accounts import Invitation, invite, reset_link, set_active, set_role
from deeplens_kit.service.access.answers import (
    ChangedUser,
    EndedAnswer,
    Id,
    KeepKeys,
    LinkAnswer,
    Name,
    NewUser,
    SessionAnswer,
    SessionsAnswer,
    UserAnswer,
    UsersAnswer,
)
from deeplens_kit.service.access.dependencies import Caller, needs
from deeplens_kit.service.access.visits import GateOf, base_url
from deeplens_kit.service.problems import PROBLEMS

__all__ = ["router"]

router = APIRouter(prefix="/api/v1/users", tags=["users"], dependencies=[needs(Scope.ADMIN)])

_KNOWN = PROBLEMS(401, 403, 429)
_NAMED = PROBLEMS(401, 403, 404, 422, 429)


@router.get("", responses=_KNOWN)
def list_users(gate: GateOf) -> UsersAnswer:
    """Every user by name, those who may not sign in too."""
    return UsersAnswer(items=[UserAnswer.of(user) for user in gate.ledger.users()])


@router.post("", status_code=201, responses=PROBLEMS(401, 403, 422, 429))
def invite_user(asked: NewUser, who: Caller, gate: GateOf, request: Request, response: Response) -> LinkAnswer:
    """Add a user; the link by which they set their password is answered this once. Not by a key or token."""
    who.require_in_person()
    return _link(invite(gate.ledger, gate.settings, asked.name, asked.role), request, response)


@router.get("/{name}", responses=_NAMED)
def show_user(name: Name, gate: GateOf) -> UserAnswer:
    """One user."""
    return UserAnswer.of(gate.ledger.user(name))


@router.patch("/{name}", responses=_NAMED)
def change_user(name: Name, asked: ChangedUser, who: Caller, gate: GateOf) -> UserAnswer:
    """Give a user another role, or let them sign in or not: then their sessions are over and their keys rest.

    A key or token may only keep somebody from signing in.
    """
    if asked.role is not None or asked.active:
        who.require_in_person()
    user = gate.ledger.user(name)
    if asked.role is not None and asked.role is not user.role:
        user = set_role(gate.ledger, gate.settings, user.name, asked.role)
    if asked.active is not None and asked.active is not user.active:
        user = set_active(gate.ledger, gate.settings, user.name, asked.active)
    return UserAnswer.of(user)


@router.post("/{name}/reset-link", status_code=201, responses=_NAMED)
def make_reset_link(
    name: Name, who: Caller, gate: GateOf, request: Request, response: Response, keep_keys: KeepKeys = False
) -> LinkAnswer:
    """Make a link by which a user sets a new password; it is answered this once, and works once. Not by a key or token.

    Their sign-ins end and their keys are revoked at once, and once more when the link is used, unless `keep_keys` says
    that they only forgot the password.
    """
    who.require_in_person()
    return _link(reset_link(gate.ledger, gate.settings, name, keep_keys=keep_keys), request, response)


@router.get("/{name}/sessions", responses=_NAMED)
def list_sessions(name: Name, who: Caller, gate: GateOf) -> SessionsAnswer:
    """A user's sign-ins that last."""
    found = gate.ledger.user_sessions(gate.ledger.user(name).user_id)
    return SessionsAnswer(items=[SessionAnswer.of(session, who.credential_id) for session in found])


@router.delete("/{name}/sessions", responses=_NAMED)
def sign_out_everywhere(name: Name, gate: GateOf, keep_keys: KeepKeys = False) -> EndedAnswer:
    """Sign a user out everywhere: all their sign-ins end, and their keys are revoked."""
    ended = gate.ledger.end_access(gate.ledger.user(name).name, "signed_out_by_admin", keep_keys=keep_keys)
    return EndedAnswer(sessions=ended.sessions, keys=ended.keys)


@router.delete("/{name}/sessions/{session_id}", status_code=204, responses=_NAMED)
def end_session(name: Name, session_id: Id, gate: GateOf) -> None:
    """End a sign-in of a user."""
    gate.ledger.end_user_session(session_id, "ended_by_admin", user_id=gate.ledger.user(name).user_id)


def _link(made: Invitation, request: Request, response: Response) -> LinkAnswer:
    response.headers["Cache-Control"] = "no-store"
    return LinkAnswer(user=UserAnswer.of(made.user), link=f"{base_url(request)}{made.path}", expires_at=made.expires_at)
