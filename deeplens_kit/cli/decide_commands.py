"""Commands for decisions: both stay, one may go, one is never proposed; listed, exported and taken back.

Takes names of groups and files, gives what was recorded; changes what is proposed, and touches no file.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from deeplens_kit.cli.answers import Answer, Csv, Json, check_outputs, give
from deeplens_kit.cli.choices import INCLUDABLE, Include, RuleName, chosen
from deeplens_kit.cli.invocation import opened
from deeplens_kit.cli.tables import Column, Sheet, shown
from deeplens_kit.reporting.words import plural

if TYPE_CHECKING:
    import polars as pl

    from deeplens_kit.ledger import DecisionAct

__all__ = ["alternates", "approve", "export", "import_file", "keep_both", "list_all", "never_propose", "withdraw"]

_KINDS = ("keep_both", "alternates", "approved", "never_propose")
_MINUTES = "%Y-%m-%d %H:%M"
_DIGITS = 12
_TOLD = 5
_LISTED = 20

_What = Annotated[
    str,
    typer.Argument(
        metavar="WHAT",
        help="The id of a group or how it begins, location:path of an indexed file, its path, or a digest.",
        show_default=False,
    ),
]
_Other = Annotated[
    str | None,
    typer.Argument(metavar="OTHER", help="The other file of the pair; WHAT is the one that stays.", show_default=False),
]
_Why = Annotated[str, typer.Option("--why", metavar="TEXT", help="The reason, for whoever reads it later.")]
_File = Annotated[
    Path, typer.Argument(metavar="FILE", help="Ends in .csv or .json.", show_default=False, dir_okay=False)
]


def keep_both(
    context: typer.Context,
    what: _What,
    other: _Other = None,
    why: _Why = "",
    rule: RuleName = None,
    include: Include = None,
    as_json: Json = False,
) -> None:
    """Keep both of a pair, or all of a group: neither is proposed for the other one."""
    _decide(context, "keep_both", what, other, why, rule, include, as_json=as_json)


def alternates(
    context: typer.Context,
    what: _What,
    other: _Other = None,
    why: _Why = "",
    rule: RuleName = None,
    include: Include = None,
    as_json: Json = False,
) -> None:
    """Keep both as versions of one picture: neither is proposed for the other one."""
    _decide(context, "alternates", what, other, why, rule, include, as_json=as_json)


def approve(
    context: typer.Context,
    what: _What,
    other: _Other = None,
    crowd: Annotated[
        bool, typer.Option("--crowd", help="WHAT is a picture whose copies wait as a crowd: all of them may go.")
    ] = False,
    why: _Why = "",
    rule: RuleName = None,
    include: Include = None,
    as_json: Json = False,
) -> None:
    """Confirm that OTHER may go for WHAT, or all of a group for its keeper, whatever the bounds. Removes nothing."""
    _decide(context, "approved", what, other, why, rule, include, crowd=crowd, as_json=as_json)


def never_propose(
    context: typer.Context,
    what: _What,
    why: _Why = "",
    rule: RuleName = None,
    include: Include = None,
    as_json: Json = False,
) -> None:
    """Never propose a picture, or those of a group but its keeper, for any other. They may stay for others."""
    _decide(context, "never_propose", what, None, why, rule, include, as_json=as_json)


def list_all(
    context: typer.Context,
    withdrawn: Annotated[bool, typer.Option("--withdrawn", help="Also those that do not hold any more.")] = False,
    kind: Annotated[
        str | None, typer.Option("--kind", metavar="|".join(_KINDS), help="Only decisions of this kind.")
    ] = None,
    as_json: Json = False,
    csv: Csv = None,
) -> None:
    """List the decisions, the latest first, with the files that they are on."""
    check_outputs(csv)
    with opened(context, csv) as workspace:
        from deeplens_kit import pipeline

        found = pipeline.list_decisions(workspace, withdrawn=withdrawn, kind=kind)
    closing = [f"{plural(found.height, 'decision')}."] if found.height else []
    waiting = found.filter(found["waits"].is_not_null())
    closing += [
        f"Number {row['decision_id']} waits: {row['waits']}." for row in waiting.head(_LISTED).iter_rows(named=True)
    ]
    if waiting.height > _LISTED:
        closing.append(f"{waiting.height - _LISTED:,} more wait; --json says why.")
    summary = {"decisions": found.height, "waiting": waiting.height}
    answer = Answer("decide list", found, lambda: _sheet(found), summary, closing)
    give(answer, as_json=as_json, csv=csv)


def withdraw(
    context: typer.Context,
    which: Annotated[
        list[str],
        typer.Argument(metavar="NUMBER…", help="Of decisions, or the act of those made together.", show_default=False),
    ],
) -> None:
    """Withdraw decisions: from now on groups are as if they had not been made. They stay in the list as withdrawn."""
    with opened(context) as workspace:
        from deeplens_kit import pipeline

        ended = pipeline.withdraw_decisions(workspace, which)
    typer.echo(f"Withdrew {plural(len(ended), 'decision')}." if ended else "They were withdrawn before.")


def export(context: typer.Context, file: _File) -> None:
    """Write the decisions that hold to a file, by digests: they can be taken in by any workspace."""
    from deeplens_kit.reporting.files import check_target, write_atomically

    with opened(context, file) as workspace:
        from deeplens_kit.pipeline.decision_file import DECISION_ENDINGS, decisions_as_file

        check_target(file, DECISION_ENDINGS)
        found = workspace.ledger.decisions()
        content = decisions_as_file(found, file.suffix)
    write_atomically(file, [content])
    typer.echo(f"Wrote {plural(found.height, 'decision')} to {file}", err=True)


def import_file(context: typer.Context, file: _File) -> None:
    """Take in decisions from a file that `deeplens decide export` wrote, by whom and when they were made."""
    with opened(context) as workspace:
        from deeplens_kit import pipeline
        from deeplens_kit.pipeline.decision_file import read_decisions

        act = pipeline.import_decisions(workspace, read_decisions(file))
    for line in _lines(act):
        typer.echo(line)


def _decide(
    context: typer.Context,
    kind: str,
    what: str,
    other: str | None,
    why: str,
    rule: str | None,
    include: list[str] | None,
    *,
    crowd: bool = False,
    as_json: bool,
) -> None:
    widened = chosen("relation", include, INCLUDABLE) or []
    with opened(context) as workspace:
        from deeplens_kit import pipeline

        judged = pipeline.chosen_rule(workspace, rule)
        made = pipeline.decide(workspace, kind, what, other, why=why, crowd=crowd, rule=judged, include=widened)
    act = made.act
    summary: dict[str, object] = {"kind": kind, "group_id": made.group_id, "act_id": act.act_id}
    summary |= {"added": act.added, "standing": act.standing, "withdrawn": act.withdrawn}
    if "waits" in made.pairs.columns:
        summary["waiting"] = made.pairs.height - made.pairs["waits"].null_count()
    many = made.pairs.height > 1
    where = f"Group {made.group_id}: {plural(made.pairs.height, 'decision')}. " if made.group_id and many else ""
    lines = _lines(act)
    lines[0] = where + lines[0]
    lines += _approval_lines(made.pairs)
    give(Answer(f"decide {kind}", made.pairs, None, summary, lines), as_json=as_json, csv=None)


def _lines(act: DecisionAct) -> list[str]:
    lines = [f"Recorded {plural(act.added, 'decision')}, act {act.act_id}." if act.added else "Nothing new is decided."]
    if act.standing:
        lines.append(f"{plural(act.standing, 'decision')} stood already, or had been taken in before.")
    if act.withdrawn:
        lines.append(
            f"{plural(act.withdrawn, 'earlier decision')} on the same pairs said otherwise, and were withdrawn."
        )
    if act.older:
        lines.append(f"{plural(act.older, 'decision')} left out: later ones on the same pairs say otherwise.")
    return lines


def _approval_lines(pairs: pl.DataFrame) -> list[str]:
    """Which of the approvals just made wait and why, and for which nothing else speaks."""
    if "waits" not in pairs.columns:
        return []
    waiting = pairs.filter(pairs["waits"].is_not_null())
    lines = [
        f"It waits: {_named(row['member'], row['member_digest'])} for {_named(row['keeper'], row['keeper_digest'])}: "
        f"{row['waits']}."
        for row in waiting.head(_TOLD).iter_rows(named=True)
    ]
    if waiting.height > _TOLD:
        lines.append(f"{waiting.height - _TOLD:,} more wait; `deeplens decide list` says why.")
    alone = pairs.filter(~pairs["stored"])
    if alone.height:
        lines.append(
            f"{plural(alone.height, 'approval')} of what is no stored pair: nothing that was measured says that they "
            "are copies; `deeplens decide withdraw` takes it back."
        )
    return lines


def _sheet(found: pl.DataFrame) -> Sheet:
    columns = (
        Column("no.", "right"),
        Column("decided"),
        Column("stays", fold=True),
        Column("on", fold=True),
        Column("who"),
        Column("at (UTC)"),
        Column("why", fold=True),
    )
    lines = [
        (
            str(row["decision_id"]),
            row["kind"].replace("_", " ") + _state(row),
            _named(row["keeper"], row["keeper_digest"]),
            _named(row["member"], row["member_digest"]),
            shown(row["who"]),
            row["at"].strftime(_MINUTES),
            shown(row["why"]),
        )
        for row in found.iter_rows(named=True)
    ]
    return Sheet(columns, lines, "No decisions yet; `deeplens decide keep-both GROUP` makes some.")


def _state(row: Mapping[str, Any]) -> str:
    if row["withdrawn_at"]:
        return " (withdrawn)"
    return "" if row["waits"] is None else " (waits)"


def _named(place: str | None, digest: str | None) -> str:
    """A file of a picture, or how its digest begins where none is left or, of two equal ones, no other."""
    return shown(place) if place is not None else "" if digest is None else f"{digest[:_DIGITS]}… (no file left)"
