"""The sign-in: a form, buttons of providers, and the single-use links by which people set their password.

Takes requests of a browser, gives pages and cookies; must not judge anything itself.
"""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, Query, Request, Response
from fastapi.responses import RedirectResponse

from deeplens_kit.errors import AccessError, NotAuthenticatedError, RateLimitedError, SettingsError, UnknownNameError
from deeplens_kit.ledger.access_values import LinkPurpose, PrincipalKind
from deeplens_kit.service.access import providers
from deeplens_kit.service.access.credentials import digest_of
from deeplens_kit.service.access.dependencies import Caller, public
from deeplens_kit.service.access.passwords import LEAST_LETTERS
from deeplens_kit.service.access.paths import LINK, PROVIDER, RETURN, SIGN_IN, SIGN_OUT, local_path
from deeplens_kit.service.access.plain_pages import plain_page
from deeplens_kit.service.access.signing_in import begin_visit, proved_by_password, sign_out, use_link
from deeplens_kit.service.access.visits import (
    GateOf,
    Visiting,
    base_url,
    check_form,
    drop_session,
    form_token,
    keep_form_token,
    keep_session,
)

__all__ = ["router"]

router = APIRouter(include_in_schema=False, dependencies=[public()])

_SEE_OTHER = 303
_Text = Annotated[str, Form(max_length=4096)]
_OVER = "This link was used, has expired, or another one took its place. Ask an administrator for a new one."
_FIRST = "Nobody can sign in yet. On the server: `deeplens users invite NAME --role admin` prints a link for the first."


@router.get(SIGN_IN)
def form(
    request: Request, gate: GateOf, who: Caller, wanted: Annotated[str, Query(alias="next", max_length=4096)] = "/"
) -> Response:
    """Show the form, or go on where somebody has signed in."""
    if who.kind in (PrincipalKind.LOCAL, PrincipalKind.USER):
        return RedirectResponse(local_path(wanted), _SEE_OTHER)
    return _form(request, gate, wanted)


@router.post(SIGN_IN)
def sign_in(
    request: Request,
    gate: GateOf,
    visit: Visiting,
    csrf: _Text,
    name: _Text,
    password: _Text,
    wanted: Annotated[str, Form(alias="next", max_length=4096)] = "/",
) -> Response:
    """Sign in by password."""
    try:
        check_form(request, gate, csrf)
        user = proved_by_password(gate, name.strip(), password, visit)
    except AccessError as error:
        return _form(request, gate, wanted, problem=str(error), status=_status(error), name=name.strip())
    answer = RedirectResponse(local_path(wanted), _SEE_OTHER)
    keep_session(answer, gate, begin_visit(gate, user, visit))
    return answer


@router.post(SIGN_OUT)
def leave(request: Request, gate: GateOf, who: Caller, csrf: _Text = "") -> Response:
    """End the session, in the ledger and in the browser."""
    if who.kind is PrincipalKind.USER:
        if not gate.is_csrf_token(who.credential_id, csrf):
            return plain_page(
                "notice",
                status=403,
                heading="You are still signed in",
                problem="This form was open for too long, or comes from elsewhere; sign out once more.",
                links=[("/", "Back to the first page")],
            )
        sign_out(gate, who)
    answer = RedirectResponse(SIGN_IN, _SEE_OTHER)
    drop_session(answer, gate)
    return answer


@router.get(LINK)
def link(request: Request, gate: GateOf, token: Annotated[str, Query(max_length=200)] = "") -> Response:
    """Show the form of a link that is still good; looking at it does not use it up."""
    found = gate.ledger.access_link(digest_of(token)) if token else None
    if found is None:
        return _link_form(request, gate, "", "", problem=_OVER, status=410)
    is_new = found.purpose is LinkPurpose.INVITE
    return _link_form(request, gate, token, found.user.name, heading="Welcome" if is_new else "Set a new password")


