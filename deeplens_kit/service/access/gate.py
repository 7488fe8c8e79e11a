"""Who asks: found by a cookie, a key or a token, and asked anew while something goes on.

Takes what a request brings, gives a principal or a refusal; must not know what is asked for. What a person is and may
do is read from the ledger each time, so that whoever is disabled or signed out loses at once, in every process.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from deeplens_kit.errors import NotAuthenticatedError
from deeplens_kit.ledger.access_values import NOBODY, Principal, PrincipalKind, local_principal
from deeplens_kit.service.access.bearer import Bearers
from deeplens_kit.service.access.credentials import KEY_PREFIX, REFRESH_PREFIX, digest_of
from deeplens_kit.service.access.key_file import access_key
from deeplens_kit.service.access.rates import Rates
from deeplens_kit.service.access.sealing import Sealer

if TYPE_CHECKING:
    from deeplens_kit.ledger import Ledger
    from deeplens_kit.pipeline import Workspace
    from deeplens_kit.settings import SignInSettings

__all__ = ["ACCESS_PREFIX", "Asked", "Gate", "make_gate"]

ACCESS_PREFIX = "dla_"
"""How our access tokens begin."""

_SESSION, _CSRF, _ACCESS = "session", "csrf", "access"
_WRONG = "This {} is not good: it is wrong, expired or revoked. Get another one."


@dataclass(frozen=True, slots=True)
class Asked:
    """What a request brings along to say who sends it.

    Attributes:
        address: Where it comes from.
        authorization: The header.
        key: The header `x-api-key`.
        cookies: All of them.
    """

    address: str = ""
    authorization: str = field(default="", repr=False)
    key: str = field(default="", repr=False)
    cookies: Mapping[str, str] = field(default_factory=dict, repr=False)


class Gate:
    """Judges who asks.

    Args:
        ledger: Knows users, sessions and keys.
        settings: By what one may sign in.
        key: Of this server, 32 bytes; the same in all its processes.
        enabled: One has to sign in; else everybody is whoever uses this machine.
        secure: Browsers reach the server over HTTPS.

    Attributes:
        sealer: Signs what this server hands out.
        rates: Counts requests and tries.
        bearers: Believes tokens of others.
    """

    def __init__(
        self, ledger: Ledger, settings: SignInSettings, key: bytes, *, enabled: bool = True, secure: bool = False
    ) -> None:
        self.ledger, self.settings, self.enabled, self.secure = ledger, settings, enabled, secure
        self.sealer = Sealer(key)
        self.rates = Rates(settings)
        self.bearers = Bearers(settings.tokens)

    @property
    def cookie_name(self) -> str:
        """Of the session; two servers on one machine share their cookies, so it tells which."""
        # Browsers take a name that begins so only over HTTPS, for this host alone.
        return f"{'__Host-' if self.secure else ''}deeplens-{self.sealer.name}"

    @property
    def csrf_cookie_name(self) -> str:
        """Of the token that goes with what a page of ours sends."""
        return f"deeplens-csrf-{self.sealer.name}"

    def who(self, asked: Asked) -> Principal:
        """Who asks; `NOBODY` where nothing says so.

        Raises:
            NotAuthenticatedError: A key or token is not good; a cookie that is not is none at all.
            RateLimitedError: Too often.
        """
        if not self.enabled:
            return local_principal()
        try:
            principal = self._named(asked)
        except NotAuthenticatedError:
            self.rates.wrong_credential(asked.address)
            raise
        if principal.kind is PrincipalKind.NOBODY:
            self.rates.request_from(asked.address)
        else:
            self.rates.request_of(principal.user_id or principal.name)
        return principal

    def is_foreign(self, asked: Asked) -> bool:
        """Whether somebody else may have to be asked about what a request brings."""
        credential = asked.authorization.partition(" ")[2].strip()
        return bool(credential) and not asked.key and not credential.startswith((KEY_PREFIX, ACCESS_PREFIX))

    def as_of_now(self, principal: Principal) -> Principal:
        """The same principal with what they may do now.

        Raises:
            NotAuthenticatedError: They are signed out, disabled, or their key is revoked.
        """
        kind = principal.kind
        if kind is PrincipalKind.LOCAL and not self.enabled:
            return local_principal()
        found: Principal | None = None
        if kind is PrincipalKind.KEY:
            found = self.ledger.principal_of_key(key_id=principal.credential_id)
        elif kind in (PrincipalKind.USER, PrincipalKind.TOKEN) and principal.user_id:
            found = self.ledger.principal_of_session(principal.credential_id)
        elif kind is PrincipalKind.TOKEN and self.bearers.still_good(principal.credential_id):
            found = principal
        elif kind is PrincipalKind.NOBODY:
            return NOBODY
        if found is None:
            raise NotAuthenticatedError("You are not signed in any more; sign in again.")
        return found

    # --- What browsers hold -------------------------------------------------------------------------------

    def cookie_for(self, session_id: str, secret: str) -> str:
        """What a browser keeps of a session."""
        return self.sealer.seal(_SESSION, [session_id, secret])

    def csrf_token(self, session_id: str) -> str:
        """What a page of ours sends along to show that it is one."""
        return self.sealer.mac(_CSRF, session_id.encode()).hex()

    def is_csrf_token(self, session_id: str, token: str) -> bool:
        """Whether a token is the one of a session."""
        return hmac.compare_digest(self.csrf_token(session_id).encode(), token.encode())

    # --- What programs hold -------------------------------------------------------------------------------

    def access_token(self, session_id: str, lifetime_seconds: float) -> str:
        """A token by which a program asks for a while."""
        return ACCESS_PREFIX + self.sealer.seal(_ACCESS, session_id, lifetime_seconds)

    def session_of_access_token(self, token: str) -> str:
        """The session that a token of ours is for; empty where it is none, or too old."""
        if not token.startswith(ACCESS_PREFIX):
            return ""
        return self.sealer.unseal(_ACCESS, token.removeprefix(ACCESS_PREFIX)) or ""

    # --- Inside -------------------------------------------------------------------------------------------

    def _named(self, asked: Asked) -> Principal:
        if asked.key:
            return self._of_key(asked.key)
        if asked.authorization:
            scheme, _, credential = asked.authorization.partition(" ")
            if scheme.lower() != "bearer" or not credential.strip():
                raise NotAuthenticatedError("Only `Authorization: Bearer` with a key or a token is taken.")
            return self._of_bearer(credential.strip(), asked.address)
        cookie = asked.cookies.get(self.cookie_name)
        return self._of_cookie(cookie) if cookie else NOBODY

    def _of_bearer(self, credential: str, address: str) -> Principal:
        if credential.startswith(KEY_PREFIX):
            return self._of_key(credential)
        if credential.startswith(REFRESH_PREFIX):
            raise NotAuthenticatedError("A refresh token is no access token; get one at /api/v1/session/refresh.")
        if credential.startswith(ACCESS_PREFIX):
            session_id = self.session_of_access_token(credential)
            found = self.ledger.principal_of_session(session_id) if session_id else None
            # A browser's session is no program's: its id alone would be enough here.
            if found is None or found.kind is not PrincipalKind.TOKEN:
                raise NotAuthenticatedError(_WRONG.format("access token"))
            return found
        if self.bearers.would_ask(credential):
            # Else whoever makes tokens up has another server asked over and over.
            self.rates.require_not_wrong(address)
        return self.bearers.believe(credential)

    def _of_key(self, key: str) -> Principal:
        found = self.ledger.principal_of_key(digest=digest_of(key)) if key.startswith(KEY_PREFIX) else None
        if found is None:
            raise NotAuthenticatedError(_WRONG.format("key"))
        return found

    def _of_cookie(self, cookie: str) -> Principal:
        value = self.sealer.unseal(_SESSION, cookie)
        if value is None:
            return NOBODY
        session_id, secret = value
        return self.ledger.principal_of_session(session_id, digest_of(secret)) or NOBODY


def make_gate(workspace: Workspace, *, enabled: bool, secure: bool) -> Gate:
    """The gate of a server.

    Args:
        workspace: An open workspace; its settings say by what one may sign in.
        enabled: One has to sign in.
        secure: Browsers reach the server over HTTPS.

    Raises:
        SettingsError: A secret is not there.
        WorkspaceError: The key cannot be read or written.
    """
    return Gate(workspace.ledger, workspace.settings.sign_in, access_key(workspace), enabled=enabled, secure=secure)
