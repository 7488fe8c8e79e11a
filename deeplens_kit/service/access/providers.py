"""Signing in by somebody who vouches for users: OpenID Connect, or plain OAuth 2.

Takes the settings of a provider and what a browser brings back from it, gives a user; must not believe anything that
did not come over the connection that we opened, or bears no good signature. The code flow with PKCE (RFC 7636), `state`
against forged returns, `nonce` against replayed ID tokens, `iss` against mixed-up providers (RFC 9207).
"""

from __future__ import annotations

import base64
import hmac
import secrets
from collections.abc import Mapping
from hashlib import sha256
from typing import Any
from urllib.parse import urlencode, urlsplit

import httpx

from deeplens_kit.errors import NotAuthenticatedError, SettingsError, UnknownNameError
from deeplens_kit.ledger.access_values import Role, User
from deeplens_kit.ledger.holder import acting_as
from deeplens_kit.service.access.accounts import ways_of
from deeplens_kit.service.access.claims import claim, highest_role
from deeplens_kit.service.access.gate import Gate
from deeplens_kit.service.access.id_tokens import claims_of, known_keys
from deeplens_kit.service.access.jwks import discover, fetched
from deeplens_kit.service.access.paths import RETURN
from deeplens_kit.service.access.signing_in import Visit, refuse
from deeplens_kit.settings import ProviderSettings
from deeplens_kit.storage.credentials import resolve

__all__ = ["FLOW_SECONDS", "begin", "finish"]

FLOW_SECONDS = 600
"""How long somebody may take at their provider."""

_FLOW = "flow"
_TIMEOUT_SECONDS = 10.0
_LONGEST_NAME = 150
_FAILED = "{} did not sign you in ({}); try again."


def begin(gate: Gate, name: str, base: str, wanted: str) -> tuple[str, str]:
    """Begin to sign in.

    Args:
        gate: The gate.
        name: Of the provider.
        base: How the browser reaches this server.
        wanted: Where to go afterwards, a path of this server.

    Returns:
        What the browser keeps meanwhile, and where it goes.

    Raises:
        UnknownNameError: There is no such provider.
        NotAuthenticatedError: It does not answer.
    """
    settings = _provider(gate, name)
    state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
    challenge = base64.urlsafe_b64encode(sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    asked = {
        "response_type": "code",
        "client_id": settings.client_id,
        "redirect_uri": base + RETURN.format(provider=name),
        "scope": " ".join(settings.scopes),
        "state": state,
        "code_challenge": challenge,
        "code_challenge_method": "S256",
    }
    if settings.kind == "oidc":
        asked["nonce"] = nonce
    address = _endpoints(settings)["authorization_endpoint"]
    flow = gate.sealer.seal(_FLOW, [name, state, nonce, verifier, wanted], FLOW_SECONDS)
    return flow, f"{address}{'&' if urlsplit(address).query else '?'}{urlencode(asked)}"


def finish(gate: Gate, name: str, base: str, flow: str, answer: Mapping[str, str], visit: Visit) -> tuple[User, str]:
    """Take what a browser brings back.

    Args:
        gate: The gate.
        name: Of the provider.
        base: How the browser reaches this server.
        flow: What the browser kept.
        answer: What the provider had it bring.
        visit: Where it comes from.

    Returns:
        Who it is, and where to go.

    Raises:
        UnknownNameError: There is no such provider.
        NotAuthenticatedError: The provider said no, the answer is forged, or nobody here knows such a user.
    """
    settings = _provider(gate, name)
    label = settings.label or name
    kept = gate.sealer.unseal(_FLOW, flow)
    if kept is None or kept[0] != name:
        raise NotAuthenticatedError("This sign-in was begun in another browser, or too long ago; begin again.")
    _, state, nonce, verifier, wanted = kept
    if not hmac.compare_digest(str(state).encode(), answer.get("state", "").encode()):
        raise NotAuthenticatedError("This answer belongs to another sign-in; begin again.")
    if "code" not in answer:
        # What an error says is the provider's text, or anybody's: only its short code is shown.
        code = "".join(letter for letter in answer.get("error", "")[:40] if letter.isalnum() or letter == "_")
        raise NotAuthenticatedError(_FAILED.format(label, code or "it gave no code"))
    endpoints = _endpoints(settings)
    if answer.get("iss", endpoints["issuer"]) != endpoints["issuer"]:
        raise NotAuthenticatedError(_FAILED.format(label, "the answer comes from another provider"))
    given = _exchanged(settings, endpoints, answer["code"], base + RETURN.format(provider=name), str(verifier))
    claims = _claims(settings, endpoints, given, str(nonce))
    return _user(gate, settings, endpoints["issuer"], claims, visit), str(wanted)


def _provider(gate: Gate, name: str) -> ProviderSettings:
    found = {one.name: one for one in gate.settings.providers}
    if name not in found:
        raise UnknownNameError("provider", name, found)
    return found[name]


def _endpoints(settings: ProviderSettings) -> dict[str, str]:
    if settings.kind == "oauth2":
        return {
            "issuer": settings.token_url,
            "authorization_endpoint": settings.authorize_url,
            "token_endpoint": settings.token_url,
            "userinfo_endpoint": settings.userinfo_url,
            "auth_methods": "client_secret_post",
        }
    document = discover(settings.issuer)
    try:
        methods = document.get("token_endpoint_auth_methods_supported") or ["client_secret_basic"]
        return {
            "issuer": settings.issuer,
            "authorization_endpoint": str(document["authorization_endpoint"]),
            "token_endpoint": str(document["token_endpoint"]),
            "userinfo_endpoint": str(document.get("userinfo_endpoint", "")),
            "jwks_uri": str(document["jwks_uri"]),
            "auth_methods": " ".join(map(str, methods)),
        }
    except KeyError as error:
        raise NotAuthenticatedError(f"{settings.label or settings.name} does not say where its {error} is.") from error


def _exchanged(
    settings: ProviderSettings, endpoints: Mapping[str, str], code: str, redirect: str, verifier: str
) -> Mapping[str, Any]:
    """The tokens for a code."""
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": redirect,
        "client_id": settings.client_id,
        "code_verifier": verifier,
    }
    secret = resolve(settings.client_secret) if settings.client_secret else ""
    basic = bool(secret) and "client_secret_basic" in endpoints["auth_methods"].split()
    if secret and not basic:
        form["client_secret"] = secret
    try:
        auth = httpx.BasicAuth(settings.client_id, secret) if basic else None
        with httpx.Client(timeout=_TIMEOUT_SECONDS, follow_redirects=False, auth=auth) as client:
            answer = client.post(
                endpoints["token_endpoint"],
                data=form,
                headers={"Accept": "application/json"},
            )
        answer.raise_for_status()
        given = answer.json()
    except (httpx.HTTPError, ValueError) as error:
        # Their body may hold what was sent, the secret too.
        raise NotAuthenticatedError(_FAILED.format(settings.label or settings.name, "it took no code")) from error
    if not isinstance(given, dict) or not isinstance(given.get("access_token"), str):
        # GitHub answers errors with 200.
        raise NotAuthenticatedError(_FAILED.format(settings.label or settings.name, "it gave no token"))
    return given


