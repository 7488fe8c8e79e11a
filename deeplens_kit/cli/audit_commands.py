"""Commands for the audit trail: who changed what, and whether every line is as it was written.

Takes filters, gives lines of the ledger; must not change one.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from deeplens_kit.cli.answers import Answer, Csv, Json, check_outputs, give
from deeplens_kit.cli.durations import given_seconds
from deeplens_kit.cli.invocation import opened
from deeplens_kit.cli.tables import Column, Sheet, shown
from deeplens_kit.errors import AuditBrokenError, SettingsError
from deeplens_kit.reporting.words import plural

if TYPE_CHECKING:
    import polars as pl

    from deeplens_kit.ledger import AuditEntry, AuditVerdict

__all__ = ["audit", "head", "verify"]

_SECONDS = "%Y-%m-%d %H:%M:%S"


def audit(
    context: typer.Context,
    who: Annotated[str | None, typer.Option("--who", metavar="USER@HOST", help="Only of this person.")] = None,
    action: Annotated[
        str | None,
        typer.Option("--action", metavar="ACTION", help="Only this action: plan.approved, or plan for all of plans."),
    ] = None,
    since: Annotated[
        str | None,
        typer.Option("--since", metavar="WHEN", help="From a day or time in UTC on, or the last so long: 7d, 12h."),
    ] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="Lines at most, the latest first.")] = 50,
    as_json: Json = False,
    csv: Csv = None,
) -> None:
    """List who changed what, the latest first. Lines are only ever added."""
    if context.invoked_subcommand is not None:
        return
    check_outputs(csv)
    start = _moment(since)
    with opened(context, csv) as workspace:
        found = workspace.ledger.audit_trail(who=who, action=action, since=start, limit=limit)[::-1]
    closing = [f"{plural(len(found), 'line')}."] if found else []
    answer = Answer("audit", _frame(found), lambda: _sheet(found), {"lines": len(found)}, closing)
    give(answer, as_json=as_json, csv=csv)


def verify(
    context: typer.Context,
    head: Annotated[
        str,
        typer.Option("--head", metavar="DIGEST", help="What `audit head` said before: the trail must still hold it."),
    ] = "",
    as_json: Json = False,
) -> None:
    """Look whether a line of the audit trail or of a journal was altered, removed, put in or moved."""
    if head and (len(head) != 64 or head.strip("0123456789abcdef")):
        raise SettingsError(f"--head is {head!r}; it must be the 64 hexadecimal digits that `audit head` said.")
    with opened(context) as workspace:
        verdict = workspace.ledger.verify_audit(head)
    if not verdict.intact:
        raise AuditBrokenError(_broken(verdict))
    row = {"lines": verdict.lines, "journal_lines": verdict.journal_lines, "head": verdict.head}
    lines = [
        f"Every line holds: {verdict.lines:,} of the audit trail, {verdict.journal_lines:,} of journals.",
        f"Head: {verdict.head}",
    ]
    give(Answer("audit verify", _one(row), None, row, lines), as_json=as_json, csv=None)


def head(context: typer.Context, as_json: Json = False) -> None:
    """Print the digest of the last line: kept elsewhere, it proves later that the trail was not made anew."""
    with opened(context) as workspace:
        lines, digest = workspace.ledger.audit_head()
    row = {"lines": lines, "head": digest}
    give(Answer("audit head", _one(row), None, row, [digest]), as_json=as_json, csv=None)


def _broken(verdict: AuditVerdict) -> str:
    if verdict.application_id:
        where = f"Line {verdict.first_broken} of the journal of application {verdict.application_id}"
    else:
        where = f"Line {verdict.first_broken} of the audit trail"
    return (
        f"{where} does not hold: {verdict.reason}. Somebody changed the ledger by other means than DeepLens, or it is "
        "damaged; keep it as it is and compare it with its backups."
    )


def _moment(given: str | None) -> datetime | None:
    """A moment: a duration before now, or a day or time in UTC."""
    if given is None:
        return None
    if given.strip()[-1:] in tuple("smhd"):
        seconds = given_seconds("--since", given, least_seconds=1)
        return datetime.now(UTC) - timedelta(seconds=seconds or 0)
    try:
        moment = datetime.fromisoformat(given.strip())
    except ValueError as error:
        raise SettingsError(
            f"--since is {given!r}; it must be a day such as 2026-11-30, a time such as 2026-11-30T08:00, or how long "
            "ago, such as 7d."
        ) from error
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment


def _one(row: dict[str, object]) -> pl.DataFrame:
    import polars as pl

    return pl.DataFrame([row])


def _frame(found: Sequence[AuditEntry]) -> pl.DataFrame:
    import polars as pl

    schema: dict[str, pl.DataType | type[pl.DataType]] = {
        "line": pl.Int64,
        "at": pl.Datetime("us", "UTC"),
        "who": pl.String,
        "action": pl.String,
        "details": pl.String,
        "digest": pl.String,
    }
    rows = [
        (item.sequence, item.at, item.who, item.action, json.dumps(dict(item.details)), item.digest) for item in found
    ]
    return pl.DataFrame(rows, schema=schema, orient="row")


def _sheet(found: Sequence[AuditEntry]) -> Sheet:
    columns = (Column("line", "right"), Column("at (UTC)"), Column("who"), Column("action"), Column("what", fold=True))
    lines = [
        (
            str(item.sequence),
            item.at.strftime(_SECONDS),
            shown(item.who),
            item.action,
            shown(", ".join(f"{name} {_said(value)}" for name, value in item.details.items())),
        )
        for item in found
    ]
    return Sheet(columns, lines, "No such line: nothing was changed.")


def _said(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
