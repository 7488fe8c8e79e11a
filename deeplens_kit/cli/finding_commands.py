"""Commands for what was found: pairs, duplicates, savings.

Takes arguments, gives rows with their evidence and what they add up to; removes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from deeplens_kit.cli.answers import Answer, Csv, Json, check_outputs, give
from deeplens_kit.cli.choices import (
    ANY_RELATION,
    ANY_TIER,
    INCLUDABLE,
    PROPOSED_TIERS,
    AnyTier,
    Include,
    ProposedTier,
    RelationOfPair,
    RuleName,
    chosen,
)
from deeplens_kit.cli.invocation import opened
from deeplens_kit.cli.location_commands import NO_LOCATIONS
from deeplens_kit.cli.policy_command import Policy
from deeplens_kit.cli.standing import say_notes
from deeplens_kit.cli.tables import Column, Sheet, place, shown
from deeplens_kit.cli.withheld import related_rows, withheld_rows, withheld_sheet
from deeplens_kit.reporting.words import format_bytes, format_count, format_money, format_score, plural

if TYPE_CHECKING:
    import polars as pl

    from deeplens_kit.pipeline import GroupsView, Workspace
    from deeplens_kit.reporting.totals import CoverageTotals, Totals

__all__ = ["duplicates", "pairs", "savings"]

_SHOWN_PAIRS = 50
_SHOWN_GROUPS = 20
_HOW_TO_PRICE = "In money: put a price book beside workspace.toml; `deeplens prices example` prints one to fill in."


def pairs(
    context: typer.Context,
    tier: AnyTier = None,
    relation: RelationOfPair = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Pairs at most; the table shows 50 by default.")] = None,
    as_json: Json = False,
    csv: Csv = None,
) -> None:
    """List pairs of alike files, the strongest evidence first. Scenes are alike, never counted as a saving."""
    check_outputs(csv)
    with opened(context, csv) as workspace:
        from deeplens_kit import pipeline

        relations = chosen("relation", relation, ANY_RELATION)
        frame = pipeline.list_pairs(workspace, chosen("tier", tier, ANY_TIER), relations=relations)
        frame = _with_object_ids(workspace, frame)
        current = pipeline.is_current(workspace)
        notes = pipeline.caveats(workspace, current=current)
        empty = _when_empty(workspace, "No pairs.")
    in_all = frame.height
    rows = frame if limit is None else frame.head(limit)
    first = rows.head(limit or _SHOWN_PAIRS)
    counts = {name: frame.filter(frame["tier"] == name).height for name in ANY_TIER}
    closing = [f"{plural(in_all, 'pair')}: " + ", ".join(f"{n:,} {name}" for name, n in counts.items() if n) + "."]
    if first.height < in_all and csv is None:
        closing.append(f"Showing {first.height:,}; all of them with --csv, or more with --limit.")
    summary = {"pairs": in_all, "by_tier": counts, "current": current, "notes": notes}
    say_notes(notes)
    answer = Answer("pairs", rows, lambda: _pairs_sheet(first, empty), summary, closing if in_all else ())
    give(answer, as_json=as_json, csv=csv)


def _with_object_ids(workspace: Workspace, pairs: pl.DataFrame) -> pl.DataFrame:
    """PAIRS of objects with the ids that the catalog has for them: two names may be shown alike, ids are not."""
    import polars as pl

    names = workspace.location_names()
    for side in ("a", "b"):
        pairs = (
            pairs.join(names, left_on=f"location_{side}", right_on="location", how="left")
            .with_columns(pl.concat_str("location_id", pl.lit("/"), f"path_{side}").alias(f"object_id_{side}"))
            .drop("location_id")
        )
    return pairs


def _pairs_sheet(rows: pl.DataFrame, empty: str) -> Sheet:
    from deeplens_kit.reporting.evidence_words import evidence_lines, with_view_words

    columns = (
        Column("score", "right"),
        Column("tier"),
        Column("relation"),
        Column("a", fold=True),
        Column("b", fold=True),
        Column("evidence", fold=True),
    )
    lines = [
        (
            format_score(row["score"]),
            row["tier"],
            row["relation"],
            place(row["location_a"], row["path_a"]),
            place(row["location_b"], row["path_b"]),
            "same bytes" if row["tier"] == "bytes" else ", ".join(evidence_lines(row, row["digest_b"])),
        )
        for row in with_view_words(rows, "a").iter_rows(named=True)
    ]
    return Sheet(columns, lines, empty)


def duplicates(
    context: typer.Context,
    tier: ProposedTier = None,
    include: Include = None,
    policy: Policy = None,
    rule: RuleName = None,
    html: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write a page with thumbnails and evidence.")
    ] = None,
    limit: Annotated[
        int | None, typer.Option(min=1, help="Groups at most; the table shows 20 and the page 200 by default.")
    ] = None,
    withheld: Annotated[
        bool, typer.Option("--withheld", help="List the matches that are not proposed, with the reason, instead.")
    ] = False,
    as_json: Json = False,
    csv: Csv = None,
) -> None:
    """List groups: one file that stays, and the copies of that very file. Nothing is removed."""
    check_outputs(csv, html=html)
    with opened(context, csv, html) as workspace:
        from deeplens_kit import pipeline
        from deeplens_kit.reporting.policy_words import policy_notes
        from deeplens_kit.reporting.rule_words import rule_notes
        from deeplens_kit.reporting.savings_numbers import GROUP_COLUMNS, by_freed
        from deeplens_kit.reporting.totals import add_up_coverage, add_up_groups

        widened = chosen("relation", include, INCLUDABLE) or []
        judged = pipeline.chosen_rule(workspace, rule)
        keep = pipeline.chosen_policy(workspace, policy)
        view = pipeline.list_groups(
            workspace, chosen("tier", tier, PROPOSED_TIERS), rule=judged, include=widened, policy=keep
        )
        coverage = pipeline.of_active_locations(workspace, pipeline.coverage(workspace))
        totals, covered = add_up_groups(view.groups), add_up_coverage(coverage)
        empty = _when_empty(workspace, "No duplicates.")
        not_proposed = withheld_rows(workspace, view.withheld)
        related = related_rows(workspace, view.related)
        notes = [*pipeline.caveats(workspace, current=view.current), *rule_notes(judged), *policy_notes(keep)]
        if html is not None:
            _write_page(workspace, view, coverage, html, limit, notes)
    ranked = by_freed(view.groups)
    rows = (ranked if limit is None else ranked.filter(ranked["rank"] < limit)).drop("rank").select(*GROUP_COLUMNS)
    say_notes(notes)
    if html is not None:
        typer.echo(f"Wrote the page to {html}", err=True)
    if withheld:
        first = not_proposed.head(limit or _SHOWN_PAIRS)
        say = [f"Showing {first.height:,} of {plural(not_proposed.height, 'match', 'matches')} not proposed."]
        summary = {"withheld": not_proposed.height, "current": view.current, "notes": notes}
        listed = not_proposed.head(limit or not_proposed.height)
        answer = Answer(
            "duplicates --withheld", listed, lambda: withheld_sheet(first), summary, say if first.height else ()
        )
        give(answer, as_json=as_json, csv=csv, in_file=html is not None)
        return
    answer = Answer(
        "duplicates",
        rows,
        lambda: _groups_sheet(ranked.filter(ranked["rank"] < (limit or _SHOWN_GROUPS)), empty),
        {
            "groups": totals.groups,
            "objects": totals.objects,
            "gross_bytes": totals.gross_bytes,
            "realisable_bytes": totals.realisable_bytes,
            "found_objects": covered.objects,
            "analysed_objects": covered.analysed_objects,
            "withheld": view.withheld.height,
            "related": view.related.height,
            "included": sorted(set(widened)),
            "policy": keep.name,
            "rule": judged.name,
            "current": view.current,
            "notes": notes,
        },
        [
            *_look_first_lines(view.groups),
            *_duplicates_lines(totals, covered, view, limit or _SHOWN_GROUPS, listed=csv is None and not html),
        ],
        {"withheld": not_proposed, "related": related},
    )
    give(answer, as_json=as_json, csv=csv, in_file=html is not None)


def _groups_sheet(rows: pl.DataFrame, empty: str) -> Sheet:
    columns = (
        Column("group"),
        Column("tier"),
        Column(""),
        Column("file", fold=True),
        Column("size", "right"),
        Column("score", "right"),
        Column("why", fold=True),
    )
    lines: list[Sequence[str]] = []
    starts = set()
    for at, row in enumerate(rows.iter_rows(named=True)):
        if row["is_keeper"]:
            starts.add(at)
        lines.append(
            (
                row["group_id"],
                row["tier"],
                "keep" if row["is_keeper"] else "remove",
                place(row["location"], row["path"]),
                format_bytes(row["size_bytes"]),
                "" if row["is_keeper"] else format_score(row["score"]),
                f"{row['reason']}{_freed_words(row)}" + (f"; loses {row['loses']}" if row["loses"] else ""),
            )
        )
    return Sheet(columns, lines, empty, frozenset(starts))


def _freed_words(row: Mapping[str, Any]) -> str:
    if row["is_keeper"] or row["frees_bytes"] == row["size_bytes"]:
        return ""
    if not row["frees_bytes"]:
        return "; another name of a file (hard link): frees nothing of its own"
    return f"; frees {format_bytes(row['frees_bytes'])}"


def _look_first_lines(groups: pl.DataFrame) -> list[str]:
    """How many of the proposed files are there only because somebody asked for their relation."""
    import polars as pl

    from deeplens_kit.matching.relations import LOOK_FIRST

    going = groups.filter(~pl.col("is_keeper"))
    counts = [(name, going.filter(relation=name)["object_id"].n_unique()) for name in LOOK_FIRST]
    return [f"Included: {plural(count, 'file')} ({name}): {LOOK_FIRST[name]}." for name, count in counts if count]


def _duplicates_lines(
    totals: Totals, covered: CoverageTotals, view: GroupsView, most: int, *, listed: bool
) -> list[str]:
    from deeplens_kit.reporting.savings_numbers import coverage_line

    if not covered.objects:
        return []
    lines = []
    if listed and totals.groups > most:
        lines.append(f"Showing {most:,} of {totals.groups:,} groups; all of them with --csv, or more with --limit.")
    if totals.objects:
        lines.append(
            f"{plural(totals.groups, 'group')}, {plural(totals.objects, 'file')} that could go: "
            f"{format_bytes(totals.realisable_bytes)} can be freed"
            + (
                f" of {format_bytes(totals.gross_bytes)} (hard links free nothing)."
                if totals.realisable_bytes != totals.gross_bytes
                else "."
            )
        )
    withheld, related = view.withheld.height, view.related.height
    if withheld:
        lines.append(f"{plural(withheld, 'match', 'matches')} not proposed; --withheld lists them with the reason.")
    if related:
        lines.append(
            f"{plural(related, 'pair')} related, not proposed: one picture holds the other, or a part of it, and more; "
            "--html and --json list them."
        )
    lines.append(coverage_line(covered))
    return lines


def _write_page(
    workspace: Workspace,
    view: GroupsView,
    coverage: pl.DataFrame,
    target: Path,
    limit: int | None,
    notes: Sequence[str],
) -> None:
    import polars as pl

    from deeplens_kit import __version__, pipeline
    from deeplens_kit.reporting import (
        DuplicatesFrames,
        describe_duplicates,
        render_duplicates_page,
        write_atomically,
    )
    from deeplens_kit.reporting.duplicates_view import MAX_GROUPS

    ends = [view.withheld["digest"], view.withheld["keeper_digest"], view.related["digest"]]
    named = pl.concat([view.groups["digest"], *ends, view.related["other_digest"]]).unique()
    named_objects = pl.concat(
        [
            *(view.withheld[name] for name in ("object_id", "keeper_object_id")),
            *(view.related[name] for name in ("object_id", "other_object_id")),
        ]
    ).unique()
    places = (
        workspace.catalog.objects(columns=["object_id", "location_id", "path"])
        .filter(pl.col("object_id").is_in(named_objects.implode()))
        .join(workspace.location_names(), on="location_id", how="left")
    )
    facts = ["digest", "format", "width_px", "height_px", "jpeg_quality"]
    frames = DuplicatesFrames(
        groups=view.groups,
        withheld=view.withheld,
        related=view.related,
        pairs=workspace.catalog.pairs(),
        pictures=workspace.catalog.pictures(digests=named.to_list(), columns=facts),
        places=places.select("object_id", "location", "path"),
        coverage=coverage,
        failures=pipeline.of_active_locations(workspace, pipeline.list_failures(workspace)),
    )
    described = describe_duplicates(
        frames,
        workspace=shown(workspace.directory.name),
        made_at=datetime.now().astimezone(),
        version=__version__,
        notes=notes,
        max_groups=limit or MAX_GROUPS,
    )
    write_atomically(target, render_duplicates_page(described, lambda digest: pipeline.thumbnail(workspace, digest)))


def savings(
    context: typer.Context,
    tier: ProposedTier = None,
    policy: Policy = None,
    rule: RuleName = None,
    as_json: Json = False,
    csv: Csv = None,
) -> None:
    """Say what the copies cost, by location and tier: their size, and what removing them would free."""
    check_outputs(csv)
    with opened(context, csv) as workspace:
        from deeplens_kit import pipeline
        from deeplens_kit.reporting.policy_words import policy_notes
        from deeplens_kit.reporting.rule_words import rule_notes
        from deeplens_kit.reporting.savings_numbers import add_up_savings
        from deeplens_kit.reporting.totals import add_up_coverage

        judged = pipeline.chosen_rule(workspace, rule)
        keep = pipeline.chosen_policy(workspace, policy)
        frame = pipeline.summarise_savings(workspace, chosen("tier", tier, PROPOSED_TIERS), rule=judged, policy=keep)
        covered = add_up_coverage(pipeline.of_active_locations(workspace, pipeline.coverage(workspace)))
        empty = _when_empty(workspace, "No duplicates, so nothing to save.")
        current = pipeline.is_current(workspace)
        notes = [*pipeline.caveats(workspace, current=current), *rule_notes(judged), *policy_notes(keep)]
        numbers = add_up_savings(frame, covered, current=current, notes=notes)
    rows = numbers.rows

    def show() -> Sheet:
        right = ["files", "size", "can be freed"]
        if numbers.money is not None:
            right += [f"{numbers.money.currency} a month", f"{numbers.money.currency} once"]
        columns = (Column("location"), Column("tier"), *(Column(heading, "right") for heading in right))
        lines = [
            (
                shown(row["location"]),
                row["tier"],
                format_count(row["objects"]),
                format_bytes(row["gross_bytes"]),
                format_bytes(row["realisable_bytes"]),
                *(_money(row[name]) for name in ("money_per_month", "money_once") if name in row),
            )
            for row in rows.iter_rows(named=True)
        ]
        return Sheet(columns, lines, empty)

    say_notes(notes)
    closing = [*numbers.lines, *([_HOW_TO_PRICE] if rows.height and numbers.money is None else [])]
    give(Answer("savings", rows, show, numbers.summary, closing), as_json=as_json, csv=csv)


def _money(exact: str | None) -> str:
    return "no price" if exact is None else format_money(Decimal(exact))


def _when_empty(workspace: Workspace, nothing: str) -> str:
    """What to say when there are no rows: nothing found, nothing indexed, or no locations."""
    if not workspace.ledger.locations(inactive=True):
        return NO_LOCATIONS
    if not any(run.kind == "index" for run in workspace.ledger.runs()):
        return "Nothing indexed yet; run `deeplens index`."
    return nothing
