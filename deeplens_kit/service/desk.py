"""What the pages of one server share: the workspace, its searcher and what was found in it.

Takes an open workspace, gives what a session needs; must not hold anything of a session. All of it may be used from any
thread.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from deeplens_kit.settings import workspace_of_environment
from deeplens_kit.views.search_desk import SearchDesk
from deeplens_kit.views.state.shared_states import SharedStates

if TYPE_CHECKING:
    from deeplens_kit.pipeline import Workspace

__all__ = ["BELIEVED_SECONDS", "Desk", "is_laid_out", "lay_out", "shared_desk"]

BELIEVED_SECONDS = 0.1
"""Of a server: its searches know of a change so much later at most. Asking before each takes as long as the rest of a
search in a small library, and hundreds come within a second."""


class Desk(SearchDesk):
    """What all sessions of a server work with.

    Args:
        workspace: An open workspace; whoever opened it closes it.
        has_thumbnail_route: The server answers `thumbnail_path`; else thumbnails go within the pages.
        asks_every_seconds: For so long searches believe what the stores said of themselves last; 0 to ask each time.

    Attributes:
        shared: What is heavy and is made once for all pages.
    """

    def __init__(
        self, workspace: Workspace, *, has_thumbnail_route: bool = False, asks_every_seconds: float = 0.0
    ) -> None:
        super().__init__(workspace, asks_every_seconds=asks_every_seconds)
        self._has_route = has_thumbnail_route
        self.shared = SharedStates()

    def warm(self) -> None:
        """Do now what the first visitor would wait for."""
        self.searcher.warm()
        self.findings()

    def image_source(self, digest: str, side_px: int) -> str:
        """The address of a thumbnail: a path on this server where it has them, else the picture itself."""
        return thumbnail_path(digest, side_px) if self._has_route else super().image_source(digest, side_px)


def thumbnail_path(digest: str, side_px: int) -> str:
    """The path of a thumbnail on a server that has them."""
    return f"/thumbnails/{digest}/{side_px}.webp"


_desk: Desk | None = None
_laid_out = False
_lock = threading.Lock()


def lay_out(laid: Desk | None) -> None:
    """Set what the pages of this process work with; None takes it away."""
    global _desk, _laid_out
    with _lock:
        _desk, _laid_out = laid, laid is not None


def is_laid_out() -> bool:
    """Whether a server of ours has laid out what its pages work with; else each page is served by itself."""
    return _laid_out


def shared_desk() -> Desk:
    """What the pages of this process work with.

    A page that is served by itself (`panel serve dashboards/search.py`) opens the workspace that the variable
    DEEPLENS_WORKSPACE names.

    Raises:
        WorkspaceMissingError: No server has laid out a desk, and the variable names no workspace.
    """
    global _desk
    with _lock:
        if _desk is None:
            from deeplens_kit.pipeline import Workspace

            _desk = Desk(Workspace.open(workspace_of_environment()))
        return _desk
