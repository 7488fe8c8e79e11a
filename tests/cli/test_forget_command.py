"""A picture is forgotten by command: first told, then done and proved."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from cli_process import Deeplens

from tests.examples import IN_FULL


@pytest.mark.skipif(not IN_FULL, reason="costly: `make test` runs it")
def test_a_picture_is_forgotten_and_it_is_proved(deeplens: Deeplens, indexed: Path, tmp_path: Path) -> None:
    own = shutil.copytree(indexed, tmp_path / "own")
    groups = deeplens("--workspace", own, "duplicates", "--json").json["rows"]
    row = next(row for row in groups if not row["is_keeper"] and row["path"].isprintable())
    what = f"{row['location']}/{row['path']}"
    told = deeplens("--workspace", own, "forget", what, "--why", "asked for")
    assert told.code == 0 and "Nothing was changed; --really does it." in told.out and "would go" in told.out
    assert f"The file {row['location']}:{row['path']} is not touched." in told.out
    done = deeplens("--workspace", own, "forget", what, "--why", "asked for", "--really", "--json").json
    assert done["summary"]["clean"] and done["summary"]["unexplained"] == []
    assert {"pictures", "objects"} <= {item["what"] for item in done["rows"]}
    assert {item["what"] for item in done["stays"]} >= {"audit"}
    digest = done["summary"]["digest"]
    (own / "cache" / "left.txt").write_text(digest)
    again = deeplens("--workspace", own, "forget", digest, "--why", "asked for", "--really")
    assert again.code != 0 and "left.txt" in again.err and again.err.count("\n") == 1
    assert "Nothing is kept out" in deeplens("--workspace", own, "kept-out", "list").out
    assert "is kept out" in deeplens("--workspace", own, "forget", digest, "--why", "x", "--keep-out", "--really").out
    listed = deeplens("--workspace", own, "kept-out", "list", "--json").json
    assert listed["summary"]["pictures"] == 1
    let_in = deeplens("--workspace", own, "kept-out", "withdraw", listed["rows"][0]["entry_id"])
    assert let_in.code == 0 and "is withdrawn" in let_in.out
    refused = deeplens("--workspace", own, "forget", what, "--why", "asked for")
    assert refused.code == 2 and "There is no picture" in refused.err
