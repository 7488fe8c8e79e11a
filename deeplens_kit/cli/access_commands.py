"""Commands for who may sign in: users and their single-use links, and API keys.

Takes names, gives what the ledger holds, and once a link or key; must not print a secret that was made before.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from deeplens_kit.cli.answers import Answer, Csv, Json, check_outputs, give
from deeplens_kit.cli.durations import given_seconds
from deeplens_kit.cli.invocation import opened
from deeplens_kit.cli.tables import Column, Sheet, shown
from deeplens_kit.reporting.words import plural

if TYPE_CHECKING:
    import polars as pl

    from deeplens_kit.ledger import ApiKey, User
    from deeplens_kit.pipeline import Workspace
    from deeplens_kit.service.access.accounts import Invitation

__all__ = [
    "disable",
    "enable",
    "invite_user",
    "list_keys",
    "list_users",
    "make_reset_link",
    "new_key",
    "revoke_key",
    "set_role",
    "sign_out",
]

_MINUTES = "%Y-%m-%d %H:%M"
_DAY_SECONDS = 86400.0

_Name = Annotated[str, typer.Argument(metavar="NAME", help="Of the user.", show_default=False)]
_Url = Annotated[
    str, typer.Option("--url", metavar="URL", help="How browsers reach the server, where its settings do not say.")
]
_KeepKeys = Annotated[bool, typer.Option("--keep-keys", help="Leave their API keys good.")]
_OnlyForgot = Annotated[
    bool,
    typer.Option("--keep-keys", help="They only forgot it: keys stay good, and sessions until the link is used."),
]
_ROLES = "viewer, analyst, approver or admin."


def invite_user(
    context: typer.Context,
    name: _Name,
    role: Annotated[str, typer.Option("--role", metavar="ROLE", help=f"What they may do: {_ROLES}")] = "viewer",
    url: _Url = "",
    as_json: Json = False,
) -> None:
    """Add a user and print the link by which they set their password, once."""
    from deeplens_kit.service.access.accounts import invite

    with opened(context) as workspace:
        made = invite(workspace.ledger, workspace.settings.sign_in, name, role)
        _give_link("users invite", workspace, made, url, as_json)


def make_reset_link(
    context: typer.Context, name: _Name, keep_keys: _OnlyForgot = False, url: _Url = "", as_json: Json = False
) -> None:
    """Print a link by which a user sets a new password, once; it ends their sessions and revokes their keys."""
    from deeplens_kit.service.access.accounts import reset_link

    with opened(context) as workspace:
        made = reset_link(workspace.ledger, workspace.settings.sign_in, name, keep_keys=keep_keys)
        _give_link("users reset-link", workspace, made, url, as_json)


def list_users(context: typer.Context, as_json: Json = False, csv: Csv = None) -> None:
    """List the users by name, those who may not sign in too."""
    check_outputs(csv)
    with opened(context, csv) as workspace:
        found = workspace.ledger.users()
    closing = [f"{plural(len(found), 'user')}."] if found else []
    answer = Answer("users list", _user_rows(found), lambda: _user_sheet(found), {"users": len(found)}, closing)
    give(answer, as_json=as_json, csv=csv)


def set_role(
    context: typer.Context,
    name: _Name,
    role: Annotated[str, typer.Argument(metavar="ROLE", help=_ROLES.capitalize(), show_default=False)],
) -> None:
    """Give a user another role; it holds at once."""
    from deeplens_kit.service.access import accounts

    with opened(context) as workspace:
        changed = accounts.set_role(workspace.ledger, workspace.settings.sign_in, name, role)
    typer.echo(f"{shown(changed.name)} is {changed.role} from now on.")


def disable(context: typer.Context, name: _Name) -> None:
    """Have a user not sign in any more; their sessions end at once and their keys rest."""
    from deeplens_kit.service.access import accounts

    with opened(context) as workspace:
        changed = accounts.set_active(workspace.ledger, workspace.settings.sign_in, name, False)
    typer.echo(f"{shown(changed.name)} is signed out and may not sign in; `deeplens users enable` takes it back.")


def enable(context: typer.Context, name: _Name) -> None:
    """Have a user sign in again; their keys are good again, their sessions are not."""
    with opened(context) as workspace:
        changed = workspace.ledger.set_user_active(name, True)
    typer.echo(f"{shown(changed.name)} may sign in.")


def sign_out(context: typer.Context, name: _Name, keep_keys: _KeepKeys = False) -> None:
    """Sign a user out everywhere and revoke their keys; they can sign in again."""
    with opened(context) as workspace:
        user = workspace.ledger.user(name)
        ended = workspace.ledger.end_access(user.name, "signed_out_by_admin", keep_keys=keep_keys)
    typer.echo(f"{shown(user.name)}: {plural(ended.sessions, 'session')} ended, {plural(ended.keys, 'key')} revoked.")


def new_key(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="What the key is for.", show_default=False)],
    user: Annotated[str, typer.Option("--user", metavar="USER", help="Whose it is.", show_default=False)],
    scope: Annotated[
        list[str],
        typer.Option("--scope", metavar="SCOPE", help="What it may do; may come again.", show_default=False),
    ],
    expires: Annotated[
        str | None, typer.Option("--expires", metavar="WHEN", help="How long it is good, for example 90d.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Make an API key of a user and print it, once; it never may more than they."""
    from deeplens_kit.service.access.accounts import known_scopes, make_key

    seconds = given_seconds("--expires", expires, least_seconds=60)
    with opened(context) as workspace:
        days = seconds / _DAY_SECONDS if seconds is not None else None
        made = make_key(workspace.ledger, user, name, known_scopes(scope), days)
    rows = _key_rows([made.key])
    lines = [made.text, f"Key {made.key.key_id} of {shown(made.key.user_name)}. It is shown this once."]
    give(Answer("keys make", rows, None, {"key": made.text}, lines), as_json=as_json, csv=None)


