"""Ranking by likeness against an oracle that compares every picture, one after another."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from deeplens_kit.schemas import PICTURES, SEARCH_PARTS
from deeplens_kit.search import VectorShelf
from deeplens_kit.search.calibration import Calibration, fitted
from deeplens_kit.search.comparers import Comparer, HashComparer, VectorComparer
from deeplens_kit.search.hash_shelf import HashShelf
from deeplens_kit.search.library import laid_against
from deeplens_kit.search.likeness import LikenessPart, LikenessRanking, parts_frame, rank_likeness
from deeplens_kit.search.vectors.digests import digest_bytes

DIMENSIONS = 8
FEATURES = ("meaning", "colour", "dhash")


@dataclass(frozen=True)
class World:
    """Pictures with two vectors and a hash, each of which some lack."""

    vectors: dict[str, NDArray[np.float16]]
    hashes: list[int | None]
    comparers: dict[str, Comparer]
    parts: list[LikenessPart]

    @property
    def count(self) -> int:
        return len(self.hashes)

    def value(self, part: LikenessPart, position: int) -> float | None:
        """By the definition of each metric."""
        if part.feature == "dhash":
            stored = self.hashes[position]
            return None if stored is None else 1.0 - (stored ^ int(part.asked)).bit_count() / 64
        vector = self.vectors[part.feature][position].astype(np.float64)
        if not vector.any():
            return None
        asked = np.asarray(part.asked, np.float64)
        cosine = float(vector @ asked) / math.hypot(*vector) / math.hypot(*asked)
        return cosine if part.feature == "meaning" else -math.sqrt(max(0.0, 2.0 - 2.0 * cosine))

    def oracle(self, wanted: NDArray[np.bool_] | None, least: float) -> list[tuple[float, int]]:
        """Scores and positions, the best first."""
        found = []
        for position in range(self.count):
            if wanted is not None and not wanted[position]:
                continue
            score = 0.0
            for part in self.parts:
                value = self.value(part, position)
                if position == part.itself:
                    score += part.weight
                elif value is not None:
                    score += part.weight * float(part.calibration.similarity(np.array(value)))
            score = float(np.float32(min(1.0, max(0.0, score))))
            if score > 0 and score >= np.float32(least):
                found.append((score, position))
        same = {part.itself for part in self.parts}
        return sorted(found, key=lambda pair: (-pair[0], pair[1] not in same, pair[1]))


def world(seed: int, count: int, terms: int) -> World:
    random = np.random.default_rng(seed)
    digests = pl.Series("digest", [f"{number:064x}" for number in range(count)])
    vectors: dict[str, NDArray[np.float16]] = {}
    comparers: dict[str, Comparer] = {}
    for feature in ("meaning", "colour"):
        rows = random.normal(0.3, 1.0, (count, DIMENSIONS))
        rows /= np.linalg.norm(rows, axis=1, keepdims=True)
        rows[random.random(count) < 0.15] = 0.0
        vectors[feature] = rows.astype(np.float16)
        has = np.flatnonzero(vectors[feature].any(axis=1))
        shelf = VectorShelf.of(feature, digests.gather(has).to_list(), vectors[feature][has])
        comparers[feature] = VectorComparer(laid_against(feature, shelf, digest_bytes(digests)), feature == "colour")
    hashes = [int(value) if random.random() < 0.8 else None for value in random.integers(0, 2**63, count)]
    comparers["dhash"] = HashComparer(HashShelf.of("dhash", pl.Series("dhash", hashes, PICTURES.polars["dhash"])))
    maps = {feature: calibration(feature, random) for feature in FEATURES}
    drawn = []
    for term in range(terms):
        sign = -1.0 if term and random.random() < 0.4 else 1.0
        chosen = random.permutation(FEATURES)[: random.integers(1, 4)]
        indexed = random.random() < 0.5
        itself = int(random.integers(0, count)) if indexed else None
        for feature in map(str, chosen):
            asked = None if itself is None else comparers[feature].held(itself)
            if asked is None:
                asked = int(random.integers(0, 2**63)) if feature == "dhash" else random.normal(0.3, 1.0, DIMENSIONS)
            drawn.append((term, feature, asked, sign * float(random.uniform(0.2, 1.0)), itself))
    total = sum(abs(weight) for *_, weight, _ in drawn)
    parts = [
        LikenessPart(term, feature, asked, weight / total, maps[feature], itself)
        for term, feature, asked, weight, itself in drawn
    ]
    return World(vectors, hashes, comparers, parts)


def calibration(feature: str, random: np.random.Generator) -> Calibration:
    if feature == "dhash":
        values = random.binomial(64, 0.5, 2000) / 64
    else:
        one, other = (random.normal(0.3, 1.0, (2000, DIMENSIONS)) for _ in range(2))
        values = (one * other).sum(axis=1) / np.linalg.norm(one, axis=1) / np.linalg.norm(other, axis=1)
        values = values if feature == "meaning" else -np.sqrt(2 - 2 * values)
    made = fitted(values, 0.0 if feature == "colour" else 1.0, origin="drawn", pictures=60)
    assert made is not None
    return made


def pairs(ranking: LikenessRanking, limit: int) -> list[tuple[float, int]]:
    return list(zip(ranking.scores.tolist(), ranking.positions.tolist(), strict=True))[:limit]


WORLDS = {
    "seed": st.integers(0, 10_000),
    "count": st.integers(1, 120),
    "terms": st.integers(1, 4),
    "limit": st.integers(1, 30),
    "least": st.sampled_from([0.0, 0.0, 0.1, 0.3]),
    "filtered": st.booleans(),
}


@settings(max_examples=25)
@given(**WORLDS)
def test_the_best_are_those_of_comparing_everything(
    seed: int, count: int, terms: int, limit: int, least: float, filtered: bool
) -> None:
    made = world(seed, count, terms)
    wanted = np.random.default_rng(seed).random(count) < 0.5 if filtered else None
    truth = made.oracle(wanted, least)
    whole = rank_likeness(made.parts, made.comparers, count, wanted, limit, min_score=least)
    assert pairs(whole, count) == truth
    assert whole.bound is None
    assert whole.compared == (count if wanted is None else wanted.sum())
    few = rank_likeness(
        made.parts, made.comparers, count, wanted, limit, min_score=least, least_fetched=1, all_scored=0,
        most_fetched=10_000,
    )  # fmt: skip
    assert few.is_certain
    assert pairs(few, limit) == truth[:limit]


@settings(max_examples=15)
@given(**WORLDS)
def test_where_it_stops_early_no_picture_left_out_exceeds_the_bound(
    seed: int, count: int, terms: int, limit: int, least: float, filtered: bool
) -> None:
    made = world(seed, count, terms)
    wanted = np.random.default_rng(seed).random(count) < 0.5 if filtered else None
    truth = made.oracle(wanted, least)
    early = rank_likeness(
        made.parts, made.comparers, count, wanted, 1, min_score=least, least_fetched=1, all_scored=0, most_fetched=2
    )
    seen = set(early.positions.tolist())
    left = [score for score, position in truth if position not in seen]
    if early.bound is None:
        assert not left
    else:
        assert max(left, default=0.0) <= np.float32(early.bound)
    assert not early.is_certain or pairs(early, 1) == truth[:1]


def test_what_is_near_to_all_together_is_fetched_though_it_is_near_to_none() -> None:
    """Of two terms under one feature the best for both lies between them, and is the nearest of neither."""
    random = np.random.default_rng(7)
    axes = np.eye(2, 32)
    near = [axes[0] + 0.2 * random.normal(size=32) / 5 for _ in range(200)]
    near += [axes[1] + 0.2 * random.normal(size=32) / 5 for _ in range(200)]
    rows = np.array([*near, axes[0] + axes[1]])
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    digests = pl.Series("digest", [f"{number:064x}" for number in range(401)])
    shelf = VectorShelf.of("meaning", digests.to_list(), rows.astype(np.float16))
    comparers: dict[str, Comparer] = {"meaning": VectorComparer(laid_against("meaning", shelf, digest_bytes(digests)))}
    one, other = random.normal(size=(2, 5000, 32))
    values = (one * other).sum(axis=1) / np.linalg.norm(one, axis=1) / np.linalg.norm(other, axis=1)
    made = fitted(values, 1.0, origin="", pictures=9)
    assert made is not None
    parts = [LikenessPart(term, "meaning", axes[term], 0.5, made) for term in (0, 1)]
    found = rank_likeness(parts, comparers, 401, None, 1, least_fetched=4, all_scored=0, most_fetched=4)
    assert found.positions[0] == 400


def test_parts_say_what_each_score_is_made_of() -> None:
    made = world(3, 60, 3)
    ranking = rank_likeness(made.parts, made.comparers, 60, None, 60)
    digests = pl.Series("digest", [f"{position:064x}" for position in ranking.positions])
    frame = SEARCH_PARTS.check(parts_frame(ranking, made.parts, digests))
    sums = frame.group_by("digest").agg(score=(pl.col("similarity") * pl.col("weight")).sum())
    joined = pl.DataFrame({"digest": digests, "truth": ranking.scores}).join(sums, on="digest")
    assert joined.height > 20
    assert np.allclose(joined["score"].clip(0, 1), joined["truth"], atol=1e-5)
    assert sum(abs(part.weight) for part in made.parts) == pytest.approx(1.0)
    colours = frame.filter(pl.col("feature") == "colour")
    assert colours["value"].is_between(0, 2).all()


def test_nothing_to_search_finds_nothing() -> None:
    made = world(1, 5, 1)
    nobody = np.zeros(5, bool)
    for wanted in (nobody,):
        found = rank_likeness(made.parts, made.comparers, 5, wanted, 10)
        assert (len(found.positions), found.compared, found.is_certain) == (0, 0, True)
