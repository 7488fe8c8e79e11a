"""The dashboards on the server's application: their documents, their websockets, and the sessions behind both.

Takes the scripts of the pages, adds routes to an application and looks after the sessions while it runs; must not know
what a page shows. The routes are of `bokeh_fastapi`, which Panel builds on, and closed here where it leaves them open
(0.1.8): it never lets go of a session whose page was closed, takes the id of a session from whoever asks, checks no
origin, lets two messages to a page mix, puts cookies into the page's own code, and imports what a stranger names.
"""

from __future__ import annotations

import asyncio
import calendar
import contextlib
import datetime as dt
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI, Request, WebSocket, WebSocketDisconnect
from fastapi.responses import HTMLResponse
from starlette.staticfiles import StaticFiles

from deeplens_kit.errors import ExtraMissingError
from deeplens_kit.ledger.access_values import PrincipalKind
from deeplens_kit.reporting.bundled import bundled
from deeplens_kit.service.access.dependencies import caller, needs, signed_in
from deeplens_kit.service.access.paths import SESSION_HEADER
from deeplens_kit.service.access.plain_pages import too_many_page
from deeplens_kit.service.access.sealing import owner_in
from deeplens_kit.service.context import Service, service_of
from deeplens_kit.service.kept_files import KeptFiles
from deeplens_kit.service.pages import PAGES, made_ahead, served_pages

try:
    from bokeh.core.validation import silence
    from bokeh.core.validation.warnings import EMPTY_LAYOUT
    from bokeh.protocol.exceptions import ProtocolError
    from bokeh.util.token import check_token_signature, get_token_payload
    from bokeh_fastapi import BokehFastAPI
    from bokeh_fastapi.handler import DocHandler, WSHandler
    from panel.io.application import build_applications
    from panel.io.document import _cleanup_doc, extra_socket_handlers
    from panel.io.fastapi import add_applications, dispatch_fastapi

    from deeplens_kit.service.page_resources import router as page_resources
    from deeplens_kit.service.page_scripts import html_of
except ImportError as error:
    raise ExtraMissingError("The dashboard", "workbench") from error

__all__ = ["PageServer"]

_LOG = logging.getLogger(__name__)

# A session without a page is kept as long as a reload or a short break of the network takes.
_UNUSED_MILLISECONDS = 15_000
_CHECK_SECONDS = 5.0
# All that a page may know of the request that asked for it. Their names are as Tornado writes them.
_HEADERS = ["Host", "X-Deeplens-Session", "X-Correlation-Id"]