@router.post(LINK)
def set_password(
    request: Request, gate: GateOf, visit: Visiting, csrf: _Text, token: _Text, password: _Text, again: _Text
) -> Response:
    """Set a password by a link, and sign in."""
    found = gate.ledger.access_link(digest_of(token))
    name = found.user.name if found is not None else ""
    try:
        check_form(request, gate, csrf)
        if password != again:
            raise SettingsError("The two passwords are not the same; type them again.")
        user = use_link(gate, token, password, visit)
    except NotAuthenticatedError:
        return _link_form(request, gate, "", "", problem=_OVER, status=410)
    except (AccessError, SettingsError) as error:
        return _link_form(request, gate, token if name else "", name, problem=str(error), status=_status(error))
    answer = RedirectResponse("/", _SEE_OTHER)
    keep_session(answer, gate, begin_visit(gate, user, visit))
    return answer


@router.get(PROVIDER)
def to_provider(
    request: Request,
    gate: GateOf,
    visit: Visiting,
    provider: str,
    wanted: Annotated[str, Query(alias="next", max_length=4096)] = "/",
) -> Response:
    """Go to a provider to sign in there."""
    try:
        gate.rates.go_to_provider(visit.address)
        flow, address = providers.begin(gate, provider, base_url(request), local_path(wanted))
    except (AccessError, SettingsError) as error:
        return _form(request, gate, wanted, problem=str(error), status=_status(error))
    answer = RedirectResponse(address, _SEE_OTHER)
    answer.set_cookie(
        _flow_cookie(gate),
        flow,
        max_age=providers.FLOW_SECONDS,
        path=SIGN_IN,
        secure=gate.secure,
        httponly=True,
        # Strict would keep it from the very request by which the provider sends the browser back.
        samesite="lax",
    )
    return answer


@router.get(RETURN)
def from_provider(request: Request, gate: GateOf, visit: Visiting, provider: str) -> Response:
    """Come back from a provider, and be signed in."""
    flow = request.cookies.get(_flow_cookie(gate), "")
    try:
        gate.rates.go_to_provider(visit.address)
        user, wanted = providers.finish(gate, provider, base_url(request), flow, dict(request.query_params), visit)
        answer: Response = RedirectResponse(local_path(wanted), _SEE_OTHER)
        keep_session(answer, gate, begin_visit(gate, user, visit, provider))
    except (AccessError, SettingsError) as error:
        answer = _form(request, gate, "/", problem=str(error), status=_status(error))
    answer.delete_cookie(_flow_cookie(gate), path=SIGN_IN, secure=gate.secure, httponly=True, samesite="lax")
    return answer


def _form(
    request: Request, gate: GateOf, wanted: str, *, problem: str = "", status: int = 200, name: str = ""
) -> Response:
    token = form_token(request, gate)
    nobody = not gate.settings.providers and not gate.ledger.users()
    answer = plain_page(
        "sign_in",
        status=status,
        heading="Sign in",
        about="" if not nobody else _FIRST,
        problem=problem,
        csrf=token,
        wanted=local_path(wanted),
        name=name,
        passwords=gate.settings.passwords and not nobody,
        providers=[(one.name, one.label or one.name) for one in gate.settings.providers],
    )
    keep_form_token(answer, gate, token)
    return answer


def _link_form(
    request: Request,
    gate: GateOf,
    token: str,
    name: str,
    *,
    heading: str = "Set a password",
    problem: str = "",
    status: int = 200,
) -> Response:
    csrf = form_token(request, gate)
    about = f"You sign in as {name} from now on." if name else ""
    answer = plain_page(
        "link",
        status=status,
        heading=heading if token else "This link is over",
        about=about,
        problem=problem,
        csrf=csrf,
        token=token,
        name=name,
        least=LEAST_LETTERS,
    )
    keep_form_token(answer, gate, csrf)
    return answer


def _flow_cookie(gate: GateOf) -> str:
    return f"deeplens-flow-{gate.sealer.name}"


def _status(error: Exception) -> int:
    if isinstance(error, RateLimitedError):
        return 429
    if isinstance(error, UnknownNameError):
        return 404
    return 401 if isinstance(error, NotAuthenticatedError) else 403 if isinstance(error, AccessError) else 422
