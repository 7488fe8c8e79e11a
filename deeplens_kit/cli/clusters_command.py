"""The commands that list clusters of alike pictures, and the pictures of one.

Takes a feature and a least size, gives a table with medoids, sizes and words; must not propose anything: what lies in a
cluster is alike, not the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from deeplens_kit.cli.answers import Answer, Csv, Json, check_outputs, give
from deeplens_kit.cli.invocation import invocation, opened
from deeplens_kit.cli.location_commands import NO_LOCATIONS
from deeplens_kit.cli.standing import say_notes
from deeplens_kit.cli.tables import Column, Sheet, place, shown
from deeplens_kit.errors import SettingsError
from deeplens_kit.reporting.words import format_bytes, format_count, format_score, plural
from deeplens_kit.views.index_progress import progress_listener

if TYPE_CHECKING:
    import polars as pl

    from deeplens_kit.pipeline import PictureClusters, Workspace

__all__ = ["clusters", "show"]

Feature = Annotated[
    str | None,
    typer.Option(
        "--feature",
        metavar="NAME",
        help="By which pictures are alike; by default the one that says most of what they show.",
    ),
]
_LEAST = 2
Least = Annotated[
    int | None, typer.Option("--least", min=_LEAST, help="Different pictures of a cluster; by default 5.")
]

_SHOWN_CLUSTERS = 50
_SHOWN_PICTURES = 100
_NO_SAVING = "Alike is not the same: none of them is proposed for removal, and no size here is a saving."


def clusters(
    context: typer.Context,
    feature: Feature = None,
    least: Least = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Clusters at most; the table shows 50 by default.")] = None,
    as_json: Json = False,
    csv: Csv = None,
) -> None:
    """List clusters of pictures that are alike and no copies of each other, to see what there is."""
    if context.invoked_subcommand is not None:
        return
    check_outputs(csv)
    with opened(context, csv) as workspace:
        found, notes = _found(context, workspace, feature, least, as_json=as_json)
        empty = _when_empty(workspace, found)
    rows = found.clusters if limit is None else found.clusters.head(limit)
    first = rows.head(limit or _SHOWN_CLUSTERS)
    closing = []
    if found.clusters.height:
        if first.height < found.clusters.height and csv is None:
            closing.append(f"Showing {first.height:,}; all of them with --csv, or more with --limit.")
        closing += [*_standing(found), _NO_SAVING, "`deeplens clusters show NUMBER` lists the pictures of one."]
    say_notes(notes)
    answer = Answer("clusters", rows, lambda: _sheet(first, empty), _summary(found, notes), closing)
    give(answer, as_json=as_json, csv=csv)


def show(
    context: typer.Context,
    number: Annotated[
        int, typer.Argument(metavar="NUMBER", help="As `deeplens clusters` lists it.", show_default=False)
    ],
    feature: Feature = None,
    least: Least = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Pictures at most; the table shows 100 by default.")] = None,
    as_json: Json = False,
    csv: Csv = None,
) -> None:
    """List the pictures of a cluster, the surest first. Give --feature and --least as they were given to the list."""
    check_outputs(csv)
    # `deeplens clusters --least 3 show 1` means the clusters that were just listed so.
    before = context.parent.params if context.parent is not None else {}
    feature, least = feature or before.get("feature"), least or before.get("least")
    with opened(context, csv) as workspace:
        found, notes = _found(context, workspace, feature, least, as_json=as_json)
        empty = _when_empty(workspace, found)
    cluster = found.clusters.filter(cluster=number)
    if cluster.is_empty():
        known = f"they are numbered from 1 to {found.clusters.height:,}." if found.clusters.height else empty
        raise SettingsError(f"There is no cluster {number}; {known}")
    members = found.members.filter(cluster=number)
    rows = members if limit is None else members.head(limit)
    first = rows.head(limit or _SHOWN_PICTURES)
    one = cluster.row(0, named=True)
    closing = [
        f"Cluster {number}: {plural(one['different'], 'different picture')}, {plural(one['pictures'], 'picture')} with "
        f"copies, {plural(one['objects'], 'file')}, {format_bytes(one['bytes'])}"
        + (f"; {', '.join(map(shown, one['words']))}." if one["words"] else "."),
    ]
    if first.height < members.height and csv is None:
        closing.append(f"Showing {first.height:,}; all of them with --csv, or more with --limit.")
    closing.append(_NO_SAVING)
    say_notes(notes)
    summary = {**_summary(found, notes), "cluster": {name: one[name] for name in found.clusters.columns}}
    answer = Answer("clusters show", rows, lambda: _members_sheet(first, members), summary, closing)
    give(answer, as_json=as_json, csv=csv)


def _found(
    context: typer.Context, workspace: Workspace, feature: str | None, least: int | None, *, as_json: bool
) -> tuple[PictureClusters, list[str]]:
    from deeplens_kit import pipeline
    from deeplens_kit.explore import LEAST_PICTURES

    with progress_listener(quiet=as_json or invocation(context).json_logs) as listener:
        found = pipeline.cluster_pictures(workspace, feature or "", least=least or LEAST_PICTURES, progress=listener)
    return found, pipeline.caveats(workspace, current=pipeline.is_current(workspace))


def _summary(found: PictureClusters, notes: list[str]) -> dict[str, object]:
    return {
        "clusters": found.clusters.height,
        "feature": found.feature,
        "least": found.least,
        "words_by": found.words_by,
        "pictures": found.pictures,
        "in_clusters": found.members.height,
        "in_none": found.in_none,
        "without_vector": found.without_vector,
        "notes": notes,
    }


def _standing(found: PictureClusters) -> list[str]:
    words = {"": "", "texts": " Words from paths, notes and what files say."}
    lines = [
        f"{plural(found.clusters.height, 'cluster')} by {found.feature}, with {found.members.height:,} of "
        f"{plural(found.pictures, 'picture')}; {found.in_none:,} in none."
        + words.get(found.words_by, f" Words chosen by {found.words_by}.")
    ]
    if found.without_vector:
        lines.append(f"{plural(found.without_vector, 'picture')} without a vector of {found.feature}: in no cluster.")
    return lines


def _when_empty(workspace: Workspace, found: PictureClusters) -> str:
    """What to say when there are no clusters: why."""
    if not workspace.ledger.locations(inactive=True):
        return NO_LOCATIONS
    if not any(run.kind == "index" for run in workspace.ledger.runs()):
        return "Nothing indexed yet; run `deeplens index`."
    if found.pictures == found.without_vector:
        what = f"a vector of {found.feature}" if found.feature else "a vector of any feature"
        return (
            f"No picture has {what} yet, so there are no clusters; `deeplens models list` says which models there are: "
            "name one in features.enabled of workspace.toml and run `deeplens index`."
        )
    nowhere = f"No clusters by {found.feature}: nowhere lie {found.least} different pictures close together. "
    if found.least <= _LEAST:
        return f"{nowhere}--feature takes another likeness."
    return f"{nowhere}--least takes fewer, --feature another likeness."


def _sheet(rows: pl.DataFrame, empty: str) -> Sheet:
    columns = (
        Column("cluster", "right"),
        Column("different", "right"),
        Column("pictures", "right"),
        Column("files", "right"),
        Column("size", "right"),
        Column("words", fold=True),
        Column("most like all of it", fold=True),
    )
    lines = [
        (
            str(row["cluster"]),
            *(format_count(row[name]) for name in ("different", "pictures", "objects")),
            format_bytes(row["bytes"]),
            ", ".join(map(shown, row["words"])),
            place(row["location"], row["path"]),
        )
        for row in rows.iter_rows(named=True)
    ]
    return Sheet(columns, lines, empty)


def _members_sheet(rows: pl.DataFrame, members: pl.DataFrame) -> Sheet:
    places = {row["digest"]: place(row["location"], row["path"]) for row in members.iter_rows(named=True)}
    columns = (
        Column("sure", "right"),
        Column("picture", fold=True),
        Column("files", "right"),
        Column("size", "right"),
        Column("pixels", "right"),
        Column("", fold=True),
    )
    lines = []
    for row in rows.iter_rows(named=True):
        said = "most like all of it" if row["is_medoid"] else ""
        if row["copy_of"] != row["digest"]:
            said = f"copy of {places[row['copy_of']]}"
        lines.append(
            (
                format_score(row["probability"]),
                places[row["digest"]],
                format_count(row["objects"]),
                format_bytes(row["size_bytes"]),
                f"{row['width_px']} × {row['height_px']}",
                said,
            )
        )
    return Sheet(columns, lines, "")
