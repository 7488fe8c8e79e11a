"""The figures of a small benchmark whose right values are computed by hand in the comments."""

from __future__ import annotations

import csv
import itertools
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.copy_scores import CopyBenchmark, FamilyOutcome, QueryPair

COLUMNS = ("path", "source_id", "family", "role", "category", "scene_group")
# Two sources with copies (s: one reference and three queries; t: one reference, one query, both documents),
# and pictures of their own: m and n of one scene, u and v ignored against each other.
ROWS = (
    ("images/s0", "s", "original", "reference", "photo", ""),
    ("images/s1", "s", "crop", "query", "photo", ""),
    ("images/s2", "s", "crop", "query", "photo", ""),
    ("images/s3", "s", "blur", "query", "photo", ""),
    ("images/t0", "t", "original", "reference", "document", ""),
    ("images/t1", "t", "blur", "query", "document", ""),
    ("images/m", "m", "distractor", "reference", "photo", "kitchen"),
    ("images/n", "n", "distractor", "query", "photo", "kitchen"),
    ("images/u", "u", "distractor", "reference", "photo", ""),
    ("images/v", "v", "distractor", "query", "photo", ""),
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("bench")
    kinds = [(*row, "original" if row[2] == "original" else "") for row in ROWS]
    write(made / "manifest.csv", (*COLUMNS, "kind"), kinds)
    write(made / "ignore.csv", ("source_a", "source_b"), [("v", "u"), ("v", "no such source")])
    return made


def write(path: Path, columns, rows) -> None:
    with path.open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows([columns, *rows])


def ranking(*pairs: tuple[str, str, float]) -> list[tuple[str, str, float]]:
    return [(f"images/{a}", f"images/{b}", score) for a, b, score in pairs]


def test_verdicts(folder: Path) -> None:
    full, core = CopyBenchmark(folder), CopyBenchmark(folder, core=True)

    def verdict(bench: CopyBenchmark, a: str, b: str) -> int:
        first, second = bench.row(f"images/{a}"), bench.row(f"images/{b}")
        return int(bench.verdicts(np.array([first]), np.array([second]))[0])

    assert (verdict(full, "s0", "s3"), verdict(full, "s0", "t1"), verdict(full, "u", "v")) == (1, 0, -1)
    assert (verdict(full, "n", "m"), verdict(core, "n", "m"), verdict(core, "m", "s1")) == (0, -1, 0)
    assert core.row("images/t0") is None and full.row("images/nothing") is None


def test_ranking_by_hand(folder: Path) -> None:
    bench = CopyBenchmark(folder)
    scored = bench.score_pairs(
        bench.answer(
            ranking(
                ("s1", "s0", 0.9),  # right
                ("s0", "s2", 0.8),  # right, the other way round
                ("s0", "s1", 0.1),  # listed twice: the better score counts
                ("v", "u", 0.85),  # counts as neither
                ("s1", "s2", 0.99),  # two queries: no query-reference pair
                ("n", "m", 0.7),  # wrong ...
                ("t1", "t0", 0.7),  # ... and right, with equal scores: they enter together
            )
        )
    )
    # 4 positive pairs: s1-s0, s2-s0, s3-s0, t1-t0. Ranking: 1/1, 2/2, then {wrong, right}: 3/4; s3-s0 is not listed.
    assert (scored.listed, scored.positives) == (5, 4)
    assert scored.micro_ap == pytest.approx(1 / 4 * 1 + 1 / 4 * 1 + 1 / 4 * 3 / 4)
    assert dict(scored.recall_at) == {0.999: 0.5, 0.99: 0.5, 0.95: 0.5, 0.90: 0.5}
    assert (scored.recall, scored.precision) == (0.75, pytest.approx(3 / 4))
    assert scored.threshold == 0.8
    assert dict(scored.family_recall) == {"blur": 0.0, "crop": 1.0}


def test_sources_said_to_be_one_count_as_neither(folder: Path) -> None:
    pairs = ranking(("s1", "s0", 0.9), ("n", "m", 0.8))
    strict, forgiving = CopyBenchmark(folder), CopyBenchmark(folder, same=[("m", "n"), ("s", "no such source")])
    assert strict.score_pairs(strict.answer(pairs)).precision == 0.5
    assert forgiving.score_pairs(forgiving.answer(pairs)).precision == 1.0
    assert strict.query_to_reference("images/s0", "images/s1") == QueryPair("images/s1", "crop")
    assert strict.query_to_reference("images/n", "images/m") == QueryPair("images/n", "different pictures")
    assert forgiving.query_to_reference("images/n", "images/m") is None
    assert strict.query_to_reference("images/s1", "images/s2") is None


def test_core_leaves_out_documents_and_scenes(folder: Path) -> None:
    core = CopyBenchmark(folder, core=True)
    scored = core.score_pairs(
        core.answer(ranking(("n", "m", 0.9), ("t1", "t0", 0.8), ("v", "s0", 0.7), ("s3", "s0", 0.6)))
    )
    # n-m is of one scene and t1-t0 no photograph: v-s0 is wrong, s3-s0 right, of 3 positive pairs.
    assert scored.positives == 3
    assert scored.micro_ap == pytest.approx(1 / 3 * 1 / 2)
    assert scored.recall_at[0.90] == 0.0 and scored.threshold == float("inf")
    assert dict(scored.family_recall) == {"blur": 0.0, "crop": 0.0}


def test_empty_answer(folder: Path) -> None:
    bench = CopyBenchmark(folder)
    scored = bench.score_pairs(bench.answer([]))
    assert (scored.listed, scored.micro_ap, scored.recall_at[0.99]) == (0, 0.0, 0.0)
    assert (scored.recall, scored.precision) == (0.0, 0.0)
    removals = bench.score_removals([])
    assert (removals.proposed, removals.precision, removals.recall) == (0, 0.0, 0.0)


def test_removals_by_hand(folder: Path) -> None:
    bench = CopyBenchmark(folder)
    scored = bench.score_removals(
        (group, f"images/{path}", keeps)
        for group, path, keeps in (
            ("a", "s1", False),  # right: before its keeper, order does not matter
            ("a", "s0", True),
            ("a", "s2", False),  # right
            ("a", "m", False),  # wrong
            ("b", "t1", True),
            ("b", "t0", False),  # right: any picture of the source may stay
            ("c", "u", True),
            ("c", "v", False),  # counts as neither
            ("d", "n", True),
            ("d", "m", False),  # wrong, and proposed for the second time
            ("e", "s3", False),  # no keeper: not judged
            ("e", "s3 from elsewhere", True),
        )
    )
    # 6 proposed, 3 right, 2 wrong; removable: 3 of s and 1 of t.
    assert scored.proposed == 6
    assert scored.precision == pytest.approx(3 / 5)
    assert scored.recall == pytest.approx(3 / 4)
    assert scored.proposed_twice == 1
    assert (scored.originals_removed, scored.originals_kept, scored.original_keepers) == (1, 1, {"blur": 1})
    assert scored.wrong == (("images/s0", "images/m"), ("images/n", "images/m"))
    assert dict(scored.families) == {
        "blur": FamilyOutcome(pictures=2, removed=0, kept=1, wrong=0, left=1),
        "crop": FamilyOutcome(pictures=2, removed=2, kept=0, wrong=0, left=0),
        "original": FamilyOutcome(pictures=2, removed=1, kept=1, wrong=0, left=0),
    }


def test_removals_of_the_core(folder: Path) -> None:
    core = CopyBenchmark(folder, core=True)
    rows = [("a", "images/s0", True), ("a", "images/s1", False), ("b", "images/t0", True), ("b", "images/t1", False)]
    scored = core.score_removals(rows)
    assert (scored.proposed, scored.precision, scored.recall) == (1, 1.0, pytest.approx(1 / 3))


def test_without_a_list_of_ignored_sources(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "manifest.csv").write_bytes((folder / "manifest.csv").read_bytes())
    bench = CopyBenchmark(tmp_path)
    scored = bench.score_removals([("c", "images/u", True), ("c", "images/v", False)])
    assert scored.wrong == (("images/u", "images/v"),)


ALL_PAIRS = list(itertools.product(("s1", "s2", "s3", "t1", "n", "v"), ("s0", "t0", "m", "u")))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from([0.0, 0.25, 0.5, 0.75, 1.0]), min_size=len(ALL_PAIRS), max_size=len(ALL_PAIRS)))
def test_precision_and_recall_at_every_threshold(folder: Path, scores: list[float]) -> None:
    """Counting anew at each threshold gives the same figures."""
    bench = CopyBenchmark(folder)
    scored = bench.score_pairs(bench.answer(ranking(*((a, b, s) for (a, b), s in zip(ALL_PAIRS, scores, strict=True)))))
    points = []
    for threshold in sorted(set(scores), reverse=True):
        admitted = [
            a[0] == b[0] for (a, b), s in zip(ALL_PAIRS, scores, strict=True) if s >= threshold and (a, b) != ("v", "u")
        ]
        if admitted:
            points.append((sum(admitted) / len(admitted), sum(admitted) / 4))
    for level in (0.999, 0.90):
        assert scored.recall_at[level] == max(
            (recall for precision, recall in points if precision >= level), default=0.0
        )
    before, area = 0.0, 0.0
    for precision, recall in points:
        area += (recall - before) * precision
        before = recall
    assert scored.micro_ap == pytest.approx(area)
