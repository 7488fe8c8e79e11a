"""How a schedule has a report made: the one place that knows the maker of reports.

Takes the name of a report, parameters and a page, gives what was made; must not compute a number or send anything.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from deeplens_kit.reporting import rendering
from deeplens_kit.reporting.report_mail import ReportMail

__all__ = ["MadeReport", "check_report", "make_report"]


@dataclass(frozen=True, slots=True)
class MadeReport:
    """What a report left.

    Attributes:
        html: The page.
        beside: The files that belong to it.
        headline: What it says, in a sentence.
        figures: Its headline numbers, as JSON can hold them.
        message: The report as a mail; None where it tells none.
    """

    html: Path
    beside: tuple[Path, ...]
    headline: str
    figures: Mapping[str, Any] = field(default_factory=dict)
    message: ReportMail | None = None


def check_report(name: str, parameters: Mapping[str, str]) -> None:
    """Refuse a report or a parameter that does not exist, and a value of another kind; see `rendering.check_report`."""
    rendering.check_report(name, parameters)


def make_report(
    workspace_dir: Path,
    name: str,
    parameters: Mapping[str, str],
    out: Path,
    *,
    pdf: bool = False,
    schedule: str = "",
    due_at: datetime | None = None,
    attempt: int = 1,
    keep_failed: Callable[[Path, bytes], str] | None = None,
) -> MadeReport:
    """Make a report and keep its run on record; see `rendering.make_report`."""
    made = rendering.make_report(
        workspace_dir,
        name,
        parameters,
        out,
        pdf=pdf,
        schedule=schedule,
        due_at=due_at,
        attempt=attempt,
        keep_failed=keep_failed,
    )
    page, *beside = made.files
    return MadeReport(page, tuple(beside), made.headline, made.figures, made.message)
