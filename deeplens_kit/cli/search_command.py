"""The command that searches by image: have we got this picture, and where?

Takes a file, a link or the name of an indexed picture, gives the most alike with every place; indexes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated

import typer

from deeplens_kit.cli.answers import Answer, Csv, Json, check_outputs, give
from deeplens_kit.cli.invocation import opened
from deeplens_kit.cli.location_commands import NO_LOCATIONS
from deeplens_kit.cli.sizes import given_bytes
from deeplens_kit.cli.standing import say_notes
from deeplens_kit.cli.tables import Column, Sheet, place, shown
from deeplens_kit.reporting.words import format_bytes, format_score, plural

if TYPE_CHECKING:
    import polars as pl

    from deeplens_kit.pipeline import SearchAnswer, Workspace

__all__ = ["search"]

_TIERS = ("bytes", "copy", "scene")
_LISTED_PLACES = 3


def search(
    context: typer.Context,
    image: Annotated[
        str,
        typer.Option(
            metavar="IMAGE",
            help="A picture file, a link (http, https), location:path of an indexed file, or its digest.",
            show_default=False,
        ),
    ],
    location: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Only pictures stored there; may come again.")
    ] = None,
    picture_format: Annotated[
        list[str] | None, typer.Option("--format", metavar="NAME", help="Only JPEG, PNG ...; may come again.")
    ] = None,
    min_size: Annotated[
        str | None, typer.Option(metavar="SIZE", help="Only files of this size or larger, for example 500kB.")
    ] = None,
    max_size: Annotated[str | None, typer.Option(metavar="SIZE", help="Only files of this size or smaller.")] = None,
    min_side: Annotated[
        int, typer.Option(metavar="PX", min=0, help="Only pictures whose shorter side is this long or longer.")
    ] = 0,
    threshold: Annotated[float, typer.Option(metavar="SCORE", help="Least score, 0 to 1; a copy has 0.5.")] = 0.0,
    tier: Annotated[
        list[str] | None,
        typer.Option("--tier", metavar="|".join(_TIERS), help="Only evidence of this strength; may come again."),
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="Pictures at most.")] = 20,
    allow_private: Annotated[
        bool, typer.Option("--allow-private", help="Follow a link also to an address that is not public.")
    ] = False,
    as_json: Json = False,
    csv: Csv = None,
) -> None:
    """Search the indexed pictures for one: equal, copied, or alike, the best first, with every place."""
    check_outputs(csv)
    sizes = (given_bytes("--min-size", min_size) or 0, given_bytes("--max-size", max_size))
    with opened(context, csv) as workspace:
        from deeplens_kit import pipeline
        from deeplens_kit.search import SearchFilters

        filters = SearchFilters(
            locations=tuple(location or ()),
            formats=tuple(picture_format or ()),
            min_bytes=sizes[0],
            max_bytes=sizes[1],
            min_side_px=min_side,
            min_score=threshold,
            tiers=tuple(tier or ()),  # type: ignore[arg-type]
        )
        answer = pipeline.Searcher(workspace).search(image, filters=filters, limit=limit, allow_private=allow_private)
        notes = [*answer.missing, *pipeline.run_caveats(workspace)]
        empty = _when_empty(workspace, answer, filtered=filters != SearchFilters())
    query = {**answer.query, "name": shown(str(answer.query["name"]))}
    summary: dict[str, object] = {"query": query, "searched": answer.searched}
    summary |= {"found": answer.found, "found_all": answer.found_all, "current": answer.current, "notes": notes}
    say_notes(notes)
    give(
        Answer(
            "search",
            answer.results,
            lambda: _sheet(answer, empty),
            summary,
            _closing(answer),
            {"places": answer.places},
        ),
        as_json=as_json,
        csv=csv,
    )


def _sheet(answer: SearchAnswer, empty: str) -> Sheet:
    columns = (
        Column("score", "right"),
        Column("tier"),
        Column("places", fold=True),
        Column("picture", fold=True),
        Column("why", fold=True),
    )
    by_picture = answer.places.partition_by("digest", as_dict=True)
    lines = [
        (
            format_score(row["score"]),
            row["tier"],
            _places(row, by_picture[(row["digest"],)]),
            f"{row['width_px']:,} × {row['height_px']:,} px, {row['format']}, {format_bytes(row['size_bytes'])}",
            row["why"],
        )
        for row in answer.results.iter_rows(named=True)
    ]
    return Sheet(columns, lines, empty)


def _places(row: Mapping[str, str], places: pl.DataFrame) -> str:
    """The place that stands for the picture, a few more, and how many others there are."""
    first = place(row["location"], row["path"])
    others = [
        name for name in (place(*pair) for pair in places.select("location", "path").iter_rows()) if name != first
    ]
    named = [first, *others[: _LISTED_PLACES - 1]]
    more = 1 + len(others) - len(named)
    return ", ".join(named) + (f" and {more:,} more" if more else "")


def _closing(answer: SearchAnswer) -> list[str]:
    if answer.results.is_empty():
        return []
    counts = {name: answer.results.filter(answer.results["tier"] == name).height for name in _TIERS}
    listed = answer.results.height
    words = ", ".join(f"{count:,} {name}" for name, count in counts.items() if count)
    lines = [f"{plural(listed, 'picture')} like {shown(str(answer.query['name']))}: {words}."]
    if answer.found > listed:
        least = "" if answer.found_all else "at least "
        lines.append(f"Showing {listed:,} of {least}{answer.found:,}; more with --limit.")
    lines.append(f"{plural(answer.searched, 'picture')} compared.")
    return lines


def _when_empty(workspace: Workspace, answer: SearchAnswer, *, filtered: bool) -> str:
    """What to say when nothing was found: nothing to search, nothing alike, or filters that let nothing through."""
    if not workspace.ledger.locations():
        return NO_LOCATIONS
    if not any(run.kind == "index" for run in workspace.ledger.runs()):
        return "Nothing indexed yet; run `deeplens index`."
    if not answer.searched and not filtered:
        return "No picture is indexed; `deeplens failures` gives the reasons."
    if not answer.searched:
        return "No indexed picture passes these filters; leave one out."
    beside = ", or none that passes these filters" if filtered else ""
    return f"Nothing alike: {plural(answer.searched, 'picture')} compared, none is a copy or like this one{beside}."
