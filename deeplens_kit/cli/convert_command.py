"""The command that writes converted copies, and says what each has lost.

Takes files and what they are to become, gives a row for each; plans nothing, and changes or removes nothing. Needs no
workspace for files of this machine.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from deeplens_kit.cli.answers import Answer, Csv, Json, check_outputs, give
from deeplens_kit.cli.invocation import invocation, logging_on, opened
from deeplens_kit.cli.stopping import stop_on_signals
from deeplens_kit.cli.tables import Column, Sheet, shown
from deeplens_kit.errors import Interrupted, ObjectError
from deeplens_kit.reporting.words import format_bytes, format_percent, plural
from deeplens_kit.views.index_progress import progress_listener

if TYPE_CHECKING:
    import polars as pl

    from deeplens_kit.decode import ConversionTarget
    from deeplens_kit.pipeline import Conversion, Workspace

__all__ = ["convert"]

_FORMATS = "avif|heif|jpeg|jxl|png|tiff|webp"
_BETWEEN = "; "
_FACTS = (
    "source_format", "format", "source_width_px", "source_height_px", "width_px", "height_px", "source_frames",
    "frames", "source_bits", "bits", "exact", "psnr_db", "ssim", "has_position",
)  # fmt: skip


def convert(
    context: typer.Context,
    what: Annotated[
        list[str],
        typer.Argument(metavar="WHAT...", help="Picture files, or location:path of the workspace.", show_default=False),
    ],
    to: Annotated[
        Path,
        typer.Option(
            "--to",
            metavar="FOLDER",
            help="Where the copies go: a folder that is there, in no location.",
            show_default=False,
        ),
    ],
    format_name: Annotated[
        str, typer.Option("--format", metavar=_FORMATS, help="What they become.", show_default=False)
    ],
    quality: Annotated[
        int | None, typer.Option(metavar="1..100", help="Of a lossy format, as its encoder counts; by default 90.")
    ] = None,
    lossless: Annotated[bool, typer.Option("--lossless", help="Keep every sample.")] = False,
    max_side: Annotated[
        int | None, typer.Option(metavar="PX", help="Reduce the long side to this; nothing is enlarged.")
    ] = None,
    strip_metadata: Annotated[
        bool,
        typer.Option(
            "--strip-metadata",
            help="Leave out EXIF and XMP, with them position, serial numbers and names. By default they go along.",
        ),
    ] = False,
    workers: Annotated[
        int | None, typer.Option(min=0, help="Pictures at a time; 0 for all cores. By default the setting.")
    ] = None,
    as_json: Json = False,
    csv: Csv = None,
) -> None:
    """Write converted copies into a folder, and say what each has lost. The sources stay as they are."""
    from deeplens_kit.decode import ConversionTarget

    check_outputs(csv)
    target = ConversionTarget(
        format_name.lower(), quality=quality, lossless=lossless, max_side_px=max_side, strip_metadata=strip_metadata
    )
    quiet = as_json or invocation(context).json_logs
    with _workspace(context, csv) as workspace, stop_on_signals() as stop:
        rows = _converted(workspace, what, to, target, workers, stop, quiet=quiet)
    frame = _frame(rows)
    summary = _summary(rows, len(what))
    give(Answer("convert", frame, lambda: _sheet(rows), summary, _closing(rows, summary)), as_json=as_json, csv=csv)
    if summary["not_begun"]:
        raise Interrupted("Interrupted; copies that were finished are kept.")
    if summary["failed"]:
        raise ObjectError(f"{summary['failed']} of {plural(len(what), 'file')} could not be converted; see the rows.")


@contextmanager
def _workspace(context: typer.Context, csv: Path | None) -> Iterator[Workspace | None]:
    from deeplens_kit.settings import WORKSPACE_FILE

    options = invocation(context)
    if not options.named and not (options.workspace / WORKSPACE_FILE).exists():
        with logging_on(context):
            yield None
    else:
        with opened(context, csv) as workspace:
            yield workspace


def _converted(
    workspace: Workspace | None,
    what: Sequence[str],
    to: Path,
    target: ConversionTarget,
    workers: int | None,
    stop: threading.Event,
    *,
    quiet: bool,
) -> list[Conversion]:
    from deeplens_kit import pipeline

    with progress_listener(quiet=quiet) as listener:
        return pipeline.convert_files(workspace, what, to, target, workers=workers, progress=listener, stop=stop)


def _frame(rows: Sequence[Conversion]) -> pl.DataFrame:
    import polars as pl

    schema: dict[str, pl.DataType | type[pl.DataType]] = {
        "path_source": pl.String, "path": pl.String, "outcome": pl.String, "code": pl.String, "message": pl.String,
        "size_bytes_before": pl.Int64, "size_bytes": pl.Int64, "saved_share": pl.Float64,
        "source_format": pl.String, "format": pl.String, "source_width_px": pl.Int64, "source_height_px": pl.Int64,
        "width_px": pl.Int64, "height_px": pl.Int64, "source_frames": pl.Int64, "frames": pl.Int64,
        "source_bits": pl.Int64, "bits": pl.Int64, "exact": pl.Boolean, "psnr_db": pl.Float64, "ssim": pl.Float64,
        "has_position": pl.Boolean, "lost": pl.String,
    }  # fmt: skip
    return pl.DataFrame([_row(row) for row in rows], schema=schema)


def _row(row: Conversion) -> dict[str, object]:
    facts = row.facts
    return {
        "path_source": row.source,
        "path": row.path,
        "outcome": "failed" if facts is None else "converted",
        "code": row.code or None,
        "message": row.message or None,
        "size_bytes_before": row.size_bytes_before,
        "size_bytes": row.size_bytes,
        "saved_share": _saved_share(row),
        **{name: None if facts is None else getattr(facts, name) for name in _FACTS},
        "lost": None if facts is None else _BETWEEN.join(facts.lost),
    }


def _saved_share(row: Conversion) -> float | None:
    if row.size_bytes is None or not row.size_bytes_before:
        return None
    return 1 - row.size_bytes / row.size_bytes_before


def _summary(rows: Sequence[Conversion], asked: int) -> dict[str, object]:
    done = [row for row in rows if row.facts is not None]
    before = sum(row.size_bytes_before or 0 for row in done)
    after = sum(row.size_bytes or 0 for row in done)
    return {
        "converted": len(done),
        "failed": len(rows) - len(done),
        "not_begun": asked - len(rows),
        "size_bytes_before": before,
        "size_bytes": after,
        "with_position": sum(row.facts.has_position for row in done if row.facts),
    }


def _sheet(rows: Sequence[Conversion]) -> Sheet:
    columns = (
        Column("source"), Column("copy"), Column("before", "right"), Column("after", "right"),
        Column("saved", "right"), Column("lost", fold=True),
    )  # fmt: skip
    return Sheet(columns, [_cells(row) for row in rows], "Nothing to convert.")


def _cells(row: Conversion) -> tuple[str, ...]:
    before = "-" if row.size_bytes_before is None else format_bytes(row.size_bytes_before)
    if row.facts is None or row.path is None:
        return shown(row.source), "-", before, "-", "-", f"not converted: {row.message}"
    lost = _BETWEEN.join(row.facts.lost) or "nothing"
    saved = _saved(row.size_bytes_before or 0, row.size_bytes or 0)
    return shown(row.source), shown(row.path), before, format_bytes(row.size_bytes or 0), saved, lost


def _saved(before: int, after: int) -> str:
    if after <= before:
        return format_percent(before - after, before)
    return (
        f"-{format_percent(after - before, before)}" if after < 2 * before else f"{after / before:.1f} times as large"
    )


def _closing(rows: Sequence[Conversion], summary: dict[str, object]) -> list[str]:
    done = [row for row in rows if row.facts is not None]
    lines = []
    if done:
        before, after = (
            sum(sizes) for sizes in zip(*((r.size_bytes_before or 0, r.size_bytes or 0) for r in done), strict=True)
        )
        lines.append(
            f"{plural(len(done), 'copy', 'copies')}: {format_bytes(before)} became {format_bytes(after)}. "
            "The sources are as they were."
        )
    if summary["with_position"]:
        count = sum(row.facts.has_position for row in done if row.facts)
        lines.append(
            f"{plural(count, 'copy says', 'copies say')} where the picture was taken; --strip-metadata leaves that out."
        )
    return lines
