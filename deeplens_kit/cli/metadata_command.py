"""The command that shows what a file says about itself.

Takes a file, an indexed file or a digest, gives its tags by block; what is private is hidden unless it is asked for.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from deeplens_kit.cli.answers import Answer, Csv, Json, check_outputs, give
from deeplens_kit.cli.invocation import STANDARD_OUTPUT, invocation, logging_on, opened
from deeplens_kit.cli.tables import Column, Sheet, print_lines, shown

if TYPE_CHECKING:
    from deeplens_kit.pipeline import FileMetadata

__all__ = ["metadata"]


def metadata(
    context: typer.Context,
    what: Annotated[
        str,
        typer.Argument(
            metavar="WHAT",
            help="A picture file, location:path of an indexed file, or the digest of an indexed picture.",
            show_default=False,
        ),
    ],
    show_private: Annotated[
        bool,
        typer.Option(
            "--show-private", help="Also positions, serial numbers, names, contacts, free texts and unknown fields."
        ),
    ] = False,
    as_json: Json = False,
    csv: Csv = None,
) -> None:
    """Show what a file says about itself: EXIF, GPS, XMP, IPTC and more. What is private is hidden by default."""
    import polars as pl

    check_outputs(csv)
    found = _found(context, what, csv)
    # Loaded after the workspace, with what decodes.
    from deeplens_kit.decode import mask_tags

    tags = mask_tags(found.tags.tags, private=show_private)
    rows = [(tag.group, tag.name, tag.value, tag.sensitive) for tag in tags]
    frame = pl.DataFrame(rows, schema=dict.fromkeys(("block", "tag", "value", "private"), pl.String), orient="row")

    def show() -> Sheet:
        columns = (Column("block"), Column("tag"), Column("value", fold=True))
        lines = [(tag.group, tag.name, tag.value) for tag in tags]
        starts = frozenset(at for at in range(1, len(lines)) if lines[at][0] != lines[at - 1][0])
        nothing = "Nothing was found in what could be read of it." if found.tags.problems else _SILENT
        return Sheet(columns, lines, nothing, starts)

    dates, note = found.dates, found.tags.maker_note
    summary: dict[str, object] = {"name": found.name, "digest": found.digest, "format": found.format}
    summary |= {"dated_at": dates.dated_at, "taken_at_utc": dates.taken_at_utc, "taken_at_origin": dates.origin}
    summary |= {"maker_note_bytes": None if note is None else len(note), "problems": list(found.tags.problems)}
    hidden = 0 if show_private else sum(bool(tag.sensitive) for tag in tags)
    summary |= {"kept": found.kept, "hidden": hidden}
    if not as_json and csv != STANDARD_OUTPUT:
        print_lines([*_head(found), ""])
    give(Answer("metadata", frame, show, summary, _closing(found, hidden)), as_json=as_json, csv=csv)


_SILENT = "It says nothing about itself."


def _found(context: typer.Context, what: str, csv: Path | None) -> FileMetadata:
    from deeplens_kit import pipeline
    from deeplens_kit.settings import WORKSPACE_FILE

    options = invocation(context)
    if not options.named and not (options.workspace / WORKSPACE_FILE).exists():
        with logging_on(context):
            return pipeline.file_metadata(None, what)
    with opened(context, csv) as workspace:
        return pipeline.file_metadata(workspace, what)


def _head(found: FileMetadata) -> list[str]:
    lines = [f"{shown(found.name)}, {found.format}, picture {found.digest[:12]}"]
    if found.dates.dated_at is not None:
        said = f"{found.dates.dated_at:%Y-%m-%d %H:%M:%S}"
        if found.dates.taken_at_utc is not None:
            said += f" ({found.dates.taken_at_utc:%Y-%m-%d %H:%M:%S} UTC)"
        lines.append(f"Made {said}, says {found.dates.origin}.")
    return lines


def _closing(found: FileMetadata, hidden: int) -> list[str]:
    lines = [f"Could not be read in full: {'; '.join(found.tags.problems)}."] if found.tags.problems else []
    if hidden:
        lines.append(f"Hidden because private: {hidden}; --show-private shows them.")
    return lines
