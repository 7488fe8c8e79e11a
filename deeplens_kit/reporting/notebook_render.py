"""A report: a notebook run with parameters, made a page, and put in place with all that goes beside it at once.

Takes a notebook, values for its parameters and where the page goes; gives the files that it wrote. Must not leave
anything half written: the notebook runs in a folder of its own, and what was there before stays until all of the new is
whole. Where a cell fails, the notebook as far as it got is kept beside for whoever mends it, without credentials.
"""

from __future__ import annotations

import contextlib
import signal
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType, MappingProxyType
from typing import Any

from deeplens_kit import errors
from deeplens_kit.errors import ExtraMissingError, ReportError
from deeplens_kit.reporting.chromium import find_chromium, print_page
from deeplens_kit.reporting.files import PAGE_ENDINGS, check_target, write_atomically, write_together
from deeplens_kit.reporting.notebook_executed import executed_notebook
from deeplens_kit.reporting.notebook_kernel import KERNEL_LOG, kernel_manager_in
from deeplens_kit.reporting.notebook_page import notebook_page
from deeplens_kit.reporting.notebook_parameters import checked_parameters, report_parameters
from deeplens_kit.reporting.report_mail import ReportMail, mail_file
from deeplens_kit.reporting.report_notes import NOTES_FILE, read_notes
from deeplens_kit.telemetry.redaction import redact

__all__ = [
    "EXECUTED_ENDING",
    "FAILED_ENDING",
    "MAIL_ENDING",
    "NUMBERS",
    "PDF_ENDING",
    "RUN",
    "RenderedReport",
    "render_notebook",
]

NUMBERS = "numbers"
"""The parameter by which a notebook is told the folder for its numbers."""

RUN = "run"
"""The parameter by which a notebook is told the run of the report in the ledger."""

EXECUTED_ENDING = ".executed.ipynb"
"""What the notebook as it ran is called, after the name of the page."""

FAILED_ENDING = ".failed.ipynb"
"""What a notebook that failed is called, after the name of the page."""

PDF_ENDING = ".pdf"
MAIL_ENDING = ".eml"

# A kernel of a busy machine imports for a while before it answers.
_START_SECONDS = 120


@dataclass(frozen=True, slots=True)
class RenderedReport:
    """What a report left.

    Attributes:
        html: The page.
        numbers: The files with its numbers, beside it.
        notebook: The notebook as it ran, with what its cells showed.
        pdf: The page as PDF; None where none was asked for.
        mail: The report as a mail that can be opened and sent; None where none was asked for.
        headline: The result in one line; empty where the notebook told none.
        figures: Exact numbers for the history of reports, as JSON can hold them.
        message: What a mail about it says; None where the notebook told none.
    """

    html: Path
    numbers: tuple[Path, ...]
    notebook: Path
    pdf: Path | None = None
    mail: Path | None = None
    headline: str = ""
    figures: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    message: ReportMail | None = None

    @property
    def files(self) -> tuple[Path, ...]:
        """All of them, the page first."""
        more = [path for path in (self.pdf, self.mail) if path is not None]
        return (self.html, *self.numbers, self.notebook, *more)


def render_notebook(
    notebook: Path,
    parameters: Mapping[str, object],
    out: Path,
    *,
    progress: Callable[[int, int], None] | None = None,
    pdf: bool = False,
    mail: bool = False,
    run: str = "",
    keep_failed: Callable[[Path, bytes], str] | None = None,
    outdated: Sequence[Path] = (),
) -> RenderedReport:
    """Run a notebook and put the page and the files that belong to it in place.

    Files that the notebook writes into the folder of its parameter `numbers` come to lie beside the page and are called
    after it: of `savings.ipynb`, rendered to `monday.html`, `savings.json` becomes `monday.json` and
    `savings-groups.parquet` becomes `monday-groups.parquet`; the notebook as it ran becomes `monday.executed.ipynb`.

    Args:
        notebook: With a cell tagged `parameters`.
        parameters: Values by name.
        out: The page, replaced when it is whole.
        progress: Told (cells that are done, cells in all).
        pdf: Print the page too.
        mail: Make a mail of it too, where the notebook tells one.
        run: The report's run in the ledger, told to a notebook with a parameter `run`.
        keep_failed: Given the name for a notebook that failed and its bytes, keeps it and gives where it is, empty
            where it cannot; None keeps it beside the page.
        outdated: Files of the earlier report that this one does not replace: they go as it appears.

    Raises:
        UnknownNameError: There is no parameter of that name.
        SettingsError: A value is not of the declared type, the page cannot be written there, or a PDF is asked for and
            no browser is installed that prints.
        ReportError: A cell failed, or the browser did not print; the last good report stands.
        ExtraMissingError: papermill is not installed.
        KeyboardInterrupt: The user stopped it; nothing was written.
    """
    check_target(out, PAGE_ENDINGS)
    values, declared = checked_parameters(notebook, parameters), report_parameters(notebook)
    if pdf:
        find_chromium()
    with tempfile.TemporaryDirectory(prefix="deeplens-report-", ignore_cleanup_errors=True) as temporary:
        folder = Path(temporary)
        (folder / NUMBERS).mkdir()
        own = {NUMBERS: str(folder / NUMBERS), RUN: run}
        values |= {name: value for name, value in own.items() if name in declared}
        executed = _executed(notebook, values, folder, out, progress, keep_failed or _write_failed)
        page = notebook_page(executed).encode("utf-8", "backslashreplace")
        notes = read_notes(folder / NUMBERS)
        written = sorted(file for file in (folder / NUMBERS).iterdir() if file.name != NOTES_FILE)
        numbers = {_beside(out, notebook, file): file.read_bytes() for file in written}
        kept = out.with_name(out.stem + EXECUTED_ENDING)
        parts = {**numbers, kept: executed_notebook(executed, {NUMBERS: "", RUN: ""})}
        printed = out.with_name(out.stem + PDF_ENDING) if pdf else None
        if printed is not None:
            parts[printed] = _printed(page, folder)
        letter = out.with_name(out.stem + MAIL_ENDING) if mail and notes.mail is not None else None
        if letter is not None and notes.mail is not None:
            parts[letter] = mail_file(notes.mail, page, out.name)
        # The page last: whoever sees the new page finds its numbers.
        write_together([*((path, [content]) for path, content in parts.items()), (out, [page])], outdated)
    _failed_file(out).unlink(missing_ok=True)
    return RenderedReport(out, tuple(numbers), kept, printed, letter, notes.headline, notes.figures, notes.mail)


