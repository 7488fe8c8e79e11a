"""What happens when a page fails: its traceback goes to the log, a calm sentence to the user.

Takes an exception that a page or a callback of its session let out, gives a log line and words on the page; must not
let it pass unseen: Panel keeps the page alive, and without this it would be alive and silent, or blank.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from deeplens_kit.errors import DeepLensError
from deeplens_kit.service.desk import Desk, shared_desk
from deeplens_kit.views.state.search_state import UNEXPECTED

__all__ = ["open_session", "report_fault"]

_LOG = logging.getLogger(__name__)
_SHOWN_MILLISECONDS = 12_000
_LOST = "The server has stopped, or cannot be reached. Start `deeplens serve` again and reload this page."
_NO_PAGE = "Something went wrong on our side. The details are in the log of `deeplens serve`."


def report_fault(exception: BaseException) -> None:
    """Log an exception and tell the user of the session, if there is one.

    Args:
        exception: What a callback raised; one of our own says in its message what is wrong.
    """
    text = _logged(exception) or UNEXPECTED
    from panel.io.state import state

    if state.curdoc is not None and state.notifications is not None:
        state.notifications.error(text, duration=_SHOWN_MILLISECONDS)


@contextmanager
def open_session(panel: Any, name: str) -> Iterator[Desk]:
    """Set up a session of a page: its faults are logged and told, and so is the end of the server.

    What the block lets out, for example because the workspace is gone, is told in place of the page.

    Args:
        panel: The module, which a page has imported.
        name: Of the page: "search" or "duplicates".

    Yields:
        What all sessions work with.
    """
    panel.extension(notifications=True, disconnect_notification=_LOST)
    panel.config.exception_handler = report_fault
    try:
        yield shared_desk()
    except Exception as error:  # noqa: BLE001 - the edge: what is not told here leaves a blank page
        from deeplens_kit.views.board import Board
        from deeplens_kit.views.cards import message
        from deeplens_kit.views.page import served_page

        said = message("This page cannot be shown", _logged(error) or _NO_PAGE, kind="problem")
        served_page(name, "", {"main": Board(html=said)}).servable()


def _logged(exception: BaseException) -> str:
    """Log an exception; what an error of our own says, empty for a defect."""
    expected = isinstance(exception, DeepLensError)
    _LOG.error("a page failed: %s", exception, exc_info=None if expected else exception)
    return str(exception) if expected else ""
