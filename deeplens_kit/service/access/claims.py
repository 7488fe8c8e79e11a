"""What a provider says of somebody, as our roles and scopes.

Takes claims and the map in the settings, gives roles and scopes; must not give anything that the map or the claim does
not name.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from deeplens_kit.ledger.access_values import Role, Scope

__all__ = ["claim", "highest_role", "scopes_in"]

_ORDER = tuple(Role)


def claim(claims: Mapping[str, Any], path: str) -> Any:
    """A claim by its name, or by the names that lead to it with dots between; None where there is none."""
    if path in claims:
        return claims[path]
    found: Any = claims
    for part in path.split("."):
        found = found.get(part) if isinstance(found, Mapping) else None
    return found


def highest_role(roles: Mapping[str, str], value: Any) -> Role | None:
    """The highest role that the map has for a text or for one of a list of texts."""
    texts = value if isinstance(value, list) else [value]
    found = [Role(roles[text]) for text in texts if isinstance(text, str) and text in roles]
    return max(found, key=_ORDER.index, default=None)


def scopes_in(value: Any, prefix: str) -> frozenset[Scope]:
    """Our scopes among those of a text with spaces or of a list; all others are none of ours."""
    names = value.split() if isinstance(value, str) else value if isinstance(value, list) else []
    ours = {str(scope): scope for scope in Scope}
    given = (name.removeprefix(prefix) for name in names if isinstance(name, str) and name.startswith(prefix))
    return frozenset(ours[name] for name in given if name in ours)
