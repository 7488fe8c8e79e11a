"""`deeplens forget`: every trace of one picture removed, and the proof that none is left.

Takes what names a picture and a reason, gives what went, what stays and why. Without --really nothing is changed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from deeplens_kit.cli.answers import Answer, Csv, Json, check_outputs, give
from deeplens_kit.cli.invocation import opened
from deeplens_kit.cli.tables import Column, Sheet, place, shown
from deeplens_kit.errors import WorkspaceError
from deeplens_kit.reporting.words import format_bytes, plural

if TYPE_CHECKING:
    import polars as pl

    from deeplens_kit.pipeline.forgetting import Forgotten

__all__ = ["forget"]

_SHOWN = 10


def forget(
    context: typer.Context,
    what: Annotated[
        str,
        typer.Argument(
            metavar="WHAT", help="A digest, LOCATION/path of an object, or a file with its content.", show_default=False
        ),
    ],
    why: Annotated[
        str, typer.Option("--why", metavar="TEXT", help="The reason, for the audit trail.", show_default=False)
    ],
    really: Annotated[bool, typer.Option("--really", help="Do it; else only say what would go.")] = False,
    keep_out: Annotated[
        bool, typer.Option("--keep-out", help="Have later runs leave it out: a keyed hash of its digest is kept.")
    ] = False,
    as_json: Json = False,
    csv: Csv = None,
) -> None:
    """Say what the workspace knows of one picture, or with --really remove every trace of it. No file is touched."""
    check_outputs(csv)
    with opened(context, csv) as workspace:
        from deeplens_kit.pipeline import forgetting

        done = forgetting.forget(workspace, what, why, really=really, keep_out=keep_out)
    give(_answer(done), as_json=as_json, csv=csv)
    if done.proof is not None and not done.clean:
        raise WorkspaceError(
            f"Traces of picture {done.digest[:12]}… are left: {shown('; '.join(done.proof.unexplained[:3]))}. Remove "
            "these files, or run it again with the digest."
        )


def _answer(done: Forgotten) -> Answer:
    import polars as pl

    stays = pl.DataFrame(
        [(item.where, item.what, item.count, item.why) for item in done.stays],
        schema={"where": pl.String, "what": pl.String, "count": pl.Int64, "why": pl.String},
        orient="row",
    )
    proof = done.proof
    summary = {
        "digest": done.digest,
        "really": done.really,
        "kept_out": done.kept_out,
        "clean": done.clean,
        "files_read": proof.files if proof else None,
        "bytes_read": proof.size_bytes if proof else None,
        "unexplained": list(proof.unexplained) if proof else None,
    }
    lists = {"stays": stays, "files": done.files}
    return Answer("forget", done.removed, lambda: _sheet(done.removed), summary, list(_closing(done)), lists)


def _sheet(removed: pl.DataFrame) -> Sheet:
    lines = [(where, what, f"{count:,}") for where, what, count in removed.iter_rows()]
    columns = (Column("where"), Column("what"), Column("rows or files", side="right"))
    return Sheet(columns, lines, "The workspace knows nothing of this picture.")


def _closing(done: Forgotten) -> list[str]:
    verb = "went" if done.really else "would go"
    total = int(done.removed["count"].sum())
    lines = [f"{plural(total, 'row or file', 'rows or files')} of picture {done.digest} {verb}."]
    lines += [f"Stays: {item.where}, {shown(item.what)}{_times(item.count)}: {item.why}." for item in done.stays]
    there = done.files.filter(done.files["outcome"] != "gone")
    for location, path, _ in there.head(_SHOWN).iter_rows():
        lines.append(f"The file {place(location, path)} is not touched.")
    if done.kept_out:
        lines.append(
            "It is kept out: later runs count each file that holds it as kept_out, by its place, size and time alone; "
            "`deeplens kept-out withdraw` lets it in again."
        )
    elif there.height:
        lines.append(
            "The next index finds what is still there again: whoever owns the storage has to remove it first, as "
            "DeepLens never removes the last copy of a picture; --keep-out has it left out."
        )
    if done.proof is None:
        lines.append("Nothing was changed; --really does it.")
    elif done.clean:
        lines.append(
            f"Proved: {plural(done.proof.files, 'file')} of the workspace ({format_bytes(done.proof.size_bytes)}) were "
            "read to the last byte, and every table was asked; nothing is left but what is told above."
        )
    return lines


def _times(count: int | None) -> str:
    return "" if count is None else f" ({count:,})"
