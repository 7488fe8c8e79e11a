"""Findings about pairs in files: read back whole, damaged ones passed over, replaced when the pairs are stored."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from deeplens_kit.pipeline.pair_parts import PairParts
from deeplens_kit.schemas import PAIRS

COLUMNS = ("digest_a", "digest_b", "resolution", "region_a")


def rows(*pairs: str, resolution: float | None = 1.5) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "digest_a": [pair[0] for pair in pairs],
            "digest_b": [pair[1] for pair in pairs],
            "resolution": [resolution] * len(pairs),
            "region_a": [[0.0, 0.25, 0.5, 1.0]] * len(pairs),
        },
        schema={name: PAIRS.polars[name] for name in COLUMNS},
    )


def read(folder: Path) -> pl.DataFrame:
    return PairParts(folder, COLUMNS).read().sort(PAIRS.key)


def test_what_was_kept_is_read_by_the_next_run(tmp_path: Path) -> None:
    parts = PairParts(tmp_path / "made when needed", COLUMNS)
    assert parts.read().equals(parts.empty())
    parts.append(rows("ab", "ac"))
    parts.append(rows("bc", resolution=None).select(reversed(COLUMNS)))
    assert read(tmp_path / "made when needed").equals(pl.concat([rows("ab", "ac"), rows("bc", resolution=None)]))
    # Two runs at a time may tell the same.
    PairParts(tmp_path / "made when needed", COLUMNS).append(rows("ab"))
    assert read(tmp_path / "made when needed").height == 3


@pytest.mark.parametrize("damage", ["cut", "flipped", "empty", "other columns"])
def test_a_damaged_file_costs_its_own_rows_alone(damage: str, tmp_path: Path) -> None:
    PairParts(tmp_path, COLUMNS).append(rows("ab"))
    (path,) = tmp_path.iterdir()
    content = path.read_bytes()
    if damage == "other columns":
        rows("ab").select("digest_a").write_parquet(path)
    else:
        flipped = bytes([content[0] ^ 255]) + content[1:-8] + bytes(8)
        path.write_bytes({"cut": content[: len(content) // 2], "flipped": flipped, "empty": b""}[damage])
    PairParts(tmp_path, COLUMNS).append(rows("cd"))
    assert read(tmp_path).equals(rows("cd"))


def test_files_are_replaced_by_what_is_still_wanted_and_those_of_another_run_stay(tmp_path: Path) -> None:
    before = PairParts(tmp_path, COLUMNS)
    before.append(rows("ab", "ac"))
    parts = PairParts(tmp_path, COLUMNS)
    parts.read()
    parts.append(rows("bc"))
    other = PairParts(tmp_path, COLUMNS)
    other.append(rows("cd"))
    parts.keep_only(rows("ab"))
    assert read(tmp_path).equals(rows("ab", "cd"))
    assert len(list(tmp_path.iterdir())) == 2
    parts.keep_only(parts.empty())
    assert read(tmp_path).equals(rows("cd"))


def test_what_a_killed_process_was_writing_goes_and_what_another_writes_now_stays(tmp_path: Path) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    left, written = (tmp_path / f".new-{pid}-0a1b.parquet" for pid in (ended.pid, os.getpid()))
    for path in (left, written):
        path.write_bytes(b"PAR1")
    parts = PairParts(tmp_path, COLUMNS)
    parts.append(rows("ab"))
    assert read(tmp_path).equals(rows("ab"))
    parts.keep_only(parts.empty())
    assert list(tmp_path.iterdir()) == [written]


def test_where_nothing_can_be_kept_the_run_goes_on(tmp_path: Path) -> None:
    (tmp_path / "a file").write_bytes(b"")
    parts = PairParts(tmp_path / "a file" / "verdicts", COLUMNS)
    parts.append(rows("ab"))
    assert parts.read().height == 0
    parts.keep_only(rows("ab"))