def list_keys(
    context: typer.Context,
    user: Annotated[str, typer.Option("--user", metavar="USER", help="Only of this user.")] = "",
    revoked: Annotated[bool, typer.Option("--revoked", help="Also those that were revoked.")] = False,
    as_json: Json = False,
    csv: Csv = None,
) -> None:
    """List the API keys, the latest first; never the keys themselves."""
    check_outputs(csv)
    with opened(context, csv) as workspace:
        user_id = workspace.ledger.user(user).user_id if user else None
        found = workspace.ledger.api_keys(user_id, revoked=revoked)
    closing = [f"{plural(len(found), 'key')}."] if found else []
    answer = Answer("keys list", _key_rows(found), lambda: _key_sheet(found), {"keys": len(found)}, closing)
    give(answer, as_json=as_json, csv=csv)


def revoke_key(
    context: typer.Context,
    key: Annotated[
        str, typer.Argument(metavar="KEY", help="Its id or its name, as `keys list` shows it.", show_default=False)
    ],
) -> None:
    """Take an API key out of use, for good."""
    with opened(context) as workspace:
        keys = workspace.ledger.api_keys()
        named = [one.key_id for one in keys if one.name == key]
        # An id before a name, which anybody gives; a name that several have names none of them.
        is_id = any(one.key_id == key for one in keys)
        ended = workspace.ledger.revoke_api_key(key if is_id or len(named) != 1 else named[0])
    typer.echo(f"Key {ended.key_id} ({shown(ended.name)}, of {shown(ended.user_name)}) is not good any more.")


def _give_link(command: str, workspace: Workspace, made: Invitation, url: str, as_json: bool) -> None:
    from deeplens_kit.service.listening import address_of

    settings = workspace.settings.service
    base = url or address_of(settings, settings.port)
    link = base.rstrip("/") + made.path
    lines = [
        link,
        f"For {shown(made.user.name)}, once, until {made.expires_at.strftime(_MINUTES)} UTC. Shown this once.",
    ]
    summary = {"link": link, "expires_at": made.expires_at.isoformat()}
    give(Answer(command, _user_rows([made.user]), None, summary, lines), as_json=as_json, csv=None)


def _user_rows(found: Sequence[User]) -> pl.DataFrame:
    import polars as pl

    time = pl.Datetime("us", "UTC")
    schema: dict[str, pl.DataType | type[pl.DataType]] = {
        "name": pl.String,
        "role": pl.String,
        "active": pl.Boolean,
        "has_password": pl.Boolean,
        "provider": pl.String,
        "created_at": time,
        "created_by": pl.String,
        "last_sign_in_at": time,
        "disabled_at": time,
    }
    rows = [
        (
            item.name,
            str(item.role),
            item.active,
            item.has_password,
            item.provider,
            item.created_at,
            item.created_by,
            item.last_sign_in_at,
            item.disabled_at,
        )
        for item in found
    ]
    return pl.DataFrame(rows, schema=schema, orient="row")


def _user_sheet(found: Sequence[User]) -> Sheet:
    columns = (
        Column("name", fold=True),
        Column("role"),
        Column("signs in by"),
        Column("last here (UTC)"),
        Column("since"),
    )
    lines = [
        (
            shown(item.name),
            str(item.role),
            "may not" if not item.active else shown(item.provider) or ("password" if item.has_password else "not yet"),
            item.last_sign_in_at.strftime(_MINUTES) if item.last_sign_in_at is not None else "",
            item.created_at.strftime(_MINUTES),
        )
        for item in found
    ]
    return Sheet(columns, lines, "No users; `deeplens users invite NAME --role admin` makes the first.")


def _key_rows(found: Sequence[ApiKey]) -> pl.DataFrame:
    import polars as pl

    time = pl.Datetime("us", "UTC")
    schema: dict[str, pl.DataType | type[pl.DataType]] = {
        "key_id": pl.String,
        "user": pl.String,
        "name": pl.String,
        "prefix": pl.String,
        "scopes": pl.String,
        "created_at": time,
        "created_by": pl.String,
        "expires_at": time,
        "last_used_at": time,
        "revoked_at": time,
    }
    rows = [
        (
            item.key_id,
            item.user_name,
            item.name,
            item.prefix,
            " ".join(sorted(item.scopes)),
            item.created_at,
            item.created_by,
            item.expires_at,
            item.last_used_at,
            item.revoked_at,
        )
        for item in found
    ]
    return pl.DataFrame(rows, schema=schema, orient="row")


def _key_sheet(found: Sequence[ApiKey]) -> Sheet:
    columns = (
        Column("key"),
        Column("for", fold=True),
        Column("user", fold=True),
        Column("begins"),
        Column("may", fold=True),
        Column("until (UTC)"),
        Column("last used (UTC)"),
    )
    lines = [
        (
            item.key_id,
            shown(item.name),
            shown(item.user_name),
            f"{item.prefix}…",
            "revoked" if item.revoked_at is not None else " ".join(sorted(item.scopes)),
            item.expires_at.strftime(_MINUTES) if item.expires_at is not None else "for ever",
            item.last_used_at.strftime(_MINUTES) if item.last_used_at is not None else "never",
        )
        for item in found
    ]
    return Sheet(columns, lines, "No keys; `deeplens keys make NAME --user USER --scope search:read` makes one.")
