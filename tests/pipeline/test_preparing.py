"""What a search needs is made behind an index run, and taken from its files by whoever searches next."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import polars as pl
import pytest
from sample_workspace import sample_workspace

from deeplens_kit.pipeline import Searcher, Workspace, duplicate_facts, preparing, search_savings
from deeplens_kit.pipeline.duplicate_facts import DuplicateFrames
from deeplens_kit.pipeline.findings import list_groups


@pytest.fixture
def workspace(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[Workspace]:
    """Of few pictures, which count as many."""
    monkeypatch.setattr(preparing, "PREPARED_FROM_PICTURES", 1)
    monkeypatch.setattr(duplicate_facts, "_KEPT_FROM_SECONDS", 0.0)
    monkeypatch.setattr(search_savings, "AT_ONCE_OBJECTS", 0)
    with Workspace.open(sample_workspace(tmp_path_factory).workspace) as workspace:
        yield workspace


def refused(*_: object, **__: object) -> None:
    raise AssertionError("made again")


def test_one_search_has_the_groups_that_an_earlier_process_made(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    digest = workspace.catalog.pictures(columns=["digest"])["digest"].sort()[0]
    unknown = Searcher(workspace, once=True).search(digest)
    assert unknown.missing[-1].endswith("not known yet: run `deeplens index`.")
    assert preparing.prepare_search(workspace, threading.Event())
    expected = DuplicateFrames(workspace).frame()
    monkeypatch.setattr(duplicate_facts, "list_groups", refused)
    found = Searcher(workspace, once=True).search(digest)
    assert not found.missing
    assert not found.results["saves_bytes"].null_count()
    assert DuplicateFrames(workspace).frame().equals(expected)
    assert DuplicateFrames(workspace).current()


@pytest.mark.parametrize("damage", [b"", b"ARROW1 and more"])
def test_a_damaged_file_is_made_again(workspace: Workspace, damage: bytes) -> None:
    expected = DuplicateFrames(workspace).frame()
    (file,) = (Path(workspace.settings.cache_dir) / "duplicates").glob("*.arrow")
    file.write_bytes(damage)
    again = DuplicateFrames(workspace)
    assert not again.is_made
    assert again.frame().equals(expected)
    assert pl.read_ipc(file.read_bytes()).equals(expected)


def test_of_processes_that_start_together_one_makes_them(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each frame opens the lock for itself, as a process does."""
    together, made = threading.Barrier(3), []

    def slowly(workspace: Workspace) -> object:
        made.append(threading.get_ident())
        time.sleep(0.2)
        return list_groups(workspace)

    def frame(_: int) -> pl.DataFrame:
        mine = DuplicateFrames(workspace)
        assert not mine.is_made
        together.wait()
        return mine.frame()

    monkeypatch.setattr(duplicate_facts, "list_groups", slowly)
    with ThreadPoolExecutor(3) as pool:
        first, *others = pool.map(frame, range(3))
    assert len(made) == 1
    assert all(other.equals(first) for other in others)


def test_where_the_cache_cannot_be_written_they_are_made_all_the_same(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    expected = DuplicateFrames(workspace).frame()
    for file in (Path(workspace.settings.cache_dir) / "duplicates").glob("*.arrow"):
        file.unlink()
    monkeypatch.setattr(duplicate_facts, "alone_in", refuse)
    assert DuplicateFrames(workspace).frame().equals(expected)


def test_another_rule_or_catalog_has_another_file(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    names = {DuplicateFrames(workspace)._name()}
    workspace.ledger.rename_location("share", "shelf")
    names.add(DuplicateFrames(workspace)._name())
    monkeypatch.setattr(duplicate_facts, "choices_state", lambda _: "another")
    names.add(DuplicateFrames(workspace)._name())
    assert len(names) == 3


def test_nothing_is_made_of_few_pictures_or_after_a_stop(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    stop = threading.Event()
    stop.set()
    assert not preparing.prepare_search(workspace, stop)
    monkeypatch.setattr(preparing, "PREPARED_FROM_PICTURES", 1_000)
    assert not preparing.prepare_search(workspace, threading.Event())
    assert not (Path(workspace.settings.cache_dir) / "duplicates").exists()
