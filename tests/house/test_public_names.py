"""The public names of the package and of each folder are those that were agreed on, sorted, and exist."""

from __future__ import annotations

import ast
import importlib
from pathlib import Path

import pytest

_PACKAGE = Path(__file__).parent.parent.parent / "deeplens_kit"
_FOLDERS = sorted(
    ".".join(("deeplens_kit", *path.parent.relative_to(_PACKAGE).parts)) for path in _PACKAGE.rglob("__init__.py")
)
_AGREED = Path(__file__).with_name("public_names.txt")


def _stated(folder: str) -> list[str]:
    """The names as the source states them, read without importing."""
    path = _PACKAGE.parent.joinpath(*folder.split("."), "__init__.py")
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and any(isinstance(t, ast.Name) and t.id == "__all__" for t in node.targets):
            return [str(name) for name in ast.literal_eval(node.value)]
    return []


def _agreed() -> dict[str, list[str]]:
    agreed: dict[str, list[str]] = {}
    for line in _AGREED.read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            folder, _, name = line.rpartition(":")
            agreed.setdefault(folder, []).append(name)
    return agreed


def test_the_names_are_those_agreed_on() -> None:
    """A new, lost or renamed name shows up here: then run this file as a script, and say it in CHANGELOG.md."""
    found = {folder: _stated(folder) for folder in _FOLDERS}
    assert {folder: names for folder, names in found.items() if names} == _agreed()


@pytest.mark.parametrize("folder", _FOLDERS)
def test_names_are_sorted_and_exist(folder: str) -> None:
    names = _stated(folder)
    # As ruff sorts them: constants, then classes, then the rest.
    assert names == sorted(names, key=lambda name: (not name.isupper(), not name[:1].isupper(), name))
    module = importlib.import_module(folder)
    missing = [name for name in names if not hasattr(module, name)]
    assert not missing
    with pytest.raises(AttributeError, match="no_such_name"):
        module.no_such_name  # noqa: B018


if __name__ == "__main__":
    lines = [f"{folder}:{name}\n" for folder in _FOLDERS for name in _stated(folder)]
    _AGREED.write_text("# Public names, one per line, as each folder states them.\n" + "".join(lines), encoding="utf-8")
