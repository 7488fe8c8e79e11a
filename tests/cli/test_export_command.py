"""What is known of a location is exported by command, never among what DeepLens looks after."""

from __future__ import annotations

from pathlib import Path

from cli_process import Deeplens


def test_a_location_is_exported(deeplens: Deeplens, indexed: Path, tmp_path: Path) -> None:
    done = deeplens("--workspace", indexed, "export", "shop", "--to", tmp_path / "out")
    assert done.code == 0 and "manifest.json" in done.out and "objects" in done.out
    assert (tmp_path / "out" / "objects.00000.parquet").is_file()
    again = deeplens("--workspace", indexed, "export", "shop", "--to", tmp_path / "out")
    assert (again.code, again.out) == (2, "") and "new or empty place" in again.err
    inside = deeplens("--workspace", indexed, "export", "shop", "--to", indexed / "cache" / "out")
    assert inside.code == 2 and "part of the workspace" in inside.err and not (indexed / "cache" / "out").exists()
