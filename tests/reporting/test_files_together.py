"""Files that belong together appear together, or the old ones stay."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from deeplens_kit.errors import SettingsError
from deeplens_kit.reporting.files import write_together

NAMES = ("a.json", "b.parquet", "c.html")


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


@pytest.mark.parametrize("there", [(), ("a.json",), NAMES])
def test_all_are_written_and_nothing_else_is_left(tmp_path: Path, there: tuple[str, ...]) -> None:
    for name in there:
        (tmp_path / name).write_bytes(b"old")
    size = write_together([(tmp_path / name, [b"new ", name.encode()]) for name in NAMES])
    assert contents(tmp_path) == {name: b"new " + name.encode() for name in NAMES}
    assert size == sum(len(content) for content in contents(tmp_path).values())


@pytest.mark.parametrize("well", [True, False])
def test_what_has_no_successor_goes_with_the_others_or_stays_with_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, well: bool
) -> None:
    for name in (*NAMES, "c.pdf"):
        (tmp_path / name).write_bytes(b"old")
    before = contents(tmp_path)
    parts = [(tmp_path / name, [b"new"]) for name in NAMES]
    if well:
        write_together(parts, [tmp_path / "c.pdf", tmp_path / "c.eml"])
        assert contents(tmp_path) == dict.fromkeys(NAMES, b"new")
        return
    real = Path.replace

    def replace(self: Path, target: Path) -> Path:
        if target.name == NAMES[-1] and self.read_bytes() == b"new":
            raise OSError(5, "Input/output error")
        return real(self, target)

    monkeypatch.setattr(Path, "replace", replace)
    with pytest.raises(SettingsError):
        write_together(parts, [tmp_path / "c.pdf", tmp_path / "c.eml"])
    assert contents(tmp_path) == before


@pytest.mark.parametrize("there", [(), ("a.json", "c.html"), NAMES])
@pytest.mark.parametrize("bad", range(3))
@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_where_one_fails_while_it_is_written_the_old_ones_stay(
    tmp_path: Path, there: tuple[str, ...], bad: int, error: BaseException
) -> None:
    def broken() -> Iterator[bytes]:
        yield b"half"
        raise error

    for name in there:
        (tmp_path / name).write_bytes(b"old " + name.encode())
    before = contents(tmp_path)
    parts = [(tmp_path / name, broken() if at == bad else [b"new"]) for at, name in enumerate(NAMES)]
    expected = SettingsError if isinstance(error, OSError) else KeyboardInterrupt
    with pytest.raises(expected):
        write_together(parts)
    assert contents(tmp_path) == before


@pytest.mark.parametrize("there", [(), ("a.json",), NAMES])
@pytest.mark.parametrize("bad", range(3))
def test_where_one_cannot_be_put_in_place_the_others_are_taken_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, there: tuple[str, ...], bad: int
) -> None:
    for name in there:
        (tmp_path / name).write_bytes(b"old " + name.encode())
    before = contents(tmp_path)
    real = Path.replace

    def replace(self: Path, target: Path) -> Path:
        # A file system that refuses one rename: the disk is gone, or a folder took the name meanwhile.
        if target.name == NAMES[bad] and self.read_bytes() == b"new":
            raise OSError(5, "Input/output error")
        return real(self, target)

    monkeypatch.setattr(Path, "replace", replace)
    with pytest.raises(SettingsError, match="Input/output error") as caught:
        write_together([(tmp_path / name, [b"new"]) for name in NAMES])
    assert NAMES[bad] in str(caught.value)
    assert contents(tmp_path) == before
