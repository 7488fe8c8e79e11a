"""What a route declares about who may use it: exactly one of `needs`, `signed_in` and `public`.

Takes whoever the middleware found, gives them or a refusal; must not find out who they are. The middleware has looked
at the rule before, so that nothing of a request is read for whoever may not send it; here it is looked at once more.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends
from starlette.requests import HTTPConnection

from deeplens_kit.errors import NotAuthenticatedError
from deeplens_kit.ledger.access_values import NOBODY, Principal, PrincipalKind, Scope

__all__ = ["PUBLIC", "Caller", "Rule", "caller", "needs", "public", "signed_in"]


def caller(connection: HTTPConnection) -> Principal:
    """Whoever asks, as the middleware found; nobody where it did not run."""
    found: Principal = connection.scope.get("state", {}).get("principal", NOBODY)
    return found


async def _caller(connection: HTTPConnection) -> Principal:
    # Not in a thread of its own, as FastAPI would have what is not `async`.
    return caller(connection)


Caller = Annotated[Principal, Depends(_caller)]
"""Of a route: whoever asks."""


@dataclass(frozen=True)
class Rule:
    """What a route demands.

    Attributes:
        scope: That whoever asks must have; None for any.
        sign_in: They must have said who they are.
    """

    scope: Scope | None
    sign_in: bool

    def check(self, who: Principal) -> None:
        """Raise unless somebody may use the route.

        Raises:
            NotAuthenticatedError: Nobody has signed in.
            AccessDeniedError: They have not the scope.
        """
        if self.scope is not None:
            who.require(self.scope)
        elif self.sign_in and who.kind is PrincipalKind.NOBODY:
            raise NotAuthenticatedError("This needs signing in; sign in, or send an API key or a token.")

    async def __call__(self, connection: HTTPConnection) -> Principal:
        """Look at whoever asks."""
        who = caller(connection)
        self.check(who)
        return who


PUBLIC = Rule(None, False)
"""Anybody may ask."""


def needs(scope: Scope) -> Any:
    """Of a route's `dependencies`: whoever asks must have this scope."""
    return Depends(Rule(scope, True))


def signed_in() -> Any:
    """Of a route's `dependencies`: somebody must have signed in."""
    return Depends(Rule(None, True))


def public() -> Any:
    """Of a route's `dependencies`: anybody may ask."""
    return Depends(PUBLIC)
