"""The API about keys: one's own, and for administrators those of all.

Takes requests, gives documents; must not tell a key but the one that was just made.
"""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Response

from deeplens_kit.errors import SettingsError
from deeplens_kit.ledger.access_values import PrincipalKind, Scope
from deeplens_kit.service.access.accounts import make_key
from deeplens_kit.service.access.answers import Id, KeyAnswer, KeysAnswer, MadeKeyAnswer, NewKeyRequest
from deeplens_kit.service.access.dependencies import Caller, signed_in
from deeplens_kit.service.access.visits import GateOf
from deeplens_kit.service.problems import PROBLEMS

__all__ = ["router"]

router = APIRouter(prefix="/api/v1/keys", tags=["keys"], dependencies=[signed_in()])


@router.get("", responses=PROBLEMS(401, 403, 422, 429))
def list_keys(
    who: Caller,
    gate: GateOf,
    all_users: Annotated[bool, Query(alias="all", description="Of every user; needs admin.")] = False,
    revoked: Annotated[bool, Query(description="Those that were revoked too.")] = False,
) -> KeysAnswer:
    """One's own keys, or all."""
    if all_users:
        who.require(Scope.ADMIN)
    elif not who.user_id:
        return KeysAnswer(items=[])
    found = gate.ledger.api_keys(None if all_users else who.user_id, revoked=revoked)
    return KeysAnswer(items=[KeyAnswer.of(key) for key in found])


@router.post("", status_code=201, responses=PROBLEMS(401, 403, 404, 422, 429))
def add_key(asked: NewKeyRequest, who: Caller, gate: GateOf, response: Response) -> MadeKeyAnswer:
    """Make a key; it is answered this once."""
    who.require_in_person()
    if asked.user is not None and (who.kind is PrincipalKind.LOCAL or asked.user.casefold() != who.name.casefold()):
        who.require(Scope.ADMIN)
    user = asked.user or (who.name if who.user_id else "")
    if not user:
        raise SettingsError("Nobody signs in here, so say whose key it is to be with `user`.")
    made = make_key(gate.ledger, user, asked.name, asked.scopes, asked.lifetime_days)
    response.headers["Cache-Control"] = "no-store"
    return MadeKeyAnswer(key=KeyAnswer.of(made.key), secret=made.text)


@router.delete("/{key_id}", responses=PROBLEMS(401, 403, 404, 422, 429))
def revoke_key(key_id: Id, who: Caller, gate: GateOf) -> KeyAnswer:
    """Take a key out of use: one of one's own, or for an administrator anybody's."""
    whose = "" if who.may(Scope.ADMIN) else who.user_id or "-"
    return KeyAnswer.of(gate.ledger.revoke_api_key(key_id, user_id=whose))
