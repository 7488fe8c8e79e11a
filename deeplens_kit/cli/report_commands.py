"""`deeplens report`: a report made now, and what makes a scheduler run it.

Takes a report's parameters and where its page goes, or when it should run; gives the page with its numbers, or texts
for crontab, systemd and Kubernetes. Must not compute a number, and installs no schedule by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal
from zoneinfo import ZoneInfo

import typer

from deeplens_kit.cli.answers import Answer, Json, give
from deeplens_kit.cli.choices import RuleName
from deeplens_kit.cli.invocation import STANDARD_OUTPUT, opened
from deeplens_kit.cli.policy_command import Policy
from deeplens_kit.cli.standing import say_notes
from deeplens_kit.errors import SettingsError

if TYPE_CHECKING:
    from deeplens_kit.reporting.rendering import RenderedReport

__all__ = ["coverage", "drift", "evidence", "savings", "schedule"]

_DATE = "{date}"
_SHOWN_RUNS = 3

_Out = Annotated[
    Path, typer.Option(metavar="FILE", help="The page; its numbers go beside it. {date} in the name becomes the day.")
]
_Param = Annotated[
    list[str] | None,
    typer.Option("--param", metavar="NAME=VALUE", help="A parameter of the report; may come again."),
]
_Pdf = Annotated[bool, typer.Option("--pdf", help="Print the page too, by the Chromium or Chrome that is installed.")]
_Mail = Annotated[
    bool, typer.Option("--mail", help="Make a mail of it too: a draft with the headline, the main tables and the page.")
]


def savings(
    context: typer.Context,
    out: _Out,
    param: _Param = None,
    policy: Policy = None,
    rule: RuleName = None,
    pdf: _Pdf = False,
    mail: _Mail = False,
    as_json: Json = False,
) -> None:
    """Make the report on savings: a page that loads nothing, and beside it its numbers as JSON, Parquet, CSV, Excel."""
    made = _made(context, "savings", out, param, {"policy": policy, "rule": rule}, pdf=pdf, mail=mail)
    from deeplens_kit.reporting.savings_files import read_numbers

    numbers = read_numbers(made.html.with_suffix(".json"))
    nothing = "There is nothing to save in what was analysed."
    if not numbers.summary["found_objects"]:
        nothing = "No file was found: add a location and run `deeplens index`."
    say_notes(numbers.notes)
    _answer("report savings", made, numbers.summary, numbers.lines or [nothing], as_json=as_json)


def coverage(
    context: typer.Context,
    out: _Out,
    param: _Param = None,
    pdf: _Pdf = False,
    mail: _Mail = False,
    as_json: Json = False,
) -> None:
    """Make the report on coverage: what was analysed, what was not and why, by location and by reason."""
    made = _made(context, "coverage", out, param, {}, pdf=pdf, mail=mail)
    _answer("report coverage", made, made.figures, [f"{made.headline}."], as_json=as_json)


def drift(
    context: typer.Context,
    out: _Out,
    param: _Param = None,
    policy: Policy = None,
    rule: RuleName = None,
    pdf: _Pdf = False,
    mail: _Mail = False,
    as_json: Json = False,
) -> None:
    """Make the report on drift: what changed since the last one, by location, owner and folder, and over time."""
    made = _made(context, "drift", out, param, {"policy": policy, "rule": rule}, pdf=pdf, mail=mail)
    _answer("report drift", made, made.figures, [f"{made.headline}."], as_json=as_json)


def evidence(
    context: typer.Context,
    out: _Out,
    param: _Param = None,
    rule: RuleName = None,
    pdf: _Pdf = False,
    mail: _Mail = False,
    as_json: Json = False,
) -> None:
    """Make the report on evidence: what labels say of the proposals, with intervals, and what they do not say."""
    made = _made(context, "evidence", out, param, {"rule": rule}, pdf=pdf, mail=mail)
    _answer("report evidence", made, made.figures, [f"{made.headline}."], as_json=as_json)


def schedule(
    context: typer.Context,
    cron: Annotated[str, typer.Option(metavar="WHEN", help="Five fields as in a crontab, or @weekly and its like.")],
    out: _Out = Path("savings.html"),
    report: Annotated[
        Literal["savings", "coverage", "drift", "evidence"], typer.Option(help="Which report.")
    ] = "savings",
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
    values = _parameters(param)
    workspace = _checked(context, report, page, out, values)
    if (policy := values.get("policy")) and Path(policy).is_file():
        values["policy"] = str(Path(policy).absolute())
    words = ["report", report, "--out", str(page)]
    words += [word for name, value in values.items() for word in ("--param", f"{name}={value}")]
    job = Job(times, zone, program(), tuple(words), workspace, page, image)
    texts = texts_of(job, form)
    runs = next_runs(times, datetime.now(ZoneInfo(zone)), _SHOWN_RUNS)
    typer.echo(f"Next: {'; '.join(map(spoken, runs))}", err=True)
    rows = pl.DataFrame(texts, schema=["form", "name", "text"], orient="row")
    summary = {"cron": times.text, "timezone": zone, "next_runs": [run.isoformat() for run in runs]}
    answer = Answer("report schedule", rows, None, summary, "\n".join(text for _, _, text in texts).splitlines())
    give(answer, as_json=as_json, csv=None)


def _made(
    context: typer.Context,
    name: str,
    out: Path,
    param: list[str] | None,
    named: Mapping[str, object],
    *,
    pdf: bool,
    mail: bool,
) -> RenderedReport:
    """Make a report, after everything that can be wrong was refused."""
    page = Path(str(out).replace(_DATE, date.today().isoformat())).absolute()
    given = [*(param or ()), *(f"{key}={value}" for key, value in named.items() if value is not None)]
    values = _parameters(given)
    workspace = _checked(context, name, page, out, values, pdf=pdf, mail=mail)
    from deeplens_kit.reporting.rendering import make_report

    with _progress() as tell:
        return make_report(workspace, name, values, page, pdf=pdf, mail=mail, progress=tell)


def _answer(command: str, made: RenderedReport, summary: Mapping[str, Any], lines: list[str], *, as_json: bool) -> None:
    import polars as pl

    from deeplens_kit.storage import encode_path

    files = pl.DataFrame(
        [(encode_path(str(file)), file.stat().st_size) for file in made.files],
        schema={"file": pl.String, "size_bytes": pl.Int64},
        orient="row",
    )
    beside = ", ".join(file.name for file in made.files[1:])
    # On standard output: a scheduler that mails what is said on standard error stays quiet where all is well.
    closing = [*lines, f"Wrote {made.html}", f"Beside it: {beside}"]
    give(Answer(command, files, None, summary, closing), as_json=as_json, csv=None)


def _checked(
    context: typer.Context,
    name: str,
    page: Path,
    given: Path,
    values: Mapping[str, str],
    *,
    pdf: bool = False,
    mail: bool = False,
) -> Path:
    """The folder of the workspace; refused early where anything is wrong that can be told without the report."""
    if given == STANDARD_OUTPUT:
        raise SettingsError("--out needs a file: name one that ends in .html.")
    from deeplens_kit.reporting.rendering import check_report, check_report_files, check_report_names

    check_report(name, values)
    targets = check_report_files(name, page, pdf=pdf, mail=mail)
    with opened(context, *targets) as workspace:
        check_report_names(workspace, values)
        return workspace.directory


def _parameters(given: list[str] | None) -> dict[str, str]:
    values: dict[str, str] = {}
    for text in given or ():
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise SettingsError(f"--param is {text!r}; it must be NAME=VALUE, for example max_groups=50.")
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
