"""A full disk and a read-only one: one clear line, and what was committed is kept."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import polars as pl
import pytest

import deeplens_kit
from deeplens_kit.catalog import Catalog, CatalogBatch
from deeplens_kit.catalog.faults import is_conflict, translated
from deeplens_kit.errors import StoreFullError, WorkspaceError
from tests.examples import IN_FULL

_FILL = """
import subprocess, sys
from conftest import *
from deeplens_kit.errors import DeepLensError

place = sys.argv[1]
catalog = Catalog.create(f"{place}/catalog")

def said(act):
    try:
        act()
    except DeepLensError as error:
        return f"{type(error).__name__}: {error}"
    return "nothing"

def fill():
    for run in range(1000):
        catalog.write_batch(batch(range(200 * run, 200 * run + 200)))

print(said(fill))
rows = catalog.objects().height
print(rows > 0 and rows % 200 == 0 and catalog.pictures().height == rows // 2)
print(said(lambda: Catalog.upgrade(f"{place}/catalog", f"{place}/backup")))
subprocess.run(["mount", "-o", "remount,ro", place], check=True)
print(said(lambda: catalog.remove_objects(["x"])))
print(said(lambda: catalog.write_batch(batch([1]))))
print(said(lambda: Catalog.create(f"{place}/other")))
print(Catalog.open(f"{place}/catalog").objects().height == rows)
"""


def may_mount() -> bool:
    """Whether this user can have a small file system of its own, in a namespace that ends with the process."""
    if shutil.which("unshare") is None:
        return False
    probe = ["unshare", "-rm", "mount", "-t", "tmpfs", "-o", "size=64k", "none", "/mnt"]
    return subprocess.run(probe, capture_output=True, check=False).returncode == 0


@pytest.mark.skipif(not may_mount(), reason="no user namespaces here: cannot make a disk that is full")
def test_a_full_and_a_read_only_disk(tmp_path: Path, rows: SimpleNamespace) -> None:
    place = tmp_path / "small disk"
    place.mkdir()
    script = tmp_path / "fill.py"
    script.write_text(_FILL, encoding="utf-8")
    paths = os.pathsep.join([str(Path(deeplens_kit.__file__).parents[1]), str(rows.here)])
    mounted = 'mount -t tmpfs -o size=3m none "$1" && exec "$0" -W error "$2" "$1"'
    done = subprocess.run(
        ["unshare", "-rm", "sh", "-c", mounted, sys.executable, str(place), str(script)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": paths},
    )
    assert done.returncode == 0, done.stderr
    full, whole, upgraded, removed, written, made, readable = done.stdout.splitlines()
    assert full.startswith("StoreFullError: The catalog at ")
    assert "Make room and run again" in full
    assert (whole, upgraded, readable) == ("True", "nothing", "True")
    for said in (removed, written, made):
        assert said.startswith("WorkspaceError: Cannot "), said
        assert "Read-only file system" in said
        assert "/rust/" not in said


@pytest.mark.parametrize(
    ("text", "kind", "says"),
    [
        (
            "LanceError(IO): No space left on device (os error 28), /home/x/rust/lance/src/a.rs:1:2",
            StoreFullError,
            "full",
        ),
        ("LanceError(IO): Disk quota exceeded (os error 122)", StoreFullError, "full"),
        ("LanceError(IO): Permission denied (os error 13)", WorkspaceError, "access is denied"),
        ("Retryable commit conflict for version 7", WorkspaceError, "other writers"),
        ("LanceError(IO): corrupt page, /home/x/rust/lance/src/a.rs:1:2", WorkspaceError, "corrupt page."),
    ],
)
def test_what_lance_says_is_said_in_our_words(text: str, kind: type[WorkspaceError], says: str) -> None:
    with pytest.raises(kind, match=says) as caught, translated("write to", "s3://key:hunter22@bucket/catalog"):
        raise OSError(text)
    assert type(caught.value) is kind
    assert "hunter22" not in str(caught.value)
    assert ".rs:" not in str(caught.value)
    assert str(caught.value.__cause__) == text


def test_a_conflict_is_told_from_other_errors() -> None:
    assert is_conflict(OSError("Commit conflict for version 3: This CreateIndex transaction was preempted"))
    assert not is_conflict(OSError("No space left on device"))


def test_a_damaged_table_is_one_clear_line(catalog: Catalog, rows: SimpleNamespace) -> None:
    catalog.write_batch(rows.batch(range(10)))
    for path in Path(catalog.url, "objects.lance", "data").iterdir():
        path.write_bytes(b"not what Lance wrote")
    with pytest.raises(WorkspaceError, match="Cannot read the catalog") as caught:
        catalog.objects()
    assert "\n" not in str(caught.value)


@pytest.mark.skipif(not IN_FULL, reason="costly: `make test` runs it")
def test_the_columns_of_a_scan_are_read_in_a_moment(catalog: Catalog, rows: SimpleNamespace) -> None:
    """A re-scan of 100,000 unchanged files begins with this."""
    few = rows.objects(range(2_000), outcome="unsupported")
    for part in range(50):
        name = pl.format(f"{part}/{{}}", "path")
        many = few.with_columns(path=name, object_id=pl.format("l1/{}", name))
        catalog.write_batch(CatalogBatch(objects=many))
    columns = ["path", "change_token", "size_bytes"]
    catalog.objects("l1", columns)
    began = time.process_time()
    found = catalog.objects("l1", columns)
    seconds = time.process_time() - began
    assert found.height == 100_000
    # Measured: 0.05 s of CPU time from 50 files, 0.02 s from one. The bound only catches another order of growth.
    assert seconds < 0.5
