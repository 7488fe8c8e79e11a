"""The page of a plan is one well-formed file that escapes every name, and shows both files of each step."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime

import polars as pl
import pytest
from test_duplicates_page import Page

from deeplens_kit.ledger import PlanApproval, PlanRecord, PlanState
from deeplens_kit.reporting.plan_page import render_plan_page
from deeplens_kit.reporting.plan_view import describe_plan
from deeplens_kit.reporting.plan_words import left_out_words, plan_lines, proof_words
from deeplens_kit.schemas import PLAN_STEPS

EVIL = "<script>alert(1)</script>.jpg"
NOW = datetime(2026, 11, 30, 9, 30, tzinfo=UTC)
TOTALS = {
    "bytes": 3000,
    "frees_bytes": 3000,
    "proof_bytes": 6000,
    "by_location": [
        {"location": "disk", "tier": "copy", "steps": 3, "bytes": 3000, "frees_bytes": 3000, "proof_bytes": 6000,
         "money_per_month": "12.345", "currency": "EUR", "money_once": "0"},
    ],
    "proof": [
        {"location": "disk", "storage_class": None, "objects": 3, "bytes": 3000, "money": "0.5", "currency": "EUR"},
        {"location": "far", "storage_class": None, "objects": 3, "bytes": 3000, "money": None, "currency": None},
    ],
}  # fmt: skip
LEFT_OUT = [
    {"code": "held", "location": "far", "objects": 2, "bytes": 10, "message": "a hold covers it", "examples": [EVIL]}
]
CHOICE = {
    "action": "remove", "tiers": ["copy"], "rule": {"name": "strict"}, "policy": {"name": "default"}, "to": "",
    "storage_class": "",
}  # fmt: skip


@pytest.fixture
def record() -> PlanRecord:
    said = PlanApproval("4c1f0a72", "d" * 64, True, "ann@studio", NOW, "looked & saw")
    document = {"totals": TOTALS, "left_out": LEFT_OUT, "choice": CHOICE, "notes": ["Mind <this>."], "dropped": 2,
                "dropped_along": 1}  # fmt: skip
    return PlanRecord(
        "4c1f0a72", "duplicates", PlanState.APPROVED, "bob@desk", NOW, document, "d" * 64, 3, "93be55d0", (said,)
    )


@pytest.fixture
def steps() -> pl.DataFrame:
    row = {
        "action": "remove", "group_id": "g", "victim_location_id": "a", "victim_digest": "1" * 64,
        "victim_token": "t", "victim_size_bytes": 1000, "victim_link_count": 1, "keeper_location_id": "a",
        "keeper_path": "kept/good.png", "keeper_digest": "2" * 64, "keeper_token": "t", "keeper_size_bytes": 2000,
        "tier": "copy", "relation": "part", "score": 0.97, "rule": "strict@3", "reason": "same picture",
        "loses": "when it was taken", "frees_bytes": 1000, "money_per_month": "4.115", "proof_bytes": 2000,
        "together": "a/shots/img",
    }  # fmt: skip
    rows = [{**row, "step": at, "victim_path": path} for at, path in enumerate([EVIL, "b.jpg", "c.jpg"])]
    return pl.DataFrame(rows, schema=PLAN_STEPS.polars)


def page_of(record: PlanRecord, steps: pl.DataFrame, **more: int) -> str:
    facts = pl.DataFrame(
        {"digest": ["2" * 64], "format": ["PNG"], "width_px": [640], "height_px": [480], "jpeg_quality": [None]}
    )
    view = describe_plan(
        record, steps, facts, {"a": "disk & more"}, workspace="ours", made_at=NOW, version="0.1", **more
    )
    return b"".join(render_plan_page(view, lambda digest: b"RIFF" if digest[0] == "1" else None)).decode()


def test_the_page_closes_every_tag_escapes_names_and_loads_nothing(record: PlanRecord, steps: pl.DataFrame) -> None:
    html = page_of(record, steps)
    page = Page(html)
    assert "<script" not in html and EVIL in page.words
    assert {attrs["src"][:22] for attrs in page.all("img") if attrs["src"]} == {"data:image/webp;base64"}
    assert not re.findall(r"(?:src|href)=\"(?!data:|#)", html)
    assert page.words.count("Goes") == page.words.count("Stays") == page.words.count("No preview") == 3
    for says in (
        "3.00 kB in 3 steps", "Nothing has happened yet", "Mind <this>.", "12.34", "a hold covers it",
        "640 × 480 px", "It alone tells when it was taken.", "they go together", "Approved by ann@studio",
        "Same picture (", "disk & more",
    ):  # fmt: skip
        assert says in page.words, says


def test_the_page_says_how_far_the_plan_has_come(record: PlanRecord, steps: pl.DataFrame) -> None:
    words = {state: Page(page_of(replace(record, state=state), steps)).words for state in PlanState}
    for state in (PlanState.APPLYING, PlanState.APPLIED, PlanState.UNDONE):
        assert "Nothing has happened" not in words[state]
    assert "Nothing has happened yet; it is approved" in words[PlanState.APPROVED]


def test_the_page_says_how_many_steps_it_has_no_room_for(record: PlanRecord, steps: pl.DataFrame) -> None:
    words = Page(page_of(record, steps, max_steps=2)).words
    assert "Showing 2 of 3: those that free most." in words
    assert words.count("Goes") == 2


def test_a_plan_is_told_in_sentences(record: PlanRecord) -> None:
    told = "\n".join(plan_lines(record))
    for says in (
        "Plan 4c1f0a72 (duplicates), approved; made by bob@desk at 2026-11-30 09:30 UTC in place of 93be55d0.",
        "To do: remove, on evidence of copy, by the rule strict and the keep policy default.",
        "3 steps on 3.00 kB, 3.00 kB freed once the quarantine is emptied, 12.34 EUR a month saved.",
        "reads up to 6.00 kB again, 0.50 EUR by the price book (without 1 place that has no price).",
        "2 steps taken out by hand, 1 of them because they belong with others that were.",
        "Approved by ann@studio at 2026-11-30 09:30 UTC: looked & saw",
    ):
        assert says in told, says
    assert proof_words({"proof_bytes": 0}).startswith("Proving the digests reads nothing")
    assert left_out_words(LEFT_OUT) == "2 copies (10 B) left out, for these reasons:"
    assert left_out_words([]) == ""
