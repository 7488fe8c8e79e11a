"""The notebooks are thin, take parameters, and are stored without outputs or traces of a machine."""

from __future__ import annotations

import ast
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

_ROOT = Path(__file__).parent.parent.parent
_NOTEBOOKS = sorted(
    path.relative_to(_ROOT).as_posix()
    for folder in ("notebooks", "reports")
    for path in (_ROOT / folder).glob("*.ipynb")
)
# Inclusive. A cell imports, calls, shows; what needs more belongs in the package.
_LONGEST_CELL_LINES = 15
_IMPORTED = {"deeplens_kit", "IPython", "holoviews", "panel", "polars"}
_ABSOLUTE = re.compile(r"""(?<![\w.<:/])(?:/(?!path/to/)[A-Za-z][\w.-]*/[\w./-]+|[A-Za-z]:\\|file://|~/)""")
_NEVER = (
    ast.FunctionDef,
    ast.AsyncFunctionDef,
    ast.ClassDef,
    ast.For,
    ast.While,
    ast.Try,
)  # fmt: skip


def _notebook(name: str) -> dict[str, Any]:
    return dict(json.loads((_ROOT / name).read_text(encoding="utf-8")))


def _code(name: str) -> Iterator[tuple[str, ast.Module, dict[str, Any]]]:
    for cell in _notebook(name)["cells"]:
        if cell["cell_type"] == "code":
            text = "".join(cell["source"])
            yield text, ast.parse(text), cell


def _faults(text: str, tree: ast.Module) -> list[str]:
    """What a cell must not hold."""
    found = [f"{type(node).__name__} in line {node.lineno}" for node in ast.walk(tree) if isinstance(node, _NEVER)]
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign | ast.AnnAssign | ast.NamedExpr) and isinstance(node.value, ast.Lambda):
            found.append(f"a named lambda in line {node.lineno}")
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [node.module or "."]
        foreign = {name.split(".")[0] for name in names} - _IMPORTED - set(sys.stdlib_module_names)
        found += [f"imports {name}" for name in sorted(foreign)]
        found += [f"imports a private name of {name}" for name in names if "._" in name]
    if len([line for line in text.splitlines() if line.strip()]) > _LONGEST_CELL_LINES:
        found.append(f"more than {_LONGEST_CELL_LINES} lines")
    if path := _ABSOLUTE.search(text):
        found.append(f"an absolute path: {path[0]}")
    if any(line.lstrip().startswith(("!", "%")) for line in text.splitlines()):
        found.append("a command of the shell or of IPython")
    return found


def test_the_notebooks_of_the_product_are_there() -> None:
    assert {
        "notebooks/01_index_locations.ipynb",
        "notebooks/02_explore_clusters.ipynb",
        "notebooks/03_tune_thresholds.ipynb",
        "notebooks/04_review_duplicates.ipynb",
        "notebooks/05_plan_savings.ipynb",
        "notebooks/06_search.ipynb",
        "reports/savings.ipynb",
    } <= set(_NOTEBOOKS)


@pytest.mark.parametrize("name", _NOTEBOOKS)
def test_cells_import_call_and_show(name: str) -> None:
    faults = {text: found for text, tree, _ in _code(name) if (found := _faults(text, tree))}
    assert not faults


@pytest.mark.parametrize("name", _NOTEBOOKS)
def test_nothing_of_a_run_is_stored(name: str) -> None:
    for cell in _notebook(name)["cells"]:
        if cell["cell_type"] == "code":
            assert cell["outputs"] == []
            assert cell["execution_count"] is None
        assert not {"papermill", "execution", "ExecuteTime"} & set(cell["metadata"])
        assert "attachments" not in cell


@pytest.mark.parametrize("name", _NOTEBOOKS)
def test_one_cell_holds_the_parameters_each_with_a_type_a_value_and_a_word(name: str) -> None:
    tagged = [item for item in _code(name) if "parameters" in item[2]["metadata"].get("tags", [])]
    assert len(tagged) == 1
    text, tree, _ = tagged[0]
    for statement in tree.body:
        assert isinstance(statement, ast.AnnAssign), ast.unparse(statement)
        assert statement.value is not None
        ast.literal_eval(statement.value)
    assert all("#" in line for line in text.splitlines() if line.strip()), "say what each parameter is"
    assert "workspace" in {
        ast.unparse(statement.target) for statement in tree.body if isinstance(statement, ast.AnnAssign)
    }


@pytest.mark.parametrize("name", _NOTEBOOKS)
def test_it_runs_in_any_python_kernel_and_explains_itself(name: str) -> None:
    notebook = _notebook(name)
    assert (notebook["nbformat"], notebook["nbformat_minor"]) == (4, 5)
    assert notebook["metadata"]["kernelspec"]["name"] == "python3"
    # papermill finds no language without it.
    assert notebook["metadata"]["kernelspec"]["language"] == "python"
    cells = notebook["cells"]
    assert len({cell["id"] for cell in cells}) == len(cells)
    words = [cell for cell in cells if cell["cell_type"] == "markdown"]
    assert cells[0] is words[0]
    assert "".join(cells[0]["source"]).startswith("# ")
    if name.startswith("notebooks/"):
        assert 2 * len(words) >= len(cells) - len(words)
    for cell in words:
        assert not _ABSOLUTE.search("".join(cell["source"]))


@pytest.mark.parametrize("name", _NOTEBOOKS)
def test_links_lead_to_notebooks_and_documents(name: str) -> None:
    for cell in _notebook(name)["cells"]:
        if cell["cell_type"] == "markdown":
            for target in re.findall(r"\]\(([^)#\s]+)\)", "".join(cell["source"])):
                assert ((_ROOT / name).parent / target).exists(), target


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("def show(x):\n    return x", "FunctionDef"),
        ("class View:\n    pass", "ClassDef"),
        ("show = lambda x: x", "a named lambda"),
        ("for row in rows:\n    print(row)", "For"),
        ("import pandas as pd", "imports pandas"),
        ("from deeplens_kit._private import x", "a private name"),
        ("workspace = '/srv/pictures/ws'", "an absolute path"),
        ("\n".join(f"x{n} = {n}" for n in range(_LONGEST_CELL_LINES + 1)), "more than"),
    ],
)
def test_what_does_not_belong_in_a_cell_is_noticed(text: str, fault: str) -> None:
    assert any(fault in found for found in _faults(text, ast.parse(text)))
