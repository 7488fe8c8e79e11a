"""The campaign against a server runs, loses nothing and has every request answered in the end."""

from __future__ import annotations

import json

import pytest

from benchmarks.service_campaign import main
from tests.examples import IN_FULL


@pytest.mark.skipif(not IN_FULL, reason="costly: `make test` runs it")
def test_nothing_is_lost_while_workers_are_killed_and_the_database_starts_anew(
    capsys: pytest.CaptureFixture[str],
) -> None:
    code = main(["--seconds", "16", "--kill-every", "6", "--pictures", "16", "--json"])
    figures = json.loads(capsys.readouterr().out)
    assert (code, figures["passed"]) == (0, True), figures
    assert figures["kills"] >= 2
    assert figures["collections_told"] > 0
    assert {row["outcome"] for row in figures["rows"]} >= {"right: id", "right: thumbnail", "right: upload"}
