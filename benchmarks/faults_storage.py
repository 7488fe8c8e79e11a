"""What broken networks and busy writers do to an index run: nothing is lost, counted twice or known by a wrong digest.

Real servers of every kind behind a proxy that breaks one connection a run, at a seeded byte: resets, answers that end
in the middle, silence, HTTP 503, and objects that are overwritten while they are read. After each run the catalog is
held against what the server has, then a run without faults must bring it to exactly that.

    python -m benchmarks.faults_storage [--runs 1000] [--kinds s3,sftp] [--json]
"""

from __future__ import annotations

import argparse
import hashlib
import os
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from benchmarks.fault_proxy import FaultProxy, NetworkFault, Way
from benchmarks.report import Report, print_report
from benchmarks.storage_place import StoragePlace
from benchmarks.storage_places import PLACES
from deeplens_kit.errors import LocationError
from deeplens_kit.pipeline import Workspace, add_location, index
from deeplens_kit.telemetry import configure_logging

__all__ = ["main", "measure"]

SEED = 20261130
KINDS = ("s3", "azure", "gcs", "smb", "sftp", "ftp", "ftp-list", "webdav", "postgresql")
_OBJECTS = 24
_MOST_BYTES = 40_000
_HTTP = frozenset({"s3", "azure", "gcs", "webdav"})
_OPTIONS = {"retries": 2, "retry_wait_seconds": 0.01, "timeout_seconds": 0.6, "connections": 4}
_SETTINGS = "\n[features]\nenabled = []\n[index]\nworkers = 2\n"


@dataclass
class _Subject:
    """One kind under test: its place, the proxy before it, and what its objects hold."""

    place: StoragePlace
    proxy: FaultProxy
    truth: dict[str, bytes]
    answered_bytes: int = 100_000
    versions: dict[str, set[str]] = field(default_factory=dict)


