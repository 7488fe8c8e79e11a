"""Who asks: found once for each request and websocket, before anything else sees it, and held against the rule.

Takes the scope of an HTTP request or a websocket, puts a principal into its state and has what is done meanwhile be
done by them; what its route's rule does not allow, and what no rule allows, ends here. Must not know what a route does.
"""

from __future__ import annotations

from functools import partial
from http import HTTPStatus
from http.cookies import CookieError, SimpleCookie
from urllib.parse import quote

from anyio import CapacityLimiter, to_thread
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from deeplens_kit.errors import AccessDeniedError, AccessError, NotAuthenticatedError
from deeplens_kit.ledger.access_values import NOBODY, Principal, PrincipalKind
from deeplens_kit.ledger.holder import acting_as
from deeplens_kit.service.access.dependencies import Rule
from deeplens_kit.service.access.gate import Asked
from deeplens_kit.service.access.paths import FORMS, SESSION_HEADER, SIGN_IN
from deeplens_kit.service.access.refusals import tell_refusal
from deeplens_kit.service.access.rule_book import RuleBook
from deeplens_kit.service.access.sealing import lay_gate, same_as_sealed, seal
from deeplens_kit.service.access.watching import Watch
from deeplens_kit.service.context import Service
from deeplens_kit.service.problems import problem_for, refusal

__all__ = ["CSRF_HEADER", "AccessMiddleware"]

CSRF_HEADER = "x-csrf-token"
"""Of what a browser sends that is signed in by a cookie and may change something."""

_READING = frozenset({"GET", "HEAD", "OPTIONS"})
_LOOKING_AT_ONCE = 8


