"""Acts of a page, each with what it takes to do it: the scope is asked anew whenever one is done.

Takes methods of a class that holds a page's session, gives them guarded and listed; must not decide who may what.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import wraps
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar

from deeplens_kit.ledger import Scope

__all__ = ["ActingSession", "Guarded", "guarded", "guarded_acts"]

_Given = ParamSpec("_Given")
_Answer = TypeVar("_Answer")


class ActingSession(Protocol):
    """Of a page: who is there, and what they may do now.

    Attributes:
        acts: What can be done on the page, by name: the scope that it takes and what does it.
    """

    acts: dict[str, tuple[Scope, Callable[..., Any]]]

    def may(self, scope: Scope) -> bool:
        """Whether whoever is there may do this."""

    def act(self, scope: Scope) -> AbstractContextManager[object]:
        """What the block does is done by whoever is there; AccessDeniedError where they may not."""


class Guarded:
    """What the acts of a page share.

    Args:
        session: Of the page.
    """

    def __init__(self, session: ActingSession) -> None:
        self._session = session
        for name, scope in guarded_acts(type(self)).items():
            session.acts[f"{type(self).__name__}.{name}"] = (scope, getattr(self, name))

    def may(self, name: str) -> bool:
        """Whether whoever is there may do an act, by the name of its method."""
        return self._session.may(guarded_acts(type(self))[name])


_Acts = TypeVar("_Acts", bound=Guarded)


def guarded(
    scope: Scope,
) -> Callable[[Callable[Concatenate[_Acts, _Given], _Answer]], Callable[Concatenate[_Acts, _Given], _Answer]]:
    """An act that takes a scope; it is done as whoever is there.

    Args:
        scope: Asked anew each time: a user who was disabled meanwhile does nothing more.
    """

    def guard(act: Callable[Concatenate[_Acts, _Given], _Answer]) -> Callable[Concatenate[_Acts, _Given], _Answer]:
        @wraps(act)
        def done(acts: _Acts, /, *args: _Given.args, **named: _Given.kwargs) -> _Answer:
            with acts._session.act(scope):
                return act(acts, *args, **named)

        done.scope = scope  # type: ignore[attr-defined]
        return done

    return guard


def guarded_acts(kind: type[Guarded]) -> dict[str, Scope]:
    """Every act of a class by the name of its method, with the scope that it takes."""
    return {name: found for name in dir(kind) if (found := getattr(getattr(kind, name), "scope", None)) is not None}
