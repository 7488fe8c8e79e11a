"""The command that holds two files against each other.

Takes two paths, indexed or not, gives every score with what it says; needs no workspace and writes to none.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from deeplens_kit.cli.answers import Answer, Csv, Json, check_outputs, give
from deeplens_kit.cli.invocation import STANDARD_OUTPUT, invocation, logging_on, opened
from deeplens_kit.cli.tables import Column, Sheet, print_lines, shown
from deeplens_kit.errors import SettingsError
from deeplens_kit.reporting.words import format_bytes, missing_lines

if TYPE_CHECKING:
    from deeplens_kit.pipeline import Comparison

__all__ = ["compare"]


def compare(
    context: typer.Context,
    a: Annotated[Path, typer.Argument(metavar="A", help="A picture file.", show_default=False)],
    b: Annotated[Path, typer.Argument(metavar="B", help="Another.", show_default=False)],
    as_json: Json = False,
    csv: Csv = None,
) -> None:
    """Compare two files, indexed or not: every score, and what each says. Needs no workspace."""
    import polars as pl

    check_outputs(csv)
    for path in (a, b):
        _check_file(path)
    comparison, notes = _compared(context, a, b, csv)
    tier = str(comparison.tier) if comparison.tier else None
    rows = [(line.name, line.value, line.meaning, tier, comparison.verdict) for line in comparison.scores]
    schema = {"name": pl.String, "value": pl.Float64, "meaning": pl.String, "tier": pl.String, "verdict": pl.String}
    frame = pl.DataFrame(rows, schema=schema, orient="row")

    def show() -> Sheet:
        columns = (Column("score"), Column("value", "right"), Column("says", fold=True))
        lines = [(name, "-" if value is None else f"{value:.6g}", meaning) for name, value, meaning, *_ in rows]
        return Sheet(columns, lines, "No scores.")

    relation = str(comparison.relation) if comparison.relation else None
    summary: dict[str, object] = {"tier": tier, "relation": relation, "verdict": comparison.verdict}
    summary |= {"proposal": comparison.proposal, "notes": notes}
    summary |= {"sentences": list(comparison.sentences), "missing_features": dict(comparison.missing)}
    summary |= {"facts_a": dict(comparison.facts_a), "facts_b": dict(comparison.facts_b)}
    if not as_json and csv != STANDARD_OUTPUT:
        print_lines([*_facts("A", a, comparison.facts_a), *_facts("B", b, comparison.facts_b), ""])
    closing = [*comparison.sentences, comparison.proposal, *notes, *missing_lines(comparison.missing)]
    give(Answer("compare", frame, show, summary, closing), as_json=as_json, csv=csv)


def _check_file(path: Path) -> None:
    """Say what a path is that is no file; the pipeline reads files only.

    Raises:
        SettingsError: It is none, or cannot be looked at.
    """
    try:
        found = path.expanduser()
        if found.is_file():
            return
        what = "is a folder" if found.is_dir() else "is no regular file" if found.exists() else "is not there"
    except OSError as error:
        what = f"cannot be looked at ({error.strerror or error})"
    raise SettingsError(f"{str(path)!r} {what}; name two files on this machine.")


def _compared(context: typer.Context, a: Path, b: Path, csv: Path | None) -> tuple[Comparison, list[str]]:
    from deeplens_kit import pipeline
    from deeplens_kit.reporting.policy_words import policy_notes
    from deeplens_kit.settings import WORKSPACE_FILE

    options = invocation(context)
    if not options.named and not (options.workspace / WORKSPACE_FILE).exists():
        with logging_on(context):
            return pipeline.compare_files(None, a, b), []
    with opened(context, csv) as workspace:
        return pipeline.compare_files(workspace, a, b), policy_notes(pipeline.chosen_policy(workspace))


def _facts(letter: str, path: Path, facts: Mapping[str, Any]) -> list[str]:
    """The file, and beneath it what is known of it; all of it, exact, is in JSON."""
    from deeplens_kit.reporting.evidence_words import picture_facts
    from deeplens_kit.storage.paths import encode_path

    said = [picture_facts(facts), format_bytes(facts["size_bytes"])]
    if facts["effective_pixels"] not in (None, facts["width_px"] * facts["height_px"]):
        said.append(f"{facts['effective_pixels']:,} effective pixels")
    if facts["lossless"]:
        said.append("lossless")
    if facts["taken_at"] is not None:
        said.append(f"taken {facts['taken_at']:%Y-%m-%d %H:%M:%S}")
    if facts["camera"]:
        said.append(shown(str(facts["camera"])))
    if facts["low_information"]:
        said.append("too plain to be told apart")
    return [f"{letter}  {shown(encode_path(str(path)))}", f"   {', '.join(said)}"]