def measure(runs: int, folder: Path, kinds: tuple[str, ...] = KINDS) -> Report:
    """Inject faults, one a run, in turn at each kind."""
    report = Report("faults_storage", SEED)
    chance = random.Random(SEED)
    counts: dict[tuple[str, str], Counter[str]] = {}
    with ExitStack() as stack:
        library = stack.enter_context(_library(folder / "workspace"))
        subjects = {kind: stack.enter_context(_subject(kind, folder / kind, library, chance)) for kind in kinds}
        began = time.monotonic()
        for number in range(runs):
            kind = kinds[number % len(kinds)]
            ways = [way for way in Way if way != Way.BUSY or kind in _HTTP]
            way = ways[number // len(kinds) % len(ways)]
            counted = counts.setdefault((kind, way), Counter())
            counted.update(_run(library, subjects[kind], way, chance))
            if sys.stderr.isatty() and number % 10 == 9:
                left = (time.monotonic() - began) / (number + 1) * (runs - number - 1)
                print(f"\r{number + 1} of {runs} runs, {left:.0f} s left ", end="", file=sys.stderr)
    columns = ("runs", "struck", "told", "lost", "twice", "wrong_digest", "not_healed")
    for (kind, way), counted in sorted(counts.items()):
        report.add(kind=kind, fault=str(way), **{name: counted[name] for name in columns})
    total: Counter[str] = sum(counts.values(), Counter())
    report.figures = {name: total[name] for name in columns}
    return report


def _run(library: Workspace, subject: _Subject, way: Way, chance: random.Random) -> Counter[str]:
    """One fault, what the catalog says after it, and after a run without any."""
    changed = _change(subject, chance)
    before = _rows(library, subject)
    # Somewhere in what such a run usually receives, and now and then beyond it.
    at = chance.randrange(int(subject.answered_bytes * 1.1))
    victim = chance.choice(changed)

    def overwrite() -> None:
        _put(subject, victim, chance.randbytes(chance.randrange(1, _MOST_BYTES)))

    subject.proxy.arm(NetworkFault(way, at, overwrite))
    failed = _indexed(library, subject)
    struck = subject.proxy.disarm()
    after = _rows(library, subject)
    counted = Counter(runs=1, struck=int(struck))
    counted["told"] = int(failed or bool(_failures(library, subject)))
    # What was known and is still there is in the catalog, whatever happened.
    counted["lost"] = len((before.keys() & subject.truth.keys()) - after.keys())
    counted["wrong_digest"] = sum(
        digest is not None and digest not in subject.versions[path] for path, digest in after.items()
    )
    counted["twice"] = _twice(library, subject)
    sent = subject.proxy.sent_bytes
    healed = not _indexed(library, subject)
    subject.answered_bytes = max(2000, (subject.answered_bytes + subject.proxy.sent_bytes - sent) // 2)
    final = _rows(library, subject)
    right = {path: _digest(data) for path, data in subject.truth.items()}
    counted["not_healed"] = int(not healed or final != right or _twice(library, subject) > 0)
    subject.versions = {path: {digest} for path, digest in right.items()}
    return counted


def _change(subject: _Subject, chance: random.Random) -> list[str]:
    """Overwrite some objects and make a new one; returns their paths."""
    paths = [*chance.sample(sorted(subject.truth), 3), f"new/{chance.getrandbits(32):08x}.bin"]
    for path in paths:
        _put(subject, path, chance.randbytes(chance.randrange(1, _MOST_BYTES)))
    return paths


def _put(subject: _Subject, path: str, data: bytes) -> None:
    subject.place.put(path, data)
    subject.truth[path] = data
    subject.versions.setdefault(path, set()).add(_digest(data))


def _indexed(library: Workspace, subject: _Subject) -> bool:
    """Run; True where it ended with an error that it told."""
    try:
        index(library, [subject.place.kind], and_match=False)
    except LocationError:
        return True
    return False


def _rows(library: Workspace, subject: _Subject) -> dict[str, str | None]:
    location = library.ledger.location(subject.place.kind)
    return dict(library.catalog.objects(location.location_id, columns=["path", "digest"]).iter_rows())


def _twice(library: Workspace, subject: _Subject) -> int:
    location = library.ledger.location(subject.place.kind)
    paths = library.catalog.objects(location.location_id, columns=["path"])["path"]
    return len(paths) - paths.n_unique()


def _failures(library: Workspace, subject: _Subject) -> int:
    location = library.ledger.location(subject.place.kind)
    failures = library.catalog.failures(location.location_id)
    return failures.filter(failures["stage"] != "decode").height


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@contextmanager
def _library(folder: Path) -> Iterator[Workspace]:
    Workspace.create(folder).close()
    with (folder / "workspace.toml").open("a", encoding="utf-8") as stream:
        stream.write(_SETTINGS)
    with Workspace.open(folder) as library:
        yield library


@contextmanager
def _subject(kind: str, folder: Path, library: Workspace, chance: random.Random) -> Iterator[_Subject]:
    with PLACES[kind](folder) as place, FaultProxy(place.port, speaks_ftp=kind.startswith("ftp")) as proxy:
        truth = {f"d{n % 3}/{n}.bin": chance.randbytes(chance.randrange(1, _MOST_BYTES)) for n in range(_OBJECTS)}
        place.put_many(truth)
        url, options = place.located(proxy.port)
        add_location(library, kind, url, {**options, **_OPTIONS})
        versions = {path: {_digest(data)} for path, data in truth.items()}
        index(library, [kind], and_match=False)
        yield _Subject(place, proxy, truth, versions=versions)


def main() -> None:
    """Measure and print; ends with 1 where anything was lost, counted twice or wrong."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.faults_storage", description=__doc__)
    parser.add_argument("--runs", type=int, default=1000, help="faults to inject, in turn at each kind (1000)")
    parser.add_argument("--kinds", default=",".join(KINDS), help="comma-separated kinds (all with a server)")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    configure_logging(level="error")
    os.environ.setdefault("DEEPLENS_REQUIRE_SERVERS", "1")
    with tempfile.TemporaryDirectory(prefix="deeplens-faults-") as folder:
        try:
            report = measure(arguments.runs, Path(folder), tuple(arguments.kinds.split(",")))
        except pytest.fail.Exception as missing:
            raise SystemExit(f"faults_storage: {missing}") from missing
    print_report(report, as_json=arguments.json)
    wrong = [name for name in ("lost", "twice", "wrong_digest", "not_healed") if report.figures[name]]
    if wrong:
        raise SystemExit(f"faults_storage: not zero: {', '.join(wrong)}")


if __name__ == "__main__":
    main()
