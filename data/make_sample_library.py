"""Make the sample library: two locations with known copies, look-alikes and bad files, and their ground truth.

Takes a folder that is missing, empty or an earlier sample library, and writes `share/`, `laptop/`, `truth.csv` and
`manifest.csv` (the pictures among them, as benchmark folders list theirs) there; must not touch a file that it did not
make. The same library versions give the same bytes and times.

    python -m data.make_sample_library DEST
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import os
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from PIL import Image, UnidentifiedImageError

from data.photographs import PhotographMissingError
from data.sample_contents import Entry, contents

__all__ = [
    "LOCATIONS",
    "MANIFEST_COLUMNS",
    "MANIFEST_FILE",
    "TRUTH_COLUMNS",
    "TRUTH_FILE",
    "ForeignFolderError",
    "SampleLibrary",
    "main",
    "make",
]

LOCATIONS = ("share", "laptop")
TRUTH_FILE = "truth.csv"
TRUTH_COLUMNS = ("path", "location", "source_id", "family", "expected", "evidence", "relation", "note")
MANIFEST_FILE = "manifest.csv"
MANIFEST_COLUMNS = (
    "path", "source_id", "family", "strength", "sha256", "role", "kind", "category", "scene_group", "width", "height",
    "bytes", "origin",
)  # fmt: skip
_KINDS = {"keeper": "original", "distinct": "distractor", "copy": "copy", "stays": "copy"}
_SIZED_FORMATS = ("BMP", "GIF", "JPEG", "PNG", "TIFF", "WEBP")
_MARKER = ".deeplens-sample-library"
_MARKER_TEXT = "Made by data.make_sample_library; it may be made again over this folder.\n"
_ORIGINALS_FROM = datetime(2019, 6, 1, 12, tzinfo=UTC).timestamp()
_COPIES_FROM = datetime(2023, 3, 1, 12, tzinfo=UTC).timestamp()
_STEP_SECONDS = 3600.0


class ForeignFolderError(RuntimeError):
    """The destination holds something that this script did not make."""


@dataclass(frozen=True, slots=True)
class SampleLibrary:
    """What was made.

    Attributes:
        folder: Holds the two locations and the ground truth.
        entries: What stands there.
        left_out: Entries that this file system could not hold, each with the reason.
    """

    folder: Path
    entries: tuple[Entry, ...]
    left_out: tuple[tuple[Entry, str], ...]


def make(destination: Path) -> SampleLibrary:
    """Make the library in `destination`, over an earlier one of its own if need be.

    Raises:
        ForeignFolderError: `destination` is a file, or holds something that this script did not make.
        PhotographMissingError: scikit-image is missing or ships other photographs.
    """
    destination = destination.absolute()
    _check_ours(destination)
    destination.parent.mkdir(parents=True, exist_ok=True)
    building = Path(tempfile.mkdtemp(prefix=f".{destination.name}-", dir=destination.parent))
    try:
        # 1. write everything beside the destination, 2. only then put it in place of what was there
        made, left_out = _write_entries(building)
        _write_truth(building, made)
        _write_manifest(building, made)
        (building / _MARKER).write_text(_MARKER_TEXT, encoding="utf-8")
        building.chmod(0o755)
        if destination.exists():
            shutil.rmtree(destination)
        building.rename(destination)
    except BaseException:
        shutil.rmtree(building, ignore_errors=True)
        raise
    return SampleLibrary(destination, made, left_out)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run from the command line; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m data.make_sample_library", description=__doc__.split("\n")[0])
    parser.add_argument("destination", type=Path, help="folder to make; missing, empty, or an earlier library")
    options = parser.parse_args(arguments)
    try:
        library = make(options.destination)
    except (ForeignFolderError, PhotographMissingError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    kinds = Counter(_kind(entry) for entry in library.entries)
    counts = ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items()))
    lists = f"{TRUTH_FILE}, {MANIFEST_FILE}"
    print(f"{library.folder}: {len(library.entries)} files in {' and '.join(LOCATIONS)} ({counts}); {lists}")
    for entry, reason in library.left_out:
        print(f"left out {entry.location}/{entry.path!r}: {reason}")
    return 0


def _kind(entry: Entry) -> str:
    if entry.expected in ("keeper", "copy", "stays", "distinct", "skipped"):
        return entry.expected
    return "companion" if entry.family == "companion" else "bad file"


def _check_ours(destination: Path) -> None:
    if not os.path.lexists(destination):
        return
    advice = "name a folder that is missing or empty."
    if destination.is_symlink() or not destination.is_dir():
        raise ForeignFolderError(f"{str(destination)!r} is no folder; {advice}")
    if not any(destination.iterdir()):
        return
    marker = destination / _MARKER
    if marker.is_symlink() or not marker.is_file() or marker.read_text(encoding="utf-8") != _MARKER_TEXT:
        raise ForeignFolderError(f"{str(destination)!r} is not empty and is no sample library; {advice}")
    ours = {destination / TRUTH_FILE, destination / MANIFEST_FILE, marker}
    ours |= {destination / entry.location / entry.path for entry in contents()}
    for folder, _, files in os.walk(destination):
        for name in files:
            if Path(folder) / name not in ours:
                raise ForeignFolderError(
                    f"{str(destination)!r} holds {str(Path(folder) / name)!r}, which is no part of the sample "
                    f"library; take it away, or {advice}"
                )


def _write_entries(folder: Path) -> tuple[tuple[Entry, ...], tuple[tuple[Entry, str], ...]]:
    made: list[Entry] = []
    left_out: list[tuple[Entry, str]] = []
    for location in LOCATIONS:
        (folder / location).mkdir()
    for number, entry in enumerate(contents()):
        path = folder / entry.location / entry.path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            _write(entry, path, folder)
        except OSError as error:
            if not entry.link and entry.family != "odd name":
                raise
            # File systems differ in the names and links that they can hold.
            left_out.append((entry, error.strerror or str(error)))
            continue
        if not entry.link:
            started = _ORIGINALS_FROM if entry.expected in ("keeper", "distinct") else _COPIES_FROM
            seconds = started + number * _STEP_SECONDS
            os.utime(path, (seconds, seconds))
        made.append(entry)
    return tuple(made), tuple(left_out)


def _write(entry: Entry, path: Path, folder: Path) -> None:
    target = folder / entry.target[0] / entry.target[1]
    if entry.link == "hard":
        path.hardlink_to(target)
    elif entry.link == "symbolic":
        path.symlink_to(os.path.relpath(target, path.parent))
    elif entry.content is not None:
        path.write_bytes(entry.content())


def _write_truth(folder: Path, entries: Sequence[Entry]) -> None:
    with (folder / TRUTH_FILE).open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(TRUTH_COLUMNS)
        for entry in entries:
            writer.writerow([getattr(entry, column) for column in TRUTH_COLUMNS])


def _write_manifest(folder: Path, entries: Sequence[Entry]) -> None:
    """The pictures of which the truth names a source; links that nobody follows and bad files are left out."""
    with (folder / MANIFEST_FILE).open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, MANIFEST_COLUMNS, restval="", lineterminator="\n")
        writer.writeheader()
        for entry in entries:
            if not entry.source_id or entry.expected not in _KINDS:
                continue
            path = folder / entry.location / entry.path
            content, kind = path.read_bytes(), _KINDS[entry.expected]
            width, height = _size_px(path)
            writer.writerow(
                {
                    "path": f"{entry.location}/{entry.path}",
                    "source_id": entry.source_id,
                    "family": entry.family,
                    "sha256": hashlib.sha256(content).hexdigest(),
                    "role": "query" if kind == "copy" else "reference",
                    "kind": kind,
                    "width": width,
                    "height": height,
                    "bytes": len(content),
                    "origin": entry.note,
                }
            )


def _size_px(path: Path) -> tuple[int | str, int | str]:
    """As it is stored; empty where it takes more than Pillow alone to read the format."""
    try:
        # Named, so that what else is registered in this process changes no byte of the manifest.
        with Image.open(path, formats=_SIZED_FORMATS) as picture:
            return picture.size
    except UnidentifiedImageError:
        return "", ""


if __name__ == "__main__":
    raise SystemExit(main())
