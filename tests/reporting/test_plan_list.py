"""What the list of plans says of an application."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from deeplens_kit.ledger import Application, ApplicationState
from deeplens_kit.reporting.plan_list import _application_line


@pytest.mark.parametrize(
    ("state", "frees"), [("finished", True), ("halted", True), ("undoing", False), ("undone", False)]
)
def test_what_was_taken_back_frees_nothing_any_more(state: str, frees: bool) -> None:
    now = datetime(2026, 11, 30, tzinfo=UTC)
    figures = {"done": 2, "undone": 0 if frees else 2, "frees_bytes": 5000}
    line = _application_line(Application("a", "p", ApplicationState(state), "ana", now, now, figures, ""))
    assert ("emptying its quarantine frees" in line.says) is frees
