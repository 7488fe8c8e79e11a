"""Users, keys and sign-ins as pieces of HTML, for administrators and for each person.

Takes values of the ledger, gives HTML with every text escaped; must not know Panel, read a store or act. An act that
whoever is there may not do has no button.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING

from deeplens_kit.ledger.access_values import Role, Scope
from deeplens_kit.reporting.words import plural
from deeplens_kit.views.cards import marked, message
from deeplens_kit.views.form_parts import button, choice, field, table, text_input
from deeplens_kit.views.plan_cards import moment

if TYPE_CHECKING:
    from deeplens_kit.ledger import ApiKey, User, UserSession
    from deeplens_kit.views.state.people_state import Handed, PersonShown, UsersShown

__all__ = [
    "ROLE_WORDS",
    "SCOPE_WORDS",
    "handed_html",
    "keys_html",
    "off_html",
    "sessions_html",
    "user_html",
    "users_html",
]

ROLE_WORDS = {
    Role.VIEWER: "search and look",
    Role.ANALYST: "index, label and plan too",
    Role.APPROVER: "approve and apply too",
    Role.ADMIN: "locations and users too",
}
"""What each role may do, each with all of the one before."""

SCOPE_WORDS = {
    Scope.SEARCH_READ: "search",
    Scope.IMAGES_READ: "see pictures, groups, plans and reports",
    Scope.IMAGES_WRITE: "index, take in, label and make plans",
    Scope.IMAGES_DELETE: "forget images, apply plans and undo them",
    Scope.PLANS_APPROVE: "approve plans, and use rules",
    Scope.ADMIN: "look after locations and users",
}
"""What each scope lets a key do."""

_USERS = (
    ("Name", False),
    ("Role", False),
    ("Sign-in", False),
    ("Last signed in, UTC", False),
    ("Keys", True),
    ("", False),
)
_KEYS = tuple((name, False) for name in ("Key", "Begins with", "May", "Made, UTC", "Good until", "Last used", ""))
_SESSIONS = (("Begun, UTC", False), ("Seen", False), ("From", False), ("By", False), ("", False))
_HOW_ON = (
    "Invite an administrator first: by the form on the page of users, or `deeplens users invite NAME --role admin`.",
    "Open the link that this gives, and set a password.",
    'Start `deeplens serve --access on`, or write `access = "on"` beneath `[service]` in `workspace.toml`. A server '
    "that other machines reach asks for it by itself.",
)


def off_html() -> str:
    """What is said where nobody has to sign in, and how that is changed."""
    steps = "".join(f"<li>{marked(step)}</li>" for step in _HOW_ON)
    return (
        '<section class="panel off" aria-label="Nobody signs in here"><h3>Nobody signs in here</h3>'
        '<p class="small">This server answers this machine alone, and whoever uses it may do everything. Users, '
        "keys and roles count from the day that one has to sign in:</p>"
        f'<ol class="small steps-in-words">{steps}</ol></section>'
    )


def handed_html(handed: Handed | None) -> str:
    """What was made, shown this once, with a button that copies it."""
    if handed is None:
        return ""
    # The page knows by which address it was reached; a link that is passed on needs the whole of it.
    here = " data-here" if handed.is_link else ""
    return (
        f'<section class="panel handed" tabindex="-1" data-focus aria-label="{escape(handed.heading)}">'
        f"<h3>{escape(handed.heading)}</h3>"
        f'<p class="secret mono" id="handed"{here}>{escape(handed.secret)}</p>'
        f'<p class="small">{marked(handed.text)} It is not shown again.</p>'
        '<div class="acts"><button type="button" class="first" data-copy="handed">Copy</button>'
        f"{button('close', 'Done', kind='second')}</div></section>"
    )


def users_html(shown: UsersShown) -> str:
    """The list of users, and the form that invites one."""
    if not shown.users:
        text = "Invite the first one below, as an administrator." if not shown.enforced else "Invite one below."
        listed = message("There is no user yet", text)
    else:
        rows = (_row(user, shown) for user in shown.users)
        listed = f'<section class="panel" aria-label="Users">{table(_USERS, rows)}</section>'
    first = not any(user.role is Role.ADMIN and user.active for user in shown.users)
    return ("" if shown.enforced else off_html()) + listed + _invite_form(Role.ADMIN if first else Role.VIEWER)


def _row(user: User, shown: UsersShown) -> tuple[str, ...]:
    own = ' <span class="quiet small">you</span>' if user.user_id == shown.own_id else ""
    return (
        f'<bdi class="name">{escape(user.name)}</bdi>{own}',
        escape(str(user.role)),
        _standing(user),
        moment(user.last_sign_in_at) if user.last_sign_in_at else '<span class="quiet">never</span>',
        f"{shown.keys.get(user.user_id, 0):,}",
        button("open", "Look after them", user.name, of=user.name),
    )


def _standing(user: User) -> str:
    if not user.active:
        return '<span class="state bad">shut out</span>'
    if user.provider:
        return f"by {escape(user.provider)}"
    if not user.has_password:
        return '<span class="state plain">invited, no password yet</span>'
    return "by password"


def _invite_form(role: Role) -> str:
    name = field("name", "Name", text_input("name", needed=True), "How they are called in the audit trail; it stays.")
    which = field(
        "role",
        "Role",
        choice(
            "role",
            _roles(),
            str(role),
        ),
        "Each may do all that the ones before may.",
    )
    return (
        '<section class="panel" aria-label="Invite somebody"><h3>Invite somebody</h3>'
        f'<form data-act="invite"><div class="fields">{name}{which}</div><div class="acts">'
        f"{button('invite', 'Make the link', kind='first', submit=True)}</div></form></section>"
    )


def _roles() -> list[tuple[str, str]]:
    return [(str(role), f"{role}: {ROLE_WORDS[role]}") for role in Role]


def user_html(shown: PersonShown) -> str:
    """One user with what can be done for them."""
    user = shown.user
    facts = [
        ("Role", f"{escape(str(user.role))}: {escape(ROLE_WORDS[user.role])}"),
        ("Signs in", _standing(user)),
        ("Last signed in", moment(user.last_sign_in_at) + (" UTC" if user.last_sign_in_at else "")),
        ("Added", f"{moment(user.created_at)} UTC by {escape(user.created_by)}"),
    ]
    if user.disabled_at:
        facts.append(("Shut out", f"{moment(user.disabled_at)} UTC"))
    told = "".join(f"<dt>{escape(name)}</dt><dd>{said}</dd>" for name, said in facts)
    acts = ""
    if not user.provider:
        off = "" if user.active else "Let them in first."
        if user.has_password:
            acts += button("forgot-ask", "They forgot the password …", user.name, off=off)
        label = "Reset the password …" if user.has_password else "Make a new link …"
        acts += button("reset-ask", label, user.name, off=off)
    if user.active:
        acts += button("sign-out-ask", "Sign them out everywhere …", user.name)
    acts += (
        button("disable-ask", "Shut them out …", user.name, kind="danger")
        if user.active
        else button("enable", "Let them in again", user.name, kind="first")
    )
    own = ' <span class="state plain">you</span>' if shown.is_own else ""
    return (
        f'<p class="back">{button("list", "← All users", kind="second")}</p>'
        f'<section class="panel person" aria-label="{escape(user.name)}"><header>'
        f"<h3><bdi>{escape(user.name)}</bdi></h3>{own}</header>"
        f'<dl class="facts">{told}</dl><div class="acts">{acts}</div>{_role_form(user)}</section>'
        + keys_html(shown.keys, revoke=True)
        + sessions_html(shown.sessions, present="")
    )


def _role_form(user: User) -> str:
    hint = (
        "Their provider tells their role at each sign-in; what is set here holds until then."
        if user.role_by_provider
        else ""
    )
    control = field("role", "Another role", choice("role", _roles(), str(user.role)), hint)
    return (
        f'<form data-act="role" data-value="{escape(user.name)}"><div class="fields">{control}</div><div class="acts">'
        f"{button('role', 'Save the role', user.name, submit=True)}</div></form>"
    )


def keys_html(keys: Sequence[ApiKey], *, revoke: bool) -> str:
    """Keys that were not revoked."""
    none = '<p class="small quiet">None.</p>'
    body = table(_KEYS, (_key(key, revoke=revoke) for key in keys)) if keys else none
    return f'<section class="panel" aria-label="Keys"><h3>Keys</h3>{body}</section>'


def _key(key: ApiKey, *, revoke: bool) -> tuple[str, ...]:
    scopes = ", ".join(sorted(str(scope) for scope in key.scopes))
    return (
        f"<bdi>{escape(key.name)}</bdi>",
        f'<span class="mono">{escape(key.prefix)}…</span>',
        f'<span class="mono">{escape(scopes)}</span>',
        moment(key.created_at),
        moment(key.expires_at) if key.expires_at else "it is revoked",
        moment(key.last_used_at) if key.last_used_at else '<span class="quiet">never</span>',
        button("revoke-ask", "Revoke …", key.key_id, kind="danger", of=key.name) if revoke else "",
    )


def sessions_html(sessions: Sequence[UserSession], *, present: str, others: bool = False, keys: int = 0) -> str:
    """Sign-ins that last.

    Args:
        sessions: Of one user.
        present: The id of the one that this page belongs to; empty for none of them.
        others: There is a button that ends all but the present one.
        keys: How many keys could be revoked with that.
    """
    if not sessions:
        body = '<p class="small quiet">None lasts.</p>'
    else:
        body = table(_SESSIONS, (_session(one, is_present=one.session_id == present) for one in sessions))
    more = ""
    if others and len(sessions) > 1:
        label = f"Sign out of {plural(len(sessions) - 1, 'other')}"
        more = button("end-others", label)
    if others and keys:
        more += button("end-all-ask", "Sign out everywhere else and revoke all keys …", kind="danger")
    more = f'<div class="acts">{more}</div>' if more else ""
    return f'<section class="panel" aria-label="Sign-ins"><h3>Sign-ins that last</h3>{body}{more}</section>'


def _session(session: UserSession, *, is_present: bool) -> tuple[str, ...]:
    by = {"browser": "a browser", "token": "a program"}[str(session.kind)]
    by += f" by {session.provider}" if session.provider else ""
    since = f"{by}, since {session.created_at:%Y-%m-%d %H:%M}"
    return (
        moment(session.created_at),
        moment(session.last_seen_at),
        f"{escape(session.address) or '–'}<br><span class='tiny quiet'>{escape(session.agent)}</span>",
        escape(by),
        '<span class="state plain">this one</span>'
        if is_present
        else button("end", "Sign out", session.session_id, of=since),
    )
