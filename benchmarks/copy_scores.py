"""How good an answer about copies is: ranked pairs as in the DISC2021 challenge, and proposed removals.

Takes a benchmark folder (`manifest.csv`, `ignore.csv`) and an answer, gives figures; must not read a picture.
Two pictures of one `source_id` are copies, pairs of sources named in `ignore.csv` count as neither, all others
are different. *core* leaves out what is no photograph, and counts pairs of one `scene_group` as neither.

Pairs: every query against every reference, ranked together by score; pairs of equal score enter together; average
precision over the ranking (Douze et al. 2021, "The 2021 Image Similarity Dataset and Challenge", section 3).
Removals: each picture that is proposed for removal is judged against the keeper of its own group.
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

__all__ = ["PRECISIONS", "Answered", "CopyBenchmark", "FamilyOutcome", "PairScores", "QueryPair", "RemovalScores"]

PRECISIONS = (0.999, 0.99, 0.95, 0.90)
"""Precisions (inclusive) at which recall is given."""
DIFFERENT_PICTURES = "different pictures"
"""The family of a query beside a reference that is no copy of it."""
_FAMILY_PRECISION = 0.99
_DISTRACTOR = "distractor"
_ORIGINAL = "original"
_IGNORED, _DIFFERENT, _COPIES = -1, 0, 1

Scores = NDArray[np.float64]
Rows = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class PairScores:
    """Figures of a ranking of pairs.

    Attributes:
        listed: Query-reference pairs that the answer lists.
        recall: Share of the positives among these, whatever their score: the most that a better score could reach.
        precision: Share of the positives among those that are judged; 0 where there are none.
        positives: Pairs of copies that there are.
        micro_ap: Average precision over the ranking, 0..1.
        recall_at: Precision -> the greatest recall at which it still holds.
        threshold: Lowest score at which precision 0.99 holds; infinite where it never does.
        family_recall: Family -> share of its queries with a reference found at that threshold.
    """

    listed: int
    recall: float
    precision: float
    positives: int
    micro_ap: float
    recall_at: Mapping[float, float]
    threshold: float
    family_recall: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class FamilyOutcome:
    """What became of the pictures of one family, as counts: rightly removed, kept for others, wrongly removed, left."""

    pictures: int
    removed: int
    kept: int
    wrong: int
    left: int


@dataclass(frozen=True, slots=True)
class RemovalScores:
    """Figures of proposed removals.

    Attributes:
        proposed: Removals proposed, pairs that count as neither included.
        precision: Share of the judged ones that are copies of their own keeper; 0 where there are none.
        recall: Share of the copies that could go (all but one of each source) that are rightly proposed.
        proposed_twice: Pictures proposed in more than one group, counted once for each further group.
        wrong: (keeper, removed) of each wrong removal.
        originals_removed: Pictures of kind "original" that are proposed, rightly or wrongly.
        originals_kept: Those that are not.
        original_keepers: Family -> originals that are proposed in favour of a picture of that family.
        families: Family -> what became of its pictures; sources of one picture are left out.
    """

    proposed: int
    precision: float
    recall: float
    proposed_twice: int
    wrong: tuple[tuple[str, str], ...]
    originals_removed: int
    originals_kept: int
    original_keepers: Mapping[str, int]
    families: Mapping[str, FamilyOutcome]


@dataclass(frozen=True, slots=True)
class Answered:
    """An answer about pairs: rows of the benchmark and a score, higher meaning more alike."""

    first: Rows
    second: Rows
    score: Scores


@dataclass(frozen=True, slots=True)
class QueryPair:
    """A query beside a reference: its path, and its family where they are copies, else `DIFFERENT_PICTURES`."""

    query: str
    family: str


class CopyBenchmark:
    """A benchmark folder: which pictures there are, and the truth about any two of them.

    Args:
        folder: The benchmark.
        core: Leave out what is no photograph, and count pairs of one scene as neither.
        same: Pairs of sources that count as neither besides those of `ignore.csv`.

    Attributes:
        paths: Of the pictures, relative to the folder; their order is the row numbers that all methods use.
    """

    def __init__(self, folder: Path, *, core: bool = False, same: Sequence[tuple[str, str]] = ()) -> None:
        with (folder / "manifest.csv").open(encoding="utf-8", newline="") as stream:
            rows = [row for row in csv.DictReader(stream) if not core or row["category"] == "photo"]
        self.paths = [row["path"] for row in rows]
        self._row_of = {path: row for row, path in enumerate(self.paths)}
        self._families = [row["family"] for row in rows]
        self._original = np.array([row.get("kind") == _ORIGINAL for row in rows], np.bool_)
        self._roles = np.array([row["role"] for row in rows])
        names, source = np.unique([row["source_id"] for row in rows], return_inverse=True)
        self._source: Rows = source.astype(np.int64)
        scenes = np.unique([row.get("scene_group") or "" for row in rows], return_inverse=True)[1].astype(np.int64)
        # A picture outside any scene gets a scene of its own, so that equality alone says "the same scene".
        alone = np.array([not row.get("scene_group") for row in rows])
        self._scene: Rows = np.where(alone, -1 - np.arange(len(rows)), scenes) if core else -1 - np.arange(len(rows))
        self._neither = self._ignored_sources(folder, same, {str(name): code for code, name in enumerate(names)})

    @property
    def queries(self) -> Rows:
        """Rows of the queries."""
        return np.flatnonzero(self._roles == "query")

    @property
    def references(self) -> Rows:
        """Rows of the references."""
        return np.flatnonzero(self._roles == "reference")

    def row(self, path: str) -> int | None:
        """The row of a path that is relative to the folder; None where this view leaves it out."""
        return self._row_of.get(path)

    def answer(self, pairs: Iterable[tuple[str, str, float]]) -> Answered:
        """Pairs of paths as rows; pairs with a picture that this view leaves out are dropped."""
        found = [
            (first, second, score)
            for a, b, score in pairs
            if (first := self.row(a)) is not None and (second := self.row(b)) is not None
        ]
        columns = list(zip(*found, strict=True)) or [(), (), ()]
        return Answered(
            np.array(columns[0], np.int64), np.array(columns[1], np.int64), np.array(columns[2], np.float64)
        )

    def verdicts(self, first: Rows, second: Rows) -> NDArray[np.int8]:
        """1 for copies, 0 for different pictures, -1 for pairs that count as neither."""
        a, b = self._source[first], self._source[second]
        verdict = np.where(a == b, _COPIES, _DIFFERENT).astype(np.int8)
        neither = np.isin(self._key(a, b), self._neither) | (self._scene[first] == self._scene[second])
        verdict[(verdict == _DIFFERENT) & neither] = _IGNORED
        return verdict

    def query_to_reference(self, a: str, b: str) -> QueryPair | None:
        """Which of two pictures is the query, and of which family; None where they are no query and reference, where
        this view leaves one out or where they count as neither.
        """
        first, second = self.row(a), self.row(b)
        if first is None or second is None or {self._roles[first], self._roles[second]} != {"query", "reference"}:
            return None
        verdict = int(self.verdicts(np.array([first]), np.array([second]))[0])
        if verdict == _IGNORED:
            return None
        query = first if self._roles[first] == "query" else second
        family = self._families[query] if verdict == _COPIES else DIFFERENT_PICTURES
        return QueryPair(self.paths[query], family)

    def score_pairs(self, answer: Answered) -> PairScores:
        """Figures of a ranking; pairs that it does not list count as ranked below all others."""
        query, reference, score = self._best_per_pair(answer)
        verdict = self.verdicts(query, reference)
        judged = verdict != _IGNORED
        values, place = np.unique(-score[judged], return_inverse=True)
        right = np.cumsum(np.bincount(place[verdict[judged] == _COPIES], minlength=len(values)))
        admitted = np.cumsum(np.bincount(place, minlength=len(values)))
        positives = self._positive_pairs()
        precision = right / np.maximum(admitted, 1)
        recall = right / max(positives, 1)
        holds = np.flatnonzero(precision >= _FAMILY_PRECISION)
        threshold = float(-values[holds[np.argmax(recall[holds])]]) if len(holds) else float("inf")
        found = np.unique(query[(verdict == _COPIES) & (score >= threshold)])
        return PairScores(
            listed=len(query),
            recall=float(right[-1] / max(positives, 1)) if len(right) else 0.0,
            precision=float(precision[-1]) if len(right) else 0.0,
            positives=positives,
            micro_ap=float(np.sum(np.diff(recall, prepend=0.0) * precision)),
            recall_at={level: float(recall[precision >= level].max(initial=0.0)) for level in PRECISIONS},
            threshold=threshold,
            family_recall=self._family_recall(found),
        )

    def score_removals(self, groups: Iterable[tuple[str, str, bool]]) -> RemovalScores:
        """Figures of proposed removals.

        Args:
            groups: (group_id, path, is_keeper) of each member; paths that this view leaves out are dropped, and so are
                the members of a group whose keeper is left out.
        """
        members = [(group, row, keeps) for group, path, keeps in groups if (row := self.row(path)) is not None]
        keeper_of = {group: row for group, row, keeps in members if keeps}
        removals = [(keeper_of[group], row) for group, row, keeps in members if not keeps and group in keeper_of]
        keepers = np.array([keeper for keeper, _ in removals], np.int64)
        removed = np.array([row for _, row in removals], np.int64)
        verdict = self.verdicts(keepers, removed)
        right, wrong = verdict == _COPIES, verdict == _DIFFERENT
        lost = self._original[removed]
        originals_removed = len(np.unique(removed[lost]))
        removable = int(np.sum(np.bincount(self._source, minlength=1)) - len(np.unique(self._source)))
        return RemovalScores(
            proposed=len(removals),
            precision=float(right.sum() / max(int(right.sum() + wrong.sum()), 1)),
            recall=float(right.sum() / max(removable, 1)),
            proposed_twice=len(removed) - len(np.unique(removed)),
            wrong=tuple(
                (self.paths[keeper], self.paths[row])
                for keeper, row in zip(keepers[wrong], removed[wrong], strict=True)
            ),
            originals_removed=originals_removed,
            originals_kept=int(self._original.sum()) - originals_removed,
            original_keepers=dict(Counter(self._families[row] for row in keepers[lost]).most_common()),
            families=self._family_outcomes(set(removed[right]), set(keepers[right]), set(removed[wrong])),
        )

    def _ignored_sources(self, folder: Path, same: Sequence[tuple[str, str]], code_of: Mapping[str, int]) -> Rows:
        path = folder / "ignore.csv"
        named = list(same)
        if path.exists():
            with path.open(encoding="utf-8", newline="") as stream:
                named += [(row["source_a"], row["source_b"]) for row in csv.DictReader(stream)]
        known = [(code_of[a], code_of[b]) for a, b in named if a in code_of and b in code_of]
        codes = np.array(known, np.int64).reshape(-1, 2)
        return self._key(codes[:, 0], codes[:, 1])

    def _key(self, a: Rows, b: Rows) -> Rows:
        return np.minimum(a, b) * len(self.paths) + np.maximum(a, b)

    def _best_per_pair(self, answer: Answered) -> tuple[Rows, Rows, Scores]:
        """Query, reference and best score of each query-reference pair, whichever way round it was listed."""
        swap = self._roles[answer.first] == "reference"
        query = np.where(swap, answer.second, answer.first)
        reference = np.where(swap, answer.first, answer.second)
        wanted = (self._roles[query] == "query") & (self._roles[reference] == "reference")
        query, reference, score = query[wanted], reference[wanted], answer.score[wanted]
        order = np.lexsort((-score, reference, query))
        query, reference, score = query[order], reference[order], score[order]
        best = np.append(True, (np.diff(query) != 0) | (np.diff(reference) != 0))[: len(query)]
        return query[best], reference[best], score[best]

    def _references_of_query(self) -> Rows:
        count = np.bincount(self._source[self.references], minlength=int(self._source.max(initial=-1)) + 1)
        return count[self._source[self.queries]].astype(np.int64)

    def _positive_pairs(self) -> int:
        return int(self._references_of_query().sum())

    def _family_recall(self, found: Rows) -> dict[str, float]:
        with_reference = self.queries[self._references_of_query() > 0]
        return self._shares([row for row in with_reference if self._families[row] != _DISTRACTOR], set(found))

    def _shares(self, rows: Sequence[int], hit: set[int]) -> dict[str, float]:
        total = Counter(self._families[row] for row in rows)
        hits = Counter(self._families[row] for row in rows if row in hit)
        return {family: hits[family] / total[family] for family in sorted(total)}

    def _family_outcomes(self, removed: set[int], kept: set[int], wrong: set[int]) -> dict[str, FamilyOutcome]:
        size = np.bincount(self._source, minlength=1)
        fate: dict[str, Counter[str]] = {}
        for row, family in enumerate(self._families):
            if size[self._source[row]] > 1:
                known = (("removed", removed), ("wrong", wrong), ("kept", kept))
                fate.setdefault(family, Counter())[next((name for name, rows in known if row in rows), "left")] += 1
        return {
            family: FamilyOutcome(
                sum(found.values()), **{name: found[name] for name in ("removed", "kept", "wrong", "left")}
            )
            for family, found in sorted(fate.items())
        }
