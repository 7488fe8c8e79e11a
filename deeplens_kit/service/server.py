"""The server as a process: a socket, uvicorn, and a way to end it well.

Takes an open workspace and settings, serves until it is stopped; must not listen where its settings do not allow it,
nor say that it is ready before the first visitor would be answered at once.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from enum import StrEnum
from functools import partial
from typing import TYPE_CHECKING, Any

from deeplens_kit.errors import ExtraMissingError
from deeplens_kit.service.desk import BELIEVED_SECONDS, Desk, lay_out
from deeplens_kit.service.listening import BACKLOG, address_of, check_certificate, listening, names_of
from deeplens_kit.service.processes import Children, ChildSpec
from deeplens_kit.service.settling import settle
from deeplens_kit.service.sharing import SharedSocket
from deeplens_kit.settings import LOOPBACK, ServiceSettings

if TYPE_CHECKING:
    from deeplens_kit.pipeline import Workspace
    from deeplens_kit.service.context import Service

__all__ = ["ADDRESS", "DEFAULT_PORT", "Part", "run", "serve"]

ADDRESS = LOOPBACK
"""Where it listens unless somebody says otherwise: whoever can reach the port sees every picture."""

DEFAULT_PORT = 5006
"""Bokeh's own, so that those who know it find it."""

# Frames of a websocket: pages send pictures in pieces of a mebibyte, in base64.
_MOST_FRAME_BYTES = 32 * 2**20
_WAITS_SECONDS = 60.0
"""A worker of jobs may be down for so long, to be started anew, before the server says that it is not ready."""

_API, _JOBS = "API worker", "job worker"


class Part(StrEnum):
    """Of what a server can answer, the part that one does."""

    ALL = "all"
    PAGES = "pages"
    API = "api"


def serve(
    workspace: Workspace,
    *,
    settings: ServiceSettings | None = None,
    part: Part = Part.ALL,
    json_logs: bool = False,
    on_ready: Callable[[str], None] = lambda _url: None,
) -> None:
    """Serve the dashboards and the API until SIGINT or SIGTERM.

    Args:
        workspace: An open workspace.
        settings: How; by default as the workspace's file says.
        part: The dashboards or the API alone, where another server does the other.
        json_logs: Processes beside this one write their log as JSON.
        on_ready: Told the address of the first page when it is served.

    Raises:
        SettingsError: The port is taken, the address may not be listened on, or the certificate cannot be used.
        ExtraMissingError: The server's libraries are not installed.
    """
    settings = settings or workspace.settings.service
    try:
        import uvicorn  # noqa: F401 - says early whether the extra is there

        from deeplens_kit.service.context import Service
    except ModuleNotFoundError as error:
        raise ExtraMissingError("The server", "service") from error
    with contextlib.ExitStack() as held:
        # Now, not after what takes a while.
        check_certificate(settings)
        taken = held.enter_context(listening(settings.address, settings.port))
        beside = None
        if settings.workers and part is Part.ALL:
            port = settings.api_port or (taken.getsockname()[1] + 1 if settings.port else 0)
            beside = held.enter_context(listening(settings.address, port))
        laid = Desk(workspace, has_thumbnail_route=True, asks_every_seconds=BELIEVED_SECONDS)
        service = Service(workspace, laid, settings)
        names = [names_of(settings, one.getsockname()[1]) for one in (taken, beside) if one is not None]
        service.hosts = frozenset().union(*(hosts for hosts, _ in names))
        service.origins = frozenset().union(*(origins for _, origins in names))
        specs = _specs(service, part, beside or taken, json_logs=json_logs)
        children = held.enter_context(Children(specs, settings.stop_seconds))
        if settings.job_workers:
            service.checks["jobs"] = partial(children.check, _is_job_worker, _WAITS_SECONDS)
        if settings.workers and part is Part.API:
            children.wait_ready(_is_api_worker)
            _until_stopped(lambda: on_ready(address_of(settings, taken.getsockname()[1])))
            return
        _answer(service, part, taken, children, on_ready)


