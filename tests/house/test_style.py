"""The rules of the house that ruff does not know: names, lengths and docstrings of modules; no traces of a machine."""

from __future__ import annotations

import ast
import re
import statistics
import subprocess
from pathlib import Path

import pytest

_PACKAGE = Path(__file__).parent.parent.parent / "deeplens_kit"
_MODULES = sorted(path.relative_to(_PACKAGE).as_posix() for path in _PACKAGE.rglob("*.py"))
_VAGUE = re.compile(r"utils?|helpers?|common|misc", re.IGNORECASE)
# Inclusive. A module is read in one sitting, a function is seen on one screen.
_LONGEST_MODULE_LINES = 400
_MEDIAN_MODULE_LINES = 160
_LONGEST_FUNCTION_LINES = 80
# A home or mount of somebody's machine, as a path that starts a word.
_MACHINE_PATH = re.compile(r"(?<![\w./~$}])/(?:home/\w{2,}|Users/\w{2,}|root|work|mnt/[a-z])/[\w.-]+")


def _lines(module: str) -> int:
    return len((_PACKAGE / module).read_text(encoding="utf-8").splitlines())


@pytest.mark.parametrize("module", _MODULES)
def test_a_module_has_a_clear_name_a_readable_length_and_says_what_it_does(module: str) -> None:
    assert not any(_VAGUE.fullmatch(part) for part in Path(module).with_suffix("").parts), "name it by what it holds"
    assert _lines(module) <= _LONGEST_MODULE_LINES
    tree = ast.parse((_PACKAGE / module).read_text(encoding="utf-8"))
    assert ast.get_docstring(tree), "say what it takes, gives and must not do"
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno:
            body = node.body[1:] if ast.get_docstring(node) else node.body
            assert not body or node.end_lineno - body[0].lineno < _LONGEST_FUNCTION_LINES, node.name


def test_most_modules_are_short() -> None:
    assert statistics.median(map(_lines, _MODULES)) <= _MEDIAN_MODULE_LINES


def test_test_files_have_names_of_their_own(repository: Path) -> None:
    """Folders of tests are no packages: two files of one name would hide each other."""
    names = [path.name for path in (repository / "tests").rglob("test_*.py")]
    assert sorted(set(names)) == sorted(names)


def test_no_tracked_file_names_a_path_of_somebodys_machine(repository: Path) -> None:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=repository, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("not a git checkout")
    names = [name for name in listed.stdout.split("\0") if name and (repository / name).is_file()]
    assert len(names) > 20
    found = []
    for name in names:
        try:
            text = (repository / name).read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue  # a picture
        found += [f"{name}: {match[0]}" for match in _MACHINE_PATH.finditer(text)]
    assert not found
