"""`deeplens report`: a report made now, and what makes a scheduler run it.

Takes a report's parameters and where its page goes, or when it should run; gives the page with its numbers, or texts
for crontab, systemd and Kubernetes. Must not compute a number, and installs no schedule by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields
from datetime import date, datetime
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

import typer

from deeplens_kit.cli.answers import Answer, Json, give
from deeplens_kit.cli.choices import RuleName
from deeplens_kit.cli.invocation import STANDARD_OUTPUT, opened
from deeplens_kit.cli.policy_command import Policy
from deeplens_kit.cli.standing import say_notes
from deeplens_kit.errors import SettingsError
from deeplens_kit.reporting.files import PAGE_ENDINGS, check_target

__all__ = ["savings", "schedule"]

_DATE = "{date}"
# Parameters that the command itself sets, and by which of its options.
_OF_THE_COMMAND = {"workspace": "--workspace", "numbers": "--out"}
_SHOWN_RUNS = 3

_Out = Annotated[
    Path, typer.Option(metavar="FILE", help="The page; its numbers go beside it. {date} in the name becomes the day.")
]
_Param = Annotated[
    list[str] | None,
    typer.Option("--param", metavar="NAME=VALUE", help="A parameter of the report; may come again."),
]


def savings(
    context: typer.Context,
    out: _Out,
    param: _Param = None,
    policy: Policy = None,
    rule: RuleName = None,
    as_json: Json = False,
) -> None:
    """Make the report on savings: a page that loads nothing, and its exact numbers beside it as JSON and Parquet."""
    import polars as pl

    page = Path(str(out).replace(_DATE, date.today().isoformat())).absolute()
    named = {"policy": policy, "rule": rule}
    given = [*(param or ()), *(f"{name}={value}" for name, value in named.items() if value is not None)]
    notebook, values, workspace = _checked(context, page, out, given)
    from deeplens_kit.reporting import render_notebook
    from deeplens_kit.reporting.savings_files import read_numbers
    from deeplens_kit.storage import encode_path

    with _progress() as tell:
        made = render_notebook(notebook, {**values, "workspace": str(workspace)}, page, progress=tell)
    numbers = read_numbers(page.with_suffix(".json"))
    files = pl.DataFrame(
        [(encode_path(str(file)), file.stat().st_size) for file in (made.html, *made.numbers)],
        schema={"file": pl.String, "size_bytes": pl.Int64},
        orient="row",
    )
    nothing = "There is nothing to save in what was analysed."
    if not numbers.summary["found_objects"]:
        nothing = "No file was found: add a location and run `deeplens index`."
    lines = numbers.lines or [nothing]
    beside = ", ".join(file.name for file in made.numbers)
    say_notes(numbers.notes)
    # On standard output: a scheduler that mails what is said on standard error stays quiet where all is well.
    closing = [*lines, f"Wrote {page}", f"Numbers beside it: {beside}"]
    give(Answer("report savings", files, None, numbers.summary, closing), as_json=as_json, csv=None)


def schedule(
    context: typer.Context,
    cron: Annotated[str, typer.Option(metavar="WHEN", help="Five fields as in a crontab, or @weekly and its like.")],
    out: _Out = Path("savings.html"),
    param: _Param = None,
    form: Annotated[
        Literal["crontab", "systemd", "kubernetes"] | None, typer.Option(help="Only this one; by default all three.")
    ] = None,
    timezone: Annotated[
        str | None, typer.Option(metavar="ZONE", help="As in Europe/Berlin; by default that of this machine.")
    ] = None,
    image: Annotated[
        str, typer.Option(metavar="IMAGE", help="For Kubernetes: the container image that has DeepLens.")
    ] = "deeplens:latest",
    as_json: Json = False,
) -> None:
    """Print what makes the report recur: a crontab line, a systemd timer and a Kubernetes CronJob. Installs nothing."""
    import polars as pl

    from deeplens_kit.reporting.cron import next_runs, parse_cron
    from deeplens_kit.reporting.schedule import Job, check_zone, local_zone, program, spoken, texts_of

    times = parse_cron(cron)
    zone = check_zone(timezone) if timezone is not None else local_zone()
    page = out.absolute()
    _, values, workspace = _checked(context, page, out, param)
    words = ["report", "savings", "--out", str(page)]
    words += [word for name, value in values.items() for word in ("--param", f"{name}={value}")]
    job = Job(times, zone, program(), tuple(words), workspace, page, image)
    texts = texts_of(job, form)
    runs = next_runs(times, datetime.now(ZoneInfo(zone)), _SHOWN_RUNS)
    typer.echo(f"Next: {'; '.join(map(spoken, runs))}", err=True)
    rows = pl.DataFrame(texts, schema=["form", "name", "text"], orient="row")
    summary = {"cron": times.text, "timezone": zone, "next_runs": [run.isoformat() for run in runs]}
    answer = Answer("report schedule", rows, None, summary, "\n".join(text for _, _, text in texts).splitlines())
    give(answer, as_json=as_json, csv=None)


def _checked(
    context: typer.Context, page: Path, given: Path, param: list[str] | None
) -> tuple[Path, dict[str, str], Path]:
    """The notebook, the parameters' values as they were given, and the workspace; refused early where one is wrong."""
    if given == STANDARD_OUTPUT:
        raise SettingsError("--out needs a file: name one that ends in .html.")
    if page.suffix.lower() not in PAGE_ENDINGS:
        raise SettingsError(f"--out is {str(given)!r}; it must be a file that ends in .html.")
    check_target(page, PAGE_ENDINGS)
    values = _parameters(param)
    from deeplens_kit.reporting.bundled import bundled
    from deeplens_kit.reporting.notebook_parameters import checked_parameters
    from deeplens_kit.reporting.notebook_render import FAILED_ENDING
    from deeplens_kit.reporting.savings_files import NUMBERS_ENDINGS, is_numbers

    notebook = bundled("reports") / "savings.ipynb"
    asked = checked_parameters(notebook, values)
    _require_values(asked)
    numbers = [page.with_name(page.stem + ending) for ending in NUMBERS_ENDINGS]
    for file in numbers:
        check_target(file)
        if file.exists() and not is_numbers(numbers[0]):
            raise SettingsError(
                f"Cannot write {str(file)!r}: it exists, and is not of an earlier report; name another page or move it."
            )
    with opened(context, page, *numbers, page.with_name(page.stem + FAILED_ENDING)) as workspace:
        from deeplens_kit.pipeline import chosen_policy, chosen_rule

        if rule := values.get("rule"):
            chosen_rule(workspace, rule)
        if policy := values.get("policy"):
            chosen_policy(workspace, policy)
            # The notebook runs in a folder of its own.
            values["policy"] = str(Path(policy).absolute()) if Path(policy).is_file() else policy
        return notebook, values, workspace.directory


