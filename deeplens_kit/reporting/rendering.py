"""The reports that DeepLens makes, by name: checked first, made on record, put in place whole.

Takes a workspace, a report's name and parameters, and where its page goes; gives what was written. Must not start
anything before name, parameters and files are right, nor compute a number: the report's notebook does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from deeplens_kit.errors import SettingsError, UnknownNameError
from deeplens_kit.reporting.bundled import bundled
from deeplens_kit.reporting.chromium import find_chromium
from deeplens_kit.reporting.files import PAGE_ENDINGS, check_target
from deeplens_kit.reporting.notebook_parameters import checked_parameters, report_parameters
from deeplens_kit.reporting.notebook_render import (
    EXECUTED_ENDING,
    FAILED_ENDING,
    MAIL_ENDING,
    NUMBERS,
    PDF_ENDING,
    RUN,
    RenderedReport,
    render_notebook,
)
from deeplens_kit.reporting.report_files import file_endings, is_numbers, outdated_files

if TYPE_CHECKING:
    from deeplens_kit.pipeline import Workspace

__all__ = [
    "OWN_PARAMETERS",
    "REPORTS",
    "RenderedReport",
    "check_report",
    "check_report_files",
    "check_report_names",
    "make_report",
]

REPORTS: Mapping[str, str] = {
    "savings": "what the copies cost, and what could be freed",
    "coverage": "what was analysed, and what was not and why",
    "drift": "what changed since the last report, and over time",
    "evidence": "what labels say of the proposals, with intervals",
}
"""The reports by name, and what each tells."""

OWN_PARAMETERS: Mapping[str, str] = {"workspace": "--workspace", NUMBERS: "--out", RUN: "nothing: it is set by itself"}
"""Parameters of notebooks that whoever makes a report sets, and by which option."""


def check_report(name: str, parameters: Mapping[str, object]) -> dict[str, object]:
    """Refuse what a report cannot be asked for, before anything runs.

    Args:
        name: One of REPORTS.
        parameters: Values by name; texts are converted, as they come from a command line or a file.

    Returns:
        The values as the report's notebook declares them.

    Raises:
        UnknownNameError: There is no such report or parameter; the nearest is named.
        SettingsError: A value is of another type or out of its range, or the parameter is not for users to set.
        ReportError: The report's notebook is damaged.
    """
    notebook = _notebook(name)
    for own, option in OWN_PARAMETERS.items():
        if own in parameters:
            raise SettingsError(f"Report parameter {own!r} is set by the command itself; use {option}.")
    # Said by the names that a user may give: a suggestion that is refused in turn helps nobody.
    known = sorted(set(report_parameters(notebook)) - set(OWN_PARAMETERS))
    values = checked_parameters(notebook, parameters, known)
    _require_values(values)
    return values


def check_report_files(name: str, out: Path, *, pdf: bool = False, mail: bool = False) -> list[Path]:
    """Say early whether a report could be written.

    Args:
        name: One of REPORTS.
        out: Its page.
        pdf: Whether a PDF is wanted.
        mail: Whether a mail is wanted.

    Returns:
        Every file that may be written.

    Raises:
        UnknownNameError: There is no such report.
        SettingsError: A file cannot be written, is of another kind or none of an earlier report, or no browser is
            installed that prints.
    """
    _notebook(name)
    if out.suffix.lower() not in PAGE_ENDINGS:
        raise SettingsError(f"--out is {str(out)!r}; it must be a file that ends in .html.")
    check_target(out, PAGE_ENDINGS)
    wanted = [PDF_ENDING] * pdf + [MAIL_ENDING] * mail
    beside = [out.with_name(out.stem + ending) for ending in (*file_endings(name), EXECUTED_ENDING, *wanted)]
    earlier = is_numbers(out.with_name(f"{out.stem}.json"), name)
    for file in beside:
        check_target(file)
        if file.exists() and not earlier:
            raise SettingsError(
                f"Cannot write {str(file)!r}: it exists, and is not of an earlier report of this kind; name another "
                "page or move it."
            )
    if pdf:
        find_chromium()
    return [out, *beside, out.with_name(out.stem + FAILED_ENDING)]


def check_report_names(workspace: Workspace, parameters: Mapping[str, object]) -> None:
    """Find the rule and the policy that parameters name: a kernel takes seconds to say that there is none.

    Args:
        workspace: Of the report.
        parameters: Values by name.

    Raises:
        UnknownNameError: There is no such rule or policy.
        SettingsError: A policy's file cannot be read.
    """
    from deeplens_kit.pipeline import chosen_policy, chosen_rule

    if rule := str(parameters.get("rule") or ""):
        chosen_rule(workspace, rule)
    if policy := str(parameters.get("policy") or ""):
        chosen_policy(workspace, policy)


def make_report(
    workspace_dir: Path | str,
    name: str,
    parameters: Mapping[str, object],
    out: Path,
    *,
    pdf: bool = False,
    mail: bool = False,
    progress: Callable[[int, int], None] | None = None,
    schedule: str = "",
    due_at: datetime | None = None,
    attempt: int = 1,
    keep_failed: Callable[[Path, bytes], str] | None = None,
) -> RenderedReport:
    """Make a report and keep its run on record in the ledger.

    All files appear together, or none, and a PDF or mail of the report before that is not asked for any more goes as
    they appear; where anything fails the last good ones stand, and the notebook as far as it got
    lies beside them.

    Args:
        workspace_dir: Folder of the workspace.
        name: One of REPORTS.
        parameters: Values by name; texts are converted.
        out: The page; the other files are called after it.
        pdf: Print the page too, by Chromium or Chrome.
        mail: Make a mail of it too.
        progress: Told (cells that are done, cells in all).
        schedule: The schedule that this is a run of; empty where somebody asked for it.
        due_at: The time of the schedule that it makes good; aware.
        attempt: 1 for the first try.
        keep_failed: As of `render_notebook`.

    Raises:
        UnknownNameError: There is no such report, parameter, rule or policy.
        SettingsError: A value does not fit, or a file cannot be written there.
        ReportRunningError: The schedule runs already.
        ReportError: The report could not be made.
        ExtraMissingError: What makes reports is not installed.
        KeyboardInterrupt: It was stopped; nothing was written.
    """
    from deeplens_kit.pipeline import Workspace
    from deeplens_kit.pipeline.report_recording import recorded_report

    # 1. Everything that can be wrong.
    values = check_report(name, parameters)
    check_report_files(name, out, pdf=pdf, mail=mail)
    notebook = _notebook(name)
    with Workspace.open(workspace_dir) as workspace:
        check_report_names(workspace, values)
        values = _absolute(values)
        asked = _as_texts(notebook, values)
        # 2. The report, on record from its beginning to its end.
        with recorded_report(
            workspace.ledger, name, asked, out=_text(str(out)), schedule=schedule, due_at=due_at, attempt=attempt
        ) as noted:
            own = {"workspace": str(workspace.directory)}
            made = render_notebook(
                notebook,
                {**values, **own},
                out,
                progress=progress,
                pdf=pdf,
                mail=mail,
                run=noted.run.run_id,
                keep_failed=keep_failed,
                outdated=outdated_files(name, out, pdf=pdf, mail=mail),
            )
            noted.figures, noted.message = made.figures, made.headline
    return made


def _notebook(name: str) -> Path:
    if name not in REPORTS:
        raise UnknownNameError("report", name, REPORTS)
    return bundled("reports") / f"{name}.ipynb"


def _as_texts(notebook: Path, values: Mapping[str, object]) -> dict[str, str]:
    """Parameters as the ledger keeps them: what is as by default is not told, so that equal reports are found equal."""
    declared = report_parameters(notebook)
    return {
        name: _text(",".join(value) if isinstance(value, list) else str(value))
        for name, value in sorted(values.items())
        if value != declared[name].default
    }


def _text(path: str) -> str:
    """A path as the ledger can hold it: bytes that are no text are written out."""
    return path.encode("utf-8", "backslashreplace").decode("utf-8")


def _absolute(values: Mapping[str, object]) -> dict[str, object]:
    """The values with a policy's file by its whole path: the notebook runs in a folder of its own."""
    policy = str(values.get("policy") or "")
    return {**values, "policy": str(Path(policy).absolute())} if policy and Path(policy).is_file() else dict(values)


def _require_values(values: Mapping[str, object]) -> None:
    """Refuse here what a notebook would refuse."""
    from deeplens_kit.matching import Thresholds
    from deeplens_kit.reporting.savings_frames import require_asked

    bounds = {item.name: values[item.name] for item in fields(Thresholds) if item.name in values}
    if values.get("rule") and bounds:
        raise SettingsError(
            f"A rule says all bounds; leave out {', '.join(bounds)}, or the rule {str(values['rule'])!r}."
        )
    Thresholds(**bounds)  # type: ignore[arg-type]
    tiers, most = values.get("tiers", []), values.get("max_groups", 0)
    require_asked(tiers if isinstance(tiers, list) else [], most if isinstance(most, int) else 0)
    for name in ("precision", "confidence"):
        share = values.get(name)
        if isinstance(share, float) and not 0.5 < share < 1:
            raise SettingsError(f"Report parameter {name!r} is {share:g}; it must be above 0.5 and below 1.")
