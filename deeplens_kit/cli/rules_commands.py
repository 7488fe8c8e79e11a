"""Commands for rules: saved under a name in versions, put in use, shown, compared and retired.

Takes names and bounds, gives what the ledger holds of them and what two of them come to; must not judge by itself.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from deeplens_kit.cli.answers import Answer, Csv, Json, check_outputs, give
from deeplens_kit.cli.invocation import opened
from deeplens_kit.cli.tables import Column, Sheet, shown
from deeplens_kit.errors import SettingsError
from deeplens_kit.reporting.words import format_bytes, format_count, plural

if TYPE_CHECKING:
    import polars as pl

    from deeplens_kit.matching import Rule
    from deeplens_kit.pipeline import RuleDifference, Workspace

__all__ = ["diff", "list_all", "retire", "save", "show", "use"]

_Rule = Annotated[
    str, typer.Argument(metavar="NAME", help="strict, a saved rule, or NAME@VERSION.", show_default=False)
]
_MINUTES = "%Y-%m-%d %H:%M"
_WORDS = {
    "groups": "groups",
    "objects": "files that could go",
    "gross_bytes": "their size",
    "realisable_bytes": "can be freed",
    "largest_group": "files of the largest group",
    "withheld": "matches not proposed",
}


def list_all(
    context: typer.Context,
    retired: Annotated[bool, typer.Option("--retired", help="Also those that were taken out of use.")] = False,
    versions: Annotated[bool, typer.Option("--versions", help="All versions, not only the latest.")] = False,
    as_json: Json = False,
    csv: Csv = None,
) -> None:
    """List the saved rules, and say which one is in use."""
    check_outputs(csv)
    with opened(context, csv) as workspace:
        from deeplens_kit import pipeline

        found = pipeline.list_rules(workspace, retired=retired, versions=versions)
        used = workspace.settings.rules.use
    closing = [f"In use: {shown(used)}."]
    answer = Answer("rules list", found, lambda: _sheet(found), {"rules": found.height, "in_use": used}, closing)
    give(answer, as_json=as_json, csv=csv)


def use(
    context: typer.Context,
    name: Annotated[
        str | None, typer.Argument(metavar="[NAME]", help="A saved rule, or NAME@VERSION.", show_default=False)
    ] = None,
    default: Annotated[bool, typer.Option("--default", help="The strict rule again.")] = False,
    as_json: Json = False,
    csv: Csv = None,
) -> None:
    """Judge by a rule from now on, in every command and report that names no other one. Changes no file of yours."""
    check_outputs(csv)
    if (name is None) != default:
        raise SettingsError("Name the rule to use, or give --default for the strict one.")
    with opened(context, csv) as workspace:
        import polars as pl

        from deeplens_kit import pipeline
        from deeplens_kit.matching import STRICT, rule_to_json
        from deeplens_kit.reporting.rule_words import rule_lines, rule_notes

        used = name or STRICT.name
        rule = pipeline.use_rule(workspace, used)
    lines = [f"In use from now on: {shown(rule.name)}, version {rule.version}.", *rule_lines(rule), *rule_notes(rule)]
    if used == rule.name != STRICT.name:
        lines.append(f"Later versions of it count as soon as they are saved; {used}@{rule.version} stays as it is.")
    rows = pl.DataFrame({"rule": [rule.name], "version": [rule.version]})
    summary: dict[str, object] = {"in_use": used, "rule": rule_to_json(rule)}
    give(Answer("rules use", rows, None, summary, lines), as_json=as_json, csv=csv)


def show(
    context: typer.Context,
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="[NAME]",
            help="strict, a saved rule, or NAME@VERSION; by default the one in use.",
            show_default=False,
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Show a rule in full: when a pair is a copy by it. With --json as `rules save --file` reads it."""
    import json

    with opened(context) as workspace:
        from deeplens_kit import pipeline
        from deeplens_kit.matching import rule_to_json
        from deeplens_kit.reporting.rule_words import rule_lines, rule_notes

        rule = pipeline.chosen_rule(workspace, name)
    if as_json:
        typer.echo(json.dumps(rule_to_json(rule), indent=1))
        return
    for line in (f"{shown(rule.name)}, version {rule.version}", *rule_lines(rule), *rule_notes(rule)):
        typer.echo(line)