def _require_values(asked: Mapping[str, Any]) -> None:
    """Refuse here what the notebook would refuse: it takes seconds to start."""
    from deeplens_kit.matching import Thresholds
    from deeplens_kit.reporting.savings_frames import require_asked

    if asked.get("rule") and (moved := [item.name for item in fields(Thresholds) if item.name in asked]):
        raise SettingsError(f"A rule says all bounds; leave out {', '.join(moved)}, or the rule {asked['rule']!r}.")
    Thresholds(**{item.name: asked[item.name] for item in fields(Thresholds) if item.name in asked})
    require_asked(asked.get("tiers", ()), asked.get("max_groups", 0))


def _parameters(given: list[str] | None) -> dict[str, str]:
    values: dict[str, str] = {}
    for text in given or ():
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise SettingsError(f"--param is {text!r}; it must be NAME=VALUE, for example max_groups=50.")
        if name in _OF_THE_COMMAND:
            raise SettingsError(f"Report parameter {name!r} is set by the command itself; use {_OF_THE_COMMAND[name]}.")
        if name in values:
            raise SettingsError(f"--param names {name!r} twice; give it once.")
        values[name] = value
    return values


@contextmanager
def _progress() -> Iterator[Callable[[int, int], None]]:
    """Told (cells done, cells in all): a bar on a terminal, nothing elsewhere."""
    from deeplens_kit.pipeline.progress import ProgressMeter
    from deeplens_kit.views.index_progress import progress_listener

    with progress_listener(quiet=True) as listener:
        meter: ProgressMeter | None = None

        def tell(done: int, in_all: int) -> None:
            nonlocal meter
            if meter is None:
                meter = ProgressMeter(listener, "", "report", in_all)
            meter.advance(done - meter.done)

        yield tell
        if meter is not None:
            meter.finish()
