"""Several processes at one catalog, and processes that die while they write."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest

import deeplens_kit
from deeplens_kit.catalog import Catalog, CatalogBatch

_PRELUDE = "import os, sys\nfrom conftest import *\ncatalog = Catalog.open(sys.argv[1])\nprint('ready', flush=True)\n"

_WRITE = (
    _PRELUDE
    + """
run = sys.argv[2]
sys.stdin.readline()
for k in range(6):
    catalog.write_batch(batch(range(40 * k, 40 * k + 40), run=run))
"""
)

# Dies at the n-th change of a table, before or after it is committed.
_DIE = (
    _PRELUDE
    + """
from deeplens_kit.catalog.lance_table import LanceTable
left, after = int(sys.argv[2]), sys.argv[3] == "after"

def dying(act):
    def change(self, *args):
        global left
        left -= 1
        if left == 0 and not after:
            os.kill(os.getpid(), 9)
        result = act(self, *args)
        if left == 0:
            os.kill(os.getpid(), 9)
        return result
    return change

LanceTable.upsert, LanceTable.delete = dying(LanceTable.upsert), dying(LanceTable.delete)
made = batch(range(4, 8), run="r2", token="new")
catalog.write_batch(CatalogBatch(
    pl.concat([made.objects, objects([8, 9], run="r2", outcome="unreadable")]),
    made.pictures,
    failures([8, 9], run="r2"),
    objects([4, 5])["object_id"].to_list(),
    made.vectors,
))
"""
)

_SWEEP = _PRELUDE + "sys.stdin.readline()\nprint('asked', flush=True)\nprint(catalog.sweep(), flush=True)\n"


@pytest.fixture
def process(rows: SimpleNamespace) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Starts a script that is killed at the end; Lance does not survive a fork, so each is a new interpreter."""
    started: list[subprocess.Popen[str]] = []

    def start(code: str, *arguments: object) -> subprocess.Popen[str]:
        paths = os.pathsep.join([str(Path(deeplens_kit.__file__).parents[1]), str(rows.here)])
        started.append(
            subprocess.Popen(
                [sys.executable, "-W", "error", "-c", code, *map(str, arguments)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                env={**os.environ, "PYTHONPATH": paths},
            )
        )
        return started[-1]

    yield start
    for child in started:
        child.kill()
        child.communicate()


def go(*children: subprocess.Popen[str]) -> None:
    for child in children:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
    for child in children:
        assert child.stdin is not None
        child.stdin.write("\n")
        child.stdin.flush()


def test_writers_of_the_same_rows_leave_each_once(
    catalog: Catalog, rows: SimpleNamespace, tmp_path: Path, process: Callable[..., subprocess.Popen[str]]
) -> None:
    writers = [process(_WRITE, catalog.url, f"r{number}") for number in range(2)]
    go(*writers)
    while any(writer.poll() is None for writer in writers):
        catalog.compact()
        objects = catalog.objects()
        assert objects.height == objects["object_id"].n_unique()
        assert objects.height % 40 == 0, "whole batches only"
    assert [writer.returncode for writer in writers] == [0, 0]
    assert catalog.objects().height == 240
    assert catalog.pictures().height == 120
    assert len(catalog.vectors(rows.spec)[0]) == 120
    alone = Catalog.create(str(tmp_path / "alone"))
    alone.write_batch(rows.batch(range(240)))
    assert catalog.digest() == alone.digest()


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("change", range(1, 7))
def test_a_killed_batch_shows_nothing_half_and_can_be_written_again(
    catalog: Catalog,
    rows: SimpleNamespace,
    tmp_path: Path,
    process: Callable[..., subprocess.Popen[str]],
    change: int,
    when: str,
) -> None:
    """Changes of a batch: the vector table is made known, vectors, pictures, failures, objects, cleared failures."""
    for url in (catalog.url, str(tmp_path / "undisturbed")):
        each = catalog if url == catalog.url else Catalog.create(url)
        before = rows.batch(range(4))
        each.write_batch(CatalogBatch(before.objects, before.pictures))
        each.write_batch(
            CatalogBatch(objects=rows.objects([4, 5], outcome="unreadable"), failures=rows.failures([4, 5]))
        )
    digest = catalog.digest()
    made = rows.batch(range(4, 8), run="r3", token="new")
    again = CatalogBatch(
        made.objects.vstack(rows.objects([8, 9], run="r3", outcome="unreadable")),
        made.pictures,
        rows.failures([8, 9], run="r3", later=60),
        rows.objects([4, 5])["object_id"].to_list(),
        made.vectors,
    )
    undisturbed = Catalog.open(str(tmp_path / "undisturbed"))
    undisturbed.write_batch(again)

    child = process(_DIE, catalog.url, change, when)
    child.communicate()
    assert child.returncode == -signal.SIGKILL
    committed = change == 6 or (change == 5 and when == "after")
    assert catalog.digest() == (undisturbed.digest() if committed else digest)
    unread = catalog.objects().filter(outcome="unreadable")["object_id"]
    assert sorted(unread) == sorted(catalog.failures()["object_id"]), "what is marked as unreadable has its reason"
    catalog.write_batch(again)
    assert catalog.digest() == undisturbed.digest()
    catalog.sweep()
    catalog.compact(timedelta(0))
    assert catalog.digest() == undisturbed.digest()


def test_the_sweep_waits_for_a_batch_under_way(
    catalog: Catalog,
    rows: SimpleNamespace,
    process: Callable[..., subprocess.Popen[str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sweeper = process(_SWEEP, catalog.url)
    upsert = Catalog._upsert

    def after_pictures(self: Catalog, name: str, frame: object) -> None:
        upsert(self, name, frame)  # type: ignore[arg-type]
        if name == "pictures":
            go(sweeper)
            assert sweeper.stdout is not None
            assert sweeper.stdout.readline() == "asked\n"

    monkeypatch.setattr(Catalog, "_upsert", after_pictures)
    catalog.write_batch(rows.batch(range(4)))
    assert sweeper.communicate()[0] == "0\n", "nothing was rubbish once the batch was whole"
    assert catalog.pictures().height == 2
