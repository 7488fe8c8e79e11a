"""A file appears whole under its name or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from deeplens_kit.errors import SettingsError
from deeplens_kit.reporting import write_atomically
from deeplens_kit.reporting.files import CSV_ENDINGS, check_target, refuse_within


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


def test_only_a_file_of_its_own_kind_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "picture.png").write_bytes(b"mine")
    (tmp_path / "old.CSV").write_bytes(b"old")
    (tmp_path / "link.csv").symlink_to(tmp_path / "picture.png")
    assert check_target(tmp_path / "old.CSV", CSV_ENDINGS) == tmp_path / "old.CSV"
    assert check_target(tmp_path / "new.txt", CSV_ENDINGS) == tmp_path / "new.txt"
    for name in ("picture.png", "link.csv"):
        with pytest.raises(SettingsError, match=r"only a file that ends in \.csv is replaced"):
            check_target(tmp_path / name, CSV_ENDINGS)


def test_a_folder_is_refused_by_any_of_its_names(tmp_path: Path) -> None:
    (tmp_path / "pictures" / "deep").mkdir(parents=True)
    (tmp_path / "twin").symlink_to(tmp_path / "pictures")
    for within in ("pictures/new.csv", "pictures/deep/new.csv", "twin/new.csv", "pictures/../pictures/new.csv"):
        with pytest.raises(SettingsError, match="inside somebody's"):
            refuse_within(tmp_path / within, tmp_path / "pictures", "inside somebody's")
        with pytest.raises(SettingsError):
            refuse_within(tmp_path / within, tmp_path / "twin", "inside somebody's")
    refuse_within(tmp_path / "pictures.csv", tmp_path / "pictures", "inside somebody's")
    refuse_within(tmp_path / "new.csv", tmp_path / "not there", "inside somebody's")
    with pytest.raises(SettingsError):
        refuse_within(tmp_path / "store", tmp_path / "store", "the store itself")
