"""What a second look at an unchanged folder costs, beside the least that the system lets any program pay.

A folder of many small files is made; then, in the same run and in turn, `os.scandir` with `stat` alone, the listing
held against rows in memory, and a whole index run over a catalog that knows every file as another picture are timed;
last the whole command, started anew each time. No file is read.

    python -m benchmarks.rescan [--files N] [--repeats N] [--json]
"""

from __future__ import annotations

import argparse
import hashlib
import io
import os
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import polars as pl
from PIL import Image

from benchmarks.report import Report, print_report
from deeplens_kit.catalog import CatalogBatch
from deeplens_kit.features import available
from deeplens_kit.pipeline import Workspace, index
from deeplens_kit.pipeline.analysis import Toolbox, analyse
from deeplens_kit.pipeline.reading import Content
from deeplens_kit.pipeline.scan import compare, scan
from deeplens_kit.schemas import OBJECTS, PICTURES
from deeplens_kit.storage import LocationKind, digest_content, open_location

__all__ = ["main", "measure"]

SEED = 20_260_922
MAX_RATIO = 2.0
"""The figure to reach, exclusive: a re-scan of 100,000 unchanged files under twice scandir and stat."""
_FILES_PER_FOLDER = 1000
_ROWS_PER_BATCH = 5000
_LARGEST_BYTES = 64


