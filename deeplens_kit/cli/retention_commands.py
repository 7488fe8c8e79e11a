"""Commands for retention: rules of how long pictures are kept, and the plans that are made of them.

Takes rules and names, gives rules and plans; must not touch a file: a plan is approved and applied like any other.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from deeplens_kit.cli.answers import Answer, Csv, Json, check_outputs, give
from deeplens_kit.cli.choices import chosen
from deeplens_kit.cli.invocation import opened
from deeplens_kit.cli.plan_commands import plan_answer
from deeplens_kit.cli.tables import Column, Sheet, shown
from deeplens_kit.errors import SettingsError

if TYPE_CHECKING:
    import polars as pl

    from deeplens_kit.pipeline.retention_rules import RetentionRule

__all__ = ["add", "list_all", "plan", "remove"]

_ACTIONS = ("remove", "move", "storage_class")
_DAYS = re.compile(r"(\d+(?:\.\d+)?) ?d", re.IGNORECASE)
_SHOWN_STEPS = 50

_Name = Annotated[str, typer.Argument(metavar="NAME", help="Of the rule.", show_default=False)]


def add(
    context: typer.Context,
    name: _Name,
    older_than: Annotated[
        str | None, typer.Option("--older-than", metavar="DAYS", help="Last modified so long ago, for example 3650d.")
    ] = None,
    location: Annotated[
        list[str] | None, typer.Option("--location", metavar="NAME", help="Only there; may come again.")
    ] = None,
    glob: Annotated[
        list[str] | None, typer.Option("--glob", metavar="GLOB", help="Only at these paths; may come again.")
    ] = None,
    collection: Annotated[
        list[str] | None, typer.Option("--collection", metavar="NAME", help="Only of this one; may come again.")
    ] = None,
    action: Annotated[
        str, typer.Option("--action", metavar="|".join(_ACTIONS), help="What becomes of each picture.")
    ] = "remove",
    to: Annotated[
        str, typer.Option("--to", metavar="LOCATION[/FOLDER]", help="Where pictures are moved, with --action move.")
    ] = "",
    storage_class: Annotated[
        str, typer.Option("--storage-class", metavar="NAME", help="With --action storage_class.")
    ] = "",
    as_json: Json = False,
) -> None:
    """Keep a rule: which pictures have to go, by all that is named. Nothing is done before a plan of it is applied."""
    with opened(context) as workspace:
        from deeplens_kit.pipeline import retention
        from deeplens_kit.pipeline.retention_rules import RetentionRule
        from deeplens_kit.schemas import ActionKind

        rule = RetentionRule(
            name,
            _days(older_than),
            tuple(location or ()),
            tuple(glob or ()),
            tuple(collection or ()),
            ActionKind((chosen("action", [action], _ACTIONS) or [action])[0]),
            to,
            storage_class,
        )
        retention.add_retention(workspace, rule)
    lines = [
        f"Kept the retention rule {shown(name)}: {_covers(rule)}. Nothing is done by it alone.",
        f"Next: `deeplens retention plan {shown(name)}` makes a plan of what has to go now.",
    ]
    give(Answer("retention add", _frame([rule]), None, {"rules": 1}, lines), as_json=as_json, csv=None)


def list_all(context: typer.Context, as_json: Json = False, csv: Csv = None) -> None:
    """List the retention rules."""
    check_outputs(csv)
    with opened(context, csv) as workspace:
        from deeplens_kit.pipeline import retention

        rules = list(retention.known_retention(workspace).values())
    answer = Answer("retention list", _frame(rules), lambda: _sheet(rules), {"rules": len(rules)})
    give(answer, as_json=as_json, csv=csv)


def remove(context: typer.Context, name: _Name) -> None:
    """Take a rule away; plans that were made by it stay."""
    with opened(context) as workspace:
        from deeplens_kit.pipeline import retention

        rule = retention.remove_retention(workspace, name)
    typer.echo(f"Removed the retention rule {shown(rule.name)}: {_covers(rule)}.")


def plan(context: typer.Context, name: _Name, as_json: Json = False, csv: Csv = None) -> None:
    """Make a plan of what has to go by a rule, and save it as a draft. A last copy is left out."""
    check_outputs(csv)
    with opened(context, csv) as workspace:
        from deeplens_kit.pipeline import retention

        answer = plan_answer(workspace, "retention plan", retention.plan_retention(workspace, name), _SHOWN_STEPS)
    give(answer, as_json=as_json, csv=csv)


def _days(given: str | None) -> float | None:
    if given is None:
        return None
    found = _DAYS.fullmatch(given.strip())
    if found is None:
        raise SettingsError(f"--older-than is {given!r}; it must be days, for example 3650d.")
    return float(found[1])


def _covers(rule: RetentionRule) -> str:
    """What a rule names and does, in words."""
    parts = [
        f"older than {rule.older_than_days:g} days" if rule.older_than_days is not None else "",
        f"at {', '.join(rule.locations)}" if rule.locations else "",
        f"paths {', '.join(rule.globs)}" if rule.globs else "",
        f"collection {', '.join(rule.collections)}" if rule.collections else "",
    ]
    goal = f" to {rule.to or rule.storage_class}" if rule.to or rule.storage_class else ""
    return shown(f"{'; '.join(part for part in parts if part)}: {rule.action}{goal}")


def _frame(rules: Sequence[RetentionRule]) -> pl.DataFrame:
    import polars as pl

    texts = pl.List(pl.String)
    schema: dict[str, pl.DataType | type[pl.DataType]] = {
        "name": pl.String,
        "older_than_days": pl.Float64,
        "locations": texts,
        "globs": texts,
        "collections": texts,
        "action": pl.String,
        "to": pl.String,
        "storage_class": pl.String,
    }
    return pl.DataFrame([rule.to_json() for rule in rules], schema=schema)


def _sheet(rules: Sequence[RetentionRule]) -> Sheet:
    lines = [(shown(rule.name), _covers(rule)) for rule in rules]
    empty = "No retention rules; `deeplens retention add NAME --older-than 3650d` keeps one."
    return Sheet((Column("rule"), Column("names and does", fold=True)), lines, empty)