class AccessMiddleware:
    """Judges HTTP and websockets alike.

    Args:
        app: What it stands before.
        service: What the process serves with.
    """

    def __init__(self, app: ASGIApp, service: Service) -> None:
        self.app, self.gate = app, service.gate
        self._rules: RuleBook | None = None
        self._limiter: CapacityLimiter | None = None
        # Issuers of foreign tokens may not answer for long; nobody else waits for that.
        self._asking: CapacityLimiter | None = None
        lay_gate(self.gate)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Find out who asks, and pass on what they may."""
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        if self._rules is None:
            self._rules = RuleBook(scope["app"])
            self._limiter, self._asking = CapacityLimiter(_LOOKING_AT_ONCE), CapacityLimiter(_LOOKING_AT_ONCE)
        scope = {**scope, "headers": [pair for pair in scope["headers"] if pair[0].lower() != SESSION_HEADER.encode()]}
        # The state is shared with whoever stands before us, so that the log can say who asked.
        state = scope.setdefault("state", {})
        there, rule = self._rules.rule(scope)
        principal = state["principal"] = NOBODY
        try:
            principal = state["principal"] = await self._who(scope)
            if there:
                self._judge(rule, principal)
            forged = self._forged(scope, principal)
        except AccessError as error:
            await self._tell(scope, principal, error)
            await self._refused(scope, error, principal)(scope, receive, send)
            return
        if forged:
            await self._tell(scope, principal, AccessDeniedError(principal.name, why="it is forged."))
            await refusal(403, "forged_request", forged, scope)(scope, receive, send)
            return
        MutableHeaders(scope=scope)[SESSION_HEADER] = seal(self.gate, principal)
        with acting_as(principal.name):
            await self._pass(scope, receive, send, rule, principal)

    async def _pass(self, scope: Scope, receive: Receive, send: Send, rule: Rule | None, principal: Principal) -> None:
        if not self.gate.enabled or principal.kind is PrincipalKind.NOBODY:
            await self.app(scope, receive, send)
            return
        assert self._limiter is not None
        watch = Watch(self.gate, principal, lambda who: self._judge(rule, who), self._limiter)
        try:
            if scope["type"] == "http":
                await self.app(scope, receive, self._telling(scope, principal, watch.answering(send)))
                return
            async with watch.open(receive, send) as (watched_receive, watched_send):
                await self.app(scope, watched_receive, watched_send)
        except Exception:
            # An answer that was cut off ends in whatever its maker makes of that.
            if not watch.over:
                raise

    def _telling(self, scope: Scope, principal: Principal, send: Send) -> Send:
        """Send an answer, and have it in the audit trail where a route itself refused somebody what they asked for."""

        async def told(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] == HTTPStatus.FORBIDDEN:
                await self._tell(scope, principal, AccessDeniedError(principal.name, why="its route refused it."))
            await send(message)

        return told

    async def _who(self, scope: Scope) -> Principal:
        headers = Headers(scope=scope)
        asked = Asked(
            address=(scope.get("client") or ("",))[0],
            authorization=headers.get("authorization", ""),
            key=headers.get("x-api-key", ""),
            cookies=_cookies(headers.get("cookie", "")),
        )
        if not self.gate.enabled:
            return self.gate.who(asked)
        limiter = self._asking if self.gate.is_foreign(asked) else self._limiter
        return await to_thread.run_sync(self.gate.who, asked, limiter=limiter)

    def _judge(self, rule: Rule | None, principal: Principal) -> None:
        if rule is None:
            if principal.kind is PrincipalKind.NOBODY:
                raise NotAuthenticatedError("This needs signing in; sign in, or send an API key or a token.")
            raise AccessDeniedError(principal.name, why="nobody is let in here.")
        rule.check(principal)

    def _forged(self, scope: Scope, principal: Principal) -> str:
        """Why something may not be sent by who seems to send it; empty where it may."""
        if scope["type"] == "websocket":
            protocols = scope.get("subprotocols", [])
            # A page's websocket belongs to whoever asked for the page.
            is_own = len(protocols) != 2 or same_as_sealed(self.gate, principal, protocols[1])
            return "" if is_own else "This page was opened by somebody else, or in another session; reload it."
        if scope["method"] in _READING or principal.kind is not PrincipalKind.USER or scope["path"] in FORMS:
            # Nothing is sent by a browser of itself but cookies; the forms have the token among their fields.
            return ""
        token = Headers(scope=scope).get(CSRF_HEADER, "")
        if self.gate.is_csrf_token(principal.credential_id, token):
            return ""
        return (
            f"Who is signed in by a cookie sends the header {CSRF_HEADER} with what /api/v1/session answers as "
            "`csrf_token`; programs send a key instead."
        )

    async def _tell(self, scope: Scope, principal: Principal, error: AccessError) -> None:
        """Put a refusal of somebody who is known into the audit trail, within bounds."""
        if not isinstance(error, AccessDeniedError):
            return
        tell = partial(tell_refusal, path=scope["path"], method=scope.get("method", "websocket"))
        await to_thread.run_sync(tell, self.gate, principal, error, limiter=self._limiter)

    def _refused(self, scope: Scope, error: AccessError, principal: Principal) -> Response:
        headers = Headers(scope=scope)
        is_page = scope["type"] == "http" and scope["method"] == "GET" and not scope["path"].startswith("/api/")
        is_page = is_page and "text/html" in headers.get("accept", "")
        if is_page and isinstance(error, NotAuthenticatedError) and not headers.get("authorization"):
            query = scope.get("query_string", b"").decode("latin-1")
            wanted = scope["path"] + (f"?{query}" if query else "")
            return RedirectResponse(f"{SIGN_IN}?next={quote(wanted, safe='')}", status_code=303)
        if is_page and isinstance(error, AccessDeniedError):
            from deeplens_kit.service.access.plain_pages import denied_page

            return denied_page(principal, error)
        correlation_id = str(scope.get("state", {}).get("correlation_id", ""))
        return problem_for(error, instance=scope["path"], correlation_id=correlation_id)


def _cookies(header: str) -> dict[str, str]:
    try:
        return {name: morsel.value for name, morsel in SimpleCookie(header).items()}
    except CookieError:
        return {}
