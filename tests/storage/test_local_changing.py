"""Copies within a folder: in parts, whole or not at all, and of one state."""

from __future__ import annotations

import os
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from deeplens_kit.errors import ObjectChangedError, ObjectExistsError, ObjectUnreadableError
from deeplens_kit.storage import LocationKind, local_reading, open_location


@pytest.fixture
def location(tmp_path: Path) -> LocationKind:
    return open_location("L", "pics", str(tmp_path), {"permissions": "change"})


def test_a_copy_is_never_held_in_memory(tmp_path: Path, location: LocationKind) -> None:
    data = os.urandom(2**20) * 24
    (tmp_path / "a.bin").write_bytes(data)
    tracemalloc.start()
    try:
        location.copy("a.bin", "sub/b.bin", expected=location.stat("a.bin"))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 2**22
    assert (tmp_path / "sub" / "b.bin").read_bytes() == data


@pytest.mark.parametrize("change", ["grows", "is cut", "fails"])
def test_what_changes_or_fails_while_it_is_copied_makes_nothing(
    tmp_path: Path, location: LocationKind, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    file = tmp_path / "a.bin"
    file.write_bytes(b"0123456789")
    state = location.stat("a.bin")
    monkeypatch.setattr(local_reading, "_BLOCK_BYTES", 4)
    read = os.read

    def read_and_change(handle: int, count: int) -> bytes:
        data = read(handle, count)
        if count != 4:
            return data
        if change == "fails":
            raise OSError(5, "Input/output error")
        file.write_bytes(b"0123456789" * 2 if change == "grows" else b"01234")
        return data

    with monkeypatch.context() as patched:
        patched.setattr(os, "read", read_and_change)
        error: Any = ObjectUnreadableError if change == "fails" else ObjectChangedError
        with pytest.raises(error):
            location.copy("a.bin", "b.bin", expected=state)
    assert os.listdir(tmp_path) == ["a.bin"]


def test_a_copy_onto_itself_is_refused(tmp_path: Path, location: LocationKind) -> None:
    (tmp_path / "a.bin").write_bytes(b"one")
    for act in (location.copy, location.move):
        with pytest.raises(ObjectExistsError):
            act("a.bin", "a.bin", expected=location.stat("a.bin"))
    assert os.listdir(tmp_path) == ["a.bin"]
    assert (tmp_path / "a.bin").read_bytes() == b"one"
