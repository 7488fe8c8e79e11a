"""One's own page as pieces of HTML: who one is, the password, keys and sign-ins.

Takes what is known of whoever looks, gives HTML with every text escaped; must not know Panel, read a store or act.
"""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from deeplens_kit.ledger.access_values import PrincipalKind, Scope
from deeplens_kit.views.form_parts import boxes, button, choice, field, text_input
from deeplens_kit.views.people_cards import ROLE_WORDS, SCOPE_WORDS, keys_html, off_html, sessions_html
from deeplens_kit.views.plan_cards import moment

if TYPE_CHECKING:
    from deeplens_kit.views.state.people_state import OwnProfile

__all__ = ["profile_html"]

_LIFETIMES = (("30", "30 days"), ("90", "90 days"), ("365", "A year"), ("", "Until it is revoked"))


def profile_html(shown: OwnProfile) -> str:
    """Whoever looks, with what they can change."""
    if shown.who.kind is PrincipalKind.LOCAL:
        return _local(shown)
    if shown.user is None:
        return (
            '<section class="panel" aria-label="You"><h3>Who asks here is a program</h3>'
            '<p class="small">It came with a token of another server, and has no '
            "password, key or sign-in here.</p></section>"
        )
    in_person = shown.who.kind is PrincipalKind.USER
    return (
        _who(shown)
        + (_password_form() if in_person and shown.user.has_password else "")
        + keys_html(shown.keys, revoke=in_person)
        + (_key_form(shown) if in_person else "")
        + sessions_html(shown.sessions, present=shown.who.credential_id, others=in_person, keys=len(shown.keys))
    )


def _local(shown: OwnProfile) -> str:
    return (
        f'<section class="panel" aria-label="You"><h3><bdi>{escape(shown.who.name)}</bdi></h3>'
        '<p class="small">So you are named in the audit trail: by your name on this machine.</p></section>' + off_html()
    )


def _who(shown: OwnProfile) -> str:
    user = shown.user
    assert user is not None
    facts = [
        ("Role", f"{escape(str(user.role))}: {escape(ROLE_WORDS[user.role])}"),
        ("You sign in", f"by {escape(user.provider)}" if user.provider else "by password"),
        ("Last signed in", moment(user.last_sign_in_at) + (" UTC" if user.last_sign_in_at else "")),
        ("Added", f"{moment(user.created_at)} UTC by {escape(user.created_by)}"),
    ]
    told = "".join(f"<dt>{name}</dt><dd>{said}</dd>" for name, said in facts)
    return (
        f'<section class="panel" aria-label="You"><h3><bdi>{escape(user.name)}</bdi></h3>'
        f'<dl class="facts">{told}</dl></section>'
    )


def _password_form() -> str:
    present = text_input("old", kind="password", needed=True, hint=False, complete="current-password")
    new = text_input("new", kind="password", needed=True, complete="new-password")
    again = text_input("again", kind="password", needed=True, hint=False, complete="new-password")
    fields = (
        field("old", "The one you have", present)
        + field("new", "The new one", new, "Several plain words are better than one with signs.")
        + field("again", "The new one again", again)
    )
    return (
        '<section class="panel" aria-label="Password"><h3>Password</h3><form data-act="password">'
        f'<div class="fields">{fields}</div><div class="acts">'
        f"{button('password', 'Change it', submit=True)}</div></form></section>"
    )


def _key_form(shown: OwnProfile) -> str:
    offered = [
        (str(scope), f"{scope}: {SCOPE_WORDS[scope]}") for scope in Scope if shown.user and scope in shown.user.scopes
    ]
    fields = field(
        "name",
        "What it is for",
        text_input("name", needed=True),
        "A program, a machine: so that you know it again.",
    ) + field("days", "Good for", choice("days", _LIFETIMES, "90"))
    scopes = boxes("scope", "It may", offered, [str(Scope.SEARCH_READ)], "Never more than you may.")
    return (
        '<section class="panel" aria-label="Make a key"><h3>Make a key</h3><p class="small">A program that sends it '
        f'asks in your name.</p><form data-act="make-key"><div class="fields">{fields}</div>{scopes}<div class="acts">'
        f"{button('make-key', 'Make the key', kind='first', submit=True)}</div></form></section>"
    )
