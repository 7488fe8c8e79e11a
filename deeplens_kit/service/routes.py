"""What the server answers besides the pages: thumbnails, the way to the first page, and a no to other hosts.

Takes requests from a browser, gives pictures and redirections; must not change anything.

Who may ask. The server listens on this machine alone and has no log-in, so two things are left to refuse. A page of
another origin that a user has open can make their browser send requests here: it cannot read what comes back (no CORS
header is ever sent, and thumbnails say that they are for this origin alone), and nothing that a plain request can
reach changes anything; every change goes over a websocket, which Bokeh opens only for the origins of this very server.
So there is no form that a token against forged requests (XSRF) would have to protect. And a page whose name its owner
points to 127.0.0.1 (DNS rebinding) counts as this origin for the browser, but gives itself away by the `Host` that it
asks for.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from tornado.httputil import HTTPServerRequest
from tornado.routing import Matcher, Rule
from tornado.web import Application, RedirectHandler, RequestHandler

from deeplens_kit.views.cards import PLACEHOLDER

__all__ = ["FIRST_PAGE", "only_for_hosts", "routes"]

FIRST_PAGE = "/search"

# A digest names one content for ever, so what was fetched once need never be asked for again.
_FOR_EVER = "private, max-age=31536000, immutable"


class ThumbnailHandler(RequestHandler):
    """A thumbnail by digest and side."""

    def initialize(self, thumbnail: Callable[[str, int], bytes | None]) -> None:
        """Take the source of thumbnails."""
        self._thumbnail = thumbnail

    async def get(self, digest: str, side: str) -> None:
        """Answer with WebP, or with a drawing that says there is no preview."""
        self.set_header("Cross-Origin-Resource-Policy", "same-origin")
        self.set_header("X-Content-Type-Options", "nosniff")
        # Off the event loop: a thumbnail that is not cached is made from the file, which takes a while.
        content = await asyncio.to_thread(self._thumbnail, digest, int(side))
        if content is None:
            from urllib.parse import unquote

            self.set_header("Content-Type", "image/svg+xml")
            self.set_header("Cache-Control", "no-store")
            self.finish(unquote(PLACEHOLDER.partition(",")[2]))
            return
        self.set_header("Content-Type", "image/webp")
        self.set_header("Cache-Control", _FOR_EVER)
        self.finish(content)


class _WrongHostHandler(RequestHandler):
    """Refuses a request, by whatever method."""

    def prepare(self) -> None:
        self.set_status(403)
        self.set_header("Content-Type", "text/plain; charset=utf-8")
        self.finish("This server answers only to 127.0.0.1 and localhost.\n")


class _OtherHost(Matcher):
    """Matches requests for any other host than those named."""

    def __init__(self, hosts: frozenset[str]) -> None:
        self._hosts = hosts

    def match(self, request: HTTPServerRequest) -> dict[str, Any] | None:
        return None if request.host.lower() in self._hosts else {}


def routes(thumbnail: Callable[[str, int], bytes | None]) -> list[tuple[Any, ...]]:
    """What Bokeh's server takes as `extra_patterns`."""
    return [
        (r"/", RedirectHandler, {"url": FIRST_PAGE, "permanent": False}),
        (r"/thumbnails/([0-9a-f]{64})/(150|300|600)\.webp", ThumbnailHandler, {"thumbnail": thumbnail}),
    ]


def only_for_hosts(application: Application, hosts: frozenset[str]) -> None:
    """Refuse every request, also for a websocket, whose `Host` is none of these.

    Args:
        application: Of a server that has not been asked anything yet.
        hosts: As "127.0.0.1:5006".
    """
    application.default_router.rules.insert(0, Rule(_OtherHost(hosts), _WrongHostHandler))
