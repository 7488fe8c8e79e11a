"""A notebook becomes a report as a whole or not at all, in this very Python, whatever the machine has besides."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from deeplens_kit.errors import ReportError, SettingsError, UnknownNameError
from deeplens_kit.reporting import render_notebook

PARAMETERS = 'numbers: str = ""\nword: str = "nothing"\n'
WORKS = """\
import sys, pathlib
pathlib.Path(numbers, "report.json").write_text(word)
pathlib.Path(numbers, "report-more.parquet").write_bytes(b"PAR1")
"""
SHOWS = """\
from IPython.display import HTML, display
display(HTML("<h1>It says " + word + "</h1>"))
print("a line for whoever wrote it")
sys.executable
"""
OLD = "<p>the last good one</p>"


def notebook_of(folder: Path, *cells: str) -> Path:
    path = folder / "report.ipynb"
    sources = (PARAMETERS, *cells)
    path.write_text(
        json.dumps(
            {
                "cells": [
                    {
                        "cell_type": "code",
                        "id": f"cell-{at}",
                        "metadata": {"tags": ["parameters"]} if at == 0 else {},
                        "execution_count": None,
                        "outputs": [],
                        "source": source,
                    }
                    for at, source in enumerate(sources)
                ],
                # No kernel of this name is registered anywhere.
                "metadata": {"kernelspec": {"name": "nobody-has-this", "display_name": "x", "language": "python"}},
                "nbformat": 4,
                "nbformat_minor": 5,
            }
        )
    )
    return path


@pytest.fixture
def place(tmp_path: Path) -> Path:
    folder = tmp_path / "place {braces} 100%"
    folder.mkdir()
    return folder


@pytest.fixture(autouse=True)
def _temporaries_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "tmp {0}"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))


def left_over(tmp_path: Path) -> list[Path]:
    return list((tmp_path / "tmp {0}").iterdir())


def test_the_page_and_its_numbers_appear_under_its_name(
    tmp_path: Path, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A kernel named as Jupyter's own, and modules in the current folder: neither must be met.
    kernel = tmp_path / "jupyter" / "kernels" / "python3"
    kernel.mkdir(parents=True)
    (kernel / "kernel.json").write_text(json.dumps({"argv": ["/bin/false"], "display_name": "x", "language": "python"}))
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "jupyter"))
    (tmp_path / "json.py").write_text("raise SystemExit('a module of the current folder was imported')")
    monkeypatch.chdir(tmp_path)
    told: list[tuple[int, int]] = []
    made = render_notebook(
        notebook_of(tmp_path, WORKS, SHOWS),
        {"word": 'it\'s "quoted" \\ {braces}'},
        place / "monday.html",
        progress=lambda done, total: told.append((done, total)),
    )
    assert made.html == place / "monday.html"
    assert [path.name for path in made.numbers] == ["monday-more.parquet", "monday.json"]
    assert sorted(item.name for item in place.iterdir()) == [
        "monday-more.parquet", "monday.executed.ipynb", "monday.html", "monday.json",
    ]  # fmt: skip
    assert (place / "monday.json").read_text() == 'it\'s "quoted" \\ {braces}'
    page = (place / "monday.html").read_text()
    assert '<h1>It says it\'s "quoted" \\ {braces}</h1>' in page
    assert repr(sys.executable) in page.replace("&#39;", "'")
    # Neither the code nor what it prints for its author is part of a report.
    assert "pathlib" not in page
    assert "a line for" not in page
    assert "<script" not in page
    assert told == [(done, 4) for done in range(5)]
    assert left_over(tmp_path) == []


def test_where_a_cell_fails_the_last_report_stands(tmp_path: Path, place: Path) -> None:
    out = place / "monday.html"
    out.write_text(OLD)
    (place / "monday.json").write_text("old numbers")
    failing = "key = 'api_key=supersecretvalue'\nprint(key)\nraise ValueError('token=supersecretvalue is wrong')"
    with pytest.raises(ReportError) as caught:
        render_notebook(notebook_of(tmp_path, WORKS, failing), {"word": "new"}, out)
    assert "failed with ValueError" in str(caught.value)
    assert "supersecretvalue" not in str(caught.value)
    assert "The last good report stands" in str(caught.value)
    assert out.read_text() == OLD
    assert (place / "monday.json").read_text() == "old numbers"
    failed = place / "monday.failed.ipynb"
    assert str(failed) in str(caught.value)
    cells = json.loads(failed.read_text())["cells"]
    assert any(output["output_type"] == "error" for cell in cells for output in cell.get("outputs", []))
    assert "supersecretvalue" not in failed.read_text()
    assert sorted(item.name for item in place.iterdir()) == ["monday.failed.ipynb", "monday.html", "monday.json"]
    # The next one that is made takes it away.
    render_notebook(notebook_of(tmp_path, WORKS), {}, out)
    assert not failed.exists()
    assert left_over(tmp_path) == []


def test_an_error_of_ours_speaks_for_itself(tmp_path: Path, place: Path) -> None:
    cell = "from deeplens_kit.errors import UnknownNameError\nraise UnknownNameError('tier', 'byte', ['bytes'])"
    with pytest.raises(ReportError) as caught:
        render_notebook(notebook_of(tmp_path, cell), {}, place / "x.html")
    assert str(caught.value).startswith(
        "The report was not made: There is no tier named 'byte'; did you mean 'bytes'? Look into "
    )
    assert not (place / "x.html").exists()


def test_a_kernel_that_dies_is_one_line(tmp_path: Path, place: Path) -> None:
    dies = "import os; os.write(2, b'first\\nlast words\\n\\n'); os._exit(3)"
    with pytest.raises(ReportError, match=r"its kernel stopped \(last words\); run it again"):
        render_notebook(notebook_of(tmp_path, dies), {}, place / "x.html")
    assert list(place.iterdir()) == []
    assert left_over(tmp_path) == []


def test_what_is_wrong_from_the_start_starts_nothing(
    tmp_path: Path, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    notebook = notebook_of(tmp_path, WORKS)

    def started(*_arguments: object, **_options: object) -> None:
        raise AssertionError("a kernel was started")

    monkeypatch.setattr("papermill.execute_notebook", started)
    for parameters, out, error in (
        ({"wrod": "x"}, place / "x.html", UnknownNameError),
        ({"word": 3}, place / "x.html", SettingsError),
        ({}, place / "none" / "x.html", SettingsError),
        ({}, place, SettingsError),
    ):
        with pytest.raises(error):
            render_notebook(notebook, parameters, out)
    assert list(place.iterdir()) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_it_leaves_neither_files_nor_a_kernel(tmp_path: Path, place: Path, number: signal.Signals) -> None:
    out, sign = place / "monday.html", tmp_path / "kernel.pid"
    out.write_text(OLD)
    waits = f"import os, threading\nopen({str(sign)!r}, 'w').write(str(os.getpid()) + '\\n')\nthreading.Event().wait()"
    code = (
        "import sys, pathlib\nfrom deeplens_kit.reporting import render_notebook\n"
        "render_notebook(pathlib.Path(sys.argv[1]), {}, pathlib.Path(sys.argv[2]))"
    )
    root = Path(__file__).parent.parent.parent
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(notebook_of(tmp_path, WORKS, waits)), str(out)],
        env={**os.environ, "PYTHONPATH": str(root), "TMPDIR": str(tmp_path / "tmp {0}")},
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        while not (sign.exists() and sign.read_text().endswith("\n")):
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout=0.1)
            assert process.returncode is None, process.communicate()[1]
        process.send_signal(number)
        _, said = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode != 0
    assert "KeyboardInterrupt" in said
    kernel = int(sign.read_text())
    with pytest.raises(ProcessLookupError):
        os.kill(kernel, 0)
    assert out.read_text() == OLD
    assert [item.name for item in place.iterdir()] == ["monday.html"]
    assert left_over(tmp_path) == []
