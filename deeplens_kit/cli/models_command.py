"""Commands for models: which there are, get one, and see whether it is right here.

Takes names, gives rows; downloads nothing but by `pull`, and loads a model only to check it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from deeplens_kit.cli.answers import Answer, Csv, Json, check_outputs, give
from deeplens_kit.cli.invocation import invocation, logging_on, opened
from deeplens_kit.cli.tables import Column, Sheet
from deeplens_kit.errors import DeepLensError, ModelCorruptError, ModelUnavailableError, SettingsError
from deeplens_kit.reporting.words import format_bytes, plural

if TYPE_CHECKING:
    from deeplens_kit.features import Model, ModelCheck
    from deeplens_kit.settings import FeatureSettings

__all__ = ["check", "list_all", "pull"]

_Name = Annotated[str, typer.Argument(metavar="NAME", help="A model, as `deeplens models list` names it.")]


def list_all(context: typer.Context, as_json: Json = False, csv: Csv = None) -> None:
    """List the models: what each is for, whether it is installed, its size, dimensions, licence and source."""
    import polars as pl

    check_outputs(csv)
    with _settings(context, csv) as settings:
        from deeplens_kit.features import model_state, models

        shelf = models(settings)
        told = [(model, model_state(model, settings)) for model in shelf.models]
    rows = [
        {
            "name": model.name,
            "purposes": ",".join(model.purposes),
            "kind": model.kind,
            "installed": state.installed,
            "reason": state.reason,
            "enabled": model.name in settings.enabled,
            "dimensions": model.dimensions or None,
            "size_bytes": model.size_bytes or (None if model.files else 0),
            "licence": model.licence,
            "source": model.source,
            "custom": model.custom,
            "files": ",".join(file.name for file in model.files),
        }
        for model, state in told
    ]
    frame = pl.DataFrame(rows, infer_schema_length=None)

    def show() -> Sheet:
        headings = ("model", "tells", "installed", "enabled", "dimensions", "size", "licence")
        columns = [Column(item, "right" if item in ("dimensions", "size") else "left") for item in headings]
        lines = [
            (
                row["name"],
                row["purposes"].replace(",", ", "),
                "yes" if row["installed"] else "no",
                "yes" if row["enabled"] else "",
                "" if row["dimensions"] is None else str(row["dimensions"]),
                "" if not row["size_bytes"] else format_bytes(row["size_bytes"]),
                row["licence"],
            )
            for row in frame.iter_rows(named=True)
        ]
        return Sheet(columns, lines, "There are no models.")

    closing = [f"{model.name}: {state.reason}." for model, state in told if not state.installed]
    closing += [f"{name}: no model: {reason}" for name, reason in shelf.broken.items()]
    closing.append(
        "features.enabled in workspace.toml is the whole list of what is computed, hashes too; it holds now: "
        f"{', '.join(settings.enabled)}. Add a model's name to it, and index."
    )
    summary = {
        "model_dir": settings.model_dir,
        "installed": int(frame["installed"].sum()),
        "enabled": int(frame["enabled"].sum()),
        "broken": dict(shelf.broken),
    }
    give(Answer("models list", frame, show, summary, closing), as_json=as_json, csv=csv)


def pull(context: typer.Context, name: _Name, as_json: Json = False, csv: Csv = None) -> None:
    """Download what a model needs, where it can be downloaded, and check it; what is there is not fetched again."""
    import polars as pl

    check_outputs(csv)
    with _settings(context, csv) as settings, _byte_counter(quiet=as_json) as counter:
        from deeplens_kit.features import model_named, model_state, pull_model

        model = model_named(name, settings)
        files = pull_model(model, settings, counter(model))
        state = model_state(model, settings)
    rows = [
        {"name": name, "file": str(file.path), "size_bytes": file.path.stat().st_size, "sha256": file.sha256}
        for file in files
    ]
    schema = {"name": pl.String, "file": pl.String, "size_bytes": pl.Int64, "sha256": pl.String}
    lines = [f"{file.path}: {format_bytes(file.path.stat().st_size)}, SHA-256 {file.sha256[:16]}..." for file in files]
    if not model.files:
        lines = [f"{name} is computed by rule and needs no file."]
    lines.append(f"{state.reason}." if state.reason else f"Next: deeplens models check {name}")
    answer = Answer(
        "models pull", pl.DataFrame(rows, schema=schema), None, {"installed": state.installed}, closing=lines
    )
    give(answer, as_json=as_json, csv=csv)


def check(
    context: typer.Context,
    name: Annotated[
        str | None, typer.Argument(metavar="[NAME]", help="A model; by default each that is installed.")
    ] = None,
    as_json: Json = False,
    csv: Csv = None,
) -> None:
    """Load models, embed pictures that are the same everywhere, and compare: ends with 6 where one is wrong."""
    check_outputs(csv)
    failed: list[DeepLensError] = []
    checks: list[ModelCheck] = []
    with _settings(context, csv) as settings:
        from deeplens_kit.features import check_model

        for model in _to_check(name, settings):
            try:
                checks.append(check_model(model, settings))
            except (ModelUnavailableError, ModelCorruptError, SettingsError) as error:
                failed.append(error)
    failed += [
        ModelCorruptError(f"Model {item.name!r} ({item.weights or 'by rule'}) is not right here: {item.wrong}.")
        for item in checks
        if item.wrong
    ]
    give(_check_answer(checks, failed), as_json=as_json, csv=csv)
    if failed:
        raise failed[0]


def _to_check(name: str | None, settings: FeatureSettings) -> list[Model]:
    from deeplens_kit.features import model_named, model_state, models

    if name is None:
        return [model for model in models(settings).models if model_state(model, settings).installed]
    model = model_named(name, settings)
    state = model_state(model, settings)
    if not state.installed:
        raise ModelUnavailableError(f"Model {name!r} is not installed: {state.reason}.")
    return [model]


def _check_answer(checks: list[ModelCheck], failed: list[DeepLensError]) -> Answer:
    import polars as pl

    schema = {
        "name": pl.String,
        "right": pl.Boolean,
        "compared": pl.Boolean,
        "wrong": pl.String,
        "dimensions": pl.Int64,
        "weights": pl.String,
        "load_seconds": pl.Float64,
        "pictures_per_second": pl.Float64,
    }
    rows = [
        (
            item.name,
            not item.wrong,
            item.known,
            item.wrong,
            item.dimensions,
            item.weights,
            item.load_seconds,
            item.pictures_per_second,
        )
        for item in checks
    ]

    def show() -> Sheet:
        columns = (
            Column("model"),
            Column("is"),
            Column("dimensions", "right"),
            Column("pictures a second", "right"),
            Column("weights"),
        )
        lines = [
            (item.name, _verdict(item), str(item.dimensions), f"{item.pictures_per_second:.1f}", item.weights)
            for item in checks
        ]
        return Sheet(columns, lines, "No model could be checked.")

    # The first error is the line that ends the command.
    closing = [str(error) for error in failed[1:]]
    right = sum(not item.wrong for item in checks)
    unloaded = len(failed) - (len(checks) - right)
    closing.append(f"{right} of {plural(len(checks) + unloaded, 'model')} right.")
    summary = {"right": right, "failed": [{"code": error.code, "message": str(error)} for error in failed]}
    return Answer("models check", pl.DataFrame(rows, schema=schema, orient="row"), show, summary, closing)


def _verdict(item: ModelCheck) -> str:
    if item.wrong:
        return "wrong"
    return "right" if item.known else "sound; no numbers to compare with"


@contextmanager
def _settings(context: typer.Context, csv: Path | None) -> Iterator[FeatureSettings]:
    """The features' settings of the workspace; the defaults where none is named and we stand in none."""
    from deeplens_kit.settings import WORKSPACE_FILE, FeatureSettings

    options = invocation(context)
    if not options.named and not (options.workspace / WORKSPACE_FILE).exists():
        with logging_on(context):
            yield FeatureSettings()
        return
    with opened(context, csv) as workspace:
        yield workspace.settings.features


@contextmanager
def _byte_counter(*, quiet: bool) -> Iterator[Callable[[Model], Callable[[int], object] | None]]:
    """Shows how much of a model has come, where a person looks on."""
    if quiet or not sys.stderr.isatty():
        yield lambda model: None
        return
    from rich.console import Console
    from rich.progress import DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    columns = (TextColumn("{task.description}"), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:

        def counter(model: Model) -> Callable[[int], object]:
            task = progress.add_task(model.name, total=model.size_bytes or None)
            return lambda received: progress.update(task, completed=received)

        yield counter
