"""A report: a notebook run with parameters, made a page, and put in place with its numbers all at once.

Takes a notebook, values for its parameters and where the page goes; gives the files that it wrote. Must not leave
anything half written: the notebook runs in a folder of its own, and what was there before stays until all of the new is
whole. Where a cell fails, the notebook as far as it got is kept beside for whoever mends it, without credentials.
"""

from __future__ import annotations

import contextlib
import signal
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

from deeplens_kit import errors
from deeplens_kit.errors import ExtraMissingError, ReportError
from deeplens_kit.reporting.files import PAGE_ENDINGS, check_target, write_atomically, write_together
from deeplens_kit.reporting.notebook_kernel import KERNEL_LOG, kernel_manager_in
from deeplens_kit.reporting.notebook_page import notebook_page
from deeplens_kit.reporting.notebook_parameters import checked_parameters, report_parameters
from deeplens_kit.telemetry.redaction import redact

__all__ = ["FAILED_ENDING", "NUMBERS", "RenderedReport", "render_notebook"]

NUMBERS = "numbers"
"""The parameter by which a notebook is told the folder for its numbers."""

FAILED_ENDING = ".failed.ipynb"
"""What a notebook that failed is called, after the name of the page."""

# A kernel of a busy machine imports for a while before it answers.
_START_SECONDS = 120


@dataclass(frozen=True, slots=True)
class RenderedReport:
    """What a report left.

    Attributes:
        html: The page.
        numbers: The files beside it.
    """

    html: Path
    numbers: tuple[Path, ...]


def render_notebook(
    notebook: Path,
    parameters: Mapping[str, object],
    out: Path,
    *,
    progress: Callable[[int, int], None] | None = None,
) -> RenderedReport:
    """Run a notebook and put the page and the files that it wrote in place.

    Files that the notebook writes into the folder of its parameter `numbers` come to lie beside the page and are called
    after it: of `savings.ipynb`, rendered to `monday.html`, `savings.json` becomes `monday.json` and
    `savings-groups.parquet` becomes `monday-groups.parquet`.

    Args:
        notebook: With a cell tagged `parameters`.
        parameters: Values by name.
        out: The page, replaced when it is whole.
        progress: Told (cells that are done, cells in all).

    Raises:
        UnknownNameError: There is no parameter of that name.
        SettingsError: A value is not of the declared type, or the page cannot be written there.
        ReportError: A cell failed; the last good report stands.
        ExtraMissingError: papermill is not installed.
        KeyboardInterrupt: The user stopped it; nothing was written.
    """
    check_target(out, PAGE_ENDINGS)
    values = checked_parameters(notebook, parameters)
    with tempfile.TemporaryDirectory(prefix="deeplens-report-", ignore_cleanup_errors=True) as temporary:
        folder = Path(temporary)
        (folder / NUMBERS).mkdir()
        if NUMBERS in report_parameters(notebook):
            values[NUMBERS] = str(folder / NUMBERS)
        executed = _executed(notebook, values, folder, out, progress)
        page = notebook_page(executed).encode("utf-8", "backslashreplace")
        written = sorted((folder / NUMBERS).iterdir())
        numbers = [(_beside(out, notebook, file), [file.read_bytes()]) for file in written]
        # The page last: whoever sees the new page finds its numbers.
        write_together([*numbers, (out, [page])])
    _failed_file(out).unlink(missing_ok=True)
    return RenderedReport(out, tuple(path for path, _ in numbers))


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
        beside = _keep_failed(folder / "executed.ipynb", out)
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


def _keep_failed(executed: Path, out: Path) -> str:
    """Keep the notebook as far as it got, beside the page; say where, and what became of the page."""
    stands = "The last good report stands. " if out.exists() else ""
    target = _failed_file(out)
    try:
        write_atomically(target, [redact(executed.read_text(encoding="utf-8")).encode()])
    except (OSError, errors.SettingsError):
        return stands.strip()
    return f"{stands}Look into {str(target)!r}: the notebook as far as it got."


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
