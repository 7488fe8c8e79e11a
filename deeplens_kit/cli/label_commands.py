"""Commands for labels: what to label next, what was said, and labels in and out of files.

Takes names and verdicts, gives what the ledger holds of them; reads no picture, and writes no file but an export.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from deeplens_kit.cli.answers import Answer, Csv, Json, check_outputs, give
from deeplens_kit.cli.choices import chosen
from deeplens_kit.cli.invocation import opened
from deeplens_kit.cli.standing import say_notes
from deeplens_kit.cli.tables import Column, Sheet, place, shown
from deeplens_kit.errors import SettingsError, UnknownNameError
from deeplens_kit.reporting.words import plural

if TYPE_CHECKING:
    import polars as pl

    from deeplens_kit.pipeline.label_export import Manifest
    from deeplens_kit.pipeline.label_import import LabelImport
    from deeplens_kit.pipeline.labelling import PairToLabel

__all__ = ["export", "import_labels", "list_all", "next_pair", "sample", "set_label", "status", "withdraw"]

_VERDICTS = ("same", "different", "unsure")
_SHORT = 12
_SHOWN = 50
_MINUTES = "%Y-%m-%d %H:%M"

_Picture = Annotated[
    str,
    typer.Argument(metavar="PICTURE", help="location:path of an indexed file, its path, or a digest or how it begins."),
]
_Benchmark = Annotated[
    Path | None,
    typer.Option("--benchmark", metavar="FOLDER", help="A folder with a manifest.csv: path, source_id, sha256."),
]


def sample(
    context: typer.Context,
    budget: Annotated[
        int, typer.Option(min=1, metavar="N", help="Pairs to label in all; a larger sample holds the smaller.")
    ],
    near_threshold: Annotated[
        float | None,
        typer.Option(
            "--near-threshold",
            min=0,
            max=1,
            metavar="LIKELIHOOD",
            help="Pairs nearest to it instead, to learn from; no estimate counts them.",
        ),
    ] = None,
    strictest: Annotated[
        float | None,
        typer.Option(
            metavar="LIKELIHOOD",
            help="The strictest threshold to judge, 0.5 to 1; by default that of the last sample, or 0.98.",
        ),
    ] = None,
    as_json: Json = False,
    csv: Csv = None,
) -> None:
    """Draw pairs to be labelled: by chance within strata of strictness, for estimates. Reads no file."""
    check_outputs(csv)
    with opened(context, csv) as workspace:
        from deeplens_kit import pipeline

        drawn = pipeline.draw_sample(workspace, budget, near_threshold=near_threshold, strictest=strictest)
        notes = pipeline.caveats(workspace, current=drawn.current)
    kept, strata = drawn.sample, drawn.strata

    def sheet() -> Sheet:
        counts = (Column(name, "right") for name in ("pairs", "drawn", "labelled"))
        columns = (Column("stratum", fold=True), *counts)
        lines = [(name, f"{pairs:,}", f"{part:,}", f"{done:,}") for name, pairs, part, done in strata.iter_rows()]
        return Sheet(columns, lines, "Nothing was drawn.")

    summary = {"sample_id": kept.sample_id, "kind": kept.kind, "seed": kept.seed, "pairs": kept.items}
    summary |= {"new": drawn.new, "left": drawn.left, "candidates": drawn.candidates}
    summary |= {"current": drawn.current, "notes": notes}
    lines = [
        f"Sample {kept.sample_id}: {plural(kept.items, 'pair')} of {drawn.candidates:,}, {drawn.new:,} of them new, "
        f"{drawn.left:,} to label."
    ]
    if kept.items < budget:
        lines.append("There are no more.")
    lines.append("Next: deeplens label next" if drawn.left else "Next: deeplens recommend")
    say_notes(notes)
    give(Answer("label sample", strata, sheet, summary, lines), as_json=as_json, csv=csv)


def next_pair(context: typer.Context, as_json: Json = False, csv: Csv = None) -> None:
    """Show the next pair that waits for a label. Its likelihood is in JSON only: it would sway who looks."""
    check_outputs(csv)
    with opened(context, csv) as workspace:
        from deeplens_kit import pipeline

        found = pipeline.next_pair(workspace)
    frame = _pair_frame(found)
    lines = ["Every pair of the samples that can be looked at has a label.", "Next: deeplens recommend"]
    if found is not None:
        ends = found.digest_a[:_SHORT], found.digest_b[:_SHORT]
        lines = [
            f"A  {ends[0]}  {place(found.location_a, found.path_a)}",
            f"B  {ends[1]}  {place(found.location_b, found.path_b)}",
            f"{plural(found.left, 'pair')} of sample {found.sample_id} to label, this one among them.",
            f"Say it: deeplens label set {ends[0]} {ends[1]} same|different|unsure",
        ]
    summary: dict[str, object] = {"left": found.left if found else 0, "sample_id": found.sample_id if found else None}
    give(Answer("label next", frame, None, summary, lines), as_json=as_json, csv=csv)


def set_label(
    context: typer.Context,
    first: _Picture,
    second: _Picture,
    verdict: Annotated[str, typer.Argument(metavar="|".join(_VERDICTS), help="What the two are.", show_default=False)],
    note: Annotated[str, typer.Option(metavar="TEXT", help="In your words.")] = "",
    as_json: Json = False,
    csv: Csv = None,
) -> None:
    """Say whether two pictures are the same. Saying it again changes it; nothing is removed by it."""
    import polars as pl

    check_outputs(csv)
    with opened(context, csv) as workspace:
        from deeplens_kit import pipeline

        done = pipeline.label_pair(workspace, first, second, verdict, note)
        pair, counts = done.pair, done.counts
        left = sum(item.left for item in pipeline.label_progress(workspace)[:1])
    row = {"digest_a": pair[0], "digest_b": pair[1], "verdict": verdict, "note": note}
    word = "Changed" if counts.changed else "Labelled" if counts.added else "As it was"
    lines = [f"{word}: {pair[0][:_SHORT]} and {pair[1][:_SHORT]} are {_said(verdict)}."]
    lines += [f"{plural(left, 'pair')} of the latest sample to label."] if left else []
    summary: dict[str, object] = {"added": counts.added, "changed": counts.changed, "left": left}
    summary["notes"] = notes = [done.warning] if done.warning else []
    say_notes(notes)
    frame = pl.DataFrame([row], schema=dict.fromkeys(row, pl.String))
    give(Answer("label set", frame, None, summary, lines), as_json=as_json, csv=csv)


def withdraw(
    context: typer.Context,
    first: _Picture,
    second: _Picture,
    who: Annotated[
        str | None, typer.Option("--who", metavar="NAME", help="Whose label, as `label list` has it; by default yours.")
    ] = None,
    as_json: Json = False,
    csv: Csv = None,
) -> None:
    """Take a label back: no estimate counts it any more. It stays in `label list --withdrawn`."""
    check_outputs(csv)
    with opened(context, csv) as workspace:
        from deeplens_kit import pipeline

        found = pipeline.withdraw_label(workspace, first, second, who)
    lines = [
        f"Withdrew the label of {shown(row['who'])}: {row['digest_a'][:_SHORT]} and {row['digest_b'][:_SHORT]} were "
        f"{_said(row['verdict'])}."
        for row in found.iter_rows(named=True)
    ]
    give(Answer("label withdraw", found, None, {"withdrawn": found.height}, lines), as_json=as_json, csv=csv)


def list_all(
    context: typer.Context,
    withdrawn: Annotated[bool, typer.Option("--withdrawn", help="Also those that were withdrawn.")] = False,
    verdict: Annotated[
        list[str] | None,
        typer.Option("--verdict", metavar="|".join(_VERDICTS), help="Only these; may come again."),
    ] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Labels at most; the table shows 50 by default.")] = None,
    as_json: Json = False,
    csv: Csv = None,
) -> None:
    """List the labels, the latest first."""
    check_outputs(csv)
    with opened(context, csv) as workspace:
        from deeplens_kit import pipeline

        found = pipeline.list_labels(workspace, chosen("verdict", verdict, _VERDICTS), withdrawn=withdrawn)
    standing = found.filter(found["withdrawn_at"].is_null())
    counts = dict(sorted(Counter(standing["verdict"]).items()))
    rows = found if limit is None else found.head(limit)
    first = rows.head(limit or _SHOWN)
    told = ", ".join(f"{count:,} {name}" for name, count in counts.items())
    closing = [f"{plural(standing.height, 'label')}: {told}."] if standing.height else []
    if standing.height < found.height:
        closing.append(f"{found.height - standing.height:,} withdrawn.")
    if first.height < found.height and csv is None:
        closing.append(f"Showing {first.height:,}; all of them with --csv, or more with --limit.")
    summary = {"labels": standing.height, "withdrawn": found.height - standing.height, "by_verdict": counts}
    give(Answer("label list", rows, lambda: _labels_sheet(first), summary, closing), as_json=as_json, csv=csv)


def import_labels(
    context: typer.Context,
    file: Annotated[
        Path | None,
        typer.Argument(
            metavar="FILE", help="CSV: digest_a, digest_b or place_a, place_b; verdict; who, labelled_at, note."
        ),
    ] = None,
    benchmark: _Benchmark = None,
    only_sample: Annotated[
        bool, typer.Option("--sample", help="With --benchmark: only the pairs of the latest sample.")
    ] = False,
    as_json: Json = False,
    csv: Csv = None,
) -> None:
    """Take labels from a file, or let the truth of a benchmark folder stand for a person. All of it or nothing."""
    import polars as pl

    check_outputs(csv)
    if (file is None) == (benchmark is None):
        raise SettingsError("Name one thing to import: a CSV file of labels, or a folder with --benchmark FOLDER.")
    if only_sample and benchmark is None:
        raise SettingsError("--sample goes with --benchmark FOLDER: a file of labels is taken as it is.")
    with opened(context, csv) as workspace:
        from deeplens_kit import pipeline

        if file is not None:
            found = pipeline.import_labels(workspace, file)
        else:
            samples = workspace.ledger.label_samples() if only_sample else []
            if only_sample and not samples:
                raise SettingsError("No sample was drawn yet; `deeplens label sample --budget 400` draws one.")
            sample_id = samples[0].sample_id if samples else None
            found = pipeline.import_benchmark(workspace, benchmark or Path(), sample_id)
    counts = found.counts
    summary: dict[str, object] = {"labels": found.labels, "by_verdict": found.by_verdict}
    summary |= {"added": counts.added, "changed": counts.changed, "same": counts.same, "older": counts.older}
    summary |= {"absent": found.absent, "unknown": found.unknown}
    frame = pl.DataFrame(
        list(found.by_verdict.items()), schema={"verdict": pl.String, "labels": pl.Int64}, orient="row"
    )
    give(Answer("label import", frame, None, summary, _import_lines(found)), as_json=as_json, csv=csv)


def export(
    context: typer.Context,
    file: Annotated[
        Path | None, typer.Argument(metavar="FILE", help="A CSV file to write; - for standard output.")
    ] = None,
    benchmark: Annotated[
        Path | None,
        typer.Option("--benchmark", metavar="FOLDER", help="Write manifest.csv and ignore.csv into this folder."),
    ] = None,
) -> None:
    """Write the labels to a CSV file that import reads, or as the manifest of a benchmark folder."""
    if (file is None) == (benchmark is None):
        raise SettingsError("Name one thing to write: a CSV file, or a folder with --benchmark FOLDER.")
    check_outputs(file)
    with opened(context, file, benchmark) as workspace:
        from deeplens_kit import pipeline

        if benchmark is None:
            rows = pipeline.label_rows(workspace)
        else:
            _write_manifest(pipeline.manifest_of(workspace), benchmark)
            return
    give(Answer("label export", rows, None, {"labels": rows.height}), as_json=False, csv=file)


def _write_manifest(made: Manifest, folder: Path) -> None:
    from deeplens_kit.reporting.files import write_together

    targets = folder / "manifest.csv", folder / "ignore.csv"
    for target in targets:
        if target.exists():
            raise SettingsError(f"{str(target)!r} is there already and would be lost; name a new folder.")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SettingsError(f"The folder {str(folder)!r} cannot be made: {error.strerror or error}.") from error
    parts = [
        (target, [frame.write_csv().encode()])
        for target, frame in zip(targets, (made.manifest, made.ignore), strict=True)
    ]
    write_together(parts)
    typer.echo(
        f"Wrote {plural(made.manifest.height, 'file')} of {plural(made.sources, 'source')} to {targets[0]}", err=True
    )


def status(context: typer.Context, as_json: Json = False, csv: Csv = None) -> None:
    """Say how far each sample is, the latest first."""
    check_outputs(csv)
    with opened(context, csv) as workspace:
        from deeplens_kit import pipeline

        found = pipeline.label_progress(workspace)
        labels = workspace.ledger.labels().height
    import polars as pl

    from deeplens_kit.reporting.label_words import progress_line

    schema: dict[str, type[pl.DataType] | pl.DataType] = {"sample_id": pl.String, "kind": pl.String}
    schema |= dict.fromkeys(("pairs", "labelled", "unsure", "disputed", "gone", "left"), pl.Int64)
    schema |= {"who": pl.String, "created_at": pl.Datetime("us", "UTC")}
    rows = [
        (
            item.sample.sample_id, item.sample.kind, item.sample.items, item.labelled, item.unsure, item.disputed,
            item.gone, item.left, item.sample.who, item.sample.created_at,
        )
        for item in found
    ]  # fmt: skip
    lines = [
        f"{item.sample.sample_id}  {item.sample.kind}  {item.sample.created_at.strftime(_MINUTES)} UTC  "
        f"{progress_line(item)}"
        for item in found
    ] or ["No sample was drawn yet; `deeplens label sample --budget 400` draws one."]
    lines.append(f"{plural(labels, 'label')} in all.")
    if any(item.left for item in found):
        lines.append("Next: deeplens label next")
    # A larger sample holds the smaller: what waits in one may wait in another, so that a sum would count it twice.
    latest = found[0] if found else None
    summary: dict[str, object] = {"samples": len(found), "labels": labels}
    summary |= {"sample_id": latest and latest.sample.sample_id, "left": latest.left if latest else 0}
    frame = pl.DataFrame(rows, schema=schema, orient="row")
    give(Answer("label status", frame, None, summary, lines), as_json=as_json, csv=csv)


def _labels_sheet(rows: pl.DataFrame) -> Sheet:
    columns = (Column("verdict"), Column("a", fold=True), Column("b", fold=True), Column("who"), Column("when"))
    lines = [
        (
            row["verdict"] + (" (withdrawn)" if row["withdrawn_at"] else ""),
            _end(row, "a"),
            _end(row, "b"),
            shown(row["who"]),
            row["labelled_at"].strftime(_MINUTES),
        )
        for row in rows.iter_rows(named=True)
    ]
    return Sheet(columns, lines, "No labels yet; `deeplens label sample --budget 400` draws pairs to label.")


def _end(row: Mapping[str, Any], end: str) -> str:
    """A picture of a label by a place of it; by its digest where it has none any more."""
    named: str | None = row[f"place_{end}"]
    return str(row[f"digest_{end}"])[:_SHORT] if named is None else shown(named)


def _pair_frame(found: PairToLabel | None) -> pl.DataFrame:
    import polars as pl

    names = ("digest_a", "digest_b", "location_a", "path_a", "location_b", "path_b")
    schema: dict[str, type[pl.DataType]] = {**dict.fromkeys(names, pl.String), "likelihood": pl.Float32}
    rows = [] if found is None else [tuple(getattr(found, name) for name in schema)]
    return pl.DataFrame(rows, schema=schema, orient="row")


def _import_lines(found: LabelImport) -> list[str]:
    counts = found.counts
    told = ", ".join(f"{count:,} {name}" for name, count in found.by_verdict.items())
    lines = [f"{plural(found.labels, 'label')}{f': {told}' if told else ''}."]
    parts = [(counts.added, "new"), (counts.changed, "changed"), (counts.same, "as they were")]
    parts.append((counts.older, "older than what stands or was withdrawn, and left out"))
    lines.append("; ".join(f"{count:,} {word}" for count, word in parts if count or word == "new") + ".")
    if found.absent:
        lines.append(f"{plural(found.absent, 'label')} of pictures that are in no active location now; kept.")
    if found.unknown:
        lines.append(f"{plural(found.unknown, 'pair')} that the manifest says nothing of.")
    return lines


def _said(verdict: str) -> str:
    words = {"same": "the same picture", "different": "different pictures", "unsure": "left open"}
    if verdict not in words:
        raise UnknownNameError("verdict", verdict, _VERDICTS)
    return words[verdict]
