"""Workspaces that the notebooks run on, and a runner that keeps out of the folders of whoever runs the tests."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from sample_workspace import SampleWorkspace, sample_workspace

from deeplens_kit.pipeline import Workspace, add_location, index

NOTEBOOKS = (
    "01_index_locations",
    "02_explore_clusters",
    "03_tune_thresholds",
    "04_review_duplicates",
    "05_plan_savings",
    "06_search",
)


@dataclass(frozen=True, slots=True)
class Executed:
    """A notebook that ran.

    Attributes:
        folder: The kernel's current folder.
        cells: Its cells, with their outputs.
    """

    folder: Path
    cells: list[dict[str, Any]]

    @property
    def outputs(self) -> list[dict[str, Any]]:
        return [output for cell in self.cells for output in cell.get("outputs", [])]

    @property
    def figures(self) -> dict[str, Any]:
        """What the last cell says for programs."""
        (found,) = [
            output["data"]["application/json"]
            for output in self.outputs
            if "application/json" in output.get("data", {})
        ]
        return dict(found)

    @property
    def text(self) -> str:
        """Everything that is shown, as text or markup."""
        shown = [output.get("data", {}) for output in self.outputs]
        return "\n".join(str(data.get(kind, "")) for data in shown for kind in ("text/plain", "text/html"))


Runner = Callable[..., Executed]
Together = Callable[[Mapping[str, tuple[str, Mapping[str, object]]]], dict[str, Executed]]
"""Runs notebooks one after the other: of each run its notebook and its parameters, by what to call it."""


@pytest.fixture(scope="session")
def sample(tmp_path_factory: pytest.TempPathFactory) -> SampleWorkspace:
    """Indexed; not to be changed."""
    return sample_workspace(tmp_path_factory)


@pytest.fixture(scope="session")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace without a location."""
    folder = tmp_path_factory.mktemp("empty") / "workspace"
    Workspace.create(folder).close()
    return folder


@pytest.fixture(scope="session")
def failures_only(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace over files of which none is a picture."""
    folder = tmp_path_factory.mktemp("failures")
    files = folder / "files"
    files.mkdir()
    (files / "empty.jpg").write_bytes(b"")
    (files / "notes.png").write_text("no picture at all")
    with Workspace.create(folder / "workspace") as workspace:
        add_location(workspace, "files", str(files))
        index(workspace)
    return folder / "workspace"


@pytest.fixture(scope="session")
def one_picture(tmp_path_factory: pytest.TempPathFactory, repository: Path) -> Path:
    """A workspace over a single picture."""
    folder = tmp_path_factory.mktemp("one")
    (folder / "files").mkdir()
    Image.new("RGB", (320, 240), (40, 90, 160)).save(folder / "files" / "blue.png")
    with Workspace.create(folder / "workspace") as workspace:
        add_location(workspace, "files", str(folder / "files"))
        index(workspace)
    return folder / "workspace"


@pytest.fixture
def execute_together(repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Together:
    """Runs notebooks in one kernel, from an empty folder: what takes long, loading the libraries, is done once.

    Names of one do not reach the next. Papermill, which starts a kernel for each, is what `execute` runs.
    """
    import nbformat
    from nbclient import NotebookClient

    for variable in ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR"):
        monkeypatch.setenv(variable, str(tmp_path / variable.lower()))

    def run(runs: Mapping[str, tuple[str, Mapping[str, object]]]) -> dict[str, Executed]:
        together = nbformat.v4.new_notebook()
        spans = {}
        for called, (name, parameters) in runs.items():
            start = len(together.cells)
            for cell in nbformat.read(repository / "notebooks" / f"{name}.ipynb", as_version=4).cells:
                together.cells.append(cell)
                if "parameters" in cell.metadata.get("tags", []):
                    given = "\n".join(f"{key} = {value!r}" for key, value in parameters.items())
                    together.cells.append(nbformat.v4.new_code_cell(given))
            spans[called] = (start, len(together.cells))
            together.cells.append(nbformat.v4.new_code_cell("workbench.close()\n%reset -f -s"))
        folder = tmp_path / "together"
        folder.mkdir()
        client = NotebookClient(
            together, timeout=300, kernel_name="python3", resources={"metadata": {"path": str(folder)}}
        )
        client.execute()
        return {called: Executed(folder, together.cells[start:end]) for called, (start, end) in spans.items()}

    return run


@pytest.fixture
def execute(repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Runner:
    """Runs a notebook by papermill, from an empty folder."""
    import papermill

    for variable in ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR"):
        monkeypatch.setenv(variable, str(tmp_path / variable.lower()))

    def run(name: str, **parameters: object) -> Executed:
        folder = tmp_path / name
        folder.mkdir()
        out = tmp_path / f"{name}.ipynb"
        papermill.execute_notebook(
            repository / "notebooks" / f"{name}.ipynb", out, parameters, progress_bar=False, cwd=folder
        )
        return Executed(folder, json.loads(out.read_text(encoding="utf-8"))["cells"])

    return run
