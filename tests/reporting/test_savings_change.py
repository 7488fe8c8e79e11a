"""Figures then and now: what cannot be held against each other is not."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from deeplens_kit.ledger.saved_sums import SavedSums
from deeplens_kit.pipeline.report_change import ProposalChange
from deeplens_kit.reporting.savings_change import change_of

THEN = datetime(2026, 3, 2, tzinfo=UTC)


@pytest.mark.parametrize(("then", "told"), [("EUR", True), ("USD", False)])
def test_money_of_two_currencies_is_not_compared(then: str, told: bool) -> None:
    run: Any = SimpleNamespace(
        run_id="r", started_at=THEN, figures={"objects": 1, "currency": then, "money_per_month": "3"}
    )
    found = ProposalChange(None, None, SavedSums(), SavedSums())
    change = change_of(run, found, {"objects": 2, "currency": "EUR", "money_per_month": "2.5"})
    figures = {line.name: (line.before, line.now) for line in change.figures}
    assert figures["objects"] == (1, 2)
    assert figures.get("money_per_month") == (("3", "2.5") if told else None)
    assert any("Money was in USD then" in line for line in change.words) is not told
