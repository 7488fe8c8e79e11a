"""`deeplens policy`: which copy of a picture stays, and what another policy would change.

Takes the name of a keep policy or a file, gives what it says or what it would change; writes only which one is in use.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from deeplens_kit.cli.answers import Answer, Csv, Json, check_outputs, give
from deeplens_kit.cli.invocation import opened
from deeplens_kit.cli.tables import Column, Sheet, place, shown
from deeplens_kit.reporting.words import format_bytes, plural

__all__ = ["Policy", "check", "compare", "list_all", "show", "use"]

_SHOWN_FILES = 50

Policy = Annotated[
    str | None,
    typer.Option(
        "--policy",
        metavar="NAME|FILE",
        help="The keep policy to answer by instead of the one in use: a name of `policy list`, or a JSON file.",
    ),
]
_Named = Annotated[
    str,
    typer.Argument(metavar="NAME|FILE", help="A name of `deeplens policy list`, or a JSON file.", show_default=False),
]


def list_all(context: typer.Context, as_json: Json = False, csv: Csv = None) -> None:
    """List the keep policies: those that every workspace has, and those in its folder `policies`."""
    check_outputs(csv)
    with opened(context, csv) as workspace:
        import polars as pl

        from deeplens_kit import pipeline
        from deeplens_kit.matching import BUILT_IN_POLICIES

        in_use = workspace.settings.policy.keep
        known = pipeline.known_policies(workspace)
        rows = pl.DataFrame(
            {
                "policy": list(known),
                "in_use": [name == in_use for name in known],
                "built_in": [name in BUILT_IN_POLICIES for name in known],
                "weighted": [policy.is_weighted for policy in known.values()],
                "criteria": [",".join(policy.criteria) for policy in known.values()],
                "protects": [policy.protects for policy in known.values()],
            }
        )

    def sheet() -> Sheet:
        columns = (Column("policy"), Column(""), Column("decides by", fold=True))
        lines = [
            (
                shown(row["policy"]),
                "in use" if row["in_use"] else "",
                row["criteria"].replace(",", ", ")
                + (" (by weights)" if row["weighted"] else "")
                + ("; protects files" if row["protects"] else ""),
            )
            for row in rows.iter_rows(named=True)
        ]
        return Sheet(columns, lines, "")

    give(Answer("policy list", rows, sheet, {"in_use": in_use}), as_json=as_json, csv=csv)


def show(
    context: typer.Context,
    policy: Annotated[
        str | None, typer.Argument(metavar="[NAME|FILE]", help="By default the policy in use.", show_default=False)
    ] = None,
    as_json: Json = False,
    csv: Csv = None,
) -> None:
    """Show a keep policy: what decides, in words, and as JSON to change and use."""
    check_outputs(csv)
    with opened(context, csv) as workspace:
        import polars as pl

        from deeplens_kit import pipeline
        from deeplens_kit.reporting.policy_words import policy_lines

        chosen = pipeline.chosen_policy(workspace, policy)
    document = json.dumps(chosen.to_json(), ensure_ascii=False, indent=2)
    rows = pl.DataFrame({"policy": [chosen.name], "document": [document]})
    lines = [*policy_lines(chosen), "", *document.splitlines()]
    answer = Answer("policy show", rows, None, {"policy": chosen.to_json()}, lines)
    give(answer, as_json=as_json, csv=csv)


def check(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A keep policy as JSON.", show_default=False)],
    as_json: Json = False,
    csv: Csv = None,
) -> None:
    """Say what a file with a keep policy comes to; refuse it where a name or a glob in it is wrong."""
    check_outputs(csv)
    with opened(context, csv) as workspace:
        import polars as pl

        from deeplens_kit import pipeline
        from deeplens_kit.reporting.policy_words import policy_lines

        policy = pipeline.check_policy_file(workspace, file)
    rows = pl.DataFrame({"policy": [policy.name], "file": [str(file)]})
    lines = [*policy_lines(policy), "", "It can be used: `deeplens policy compare` says what it would change."]
    give(Answer("policy check", rows, None, {"policy": policy.to_json()}, lines), as_json=as_json, csv=csv)


def compare(
    context: typer.Context,
    policy: _Named,
    against: Annotated[
        str | None, typer.Option("--with", metavar="NAME|FILE", help="Hold it against this one, not the one in use.")
    ] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Files at most; the table shows 50 by default.")] = None,
    as_json: Json = False,
    csv: Csv = None,
) -> None:
    """Say what another keep policy would change: files that would stay or go, and bytes. Changes nothing."""
    check_outputs(csv)
    with opened(context, csv) as workspace:
        from deeplens_kit import pipeline
        from deeplens_kit.reporting.policy_words import comparison_sentence

        one, other = (pipeline.chosen_policy(workspace, name) for name in (policy, against))
        found = pipeline.compare_policies(workspace, one, other)
        changed = found.changed.join(workspace.location_names(), on="location_id", how="left")
        changed = changed.select(
            "location", "path", "before", "after", "size_bytes", "reason", "object_id", "location_id"
        ).sort("location", "path")
    rows = changed if limit is None else changed.head(limit)
    summary = {"policy": one.name, "against": other.name, "other_keepers": found.other_keepers}
    for name in ("objects", "realisable_bytes", "withheld"):
        before, after = getattr(found, name)
        summary |= {f"{name}_before": before, name: after}
    summary["changed"] = changed.height
    lines = [comparison_sentence(one, other, found)]
    told = rows.head(limit or _SHOWN_FILES)
    if told.height < changed.height and csv is None:
        lines.append(f"Showing {told.height:,} of {plural(changed.height, 'file')} that would stand otherwise.")

    def sheet() -> Sheet:
        columns = (
            Column("file", fold=True),
            Column("now"),
            Column("then"),
            Column("size", "right"),
            Column("why", fold=True),
        )
        listed: list[Sequence[str]] = [
            (
                place(row["location"], row["path"]),
                row["before"],
                row["after"],
                format_bytes(row["size_bytes"]),
                row["reason"] or "",
            )
            for row in told.iter_rows(named=True)
        ]
        return Sheet(columns, listed, "No file would stand otherwise.")

    give(Answer("policy compare", rows, sheet, summary, lines), as_json=as_json, csv=csv)


def use(context: typer.Context, policy: _Named, as_json: Json = False, csv: Csv = None) -> None:
    """Use a keep policy from now on, in every command and report; a file is copied into the workspace."""
    check_outputs(csv)
    with opened(context, csv) as workspace:
        import polars as pl

        from deeplens_kit import pipeline
        from deeplens_kit.reporting.policy_words import policy_lines

        used = pipeline.use_policy(workspace, policy)
    rows = pl.DataFrame({"policy": [used.name], "criteria": [",".join(used.criteria)]})
    lines = ["In use from now on:", *policy_lines(used)]
    give(Answer("policy use", rows, None, {"policy": used.to_json()}, lines), as_json=as_json, csv=csv)
