"""The pages before the dashboard: to sign in, to set a password, and to say no.

Takes words, gives whole HTML pages that load nothing; must not know who may sign in.
"""

from __future__ import annotations

import base64
from functools import cache
from hashlib import sha256
from importlib.resources import files
from typing import Any

from fastapi.responses import HTMLResponse
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from deeplens_kit.errors import AccessDeniedError
from deeplens_kit.ledger.access_values import Principal, PrincipalKind

__all__ = ["denied_page", "plain_page", "too_many_page"]

# As the dashboard remembers it.
_SCRIPT = (
    'try { const theme = localStorage.getItem("deeplens-theme"); '
    "if (theme) document.documentElement.dataset.theme = theme } catch {}"
)


def plain_page(template: str, *, status: int = 200, heading: str, about: str = "", **values: Any) -> HTMLResponse:
    """A page.

    Args:
        template: Its name without the ending.
        status: Of the answer.
        heading: Of the page.
        about: A sentence beneath it.
        **values: Of the template.
    """
    style = _style()
    shown = {"problem": "", "note": "", **values}
    text = (
        _environment()
        .get_template(f"{template}.html.jinja")
        .render(heading=heading, about=about, style=Markup(style), script=Markup(_SCRIPT), **shown)
    )
    policy = (
        f"default-src 'none'; style-src '{_digest(style)}'; script-src '{_digest(_SCRIPT)}'; img-src data:; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    )
    # Not "no-referrer": browsers then say of a form that it comes from nowhere.
    headers = {"Content-Security-Policy": policy, "Cache-Control": "no-store", "Referrer-Policy": "same-origin"}
    return HTMLResponse(text, status_code=status, headers=headers)


def denied_page(principal: Principal, error: AccessDeniedError) -> HTMLResponse:
    """What somebody sees who may not see a page."""
    links = [("/", "Go to the first page")]
    if principal.kind is PrincipalKind.USER:
        links.append(("/profile", "See what you may do"))
    needs = f"This page needs the scope {error.scope}; an administrator gives it." if error.scope else str(error)
    about = f"You are signed in as {principal.name}. {needs}"
    return plain_page("notice", status=403, heading="This page is not for you", about=about, links=links)


def too_many_page(most: int, wait_seconds: int) -> HTMLResponse:
    """What somebody sees who has as many pages open as one user may."""
    about = (
        f"You have {most} pages open, which is as many as one user may. Close some, wait {wait_seconds} s, and reload."
    )
    answer = plain_page("notice", status=429, heading="Too many pages are open", about=about, links=[("", "Reload")])
    answer.headers["Retry-After"] = str(wait_seconds)
    return answer


@cache
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("deeplens_kit.service.access"),
        autoescape=True,
        undefined=StrictUndefined,
        auto_reload=False,
    )


@cache
def _style() -> str:
    from deeplens_kit.views.theme import colours

    return colours() + files("deeplens_kit.service.access").joinpath("templates/plain.css").read_text(encoding="utf-8")


def _digest(text: str) -> str:
    return f"sha256-{base64.b64encode(sha256(text.encode()).digest()).decode()}"
