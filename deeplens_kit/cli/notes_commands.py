"""Commands for what people say of files: collections, and tags and texts of single files.

Takes names, gives what the ledger holds of them; must not touch a file.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from deeplens_kit.cli.answers import Answer, Csv, Json, check_outputs, give
from deeplens_kit.cli.invocation import opened
from deeplens_kit.cli.tables import Column, Sheet, place, shown
from deeplens_kit.reporting.words import plural

if TYPE_CHECKING:
    import polars as pl

    from deeplens_kit.ledger import Collection
    from deeplens_kit.pipeline import NotedFile

__all__ = ["Category", "CollectionName", "Description", "Source", "Tags", "add_collection", "collections", "tag"]

Tags = Annotated[list[str] | None, typer.Option("--tag", metavar="TAG", help="A tag; may come again.")]
CollectionName = Annotated[
    str | None, typer.Option("--collection", metavar="NAME", help="The collection; made where there is none.")
]
Description = Annotated[str | None, typer.Option("--description", metavar="TEXT", help="What it is.")]
Category = Annotated[str | None, typer.Option("--category", metavar="TEXT", help="A word of yours.")]
Source = Annotated[str | None, typer.Option("--source", metavar="TEXT", help="Where it came from.")]


def collections(context: typer.Context, as_json: Json = False, csv: Csv = None) -> None:
    """List the collections, with the number of pictures in each."""
    if context.invoked_subcommand is not None:
        return
    check_outputs(csv)
    with opened(context, csv) as workspace:
        found = workspace.ledger.collections()
    closing = [f"{plural(len(found), 'collection')}."] if found else []
    answer = Answer("collections", _frame(found), lambda: _sheet(found), {"collections": len(found)}, closing)
    give(answer, as_json=as_json, csv=csv)


def add_collection(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="Its name.", show_default=False)],
    description: Description = None,
    as_json: Json = False,
    csv: Csv = None,
) -> None:
    """Make a collection before there are pictures in it."""
    check_outputs(csv)
    with opened(context, csv) as workspace:
        made = workspace.ledger.add_collection(name, description or "")
    lines = [f"Added the collection {shown(made.name)}. `deeplens ingest` and `deeplens tag` put pictures into it."]
    give(Answer("collections add", _frame([made]), None, {"collections": 1}, lines), as_json=as_json, csv=csv)


def _frame(found: Sequence[Collection]) -> pl.DataFrame:
    import polars as pl

    schema: dict[str, pl.DataType | type[pl.DataType]] = {
        "collection": pl.String,
        "description": pl.String,
        "pictures": pl.Int64,
        "created_at": pl.Datetime("us", "UTC"),
    }
    rows = [(item.name, item.description, item.pictures, item.created_at) for item in found]
    return pl.DataFrame(rows, schema=schema, orient="row")


def _sheet(found: Sequence[Collection]) -> Sheet:
    columns = (Column("collection"), Column("pictures", "right"), Column("description", fold=True))
    lines = [(shown(item.name), f"{item.pictures:,}", shown(item.description)) for item in found]
    return Sheet(columns, lines, "No collections yet; `deeplens collections add NAME` makes one.")


def tag(
    context: typer.Context,
    what: Annotated[
        str, typer.Argument(metavar="LOCATION:PATH", help="An indexed file, or its path.", show_default=False)
    ],
    tags: Tags = None,
    remove_tag: Annotated[
        list[str] | None, typer.Option("--remove-tag", metavar="TAG", help="A tag to take off; may come again.")
    ] = None,
    collection: CollectionName = None,
    description: Description = None,
    category: Category = None,
    source: Source = None,
    as_json: Json = False,
    csv: Csv = None,
) -> None:
    """Say what a file is, beside what was said before; an empty text takes it back. Without options, show it."""
    import polars as pl

    from deeplens_kit.ledger import NoteChange

    check_outputs(csv)
    change = NoteChange(collection, tuple(tags or ()), tuple(remove_tag or ()), description, category, source)
    with opened(context, csv) as workspace:
        from deeplens_kit import pipeline

        if change == NoteChange():
            found = pipeline.note_of_file(workspace, what)
        else:
            found = pipeline.annotate_file(workspace, what, change)
    note = found.note
    row = {
        "location": found.location,
        "path": found.path,
        "digest": found.digest,
        "collection": note.collection if note else "",
        "tags": ",".join(note.tags) if note else "",
        "description": note.description if note else "",
        "category": note.category if note else "",
        "source": note.source if note else "",
        "who": note.who if note else None,
        "at": note.at if note else None,
    }
    schema = {name: pl.Datetime("us", "UTC") if name == "at" else pl.String for name in row}
    frame = pl.DataFrame([row], schema=schema)
    summary = {"tags": list(note.tags) if note else []}
    give(Answer("tag", frame, None, summary, _lines(found)), as_json=as_json, csv=csv)


def _lines(found: NotedFile) -> list[str]:
    note, name = found.note, place(found.location, found.path)
    if note is None:
        return [f"{name}: nothing is said of it yet."]
    said = [
        ("collection", note.collection),
        ("tags", ", ".join(note.tags)),
        ("description", note.description),
        ("category", note.category),
        ("source", note.source),
    ]
    return [name, *(f"  {what}: {shown(text)}" for what, text in said if text), f"  said by: {shown(note.who)}"]
