"""Benchmark folders: manifests that say which files are copies of one source, in place of a person.

Takes a folder with `manifest.csv` (path, source_id, sha256 and more) and, where there is one, `ignore.csv` (source_a,
source_b), gives the verdict on any two digests; and writes labels in the same form. Must not open a picture. Two
pictures of one source are the same, those of two sources that are to be ignored count as neither, all others differ.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from deeplens_kit.errors import SettingsError
from deeplens_kit.pipeline.label_files import Problems, open_table

__all__ = ["IGNORE_FILE", "MANIFEST_FILE", "BenchmarkTruth", "read_benchmark"]

MANIFEST_FILE, IGNORE_FILE = "manifest.csv", "ignore.csv"

_DIGEST = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class BenchmarkTruth:
    """What a manifest says of its files.

    Attributes:
        folder: Where it lies.
        sources: The sources of each digest: one, but for equal bytes that are listed under several.
        ignored: Pairs of sources that count as neither, each in both orders.
        files: Rows of the manifest.
    """

    folder: Path
    sources: dict[str, frozenset[str]]
    ignored: frozenset[tuple[str, str]]
    files: int

    def verdict(self, digest_a: str, digest_b: str) -> str | None:
        """same, different or unsure (to be ignored); None where the manifest does not know one of the two."""
        first, second = self.sources.get(digest_a), self.sources.get(digest_b)
        if first is None or second is None:
            return None
        if first & second:
            return "same"
        if any((left, right) in self.ignored for left in first for right in second):
            return "unsure"
        return "different"

    def verdicts(self, pairs: Iterable[tuple[str, str]]) -> Iterator[str | None]:
        """The verdict on each pair."""
        return (self.verdict(first, second) for first, second in pairs)


def read_benchmark(folder: Path) -> BenchmarkTruth:
    """Read the manifest of a folder.

    Args:
        folder: With `manifest.csv`; all of it is read, `ignore.csv` where it is there.

    Raises:
        SettingsError: There is none, or a row is wrong.
    """
    manifest = folder / MANIFEST_FILE
    if not manifest.is_file():
        raise SettingsError(
            f"{str(folder)!r} is no benchmark folder: it holds no {MANIFEST_FILE}; name a folder with one, which has "
            "at least the columns path, source_id and sha256."
        )
    problems = Problems(manifest)
    sources: dict[str, set[str]] = defaultdict(set)
    rows = open_table(manifest, ("path", "source_id", "sha256"))
    for line, row in rows:
        digest = row["sha256"].lower()
        if not _DIGEST.fullmatch(digest):
            problems.add(line, f"sha256 is {row['sha256']!r}; give 64 hexadecimal digits")
        elif not row["source_id"]:
            problems.add(line, "source_id is empty; files with the same source_id are copies of each other")
        else:
            sources[digest].add(row["source_id"])
    problems.refuse()
    known = frozenset(name for some in sources.values() for name in some)
    return BenchmarkTruth(
        folder,
        {digest: frozenset(some) for digest, some in sources.items()},
        _ignored(folder / IGNORE_FILE, known),
        len(rows),
    )


def _ignored(path: Path, sources: frozenset[str]) -> frozenset[tuple[str, str]]:
    if not path.exists():
        return frozenset()
    problems = Problems(path)
    found = set()
    for line, row in open_table(path, ("source_a", "source_b")):
        ends = row["source_a"], row["source_b"]
        for name in ends:
            if name not in sources:
                problems.add(line, f"source {name!r} is not in {MANIFEST_FILE}")
        found |= {ends, ends[::-1]}
    problems.refuse()
    return frozenset(found)
