"""What happens when a page fails: its traceback goes to the log, a calm sentence to the user.

Takes an exception that a callback of a session let out, gives a log line and a notification; must not let it pass
unseen: Panel keeps the page alive, and without this it would be alive and silent.
"""

from __future__ import annotations

import logging
from typing import Any

from deeplens_kit.errors import DeepLensError
from deeplens_kit.views.state.search_state import UNEXPECTED

__all__ = ["open_session", "report_fault"]

_LOG = logging.getLogger(__name__)
_SHOWN_MILLISECONDS = 12_000
_LOST = "The server has stopped, or cannot be reached. Start `deeplens serve` again and reload this page."


def report_fault(exception: BaseException) -> None:
    """Log an exception and tell the user of the session, if there is one.

    Args:
        exception: What a callback raised; one of our own says in its message what is wrong.
    """
    expected = isinstance(exception, DeepLensError)
    _LOG.error("a page failed: %s", exception, exc_info=None if expected else exception)
    from panel.io.state import state

    if state.curdoc is not None and state.notifications is not None:
        text = str(exception) if expected else UNEXPECTED
        state.notifications.error(text, duration=_SHOWN_MILLISECONDS)


def open_session(panel: Any) -> None:
    """Set up a session of a page: its faults are logged and told, and so is the end of the server.

    Args:
        panel: The module, which a page has imported.
    """
    panel.extension(notifications=True, disconnect_notification=_LOST)
    panel.config.exception_handler = report_fault
