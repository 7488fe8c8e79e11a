"""What a proxy says about who asked it, believed where the proxy is one of those named.

Takes an HTTP request or a websocket, sets who asks, by which scheme and for which host; must not believe anybody else:
what they send of this kind is taken away.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Receive, Scope, Send

from deeplens_kit.service.context import Service

__all__ = ["ForwardedMiddleware"]

_FOR, _PROTO, _HOST = "x-forwarded-for", "x-forwarded-proto", "x-forwarded-host"
_ALL = (_FOR, _PROTO, _HOST, "x-forwarded-port", "x-forwarded-server", "forwarded")
_Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class ForwardedMiddleware:
    """Has a request be what it was when it reached the proxy.

    Args:
        app: What it stands before.
        service: Names the proxies.
    """

    def __init__(self, app: ASGIApp, service: Service) -> None:
        self.app = app
        self._trusted = [ipaddress.ip_network(one, strict=False) for one in service.settings.behind_proxy]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on, with what the proxy said or without it."""
        if scope["type"] in ("http", "websocket"):
            scope = self._as_asked(scope)
        await self.app(scope, receive, send)

    def _as_asked(self, scope: Scope) -> Scope:
        said = Headers(scope=scope)
        told = [name for name in _ALL if name in said]
        if not told:
            return scope
        scope = {**scope, "headers": list(scope["headers"])}
        headers = MutableHeaders(scope=scope)
        # A proxy may write a line of its own beneath the one that it was sent: what comes last is the proxy's.
        values = {name: said.getlist(name) for name in told}
        for name in told:
            del headers[name]
        client = scope.get("client")
        if client is None or not _is_one(client[0], self._trusted):
            return scope
        if (asked_by := self._asked_by(",".join(values.get(_FOR, [])))) is not None:
            scope["client"] = (asked_by, 0)
        if (scheme := _last(values.get(_PROTO)).lower()) in ("http", "https"):
            secure = scheme == "https"
            scope["scheme"] = ("wss" if secure else "ws") if scope["type"] == "websocket" else scheme
        if host := _last(values.get(_HOST)):
            headers["host"] = host
        return scope

    def _asked_by(self, chain: str) -> str | None:
        """The last in the chain that is none of the proxies: what stands before it anybody may have made up."""
        asked_by = None
        for name in reversed([part.strip() for part in chain.split(",") if part.strip()]):
            # Some write the port as well, which is another one for each connection.
            asked_by = name = _without_port(name)
            if not _is_one(name, self._trusted):
                break
        return asked_by


def _last(lines: Sequence[str] | None) -> str:
    return lines[-1].strip() if lines else ""


def _without_port(name: str) -> str:
    if name.startswith("["):
        return name[1:].partition("]")[0]
    return name.partition(":")[0] if name.count(":") == 1 else name


def _is_one(address: str, networks: Sequence[_Network]) -> bool:
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return False
    # A server that listens on :: sees an address of IPv4 as one of IPv6 that carries it.
    carried = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
    return any(found in network or (carried is not None and carried in network) for network in networks)
