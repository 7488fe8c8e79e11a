"""How fast every kind of location is listed and indexed, against its library's own listing and against a local folder.

Real servers on this machine. Listing: the same objects by DeepLens and by the fastest call of the library beneath, in
turn, medians. Indexing: the same pictures at each kind; the rate of a local folder, in the same run, is what to reach.
The bytes that a second run makes the server send beyond its listings must be none.

    python -m benchmarks.storage [--objects 10000] [--pictures 120] [--kinds local,s3] [--repeats 3] [--json]
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from benchmarks.fault_proxy import FaultProxy
from benchmarks.indexing import make_pictures
from benchmarks.report import Report, print_report
from benchmarks.storage_place import StoragePlace
from benchmarks.storage_places import PLACES
from deeplens_kit.pipeline import Workspace, add_location, index
from deeplens_kit.telemetry import configure_logging

__all__ = ["main", "measure"]

SEED = 20261130
_FOLDERS = 20
_PICTURE = (1600, 1200)
_FSSPEC_FILES = 1000  # fsspec takes seconds for so many


def measure(objects: int, pictures: int, kinds: tuple[str, ...], repeats: int, folder: Path) -> Report:
    """Measure each kind; the first of the pictures is always a local folder."""
    report = Report("storage", SEED)
    files = {f"d{n % _FOLDERS}/{n:06}.bin": b"%d" % n for n in range(objects)}
    source = folder / "source"
    make_pictures(source, pictures, _PICTURE)
    shown = {str(file.relative_to(source)): file.read_bytes() for file in sorted(source.rglob("*.jpg"))}
    local_rate = _rate(folder / "rates", "local", shown, repeats)[0]
    for kind in kinds:
        _told(f"{kind}: listing")
        row: dict[str, object] = {"kind": kind, **_listing(kind, folder / f"list-{kind}", files, repeats)}
        _told(f"{kind}: indexing")
        rate, again = _rate(folder / "rates", kind, shown, repeats) if kind != "local" else (local_rate, 0)
        row |= {
            "pictures_per_second": round(rate, 1),
            "of_local": round(rate / local_rate, 2),
            "second_run_content_bytes": again,
        }
        report.add(**row)
    report.figures = {"objects": objects, "pictures": pictures, "picture_px": f"{_PICTURE[0]}x{_PICTURE[1]}"}
    return report


def _listing(kind: str, folder: Path, files: Mapping[str, bytes], repeats: int) -> dict[str, object]:
    with PLACES[kind](folder) as place:
        place.put_many(files)
        place.opened().list()  # connections and caches are warm for both
        place.list_by_library()
        ours, theirs = [], []
        for _ in range(repeats):
            # Opened anew each time: nobody lists a location twice in a row with one connection.
            ours.append(_seconds(lambda: place.opened().list().frame.height, len(files)))
            theirs.append(_seconds(place.list_by_library, len(files)))
        row: dict[str, object] = {
            "objects_per_second": round(len(files) / statistics.median(ours)),
            "listing_s": round(statistics.median(ours), 3),
            "library_s": round(statistics.median(theirs), 3),
            "times_library": round(statistics.median(ours) / statistics.median(theirs), 2),
        }
        if place.weak_listing:
            row["library_lists_less"] = place.weak_listing
        if kind == "smb":
            row["times_faster_than_fsspec"] = round(_fsspec_seconds(place) * len(files) / statistics.median(ours), 1)
        return row


def _fsspec_seconds(place: StoragePlace) -> float:
    """Seconds that fsspec takes for a file, by a folder of fewer."""
    from fsspec.implementations.smb import SMBFileSystem

    served, server = place.server.served, place.server  # type: ignore[union-attr]
    for number in range(_FSSPEC_FILES):
        file = served / place.root / "fsspec" / f"{number}.bin"
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(b"x")
    system = SMBFileSystem(server.host, server.port, server.user, server.password)  # type: ignore[union-attr]
    taken = _seconds(lambda: len(system.find(f"/{server.share}/{place.root}/fsspec")), _FSSPEC_FILES)  # type: ignore[union-attr]
    return taken / _FSSPEC_FILES


def _rate(folder: Path, kind: str, shown: Mapping[str, bytes], repeats: int) -> tuple[float, int]:
    """Pictures a second of an index run, the best of the repeats, and content bytes that a second run was sent."""
    best, again = 0.0, 0
    with PLACES[kind](folder / kind) as place, FaultProxy(place.port or 9, speaks_ftp=kind.startswith("ftp")) as proxy:
        place.put_many(shown)
        place.age()
        for repeat in range(repeats):
            Workspace.create(folder / f"workspace-{kind}-{repeat}").close()
            with Workspace.open(folder / f"workspace-{kind}-{repeat}") as library:
                url, options = place.located(place.port)
                add_location(library, kind, url, options)
                began = time.perf_counter()
                (first,) = index(library, and_match=False)
                best = max(best, len(shown) / (time.perf_counter() - began))
                assert first.indexed == len(shown), f"{kind}: {first.indexed} of {len(shown)} pictures indexed"
                # What is younger than the storage's clock is fine is read once more, and then no more.
                index(library, and_match=False)
                (second,) = index(library, and_match=False)
                again += second.read_bytes
                if place.server is not None and repeat == 0:
                    again += _sent_beyond_listings(library, place, proxy)
    return best, again


def _sent_beyond_listings(library: Workspace, place: StoragePlace, proxy: FaultProxy) -> int:
    """What the server sends in a run beyond what it sends for a listing alone; 0 where that is within its noise."""
    url, options = place.located(proxy.port)
    add_location(library, "again", url, options)
    for _ in range(2):
        index(library, ["again"], and_match=False)
    before = proxy.sent_bytes
    index(library, ["again"], and_match=False)
    run = proxy.sent_bytes - before
    before = proxy.sent_bytes
    place.opened(proxy.port).list()
    listing = proxy.sent_bytes - before
    # Connections are opened anew by the one and not by the other.
    return 0 if run <= 1.2 * listing + 20_000 else run - listing


def _seconds(work: Callable[[], int], expected: int) -> float:
    began = time.perf_counter()
    found = work()
    taken = time.perf_counter() - began
    assert found == expected, f"{found} objects listed of {expected}"
    return taken


def _told(what: str) -> None:
    if sys.stderr.isatty():
        print(f"\r\x1b[K{what}", end="", file=sys.stderr, flush=True)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.storage", description=__doc__)
    parser.add_argument("--objects", type=int, default=10_000, help="objects to list (10,000)")
    parser.add_argument("--pictures", type=int, default=120, help="pictures to index (120)")
    parser.add_argument("--kinds", default=",".join(PLACES), help="comma-separated kinds (all)")
    parser.add_argument("--repeats", type=int, default=3, help="of each measurement (3)")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    configure_logging(level="error")
    os.environ.setdefault("DEEPLENS_REQUIRE_SERVERS", "1")
    with tempfile.TemporaryDirectory(prefix="deeplens-storage-") as folder:
        kinds = tuple(arguments.kinds.split(","))
        try:
            report = measure(arguments.objects, arguments.pictures, kinds, arguments.repeats, Path(folder))
        except pytest.fail.Exception as missing:
            raise SystemExit(f"storage: {missing}") from missing
    print_report(report, as_json=arguments.json)


if __name__ == "__main__":
    main()