def _answer(
    service: Service, part: Part, taken: socket.socket, children: Children, on_ready: Callable[[str], None]
) -> None:
    """Answer in this process."""
    from deeplens_kit.service.application import make_application

    service.desk.warm()
    lay_out(service.desk)

    try:
        application = make_application(service, pages=part is not Part.API, api=part is not Part.PAGES)
        children.wait_ready(_is_api_worker)
        run(service, application, taken, on_ready)
    finally:
        lay_out(None)


def _specs(service: Service, part: Part, taken: socket.socket, *, json_logs: bool) -> list[ChildSpec]:
    """The processes beside this one."""
    from deeplens_kit.service.api_process import api_child

    settings = service.settings
    logs = ("--json-logs",) if json_logs else ()
    jobs = ("-m", "deeplens_kit.service.jobs.worker_process", "--workspace", str(service.workspace.directory))
    specs = [
        ChildSpec(f"{_JOBS} {number + 1}", (sys.executable, *jobs, "--with-parent", *logs))
        for number in range(settings.job_workers)
    ]
    if part is not Part.PAGES:
        specs += [
            api_child(f"{_API} {number + 1}", service, taken, json_logs=json_logs) for number in range(settings.workers)
        ]
    return specs


def _is_api_worker(name: str) -> bool:
    return name.startswith(_API)


def _is_job_worker(name: str) -> bool:
    return name.startswith(_JOBS)


def _until_stopped(ready: Callable[[], None]) -> None:
    """Wait for SIGINT or SIGTERM, while other processes answer."""
    stopped = threading.Event()
    before = {number: signal.signal(number, lambda *_: stopped.set()) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        ready()
        while not stopped.wait(1.0):
            pass
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def run(
    service: Service,
    application: Any,
    taken: socket.socket,
    on_ready: Callable[[str], None],
    *,
    is_shared: bool = False,
) -> None:
    """Answer what comes to a socket until SIGINT or SIGTERM; what is under way then has a while to end.

    Args:
        service: What is served with.
        application: What answers.
        taken: The socket, which listens.
        on_ready: Told the address when it is served.
        is_shared: Other processes answer at the same socket.
    """
    import uvicorn

    settings = service.settings

    class Server(uvicorn.Server):
        """Uvicorn's, which says when it is ready, and ends as we do."""

        @contextlib.contextmanager
        def capture_signals(self) -> Iterator[None]:
            loop = asyncio.get_running_loop()
            for number in (signal.SIGINT, signal.SIGTERM):
                loop.add_signal_handler(number, self.handle_exit, number, None)
            try:
                yield
            finally:
                for number in (signal.SIGINT, signal.SIGTERM):
                    loop.remove_signal_handler(number)

        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup([] if is_shared else sockets)
            if is_shared and self.started:
                self.shared = SharedSocket(taken, self.protocol, config.ssl, lambda: len(self.server_state.connections))
            if self.started:
                on_ready(address_of(settings, taken.getsockname()[1]))
                # Kept, for the loop keeps no task alive.
                self.settling = asyncio.create_task(asyncio.to_thread(settle, pages="panel" in sys.modules))

        async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
            if is_shared:
                await self.shared.close()
            await super().shutdown(sockets)

        def protocol(self) -> asyncio.Protocol:
            """What speaks with one connection, as `startup` of Uvicorn makes it."""
            spoken: asyncio.Protocol = config.http_protocol_class(  # type: ignore[call-arg]
                config=config, server_state=self.server_state, app_state=self.lifespan.state
            )
            return spoken

    config = uvicorn.Config(
        application,
        log_config=None,
        # The correlation id and who asked are in our own line.
        access_log=False,
        lifespan="on",
        backlog=BACKLOG,
        # Who a proxy speaks for is settled by us, with the host as well.
        proxy_headers=False,
        server_header=False,
        ssl_certfile=settings.tls_cert or None,
        ssl_keyfile=settings.tls_key or None,
        timeout_graceful_shutdown=max(1, round(settings.stop_seconds)),
        ws_max_size=_MOST_FRAME_BYTES,
    )
    Server(config).run(sockets=[taken])
