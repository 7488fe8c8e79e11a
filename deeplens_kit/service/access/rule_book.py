"""What each path demands, read off the routes themselves: what declares nothing is refused.

Takes an application, gives the rule of a request or websocket; must not know who asks.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from starlette.applications import Starlette
from starlette.routing import BaseRoute, Match
from starlette.types import Scope

from deeplens_kit.service.access.dependencies import PUBLIC, Rule

__all__ = ["FREE", "RuleBook", "every_route", "rules_of"]

FREE = ("/static/", "/api/v1/openapi.json")
"""Routes that cannot declare anything, beginnings of their paths: scripts and styles, the same for everybody, and the
description of the API."""


class RuleBook:
    """The rules of an application; made when the first request comes, with all routes there.

    Args:
        application: With its routes.
    """

    def __init__(self, application: Starlette) -> None:
        self._routes = [(route, _rule(route)) for route in every_route(application)]

    def rule(self, scope: Scope) -> tuple[bool, Rule | None]:
        """Whether some route takes a request, and what that one demands; None where it declares nothing."""
        if scope["path"].startswith(FREE):
            return True, PUBLIC
        partial: tuple[bool, Rule | None] = (False, None)
        for route, rule in self._routes:
            match, _ = route.matches(scope)
            if match is Match.FULL:
                return True, rule
            # Another method: what answers 405 demands as much.
            if match is Match.PARTIAL and not partial[0]:
                partial = (True, rule)
        return partial


def every_route(application: Starlette) -> Iterator[BaseRoute]:
    """Every route, also those that FastAPI keeps within the routers that were added to it."""
    yield from _within(application.router)


def rules_of(route: BaseRoute) -> list[Rule]:
    """What a route declares, in its own dependencies and in those of its router; should be one."""
    dependant = getattr(route, "dependant", None)
    return list(_declared(dependant)) if dependant is not None else []


def _rule(route: BaseRoute) -> Rule | None:
    rules = rules_of(route)
    # Two would leave open which holds.
    return rules[0] if len(rules) == 1 else None


def _declared(dependant: Any) -> Iterator[Rule]:
    for inner in dependant.dependencies:
        if isinstance(inner.call, Rule):
            yield inner.call
        yield from _declared(inner)


def _within(router: Any) -> Iterator[BaseRoute]:
    for route in router.routes:
        inner = getattr(route, "original_router", None) or getattr(route, "router", None)
        if inner is not None and hasattr(inner, "routes"):
            yield from _within(inner)
        else:
            yield route
