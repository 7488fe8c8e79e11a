"""Parameters of a report are strict: a name or value that does not fit is an error that helps."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from deeplens_kit.errors import ReportError, SettingsError, UnknownNameError
from deeplens_kit.matching import Thresholds
from deeplens_kit.reporting.bundled import bundled
from deeplens_kit.reporting.notebook_parameters import checked_parameters, report_parameters

DECLARED = """\
name: str = "x"  # what to call it
count: int = 3
share: float = 0.5
loud: bool = False
tiers: list[str] = ["bytes"]
"""


def notebook_of(folder: Path, source: str, tags: tuple[str, ...] = ("parameters",)) -> Path:
    path = folder / "report.ipynb"
    cell = {"cell_type": "code", "metadata": {"tags": list(tags)}, "source": source.splitlines(keepends=True)}
    path.write_text(json.dumps({"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}))
    return path


def test_parameters_are_those_of_the_tagged_cell(tmp_path: Path) -> None:
    declared = report_parameters(notebook_of(tmp_path, DECLARED))
    assert list(declared) == ["name", "count", "share", "loud", "tiers"]
    assert declared["name"].meaning == "what to call it"
    assert [item.kind for item in declared.values()] == ["str", "int", "float", "bool", "list[str]"]
    assert declared["tiers"].default == ["bytes"]


def test_the_savings_report_declares_what_the_guide_names() -> None:
    declared = report_parameters(bundled("reports") / "savings.ipynb")
    bounds = set(asdict(Thresholds()))
    assert set(declared) == {"workspace", "numbers", "run", "tiers", "max_groups", "rule", "policy"} | bounds
    assert {name: declared[name].default for name in bounds} == asdict(Thresholds())
    assert all(item.meaning for item in declared.values())


@pytest.mark.parametrize(
    ("name", "given", "value"),
    [
        ("name", " as it is ", " as it is "), ("name", "", ""),
        ("count", "12", 12), ("count", -3, -3), ("count", " 7 ", 7),
        ("share", "0.25", 0.25), ("share", "1", 1.0), ("share", 2, 2.0),
        ("loud", "yes", True), ("loud", "FALSE", False), ("loud", True, True),
        ("tiers", "bytes, copy", ["bytes", "copy"]), ("tiers", "", []), ("tiers", ["copy"], ["copy"]),
    ],
)  # fmt: skip
def test_values_become_what_is_declared(tmp_path: Path, name: str, given: object, value: object) -> None:
    found = checked_parameters(notebook_of(tmp_path, DECLARED), {name: given})[name]
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("name", "given", "says"),
    [
        ("count", "many", "a whole number"), ("count", "1.5", "a whole number"), ("count", True, "a whole number"),
        ("count", 1.5, "a whole number"), ("count", "", "a whole number"), ("share", "nan", "a number"),
        ("share", "inf", "a number"), ("loud", "maybe", "true or false"), ("loud", 1, "true or false"),
        ("tiers", 3, "commas"), ("tiers", [1], "commas"), ("name", 4, "a text"),
    ],
)  # fmt: skip
def test_a_value_of_another_kind_says_what_is_allowed(tmp_path: Path, name: str, given: object, says: str) -> None:
    with pytest.raises(SettingsError, match=says) as caught:
        checked_parameters(notebook_of(tmp_path, DECLARED), {name: given})
    assert repr(given) in str(caught.value)


def test_a_misspelt_name_suggests_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'count'"):
        checked_parameters(notebook_of(tmp_path, DECLARED), {"cuont": 1})
    with pytest.raises(UnknownNameError, match="known: count, loud, name, share, tiers"):
        checked_parameters(notebook_of(tmp_path, DECLARED), {"zzzzzz": 1})


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("count = 3", "name: type = value"), ("count: dict = {}", "name: type = value"), ("count: int = f()", "plain"),
        ("import os", "name: type = value"), ("count: int = (", "no valid Python"),
    ],
)  # fmt: skip
def test_a_cell_that_declares_no_types_is_refused(tmp_path: Path, source: str, says: str) -> None:
    with pytest.raises(ReportError, match=says):
        report_parameters(notebook_of(tmp_path, source))


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"cells": 3}', "\x00"])
def test_what_is_no_notebook_says_so(tmp_path: Path, content: str) -> None:
    path = tmp_path / "report.ipynb"
    path.write_text(content)
    with pytest.raises(ReportError):
        report_parameters(path)
    with pytest.raises(ReportError, match="cannot be read as a notebook"):
        report_parameters(tmp_path / "none.ipynb")


def test_a_notebook_without_the_tag_says_so(tmp_path: Path) -> None:
    given: Any = notebook_of(tmp_path, DECLARED, tags=())
    with pytest.raises(ReportError, match="no cell tagged 'parameters'"):
        report_parameters(given)


def test_a_bound_that_is_gone_names_what_replaces_it(tmp_path: Path) -> None:
    report = bundled("reports") / "savings.ipynb"
    for gone, now in (("pdq_max", "likelihood_min"), ("page_pdq_max", "page_likelihood_min")):
        with pytest.raises(SettingsError, match=f"no report parameter named '{gone}' any more: .* give {now}, from 0"):
            checked_parameters(report, {gone: "24"})
    # Another notebook may have a parameter of that name, or none that replaces it.
    assert checked_parameters(notebook_of(tmp_path, "pdq_max: int = 3"), {"pdq_max": 4}) == {"pdq_max": 4}
    with pytest.raises(UnknownNameError, match="no report parameter named 'pdq_max'; known: count"):
        checked_parameters(notebook_of(tmp_path, DECLARED), {"pdq_max": 4})
