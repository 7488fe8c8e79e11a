"""In the place of what makes reports: a page at once, on record as a real one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from deeplens_kit.errors import ReportError
from deeplens_kit.pipeline import Workspace
from deeplens_kit.pipeline.report_recording import recorded_report
from deeplens_kit.reporting.report_mail import MailFigure, report_mail
from deeplens_kit.service.schedules import making


class Maker:
    """Makes reports at once; fails as it is told."""

    def __init__(self) -> None:
        self.fails: list[str] = []
        self.made: list[Path] = []

    def __call__(
        self,
        workspace_dir: Path,
        name: str,
        parameters: Mapping[str, str],
        out: Path,
        *,
        pdf: bool,
        keep_failed: Callable[[Path, bytes], str] | None,
        **how: Any,
    ) -> making.MadeReport:
        with (
            Workspace.open(workspace_dir) as workspace,
            recorded_report(workspace.ledger, name, parameters, out=str(out), **how) as noted,
        ):
            if self.fails:
                kept = keep_failed(out.with_suffix(".failed.ipynb"), b"as far as it got") if keep_failed else ""
                raise ReportError(f"{self.fails.pop(0)}{f' Look into {kept}' if kept else ''}")
            numbers = out.with_suffix(".json")
            numbers.write_text("{}", encoding="utf-8")
            out.write_text("<html>", encoding="utf-8")
            self.made.append(out)
            noted.figures, noted.message = {"n": len(self.made)}, f"{len(self.made)} GB could be freed."
        said = [MailFigure("Number", str(len(self.made)))]
        mail = report_mail(title="Savings", headline=noted.message, lead="Of <all>.", about="of a test", figures=said)
        return making.MadeReport(out, (numbers,), noted.message, noted.figures, mail)
