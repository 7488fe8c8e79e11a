"""The API about whoever asks: who they are, their sign-ins and password, and tokens for programs.

Takes requests, gives documents; must not judge anything itself.
"""

from __future__ import annotations

from fastapi import APIRouter, Response

from deeplens_kit.errors import AccessDeniedError
from deeplens_kit.ledger.access_values import Principal, PrincipalKind
from deeplens_kit.service.access.accounts import change_password
from deeplens_kit.service.access.answers import (
    ChangedPassword,
    EndedAnswer,
    Id,
    KeepKeys,
    RefreshRequest,
    SessionAnswer,
    SessionsAnswer,
    SignInRequest,
    TokenRequest,
    TokensAnswer,
    WhoAnswer,
)
from deeplens_kit.service.access.dependencies import Caller, public, signed_in
from deeplens_kit.service.access.signing_in import (
    Tokens,
    issue_tokens,
    proved_by_password,
    refreshed,
    revoke_token,
    sign_out,
)
from deeplens_kit.service.access.visits import GateOf, Visiting, drop_session
from deeplens_kit.service.problems import PROBLEMS

__all__ = ["router"]

router = APIRouter(prefix="/api/v1", tags=["session"])

_KNOWN = PROBLEMS(401, 403, 429)


@router.get("/session", dependencies=[signed_in()], responses=_KNOWN)
def who_asks(who: Caller, gate: GateOf) -> WhoAnswer:
    """Who asks, and what they may do."""
    token = gate.csrf_token(who.credential_id) if who.kind is PrincipalKind.USER else None
    return WhoAnswer.of(who, token)


@router.post("/session", status_code=201, dependencies=[public()], responses=PROBLEMS(401, 403, 422, 429))
def get_tokens(asked: SignInRequest, gate: GateOf, visit: Visiting, response: Response) -> TokensAnswer:
    """Sign a program in by name and password; browsers use the page."""
    user = proved_by_password(gate, asked.name, asked.password, visit)
    response.headers["Cache-Control"] = "no-store"
    return _answer(issue_tokens(gate, user, asked.scopes, visit))


@router.delete("/session", status_code=204, dependencies=[signed_in()], responses=_KNOWN)
def end_session(who: Caller, gate: GateOf, response: Response) -> None:
    """Sign out: the session and the tokens of whoever asks are over. A key is revoked elsewhere."""
    sign_out(gate, who)
    drop_session(response, gate)


@router.post("/session/refresh", dependencies=[public()], responses=PROBLEMS(401, 403, 422, 429))
def refresh(asked: RefreshRequest, gate: GateOf, visit: Visiting, response: Response) -> TokensAnswer:
    """The next pair of tokens for a refresh token, which is used up by that."""
    response.headers["Cache-Control"] = "no-store"
    return _answer(refreshed(gate, asked.refresh_token, visit))


@router.post("/session/revoke", status_code=204, dependencies=[public()], responses=PROBLEMS(401, 403, 422, 429))
def revoke(asked: TokenRequest, gate: GateOf) -> None:
    """End what a token is part of; answers the same for one that nobody knows (RFC 7009)."""
    revoke_token(gate, asked.token)


@router.put("/session/password", status_code=204, dependencies=[signed_in()], responses=PROBLEMS(401, 403, 422, 429))
def set_password(asked: ChangedPassword, who: Caller, gate: GateOf, visit: Visiting) -> None:
    """Change one's own password; other sessions end."""
    _in_person(who)
    gate.rates.try_to_sign_in(visit.address, who.name, known=True)
    change_password(gate.ledger, who.user_id, asked.old, asked.new, keep_session=who.credential_id)


@router.get("/sessions", dependencies=[signed_in()], responses=_KNOWN)
def own_sessions(who: Caller, gate: GateOf) -> SessionsAnswer:
    """One's own sign-ins that last."""
    found = gate.ledger.user_sessions(who.user_id) if who.user_id else []
    return SessionsAnswer(items=[SessionAnswer.of(session, who.credential_id) for session in found])


@router.delete("/sessions", dependencies=[signed_in()], responses=_KNOWN)
def end_other_sessions(who: Caller, gate: GateOf, keep_keys: KeepKeys = False) -> EndedAnswer:
    """Sign out everywhere else: all of one's own sign-ins but the present one end, and one's keys are revoked."""
    _in_person(who)
    ended = gate.ledger.end_access(who.name, "ended", keep_keys=keep_keys, keep_session=who.credential_id)
    return EndedAnswer(sessions=ended.sessions, keys=ended.keys)


@router.delete(
    "/sessions/{session_id}", status_code=204, dependencies=[signed_in()], responses=PROBLEMS(401, 403, 404, 422, 429)
)
def end_own_session(session_id: Id, who: Caller, gate: GateOf) -> None:
    """End one of one's own sign-ins."""
    gate.ledger.end_user_session(session_id, "ended", user_id=who.user_id or "-")


def _in_person(who: Principal) -> None:
    """Refuse a key or token where a person must act."""
    if who.kind is not PrincipalKind.USER:
        raise AccessDeniedError(who.name, why="only who is signed in in a browser may.")


def _answer(made: Tokens) -> TokensAnswer:
    return TokensAnswer(
        access_token=made.access_token,
        expires_in=made.expires_in_seconds,
        refresh_token=made.refresh_token,
        session_id=made.session_id,
    )
