"""Pages of reports that lie in the workspace, with the files beside them.

Takes an open workspace and a run of a report, gives paths within the folder of reports; must not give a file of another
place: where else a page was put is told to nobody.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from deeplens_kit.ledger import ReportRun, ReportRunState
from deeplens_kit.pipeline.workspace import REPORTS_FOLDER
from deeplens_kit.reporting.notebook_render import MAIL_ENDING, PDF_ENDING
from deeplens_kit.reporting.report_files import file_endings

if TYPE_CHECKING:
    from deeplens_kit.pipeline import Workspace

__all__ = ["kept_files"]


def kept_files(workspace: Workspace, run: ReportRun) -> tuple[Path | None, tuple[Path, ...]]:
    """The page of a run and the files beside it; None and none where they do not lie in the workspace, or are gone."""
    folder = workspace.directory / REPORTS_FOLDER
    page = Path(run.out)
    if run.state is not ReportRunState.FINISHED or page.parent != folder or not page.is_file():
        return None, ()
    # By their names, one by one: what only begins like the page may be another report's. The notebook that made it is
    # not among them, for it names folders of the server.
    beside = (folder / f"{page.stem}{ending}" for ending in (*file_endings(run.report), PDF_ENDING, MAIL_ENDING))
    return page, tuple(sorted(item for item in beside if item.is_file()))
