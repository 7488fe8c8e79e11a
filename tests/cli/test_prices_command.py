"""Prices at the command line: an example, what a book says of the locations, and savings in money."""

from __future__ import annotations

import csv
import json
import shutil
from decimal import Decimal
from pathlib import Path

import pytest
from cli_process import ROOT, Deeplens

from deeplens_kit.pipeline import Workspace
from deeplens_kit.reporting import report_savings, save_numbers
from deeplens_kit.reporting.savings_files import read_numbers

BOOK = """
currency: EUR
locations:
  archive:
    storage_classes: {"*": {storage_per_gb_month: 1000, minimum_days: 30, soft_delete_days: 7}}
"""


@pytest.fixture
def priced(indexed: Path, tmp_path: Path) -> Path:
    """The indexed workspace under another name, with a price for one of its two locations."""
    workspace = shutil.copytree(indexed, tmp_path / "priced")
    (workspace / "prices.yaml").write_text(BOOK)
    return workspace


def test_the_example_is_printed_as_it_is(deeplens: Deeplens) -> None:
    text = (ROOT / "data" / "prices.example.yaml").read_text()
    assert deeplens("prices", "example").out == text
    assert deeplens("prices", "example", "--json").json["rows"] == [{"name": "prices.example.yaml", "text": text}]


def test_savings_in_money_by_location_and_in_all(deeplens: Deeplens, priced: Path, tmp_path: Path) -> None:
    answer = deeplens("--workspace", priced, "savings", "--json").json
    of_archive = [row for row in answer["rows"] if row["location"] == "archive"]
    of_shop = [row for row in answer["rows"] if row["location"] == "shop"]
    assert of_archive and of_shop
    for row in of_archive:
        # A thousand a GB-month is a millionth a byte.
        assert Decimal(row["money_per_month"]) == Decimal(row["realisable_bytes"]) / 10**6
        # Made a moment ago: of 30 days 7 pass until it is gone, 23 are paid for.
        assert float(row["money_once"]) == pytest.approx(-row["realisable_bytes"] / 1e6 * 23 / 30)
        assert (row["currency"], row["money_from_day"], row["unpriced_bytes"]) == ("EUR", 7, 0)
    for row in of_shop:
        assert (row["money_per_month"], row["money_once"]) == (None, None)
        assert row["unpriced_bytes"] == row["realisable_bytes"]
    summary = answer["summary"]
    assert Decimal(summary["money_per_month"]) == sum(Decimal(row["money_per_month"]) for row in of_archive)
    assert summary["unpriced_bytes"] == sum(row["realisable_bytes"] for row in of_shop)
    shown = deeplens("--workspace", priced, "savings").out
    assert "EUR a month" in shown and "no price" in shown
    assert "EUR a month, all of it from day 7 after the removal on." in shown
    assert "There is no price for" in shown and "at shop; see `deeplens prices check`." in shown
    assert deeplens("--workspace", priced, "savings", "--csv", tmp_path / "rows.csv").code == 0
    with (tmp_path / "rows.csv").open(newline="") as stream:
        assert [row["money_per_month"] for row in csv.DictReader(stream)] == [
            row["money_per_month"] or "" for row in answer["rows"]
        ]


def test_the_report_holds_the_same_money(deeplens: Deeplens, priced: Path, tmp_path: Path) -> None:
    answer = deeplens("--workspace", priced, "savings", "--json").json
    with Workspace.open(priced) as workspace:
        report = report_savings(workspace)
    save_numbers(report, tmp_path)
    document = json.loads((tmp_path / "savings.json").read_text())
    assert (document["rows"], document["summary"]) == (answer["rows"], answer["summary"])
    read = read_numbers(tmp_path / "savings.json")
    assert (read.summary, read.lines) == (report.numbers.summary, report.numbers.lines)


def test_without_a_book_savings_say_how_to_get_one(deeplens: Deeplens, indexed: Path) -> None:
    plain = deeplens("--workspace", indexed, "savings")
    assert plain.out.splitlines()[-1].endswith("`deeplens prices example` prints one to fill in.")
    assert "a month" not in plain.out
    answer = deeplens("--workspace", indexed, "savings", "--json").json
    assert list(answer["rows"][0]) == ["location", "tier", "objects", "gross_bytes", "realisable_bytes"]
    assert "currency" not in answer["summary"]


def test_check_says_what_each_location_is_priced_with(deeplens: Deeplens, priced: Path) -> None:
    done = deeplens("--workspace", priced, "prices", "check")
    assert done.code == 0
    assert "1 of 2 active locations can be priced." in done.out
    assert "No price of storage: shop." in done.out
    answer = deeplens("--workspace", priced, "prices", "check", "--json").json
    archive, shop = answer["rows"]
    assert (archive["entry"], archive["storage_per_gb_month"], archive["kept_days"]) == ("archive", "1000", 7)
    assert archive["not_stated"].startswith("retrieval_per_gb,egress_per_gb,list_per_1000")
    assert (shop["entry"], shop["storage_per_gb_month"]) == (None, None)
    assert answer["summary"]["unpriced"] == ["shop"]


def test_a_misspelt_location_is_named_and_a_foreign_one_only_said(
    deeplens: Deeplens, indexed: Path, tmp_path: Path
) -> None:
    book = tmp_path / "book.yaml"
    book.write_text("currency: EUR\nlocations: {archvie: {}, elsewhere: {}}\n")
    done = deeplens("--workspace", indexed, "prices", "check", book)
    assert done.code == 2
    assert "named 'archvie'; did you mean 'archive'?" in done.err
    assert "no location of this workspace: elsewhere." in done.out
    missing = deeplens("--workspace", indexed, "prices", "check")
    assert (missing.code, missing.out) == (2, "")
    assert "There is no price book" in missing.err


def test_a_wrong_book_is_refused_by_savings(deeplens: Deeplens, priced: Path) -> None:
    (priced / "prices.yaml").write_text(BOOK.replace("1000", "-1"))
    done = deeplens("--workspace", priced, "savings")
    assert (done.code, done.out) == (2, "")
    assert "'locations.archive.storage_classes.*.storage_per_gb_month' is -1" in done.err
