"""Every report by its name: refused with the nearest name before anything runs; its notebook says what it should."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from deeplens_kit.errors import ReportError, SettingsError, UnknownNameError
from deeplens_kit.pipeline import Workspace
from deeplens_kit.reporting.bundled import bundled
from deeplens_kit.reporting.chromium import BROWSER_VARIABLE, find_chromium, print_page
from deeplens_kit.reporting.notebook_parameters import report_parameters
from deeplens_kit.reporting.rendering import REPORTS, check_report, check_report_files
from deeplens_kit.reporting.report_files import file_endings
from deeplens_kit.reporting.report_notes import read_notes


def run_cells(name: str, workspace: Path, numbers: Path, **values: object) -> str:
    """What the cells of a report's notebook show, run in this process: a kernel takes seconds to start."""
    from IPython.core.interactiveshell import InteractiveShell

    notebook = json.loads((bundled("reports") / f"{name}.ipynb").read_text(encoding="utf-8"))
    shell = InteractiveShell()
    shell.ast_node_interactivity = "none"
    shown = []
    for cell in notebook["cells"]:
        if cell["cell_type"] != "code":
            continue
        source = "".join(cell["source"])
        if "_section(" in source:
            shown.append(shell.ev(source).html)
            continue
        exec(source, shell.user_ns)
        if "parameters" in cell["metadata"].get("tags", []):
            shell.user_ns |= {"workspace": str(workspace), "numbers": str(numbers), **values}
    return "\n".join(shown)


@pytest.fixture
def numbers(tmp_path: Path) -> Path:
    folder = tmp_path / "numbers"
    folder.mkdir()
    return folder


@pytest.mark.parametrize("name", REPORTS)
def test_names_are_refused_with_the_nearest_before_anything_runs(name: str) -> None:
    declared = report_parameters(bundled("reports") / f"{name}.ipynb")
    assert {"workspace", "numbers", "run"} < set(declared)
    assert all(item.meaning for item in declared.values())
    free = next(key for key in declared if key not in ("workspace", "numbers", "run"))
    with pytest.raises(UnknownNameError, match=f"did you mean '{free}'"):
        check_report(name, {free[:-1] + "z" + free[-1]: "1"})
    for own in ("workspace", "numbers", "run"):
        with pytest.raises(SettingsError, match="set by the command itself"):
            check_report(name, {own: "x"})
    # What may not be given is not suggested either.
    with pytest.raises(UnknownNameError) as caught:
        check_report(name, {"workspac": "x"})
    assert "'workspace'" not in str(caught.value)
    with pytest.raises(UnknownNameError, match=f"did you mean '{name}'"):
        check_report(name[:-1], {})
    assert check_report(name, {}) == {}


@pytest.mark.parametrize(
    ("name", "values", "says"),
    [
        ("coverage", {"max_files": "many"}, "a whole number"), ("drift", {"tiers": "byte"}, "did you mean 'bytes'"),
        ("evidence", {"precision": "1"}, "above 0.5 and below 1"),
        ("evidence", {"confidence": "0.2"}, "above 0.5 and below 1"),
        ("savings", {"rule": "mine", "likelihood_min": "0.8"}, "leave out likelihood_min"),
    ],
)  # fmt: skip
def test_values_are_refused_before_anything_runs(name: str, values: dict[str, str], says: str) -> None:
    with pytest.raises((SettingsError, UnknownNameError), match=says):
        check_report(name, values)


def test_files_of_others_are_not_replaced(tmp_path: Path) -> None:
    files = check_report_files("savings", tmp_path / "a.html", mail=True)
    assert {file.name for file in files} == {
        "a.html", "a.json", "a.parquet", "a.csv", "a.xlsx", "a-groups.parquet", "a.executed.ipynb", "a.eml",
        "a.failed.ipynb",
    }  # fmt: skip
    (tmp_path / "a.xlsx").write_text("mine")
    with pytest.raises(SettingsError, match=r"a\.xlsx.*not of an earlier report of this kind"):
        check_report_files("savings", tmp_path / "a.html")
    # A report of another kind is somebody else's too.
    (tmp_path / "a.json").write_text('{\n"command": "coverage",\n')
    with pytest.raises(SettingsError, match="not of an earlier report"):
        check_report_files("savings", tmp_path / "a.html")
    (tmp_path / "a.json").write_text('{\n"command": "savings",\n')
    check_report_files("savings", tmp_path / "a.html")
    for wrong in ("a.txt", "none/a.html"):
        with pytest.raises(SettingsError):
            check_report_files("savings", tmp_path / wrong)


def test_without_a_browser_a_pdf_is_refused_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(BROWSER_VARIABLE, raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("deeplens_kit.reporting.chromium._PLACES", ())
    with pytest.raises(SettingsError, match=r"install one .*or leave out --pdf"):
        check_report_files("coverage", tmp_path / "a.html", pdf=True)
    monkeypatch.setenv(BROWSER_VARIABLE, "no-such-browser")
    with pytest.raises(SettingsError, match="DEEPLENS_CHROMIUM is 'no-such-browser'"):
        find_chromium()


def test_a_browser_that_does_not_print_is_an_error_with_its_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = tmp_path / "chromium"
    fake.write_text("#!/bin/sh\necho 'no display' >&2\nexit 0\n")
    fake.chmod(0o755)
    monkeypatch.setenv(BROWSER_VARIABLE, str(fake))
    page = tmp_path / "page.html"
    page.write_text("<p>x")
    (tmp_path / "print").mkdir()
    with pytest.raises(ReportError, match=r"chromium did not print \(no display\)"):
        print_page(page, tmp_path / "print")


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("savings", "Nothing indexed yet"), ("coverage", "Nothing indexed yet"), ("drift", "Nothing indexed yet"),
        ("evidence", "Too few labels to say how right the proposals are"),
    ],
)  # fmt: skip
def test_an_empty_workspace_has_every_report(tmp_path: Path, numbers: Path, name: str, says: str) -> None:
    Workspace.create(tmp_path / "workspace").close()
    html = run_cells(name, tmp_path / "workspace", numbers)
    assert says in html
    assert html.count("<h1>") == 1
    assert "None" not in html
    assert str(tmp_path) not in html
    written = {file.name for file in numbers.iterdir()}
    assert written == {"render.json", *(f"{name}{ending}" for ending in file_endings(name))}
    notes = read_notes(numbers)
    assert notes.headline
    assert notes.mail is not None
    assert "made_at" in notes.figures
    summary = json.loads((numbers / f"{name}.json").read_text(encoding="utf-8"))["summary"]
    assert str(tmp_path) not in json.dumps(summary)
