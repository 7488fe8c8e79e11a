"""The dashboards, served on this machine.

Takes an open workspace and a port, serves until it is stopped; must not listen anywhere but on 127.0.0.1, for there is
no log-in yet, and must not say that it is ready before the first visitor would be answered at once.
"""

from __future__ import annotations

import contextlib
import errno
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from deeplens_kit.errors import ExtraMissingError, SettingsError
from deeplens_kit.service.desk import Desk, lay_out

if TYPE_CHECKING:
    from deeplens_kit.pipeline import Workspace

__all__ = ["ADDRESS", "DEFAULT_PORT", "serve"]

ADDRESS = "127.0.0.1"
"""The only address served: whoever can reach the port sees every picture."""

DEFAULT_PORT = 5006
"""Bokeh's own, so that those who know it find it."""

_PAGES = ("search", "duplicates")
# Between choosing a free port and listening on it another process may take it.
_ATTEMPTS = 5
_BACKLOG = 128


def serve(
    workspace: Workspace,
    *,
    port: int = DEFAULT_PORT,
    address: str = ADDRESS,
    on_ready: Callable[[str], None] = lambda _url: None,
) -> None:
    """Serve the dashboards until SIGINT or SIGTERM.

    Args:
        workspace: An open workspace.
        port: To listen on; 0 for one that is free.
        address: Must be 127.0.0.1.
        on_ready: Told the address of the first page when it is served.

    Raises:
        SettingsError: The port is taken or not allowed, or the address is another one.
        ExtraMissingError: Panel is not installed.
    """
    if address != ADDRESS:
        raise SettingsError(
            f"{address!r} is not served: the dashboards have no log-in yet, so only {ADDRESS} is. "
            "From elsewhere use a tunnel, for example `ssh -L 5006:127.0.0.1:5006 HOST`."
        )
    _check_port(port)
    try:
        import panel  # noqa: F401 - says early whether the extra is there
    except ModuleNotFoundError as error:
        raise ExtraMissingError("The dashboard", "workbench") from error
    if port:
        # Now, not after what takes a while.
        _free_port(port)
    laid = Desk(workspace, has_thumbnail_route=True)
    laid.warm()
    lay_out(laid)
    try:
        with _listening(laid, port) as (server, taken), _stopped_by_signals(server):
            on_ready(f"http://{ADDRESS}:{taken}/")
            server.io_loop.start()
    finally:
        lay_out(None)


@contextmanager
def _listening(laid: Desk, port: int) -> Iterator[tuple[Any, int]]:
    """A server that listens, and its port; it answers once its loop is started."""
    for attempt in range(_ATTEMPTS):
        taken = _free_port(port)
        try:
            server = _server(laid, taken)
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            if port or attempt == _ATTEMPTS - 1:
                raise _port_taken(taken) from error
            continue
        break
    try:
        server.start()
        yield server, taken
    finally:
        with contextlib.suppress(AssertionError):
            server.stop(wait=False)


def _server(laid: Desk, port: int) -> Any:
    from panel.io.server import get_server

    from deeplens_kit.reporting.bundled import bundled
    from deeplens_kit.service.routes import only_for_hosts, routes

    hosts = [f"{ADDRESS}:{port}", f"localhost:{port}"]
    pages: dict[str, Any] = {name: bundled("dashboards") / f"{name}.py" for name in _PAGES}
    server = get_server(
        pages,
        port=port,
        address=ADDRESS,
        websocket_origin=hosts,
        use_index=False,
        extra_patterns=routes(laid.thumbnail),
        warm=True,
        title="DeepLens",
    )
    only_for_hosts(server._tornado, frozenset(hosts))
    return server


@contextmanager
def _stopped_by_signals(server: Any) -> Iterator[None]:
    """Stop the loop on SIGINT and SIGTERM; both are the ordinary ways to end a server."""

    def stop(*_: object) -> None:
        server.io_loop.add_callback_from_signal(server.io_loop.stop)

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _check_port(port: int) -> None:
    if not 0 <= port <= 65535:
        raise SettingsError(f"Port {port} does not exist; choose one from 1024 to 65535, or 0 for any that is free.")


def _free_port(port: int) -> int:
    """The port itself where it is free, for 0 one that is.

    Raises:
        SettingsError: It is taken, or only the system's administrator may use it.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # As Tornado binds: a port that a server left a moment ago is free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((ADDRESS, port))
            probe.listen(_BACKLOG)
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise _port_taken(port) from error
            why = error.strerror or str(error)
            raise SettingsError(f"Port {port} cannot be used: {why}; choose another one with --port.") from error
        return int(probe.getsockname()[1])


def _port_taken(port: int) -> SettingsError:
    return SettingsError(
        f"Port {port} is taken, perhaps by another `deeplens serve`; stop that one, or choose another port: --port 0 "
        "takes any that is free."
    )
