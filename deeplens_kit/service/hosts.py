"""Which hosts and origins are answered, and what every answer forbids a browser to do with it.

Takes HTTP requests and websockets, refuses those of other hosts and origins, puts headers on what is answered; must not
know who asks.

Who may ask. A page whose owner points its name to this machine (DNS rebinding) counts as this origin for the browser,
but gives itself away by the `Host` that it asks for. A page of another origin can make a browser send requests here
with the cookies it has: it cannot read what comes back, for no CORS header is ever sent, and neither a websocket nor a
request that may change something is taken from it.
"""

from __future__ import annotations

from typing import Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from deeplens_kit.service.context import Service
from deeplens_kit.service.problems import refusal

__all__ = ["HeadersMiddleware", "HostsMiddleware"]

# Asked by addresses that nobody would list; they tell nothing.
_FOR_ALL_HOSTS = frozenset({"/health/live", "/health/ready"})
_READING = frozenset({"GET", "HEAD", "OPTIONS"})
_SAME_SITE = ("same-origin", "none")

# Panel makes code of texts (CustomJS, ESM of components), and Bokeh's pages begin with a script within.
_PAGE_POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:{images}; font-src 'self' data:; connect-src 'self' blob: data:{sockets}; "
    "worker-src 'self' blob:; object-src 'none'; base-uri 'self'; form-action 'self'; frame-ancestors 'none'"
)
_PLAIN_POLICY = "default-src 'none'; frame-ancestors 'none'"
_ALWAYS = {
    "X-Content-Type-Options": "nosniff",
    # What a page's address holds is what was searched for.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "X-Frame-Options": "DENY",
}
_A_YEAR = "max-age=31536000"


class HostsMiddleware:
    """Refuses what names another host, and what pages of other origins send.

    Args:
        app: What it stands before.
        service: Names the hosts and origins.
    """

    def __init__(self, app: ASGIApp, service: Service) -> None:
        self.app, self.service = app, service

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on, or refuse."""
        if scope["type"] not in ("http", "websocket") or not (why := self._refused(scope)):
            await self.app(scope, receive, send)
            return
        await refusal(403, "wrong_host", why, scope)(scope, receive, send)

    def _refused(self, scope: Scope) -> str:
        """Why; empty for what is taken."""
        headers = Headers(scope=scope)
        hosts = self.service.hosts
        if hosts and headers.get("host", "").lower() not in hosts and scope["path"] not in _FOR_ALL_HOSTS:
            return f"This server answers only to {_shown(hosts)}. Name others with --origin."
        if scope["type"] == "http" and scope["method"] in _READING:
            return ""
        origin = headers.get("origin")
        if origin is None:
            # No browser sends a websocket or a form without it, but older ones; they tell so at least.
            is_own = headers.get("sec-fetch-site", "none") in _SAME_SITE
        else:
            is_own = not self.service.origins or origin.lower() in self.service.origins
        return "" if is_own else f"What the page {origin or 'of another site'} sends is not taken here."


class HeadersMiddleware:
    """Tells a browser what it may not do with an answer.

    Args:
        app: What it stands before.
        service: How it is served.
    """

    def __init__(self, app: ASGIApp, service: Service) -> None:
        self.app = app
        images = f" {_origin_of(base)}" if (base := service.settings.thumbnail_base) else ""
        # Browsers that do not count a websocket of this origin as 'self' need it by name.
        sockets = "".join(f" ws{origin.removeprefix('http')}" for origin in sorted(service.origins))
        self._page = _PAGE_POLICY.format(images=images, sockets=sockets)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on, and put headers on the answer."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                is_page = headers.get("content-type", "").startswith("text/html")
                headers.setdefault("Content-Security-Policy", self._page if is_page else _PLAIN_POLICY)
                for name, value in _ALWAYS.items():
                    headers.setdefault(name, value)
                if scope.get("scheme") == "https":
                    headers.setdefault("Strict-Transport-Security", _A_YEAR)
            await send(message)

        await self.app(scope, receive, send_with_headers)


def _origin_of(address: str) -> str:
    scheme, _, rest = address.partition("://")
    return f"{scheme}://{rest.partition('/')[0]}"


def _shown(hosts: frozenset[str]) -> str:
    names: dict[str, Any] = dict.fromkeys(host.rpartition(":")[0] or host for host in sorted(hosts))
    return " and ".join(names)
