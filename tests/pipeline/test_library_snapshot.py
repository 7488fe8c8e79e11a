"""A library comes back from its files as it was, and damage to them costs time, never an answer."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from deeplens_kit.pipeline import library_snapshot
from deeplens_kit.pipeline.library_snapshot import LibrarySnapshot, snapshot_name
from deeplens_kit.schemas import PICTURES, SEARCH_PLACES
from deeplens_kit.search import Library, SearchFilters
from deeplens_kit.search.library import PICTURE_COLUMNS


@pytest.fixture
def library() -> Library:
    random = np.random.default_rng(7)
    digests = [random.bytes(32).hex() for _ in range(50)]
    pictures = pl.DataFrame(
        {
            "digest": digests,
            "pdq": [random.bytes(32) if row % 9 else None for row in range(50)],
            "phash": random.integers(0, 2**63, 50, dtype=np.uint64),
            "format": ["JPEG", "PNG"] * 25,
            "width_px": range(50),
            "height_px": range(100, 150),
            "size_bytes": range(50),
        },
        schema_overrides={name: PICTURES.polars[name] for name in ("width_px", "height_px", "size_bytes", "pdq")},
    )
    absent = [pl.lit(None, PICTURES.polars[name]).alias(name) for name in PICTURE_COLUMNS if name not in pictures]
    places = pl.DataFrame(
        [
            (digest, f"disk {row % 3}", f"a/{row}.jpg", row, datetime(2026, 1, 1, tzinfo=UTC), f"l/{row}")
            for row, digest in enumerate([*digests, *digests[:20]])
        ],
        schema=SEARCH_PLACES.polars,
        orient="row",
    )
    return Library.of(pictures.with_columns(absent), places, {})


def test_a_library_comes_back_as_it_was(library: Library, tmp_path: Path) -> None:
    snapshots = LibrarySnapshot(tmp_path)
    assert snapshots.load("one") is None
    snapshots.keep("one", library)
    found = snapshots.load("one")
    assert found is not None
    assert found.pictures.equals(library.pictures)
    assert found.places.equals(library.places)
    for name, values in library.to_arrays().items():
        assert np.array_equal(found.to_arrays()[name], values), name
    for filters in (SearchFilters(formats=("PNG",)), SearchFilters(locations=("disk 1",), min_side_px=20)):
        assert np.array_equal(found.wanted(filters), library.wanted(filters))  # type: ignore[arg-type]
    assert [shelf.name for shelf in found.hashes] == ["pdq", "phash"]
    assert found.position(library.pictures["digest"][7]) == 7


def test_the_last_one_is_kept_and_what_was_mapped_stays(library: Library, tmp_path: Path) -> None:
    snapshots = LibrarySnapshot(tmp_path)
    snapshots.keep("one", library)
    held = snapshots.load("one")
    unfinished = tmp_path / "library" / ".new-1-0"
    unfinished.mkdir()
    snapshots.keep("two", library)
    assert held is not None
    assert held.places.equals(library.places)
    assert {item.name for item in (tmp_path / "library").iterdir()} == {"two", unfinished.name}
    assert snapshots.load("one") is None


@pytest.mark.parametrize("file", ["manifest.json", "pictures.arrow", "places.arrow", "starts.npy", "pdq_words.npy"])
@pytest.mark.parametrize("damage", ["cut", "gone", "empty"])
def test_a_damaged_one_counts_as_missing(library: Library, tmp_path: Path, file: str, damage: str) -> None:
    snapshots = LibrarySnapshot(tmp_path)
    snapshots.keep("one", library)
    path = tmp_path / "library" / "one" / file
    content = path.read_bytes()
    path.unlink()
    if damage != "gone":
        path.write_bytes(content[: len(content) // 2] if damage == "cut" else b"")
    assert snapshots.load("one") is None
    snapshots.keep("one", library)
    assert snapshots.load("one") is not None


def test_its_name_holds_all_that_it_depends_on(monkeypatch: pytest.MonkeyPatch) -> None:
    names = {snapshot_name("a", ()), snapshot_name("b", ()), snapshot_name("a", (("id", "share", "file:///s"),))}
    monkeypatch.setattr(library_snapshot, "PICTURE_COLUMNS", ("digest",))
    names.add(snapshot_name("a", ()))
    assert len(names) == 4
