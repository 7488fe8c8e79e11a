"""Every call of the workbench has an example, in its docstring and in the guide, and what the example says is so."""

from __future__ import annotations

import doctest
import inspect
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from sample_workspace import SampleWorkspace

from deeplens_kit import Workbench
from deeplens_kit.matching import Thresholds
from deeplens_kit.workbench.acting import WorkbenchActing
from deeplens_kit.workbench.decisions import WorkbenchDecisions
from deeplens_kit.workbench.keeping import WorkbenchKeeping
from deeplens_kit.workbench.labels import WorkbenchLabels
from deeplens_kit.workbench.locations import WorkbenchLocations
from deeplens_kit.workbench.plans import WorkbenchPlans
from deeplens_kit.workbench.searches import WorkbenchSearches
from deeplens_kit.workbench.selections import WorkbenchSelections
from deeplens_kit.workbench.workflows import WorkbenchWorkflows

_CALLS = sorted(
    name
    for part in (
        Workbench,
        WorkbenchActing,
        WorkbenchDecisions,
        WorkbenchKeeping,
        WorkbenchLabels,
        WorkbenchLocations,
        WorkbenchPlans,
        WorkbenchSearches,
        WorkbenchSelections,
        WorkbenchWorkflows,
    )
    for name in vars(part)
    if not name.startswith("_") and name != "close"
)
_BLOCK = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
_OPTIONS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


@pytest.fixture(scope="module")
def workbench(sample: SampleWorkspace) -> Iterator[Workbench]:
    with Workbench.open(sample.workspace) as opened:
        yield opened


def _run(test: doctest.DocTest) -> int:
    """Run examples; the number of them."""
    told: list[str] = []
    result = doctest.DocTestRunner(optionflags=_OPTIONS).run(test, out=told.append)
    assert result.failed == 0, "".join(told)
    return result.attempted


@pytest.mark.parametrize("name", _CALLS)
def test_the_example_of_a_call_says_what_it_gives(name: str, workbench: Workbench, sample: SampleWorkspace) -> None:
    names = {"Workbench": Workbench, "Thresholds": Thresholds, "workbench": workbench, "folder": sample.folder}
    member = inspect.getattr_static(Workbench, name)
    text = inspect.getdoc(getattr(member, "__func__", member)) or ""
    assert _run(doctest.DocTestParser().get_doctest(text, names, name, __file__, 0)) > 0


def test_the_guide_of_the_workbench_runs_as_it_is_written(
    sample: SampleWorkspace, repository: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    text = (repository / "docs" / "workbench.md").read_text(encoding="utf-8")
    (tmp_path / "pictures").symlink_to(sample.library)
    (tmp_path / "my-workspace").symlink_to(sample.workspace)
    monkeypatch.chdir(tmp_path)
    blocks = "\n".join(_BLOCK.findall(text))
    assert _run(doctest.DocTestParser().get_doctest(blocks, {}, "docs/workbench.md", None, 0)) > len(_CALLS)
    for name in _CALLS:
        assert f"`{name}" in text or f"workbench.{name}" in text or f"Workbench.{name}" in text, name