def _printed(page: bytes, folder: Path) -> bytes:
    """The page as PDF, with Ctrl-C and SIGTERM ending the browser."""
    place = folder / "print"
    place.mkdir()
    file = place / "page.html"
    file.write_bytes(page)
    with _terminated_as_interrupted():
        return print_page(file, place)


def _beside(out: Path, notebook: Path, file: Path) -> Path:
    """The file's name with the page's in the place of the notebook's."""
    return out.with_name(out.stem + file.name.removeprefix(notebook.stem))


def _failed_file(out: Path) -> Path:
    return out.with_name(out.stem + FAILED_ENDING)


def _executed(
    notebook: Path,
    values: Mapping[str, object],
    folder: Path,
    out: Path,
    progress: Callable[[int, int], None] | None,
    keep_failed: Callable[[Path, bytes], str],
) -> Any:
    try:
        import nbformat
        import papermill
        from papermill.exceptions import PapermillExecutionError
    except ModuleNotFoundError as error:
        raise ExtraMissingError("A report", "workbench") from error
    from jupyter_client.kernelspec import NoSuchKernel
    from nbclient.exceptions import DeadKernelError

    node = nbformat.read(notebook, as_version=4)  # type: ignore[no-untyped-call]
    cells = sum(1 for cell in node.cells if cell.cell_type == "code") + bool(values)
    done = 0

    def count(**_cell: object) -> None:
        nonlocal done
        done += 1
        if progress is not None:
            progress(min(done, cells), cells)

    if progress is not None:
        progress(0, cells)
    # Braces in a path would be read by papermill as places to fill.
    kept = str(folder / "executed.ipynb").replace("{", "{{").replace("}", "}}")
    try:
        with _terminated_as_interrupted():
            return papermill.execute_notebook(
                node,
                kept,
                parameters=dict(values),
                progress_bar=False,
                log_output=False,
                start_timeout=_START_SECONDS,
                # A folder without files: no module of the user's current folder is found before ours.
                cwd=str(_empty_folder(folder)),
                kernel_manager_class=kernel_manager_in(folder),
                on_cell_executed=count,
                # Its last cell has closed what it opened.
                shutdown_kernel="immediate",
            )
    except PapermillExecutionError as error:
        beside = _kept(folder / "executed.ipynb", out, keep_failed)
        raise ReportError(f"The report was not made: {_reason(error)} {beside}") from error
    except (DeadKernelError, NoSuchKernel, RuntimeError, TimeoutError) as error:
        said = _last_words(folder) or f"{type(error).__name__}: {error}".rstrip(".")
        raise ReportError(f"The report was not made: its kernel stopped ({said}); run it again.") from error


def _last_words(folder: Path) -> str:
    try:
        lines = (folder / KERNEL_LOG).read_text(encoding="utf-8", errors="replace").split("\n")
    except OSError:
        return ""
    return next((redact(line.strip()) for line in reversed(lines) if line.strip()), "")


def _empty_folder(folder: Path) -> Path:
    empty = folder / "current"
    empty.mkdir()
    return empty


def _reason(error: Any) -> str:
    """Why a cell failed, as a sentence: our own errors speak for themselves."""
    kind = getattr(errors, error.ename, None)
    said = " ".join(redact(str(error.evalue)).split())
    if isinstance(kind, type) and issubclass(kind, errors.DeepLensError):
        return said if said.endswith((".", "?")) else f"{said}."
    return f"cell {error.exec_count} failed with {error.ename}{f': {said}' if said else ''}".rstrip(".") + "."


def _kept(executed: Path, out: Path, keep_failed: Callable[[Path, bytes], str]) -> str:
    """Keep the notebook as far as it got; say where, and what became of the page."""
    stands = "The last good report stands. " if out.exists() else ""
    try:
        place = keep_failed(_failed_file(out), redact(executed.read_text(encoding="utf-8")).encode())
    except OSError:
        place = ""
    return f"{stands}Look into {place!r}: the notebook as far as it got." if place else stands.strip()


def _write_failed(target: Path, content: bytes) -> str:
    """Keep a notebook that failed beside the page."""
    try:
        write_atomically(target, [content])
    except errors.SettingsError:
        return ""
    return str(target)


@contextlib.contextmanager
def _terminated_as_interrupted() -> Iterator[None]:
    """Let SIGTERM end the work as Ctrl-C does, so that a scheduler that stops us leaves no kernel behind."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
