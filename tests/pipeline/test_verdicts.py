"""What several persons say of a pair comes to one verdict, and who disagrees leaves it open."""

from __future__ import annotations

from datetime import UTC, datetime

import polars as pl
import pytest

from deeplens_kit.pipeline.verdicts import settled
from deeplens_kit.schemas import LABELS

A, B, C = "a" * 64, "b" * 64, "c" * 64
NOON = datetime(2026, 5, 31, 12, tzinfo=UTC)


def labels(*said: tuple[str, str, str, str]) -> pl.DataFrame:
    rows = [(first, second, verdict, who, NOON, None, "") for first, second, verdict, who in said]
    return pl.DataFrame(rows, schema=LABELS.polars, orient="row")


@pytest.mark.parametrize(
    ("said", "verdict", "disputed"),
    [
        (["same"], "same", False),
        (["different", "different"], "different", False),
        (["same", "unsure"], "same", False),
        (["unsure", "unsure"], "unsure", False),
        (["same", "different"], "unsure", True),
        (["same", "same", "different"], "unsure", True),
    ],
)
def test_a_pair_has_one_verdict(said: list[str], verdict: str, disputed: bool) -> None:
    found = settled(labels(*((A, B, item, f"person {at}") for at, item in enumerate(said))))
    assert found.select("digest_a", "digest_b", "verdict", "disputed", "persons").rows() == [
        (A, B, verdict, disputed, len(said))
    ]


def test_pairs_do_not_mix_and_come_in_order() -> None:
    found = settled(labels((B, C, "same", "anna"), (A, C, "different", "anna"), (A, B, "same", "bruno")))
    assert found.select("digest_a", "digest_b", "verdict").rows() == [
        (A, B, "same"),
        (A, C, "different"),
        (B, C, "same"),
    ]
    assert settled(LABELS.empty()).height == 0
