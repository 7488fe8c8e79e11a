"""What is served: the dashboards to browsers, the API to programs, and the work that both ask for.

Takes an open workspace and serves it; must not compute anything itself. The names below load their modules
when they are first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from deeplens_kit.service.desk import Desk, shared_desk
    from deeplens_kit.service.pages import PageSession, open_session
    from deeplens_kit.service.server import Part, serve

__all__ = ["Desk", "PageSession", "Part", "open_session", "serve", "shared_desk"]

_HOMES = {
    "Desk": "desk",
    "PageSession": "pages",
    "Part": "server",
    "open_session": "pages",
    "serve": "server",
    "shared_desk": "desk",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