def measure(folder: Path, files: int, repeats: int) -> Report:
    """Time a re-scan of `files` unchanged files.

    Args:
        folder: An empty folder for the files.
        files: How many.
        repeats: Timings of each kind, taken in turn; medians are reported.
    """
    folder, workspace_dir = folder / "files", folder / "workspace"
    folder.mkdir()
    make_files(folder, files)
    location = open_location("bench", "bench", str(folder), {})
    rows = _rows(location)
    listing = location.list()
    kinds: dict[str, Callable[[], object]] = {
        "scandir and stat alone": lambda: scandir_and_stat(folder),
        "listing": location.list,
        "comparison": lambda: compare(listing, rows),
        "scan (listing and comparison)": lambda: scan(location, rows),
    }
    workspace = filled_workspace(workspace_dir, folder)
    kinds["index run, in process"] = lambda: index(workspace)
    taken = {name: _Timings() for name in kinds}
    for _ in range(repeats):
        for name, act in kinds.items():
            taken[name].add(act)
    workspace.close()
    command = [sys.executable, "-m", "deeplens_kit.cli", "--workspace", str(workspace_dir), "index", "--json"]
    taken["the whole command"] = _Timings()
    for _ in range(min(3, repeats)):
        taken["the whole command"].add(lambda: subprocess.run(command, check=True, capture_output=True))
    result = scan(location, rows)
    if result.counts["unchanged"] != files or result.sizes_bytes["to_read"]:
        raise RuntimeError(f"the scan is wrong, so its time says nothing: {result.counts}")

    report = Report("rescan", SEED)
    least = taken["scandir and stat alone"]
    for name, timings in taken.items():
        report.add(
            step=name,
            wall_seconds=timings.wall_seconds,
            cpu_seconds=timings.cpu_seconds,
            times_the_least=timings.wall_seconds / least.wall_seconds,
        )
    whole = taken["index run, in process"]
    report.figures |= {
        "files": files,
        "repeats": repeats,
        "ratio_wall": whole.wall_seconds / least.wall_seconds,
        "ratio_cpu": whole.cpu_seconds / least.cpu_seconds,
        "ratio_to_stay_under": MAX_RATIO,
        "command_seconds": taken["the whole command"].wall_seconds,
        "peak_memory_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }
    return report


def make_files(folder: Path, files: int) -> None:
    """Write files of a few bytes, a thousand to a folder."""
    draw = random.Random(SEED)
    for first in range(0, files, _FILES_PER_FOLDER):
        inner = folder / f"folder_{first // _FILES_PER_FOLDER:04d}"
        inner.mkdir()
        for number in range(first, min(first + _FILES_PER_FOLDER, files)):
            (inner / f"IMG_{number:07d}.jpg").write_bytes(bytes(draw.randint(1, _LARGEST_BYTES)))


def filled_workspace(directory: Path, folder: Path) -> Workspace:
    """A workspace whose catalog knows every file of `folder`, each as a picture of its own, with pairs up to date."""
    workspace = Workspace.create(directory)
    location = workspace.ledger.add_location("bench", str(folder), {})
    listing = workspace.kind_of(location).list().frame
    objects = listing.with_columns(
        object_id=location.location_id + "/" + pl.col("path"),
        location_id=pl.lit(location.location_id),
        digest=pl.Series([hashlib.sha256(path.encode()).hexdigest() for path in listing["path"]], dtype=pl.String),
        identity_basis=pl.lit("read"),
        outcome=pl.lit("indexed"),
        run_id=pl.lit("made"),
    ).select(OBJECTS.names)
    pictures = _pictures(workspace, objects["digest"])
    for first in range(0, objects.height, _ROWS_PER_BATCH):
        part = slice(first, first + _ROWS_PER_BATCH)
        workspace.catalog.write_batch(CatalogBatch(objects=objects[part], pictures=pictures[part]))
    workspace.catalog.compact()
    (report,) = index(workspace)
    if report.read_files or report.unchanged != objects.height:
        raise RuntimeError(f"the run read files, so its time says nothing: {report}")
    return workspace


def _pictures(workspace: Workspace, digests: pl.Series) -> pl.DataFrame:
    """Rows of `pictures` as a run makes them, all alike but for digests and hashes."""
    buffer = io.BytesIO()
    Image.effect_noise((64, 48), 60).convert("RGB").save(buffer, "JPEG")
    content = Content(buffer.getvalue(), digest_content(buffer.getvalue()))
    extractors = tuple(available(workspace.settings.features).extractors.values())
    (row,) = analyse([content], Toolbox(extractors, workspace.settings.decode, None)).pictures
    one = pl.DataFrame([{**row, "run_id": "made"}], schema=PICTURES.polars).drop("digest", "pdq", "phash")
    random_bytes = random.Random(SEED).randbytes
    return (
        pl.DataFrame({"digest": digests})
        .with_columns(
            pdq=pl.Series([random_bytes(32) for _ in range(len(digests))], dtype=pl.Binary),
            phash=pl.Series([int.from_bytes(random_bytes(8)) for _ in range(len(digests))], dtype=pl.UInt64),
        )
        .join(one, how="cross")
        .select(PICTURES.names)
    )


def scandir_and_stat(folder: Path) -> int:
    """The least that finding every file with its state costs in Python; keeps nothing."""
    count, folders = 0, [str(folder)]
    while folders:
        with os.scandir(folders.pop()) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    folders.append(entry.path)
                else:
                    entry.stat(follow_symlinks=False)
                    count += 1
    return count


class _Timings:
    def __init__(self) -> None:
        self._wall: list[float] = []
        self._cpu: list[float] = []

    def add(self, act: Callable[[], object]) -> None:
        wall, cpu = time.perf_counter(), time.process_time()
        act()
        self._wall.append(time.perf_counter() - wall)
        self._cpu.append(time.process_time() - cpu)

    @property
    def wall_seconds(self) -> float:
        return statistics.median(self._wall)

    @property
    def cpu_seconds(self) -> float:
        return statistics.median(self._cpu)


def _rows(location: LocationKind) -> pl.DataFrame:
    """The rows that an index run leaves, in another order than the listing's."""
    frame = location.list().frame.with_columns(
        object_id=location.location_id + "/" + pl.col("path"), outcome=pl.lit("indexed"), digest=pl.lit("0" * 64)
    )
    return frame.sample(fraction=1.0, shuffle=True, seed=SEED)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description="Time a re-scan of unchanged files beside os.scandir and stat.")
    parser.add_argument("--files", type=int, default=100_000)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--json", action="store_true", dest="as_json")
    chosen = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="deeplens-rescan-") as folder:
        print_report(measure(Path(folder), chosen.files, chosen.repeats), as_json=chosen.as_json)


if __name__ == "__main__":
    main()
