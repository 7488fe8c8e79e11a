"""A file appears whole under its name or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from deeplens_kit.errors import SettingsError
from deeplens_kit.reporting import write_atomically


def test_writes_and_replaces(tmp_path: Path) -> None:
    target = tmp_path / "out.csv"
    assert write_atomically(target, [b"one,", b"two\n"]) == 8
    target.chmod(0o640)
    write_atomically(target, [b"three\n"])
    assert target.read_bytes() == b"three\n"
    assert target.stat().st_mode & 0o777 == 0o640
    assert [item.name for item in tmp_path.iterdir()] == ["out.csv"]


def test_a_new_file_has_the_mode_that_open_gives(tmp_path: Path) -> None:
    (tmp_path / "plain").write_bytes(b"")
    write_atomically(tmp_path / "ours", [b""])
    assert (tmp_path / "ours").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_a_failure_on_the_way_leaves_the_old_file(tmp_path: Path) -> None:
    target = tmp_path / "out.csv"
    target.write_text("old")

    def pieces() -> Iterator[bytes]:
        yield b"new"
        raise RuntimeError("the answer broke off")

    with pytest.raises(RuntimeError, match="broke off"):
        write_atomically(target, pieces())
    assert target.read_text() == "old"
    assert [item.name for item in tmp_path.iterdir()] == ["out.csv"]


def test_a_symlink_is_kept_and_its_file_replaced(tmp_path: Path) -> None:
    real, link = tmp_path / "real.csv", tmp_path / "link.csv"
    real.write_text("old")
    link.symlink_to(real)
    write_atomically(link, [b"new"])
    assert link.is_symlink()
    assert real.read_text() == "new"


@pytest.mark.parametrize(
    ("name", "says"), [("", "is a folder"), ("missing/out.csv", "there is no folder"), ("pipe", "no regular file")]
)
def test_refuses_what_is_no_file(tmp_path: Path, name: str, says: str) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(SettingsError, match=says):
        write_atomically(tmp_path / name, [b"x"])


def test_a_name_too_long_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="Cannot write"):
        write_atomically(tmp_path / ("x" * 300), [b"x"])
    assert list(tmp_path.iterdir()) == []
