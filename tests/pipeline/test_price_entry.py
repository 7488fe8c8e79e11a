"""One location's entry in the price book: written back without touching what stands around it."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from deeplens_kit.errors import SettingsError, UnknownNameError
from deeplens_kit.pipeline import PRICES_FILE, Workspace, add_location, workspace_prices
from deeplens_kit.pipeline.price_entry import book_currency, price_entry, set_price_entry

BOOK = """\
# Ours, by the contract of 2026.
currency: EUR

locations:
  # Everything that has no entry.
  "*":
    storage_classes:
      "*":
        storage_per_gb_month: 1.00  # a disk in the cellar
  archive:
    storage_classes:
      "*":
        storage_per_gb_month: 0.50
        versioning: true
        noncurrent_days: 30
      COLD: {storage_per_gb_month: 0.1}
    egress_per_gb: 0.25
  # The last word.
"""


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    (tmp_path / "pictures").mkdir()
    with Workspace.create(tmp_path / "workspace") as workspace:
        for name in ("archive", "share"):
            add_location(workspace, name, str(tmp_path / "pictures"))
        yield workspace


def text(workspace: Workspace) -> str:
    return (workspace.directory / PRICES_FILE).read_text(encoding="utf-8")


def test_the_first_price_makes_a_book(workspace: Workspace) -> None:
    with pytest.raises(SettingsError, match="three capital letters"):
        set_price_entry(workspace, "share", {"storage_per_gb_month": "0.023"})
    assert workspace_prices(workspace) is None
    set_price_entry(workspace, "share", {"storage_per_gb_month": "0.023", "egress_per_gb": ""}, currency="EUR")
    assert price_entry(workspace, "share") == {"storage_per_gb_month": "0.023"}
    assert book_currency(workspace) == "EUR"
    book = workspace_prices(workspace)
    assert book is not None
    found = book.locations["share"].of_class(None)
    assert found is not None
    assert found.storage_per_gb_month == Decimal("0.023")


@pytest.mark.parametrize("name", ["on", "null", "2026", "two words"])
def test_a_location_may_be_called_what_yaml_takes_for_something_else(
    workspace: Workspace, tmp_path: Path, name: str
) -> None:
    add_location(workspace, name, str(tmp_path / "pictures"))
    set_price_entry(workspace, name, {"egress_per_gb": "0.1"}, currency="EUR")
    assert price_entry(workspace, name) == {"egress_per_gb": "0.1"}
    set_price_entry(workspace, name, {"egress_per_gb": "0.2"})
    assert price_entry(workspace, name) == {"egress_per_gb": "0.2"}
    book = workspace_prices(workspace)
    assert book is not None and name in book.locations


def test_an_entry_is_added_and_all_else_stays_letter_for_letter(workspace: Workspace) -> None:
    (workspace.directory / PRICES_FILE).write_text(BOOK, encoding="utf-8")
    set_price_entry(workspace, "share", {"egress_per_gb": "0.090", "list_per_1000": "0"})
    after = text(workspace)
    assert [line for line in BOOK.splitlines() if line not in after.splitlines()] == []
    assert price_entry(workspace, "share") == {"egress_per_gb": "0.09", "list_per_1000": "0"}
    set_price_entry(workspace, "share", {"egress_per_gb": "", "list_per_1000": ""})
    assert text(workspace) == BOOK


def test_an_entry_is_changed_and_keeps_what_the_form_does_not_know(workspace: Workspace) -> None:
    (workspace.directory / PRICES_FILE).write_text(BOOK, encoding="utf-8")
    set_price_entry(workspace, "archive", {"storage_per_gb_month": "0.40", "egress_per_gb": ""})
    after = text(workspace)
    for kept in ("# Ours, by the contract of 2026.", "1.00  # a disk in the cellar", "# The last word."):
        assert kept in after
    book = workspace_prices(workspace)
    assert book is not None
    entry = book.locations["archive"]
    assert entry.egress_per_gb is None
    assert entry.storage_classes["*"].storage_per_gb_month == Decimal("0.4")
    assert entry.storage_classes["*"].noncurrent_days == 30
    assert entry.storage_classes["COLD"].storage_per_gb_month == Decimal("0.1")
    assert [row.action for row in workspace.ledger.audit_trail() if row.action == "prices.set"] == ["prices.set"]


@pytest.mark.parametrize("number", ["-1", "1e3", "0,5", "free", "0.0000000000001"])
def test_what_is_no_price_is_refused_and_nothing_is_written(workspace: Workspace, number: str) -> None:
    (workspace.directory / PRICES_FILE).write_text(BOOK, encoding="utf-8")
    with pytest.raises(SettingsError, match="egress_per_gb"):
        set_price_entry(workspace, "share", {"egress_per_gb": number})
    with pytest.raises(UnknownNameError):
        set_price_entry(workspace, "shore", {"egress_per_gb": "1"})
    with pytest.raises(SettingsError, match="is no price"):
        set_price_entry(workspace, "share", {"egress": "1"})
    assert text(workspace) == BOOK
