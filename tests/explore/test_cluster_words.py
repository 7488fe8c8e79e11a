"""Words of clusters: what is nearer to one than to the rest, and what is said of it more than elsewhere."""

from __future__ import annotations

import numpy as np
import polars as pl

from deeplens_kit.explore.cluster_words import words_said, words_shown
from deeplens_kit.explore.plain_words import PLAIN_WORDS, phrase_of

DOG, BEACH, CITY, PHOTO = np.eye(4)


def test_words_are_those_that_lie_nearer_than_elsewhere() -> None:
    # Every picture is a photo; the last cluster has no vectors.
    sums = np.stack([10 * (PHOTO + DOG), 20 * (PHOTO + BEACH), np.zeros(4)])
    words = ("photo", "city", "beach", "dog")
    found = words_shown(sums, 30 * (PHOTO + CITY), words, np.stack([PHOTO, CITY, BEACH, DOG]))
    assert found[0][0] == "dog"
    assert found[1][0] == "beach"
    assert found[2] == []
    assert "city" not in found[0] + found[1]
    assert len(words_shown(sums, CITY, words, np.stack([PHOTO, CITY, BEACH, DOG]), most=1)[0]) == 1
    # With nothing to be held against, what is nearest to it.
    assert words_shown(sums[:1], np.zeros(4), ("city", "dog"), np.stack([CITY, DOG])) == [["dog"]]


def said(*rows: tuple[str, int, int]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema={"word": pl.String, "cluster": pl.Int64, "pictures": pl.Int64}, orient="row")


def test_words_are_those_that_are_said_of_more_pictures_than_elsewhere() -> None:
    frame = said(
        ("beach", 0, 9), ("holiday", 0, 10), ("holiday", 1, 10), ("holiday", -1, 80), ("sunny", 0, 1),
        ("jpg", 0, 10), ("a1", 0, 10), ("2024", 0, 10), ("ox", 0, 10), ("dog", 1, 3), ("dog", -1, 1), ("rare", 1, 1),
    )  # fmt: skip
    found = words_said(frame, np.array([10, 10]), 80)
    # A word of every picture tells nothing, and neither do endings, numbers, and what is said of one.
    assert found == [["beach"], ["dog"]]


def test_the_more_telling_word_comes_first_and_ties_end_by_name() -> None:
    frame = said(("sea", 0, 6), ("sand", 0, 10), ("wave", 0, 10), ("sea", -1, 3), ("sand", -1, 3), ("wave", -1, 3))
    assert words_said(frame, np.array([10]), 40) == [["sand", "wave", "sea"]]
    assert words_said(frame, np.array([10]), 40, most=1) == [["sand"]]
    # Everything in one cluster: what most of it says.
    assert words_said(said(("sea", 0, 6)), np.array([10]), 0) == [["sea"]]
    assert words_said(said(), np.array([10, 5]), 3) == [[], []]


def test_plain_words_are_plain() -> None:
    assert len(PLAIN_WORDS) == len(set(PLAIN_WORDS)) > 400
    assert all(word == word.strip().lower() and word for word in PLAIN_WORDS)
    assert phrase_of("dog") == "a photo of a dog"
