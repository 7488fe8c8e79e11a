"""Pages that are served by themselves, as `panel serve` does for whoever works on them: for this machine alone.

Takes the request that made a session, lets it pass or refuses it; must not stand before what `deeplens serve` serves,
which judges who asks.
"""

from __future__ import annotations

import ipaddress

from deeplens_kit.errors import SettingsError
from deeplens_kit.service.desk import is_laid_out

__all__ = ["refuse_strangers"]


def refuse_strangers() -> None:
    """Refuse a session of a page that nobody but `panel serve` serves, where it was asked for from elsewhere.

    Both ends of the connection count: a server that listens on all addresses answers this machine, and nobody else.

    Raises:
        SettingsError: It was.
    """
    if is_laid_out():
        return
    from panel.io.state import state

    context = state.curdoc.session_context if state.curdoc is not None else None
    connection = getattr(getattr(context, "request", None), "connection", None)
    if connection is None:
        return
    # Not `remote_ip`: what a proxy says of it anybody may say.
    ends = (connection.stream.socket.getsockname()[0], connection.stream.socket.getpeername()[0])
    if all(ipaddress.ip_address(end.partition("%")[0]).is_loopback for end in ends):
        return
    raise SettingsError(
        "Pages that `panel serve` serves are for this machine alone: nobody signs in to them. Serve them to others by "
        "`deeplens serve`, or open them on 127.0.0.1."
    )