def _claims(
    settings: ProviderSettings, endpoints: Mapping[str, str], given: Mapping[str, Any], nonce: str
) -> Mapping[str, Any]:
    """Who it is, by the ID token and what the provider answers to the access token."""
    bearer = {"Authorization": f"Bearer {given['access_token']}"}
    if settings.kind == "oauth2":
        said = fetched(settings.userinfo_url, **bearer)
        claims = dict(said) if isinstance(said, dict) else {}
        if settings.groups_url:
            groups = fetched(settings.groups_url, **bearer)
            listed = groups if isinstance(groups, list) else []
            claims[settings.roles_claim] = [
                item.get(settings.groups_name) if isinstance(item, dict) else item for item in listed
            ]
        return claims
    keys = known_keys(endpoints["issuer"], endpoints["jwks_uri"])
    claims = dict(claims_of(settings, given.get("id_token"), keys, nonce))
    if endpoints["userinfo_endpoint"]:
        said = fetched(endpoints["userinfo_endpoint"], **bearer)
        # OpenID Connect Core 5.3.2: it may be of somebody else.
        if isinstance(said, dict) and said.get("sub") == claims["sub"]:
            claims = {**said, **claims}
    return claims


def _user(gate: Gate, settings: ProviderSettings, issuer: str, claims: Mapping[str, Any], visit: Visit) -> User:
    """The user whom a provider vouches for; made when they come for the first time."""
    subject, shown = claim(claims, settings.subject_claim), claim(claims, settings.name_claim)
    if not isinstance(subject, str | int) or isinstance(subject, bool) or not str(subject):
        raise NotAuthenticatedError(_FAILED.format(settings.label or settings.name, "it did not say who you are"))
    user = gate.ledger.user_of_identity(issuer, str(subject))
    role = highest_role(settings.roles, claim(claims, settings.roles_claim))
    if role is None and settings.default_role:
        role = Role(settings.default_role)
    if user is None and role is not None:
        user = _added(gate, settings, issuer, str(subject), shown if isinstance(shown, str) else "", role)
    elif user is not None and role is not None:
        user = gate.ledger.set_provider_role(user.user_id, role, ways_of(gate.settings))
    if user is None:
        refuse(gate, "", visit, "no role", settings.name)
    if not user.active:
        refuse(gate, user.name, visit, "disabled", settings.name)
    if role is None and user.role_by_provider:
        refuse(gate, user.name, visit, "no role any more", settings.name)
    return user


def _added(gate: Gate, settings: ProviderSettings, issuer: str, subject: str, shown: str, role: Role) -> User:
    """A new user; a name that somebody has already is theirs, whatever a provider says."""
    plain = "".join(letter for letter in shown if letter.isprintable()).strip()[:_LONGEST_NAME] or settings.name
    mark = sha256(f"{issuer} {subject}".encode()).hexdigest()[:6]
    for name in (plain, f"{plain} ({settings.name})", f"{plain} ({settings.name} {mark})"):
        try:
            with acting_as(name):
                return gate.ledger.add_user(name, role, provider=settings.name, issuer=issuer, subject=subject)
        except SettingsError:
            # It is taken, or two of theirs came at once.
            if (found := gate.ledger.user_of_identity(issuer, subject)) is not None:
                return found
    raise NotAuthenticatedError(f"There is somebody named {plain!r} already; ask an administrator.")