def save(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="What to call it.", show_default=False)],
    likelihood_min: Annotated[
        float | None, typer.Option(metavar="P", help="Two pictures are copies from this probability on, 0 to 1.")
    ] = None,
    page_likelihood_min: Annotated[
        float | None, typer.Option(metavar="P", help="The same for pages, icons and crowds of near pictures.")
    ] = None,
    other_shots_pdq_max: Annotated[
        int | None, typer.Option(metavar="BITS", help="Bits of 256 that two shots of different times may differ in.")
    ] = None,
    page_tone_min: Annotated[
        float | None, typer.Option(metavar="SHARE", help="Share of one tone that makes a picture a page, 0 to 1.")
    ] = None,
    pdq_quality_min: Annotated[
        int | None, typer.Option(metavar="Q", help="Pictures of less PDQ quality are no copies, 0 to 100.")
    ] = None,
    file: Annotated[
        Path | None, typer.Option("--file", metavar="FILE", help="The whole rule, as `rules show --json` prints it.")
    ] = None,
    note: Annotated[str, typer.Option("--note", metavar="TEXT", help="Why it is saved.")] = "",
) -> None:
    """Save a rule: the strict one with other bounds, or one from a file. A changed one becomes the next version."""
    moved: dict[str, Any] = {
        "likelihood_min": likelihood_min,
        "page_likelihood_min": page_likelihood_min,
        "other_shots_pdq_max": other_shots_pdq_max,
        "page_tone_min": page_tone_min,
        "pdq_quality_min": pdq_quality_min,
    }
    bounds = {bound: value for bound, value in moved.items() if value is not None}
    if file is not None and bounds:
        raise SettingsError("--file gives the whole rule; leave out the bounds, or change them in the file.")
    with opened(context) as workspace:
        from deeplens_kit import pipeline
        from deeplens_kit.matching import Thresholds

        rule = Thresholds(**bounds).rule() if file is None else _read(file)
        saved = pipeline.save_rule(workspace, name, rule, note)
    typer.echo(
        f"The rule {shown(saved.name)} is at version {saved.version}; judge by it once with --rule "
        f"{shown(saved.name)}, or from now on with `deeplens rules use {shown(saved.name)}`."
    )


def diff(context: typer.Context, first: _Rule, second: _Rule, as_json: Json = False, csv: Csv = None) -> None:
    """Compare two rules or versions: which bounds differ, and how much more or less they find here. Reads no file."""
    check_outputs(csv)
    with opened(context, csv) as workspace:
        found = _difference(workspace, first, second)
    names = f"{found.first.name}@{found.first.version}", f"{found.second.name}@{found.second.version}"
    lines = [
        f"{row['bound']}: {row['first'] or 'none'} against {row['second'] or 'none'}"
        for row in found.bounds.iter_rows(named=True)
    ]
    summary: dict[str, object] = {"first": names[0], "second": names[1]}
    answer = Answer(
        "rules diff",
        found.outcomes,
        lambda: _outcomes(found.outcomes, names),
        summary,
        lines or ["They are the same in all bounds."],
        {"bounds": found.bounds},
    )
    give(answer, as_json=as_json, csv=csv)


def retire(context: typer.Context, name: Annotated[str, typer.Argument(metavar="NAME", show_default=False)]) -> None:
    """Take a rule out of use. Its versions can still be read, and used as NAME@VERSION."""
    with opened(context) as workspace:
        from deeplens_kit import pipeline

        retired = pipeline.retire_rule(workspace, name)
    typer.echo(f"Retired the rule {shown(retired.name)}; `deeplens rules save` brings it back as a new version.")


def _difference(workspace: Workspace, first: str, second: str) -> RuleDifference:
    from deeplens_kit import pipeline

    one, other = (pipeline.rule_named(workspace, name) for name in (first, second))
    return pipeline.diff_rules(workspace, one, other)


def _read(file: Path) -> Rule:
    import json

    from deeplens_kit.matching import rule_from_json

    try:
        document = json.loads(file.read_bytes())
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise SettingsError(f"Cannot read a rule from {str(file)!r}: {reason}.") from error
    if not isinstance(document, dict):
        raise SettingsError(f"Cannot read a rule from {str(file)!r}: it holds no object in braces.")
    return rule_from_json(document)


def _sheet(found: pl.DataFrame) -> Sheet:
    columns = (
        Column("rule"),
        Column("version", "right"),
        Column(""),
        Column("saved (UTC)"),
        Column("by"),
        Column("note", fold=True),
    )
    lines = [
        (
            shown(row["rule"]) + (" (retired)" if row["retired_at"] else ""),
            str(row["version"]),
            "in use" if row["in_use"] else "",
            row["at"].strftime(_MINUTES),
            shown(row["who"]),
            shown(row["note"]),
        )
        for row in found.iter_rows(named=True)
    ]
    return Sheet(columns, lines, "No saved rules yet; `deeplens rules save NAME --likelihood-min 0.95` keeps one.")


def _outcomes(outcomes: pl.DataFrame, names: tuple[str, str]) -> Sheet:
    columns = (Column("here"), Column(names[0], "right"), Column(names[1], "right"), Column("more", "right"))
    lines = []
    for row in outcomes.iter_rows(named=True):
        size = row["what"].endswith("_bytes")
        say = format_bytes if size else format_count
        sign = "+" if row["more"] > 0 else "-" if row["more"] < 0 else ""
        more = f"{sign}{say(abs(row['more']))}"
        lines.append((_WORDS[row["what"]], say(row["first"]), say(row["second"]), more))
    return Sheet(columns, lines, plural(0, "figure"))