class PageServer:
    """The dashboards of one process.

    Args:
        service: What it serves with; signs the sessions.
    """

    def __init__(self, service: Service) -> None:
        # A part of a page that has nothing to show yet.
        silence(EMPTY_LAYOUT, True)
        folder = bundled("dashboards")
        self._aside = FastAPI()
        self._applications = build_applications(
            {f"/{page.name}": folder / f"{page.name}.py" for page in served_pages()}, title="DeepLens"
        )
        self._bokeh: BokehFastAPI = add_applications(
            dict[str, Any](self._applications),
            app=self._aside,
            title="DeepLens",
            secret_key=service.key.hex().encode(),
            sign_sessions=True,
            include_headers=_HEADERS,
            include_cookies=["-"],
            unused_session_lifetime_milliseconds=_UNUSED_MILLISECONDS,
        )

    def add_to(self, app: FastAPI) -> None:
        """Add the pages, their websockets and what they load to an application."""
        scopes = {f"/{page.name}": page.scope for page in PAGES}
        for path, context in self._bokeh._applications.items():
            rule = needs(scopes[path]) if path in scopes else signed_in()
            app.add_api_route(
                path,
                _Document(self._bokeh, context).page,
                methods=["GET"],
                include_in_schema=False,
                dependencies=[rule],
            )
            app.add_api_websocket_route(f"{path}/ws", _socket_route(self._bokeh, context), dependencies=[rule])
        paths = {*self._bokeh._applications, *(f"{path}/ws" for path in self._bokeh._applications)}
        for route in self._aside.router.routes:
            # Scripts and styles: the same for everybody.
            path = getattr(route, "path", "")
            files = getattr(route, "app", None)
            if path.startswith("/static") and path not in paths and isinstance(files, StaticFiles):
                app.mount(path, KeptFiles(directory=files.directory))
        app.include_router(page_resources)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Make each page once, so that the first visitor does not wait for it; then look after the sessions."""
        for path, application in self._applications.items():
            try:
                with made_ahead():
                    _cleanup_doc(application.create_document())
            except Exception as error:  # noqa: BLE001 - a page that fails says so to who asks for it
                _LOG.error("the page %s cannot be made: %s", path, error, exc_info=error)
        sweeping = asyncio.create_task(self._sweep())
        try:
            yield
        finally:
            sweeping.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await sweeping

    @property
    def sessions(self) -> int:
        """How many there are, those among them whose page was closed a moment ago."""
        return sum(len(list(context.sessions)) for context in self._bokeh._applications.values())

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(_CHECK_SECONDS)
            try:
                await self._bokeh._cleanup_sessions()
            except Exception as error:  # noqa: BLE001 - one session that cannot be ended must not keep all others
                _LOG.error("sessions could not be ended: %s", error, exc_info=error)


class _Document(DocHandler):  # type: ignore[misc]
    """The document of a page. Its session is always a new one: an id that somebody sends may be another's."""

    render_session = staticmethod(html_of)

    async def page(self, request: Request) -> HTMLResponse:
        service, who = service_of(request), caller(request)
        most = service.settings.pages_per_user
        # Whoever uses this machine has all of it.
        if most and who.kind is not PrincipalKind.LOCAL and self._open_of(service, who.user_id or who.name) >= most:
            return too_many_page(most, _UNUSED_MILLISECONDS // 1000)
        # Bokeh's arguments are none of the page's.
        answer: HTMLResponse = await self.get(request, None)
        answer.headers["Cache-Control"] = "no-store"
        return answer

    def _open_of(self, service: Service, owner: str) -> int:
        """How many sessions of pages somebody has, those among them whose page was closed a moment ago."""
        contexts = self.application._applications.values()
        sealed = (_sealed(session) for context in contexts for session in context.sessions)
        return sum(owner_in(service.gate, text) == owner for text in sealed)


class _Socket(WSHandler):  # type: ignore[misc]
    """The websocket of a page."""

    def __init__(self, application: BokehFastAPI, context: Any) -> None:
        super().__init__(application, context)
        self.connection: Any = None
        self._sending = asyncio.Lock()

    async def serve(self, websocket: WebSocket) -> None:
        """Serve a page until it is closed, and let go of its session then."""
        if (why := self._refused(websocket)) is not None:
            _LOG.info("a page's websocket was refused: %s", why)
            await websocket.close(1008, why)
            return
        try:
            await self.ws_connect(websocket)
        except (RuntimeError, ProtocolError, OSError, WebSocketDisconnect) as error:
            # The browser may have left before it was answered.
            _LOG.info("a page's websocket ended: %s", error)
        finally:
            if self.connection is not None:
                self.application.client_lost(self.connection)
                self.connection = None

    async def _async_open(self, socket: WebSocket, token: str) -> None:
        # What is raised here the library prints, among the lines that are ours to say.
        try:
            await super()._async_open(socket, token)
        except (RuntimeError, OSError, WebSocketDisconnect) as error:
            _LOG.info("a page's websocket ended before it was open: %s", error)
        except Exception:  # noqa: BLE001 - whatever it is, it is told in the log
            _LOG.exception("a page's websocket could not be opened")
        else:
            return
        with contextlib.suppress(RuntimeError, OSError, WebSocketDisconnect):
            await socket.close(1011)

    async def send_message(self, message: Any) -> int:
        # A message goes in several pieces.
        async with self._sending:
            sent: int = await super().send_message(message)
            return sent

    async def _handle(self, message: Any) -> Any:
        # Somebody left while this was on its way: a push that failed has let go of the session already.
        if self.connection is None or self.connection._session is None:
            return None
        return await super()._handle(message)

    def _refused(self, websocket: WebSocket) -> str | None:
        protocols = websocket.scope["subprotocols"]
        if len(protocols) != 2 or protocols[0] != "bokeh":
            return "not a page"
        try:
            payload = get_token_payload(protocols[1])
            is_ours = check_token_signature(protocols[1], signed=True, secret_key=self.application.secret_key)
        except Exception:  # noqa: BLE001 - it is a text that anybody may have made up
            return "not a page"
        if not is_ours:
            return "the server was started anew; reload the page"
        now = calendar.timegm(dt.datetime.now(tz=dt.UTC).timetuple())
        return None if now < payload.get("session_expiry", 0) else "the page waited too long; reload it"


extra_socket_handlers[_Socket] = dispatch_fastapi


def _sealed(session: Any) -> str:
    """Who asked for the page of a session, as the page is told."""
    context = session.document.session_context
    headers = {name.lower(): value for name, value in context.request.headers.items()} if context else {}
    return str(headers.get(SESSION_HEADER, ""))


def _socket_route(application: BokehFastAPI, context: Any) -> Any:
    async def connected(websocket: WebSocket) -> None:
        await _Socket(application, context).serve(websocket)

    return connected
