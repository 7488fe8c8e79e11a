"""The file of a price book: numbers as they are written, no key twice, and errors that name the place."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from deeplens_kit.errors import SettingsError, UnknownNameError
from deeplens_kit.pipeline import PRICES_FILE, Workspace, check_prices, read_price_book, workspace_prices


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / PRICES_FILE


def test_numbers_are_taken_digit_for_digit(file: Path) -> None:
    file.write_text(
        "currency: EUR\nlocations:\n  no:\n    egress_per_gb: 0.10\n    storage_classes:\n"
        '      "*": {storage_per_gb_month: 1e-3, minimum_days: 030}\n  2024: {egress_per_gb: 0.12345678901}\n'
    )
    book = read_price_book(file)
    # Neither false nor a number: names are texts.
    assert list(book.locations) == ["no", "2024"]
    prices = book.of("no")
    assert prices is not None
    assert str(prices.egress_per_gb) == "0.10"
    of_class = prices.of_class(None)
    assert of_class is not None
    assert (of_class.storage_per_gb_month, of_class.minimum_days) == (Decimal("0.001"), 30)
    assert book.locations["2024"].egress_per_gb == Decimal("0.12345678901")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("currency: EUR\ncurrency: USD\n", "the key 'currency' stands here twice, line 2"),
        ("currency: EUR\nlocations:\n  a: {}\n  a: {}\n", "the key 'a' stands here twice, line 4"),
        ("currency: EUR\nlocations:\n  *:\n    gb: binary\n", 'write "*" in quotation marks'),
        ("currency: [EUR\n", "is not valid YAML"),
        ("? [a, b]\n: 1\n", "a key must be a name, line 1"),
        # No object is ever made of a tag.
        ("currency: !!python/object/apply:os.getcwd []\n", "'currency' is []"),
        ("currency: &a [*a]\n", "is not valid YAML"),
        ("currency: EUR\nlocations: {a: {egress_per_gb: 1e99999999999999999999}}\n", "too many digits"),
        ("", "must hold keys and values"),
        ("currency: EUR\nlocations: {a: {egress_per_gb: 1_000}}\n", "'locations.a.egress_per_gb' is '1_000'"),
    ],
)
def test_what_is_wrong_is_said_with_the_file(file: Path, text: str, says: str) -> None:
    file.write_text(text)
    with pytest.raises(SettingsError) as caught:
        read_price_book(file)
    assert says in str(caught.value)
    assert str(file) in str(caught.value)


def test_an_unknown_key_is_named_with_the_file_and_the_nearest(file: Path) -> None:
    file.write_text("currency: EUR\nlocations: {a: {egres_per_gb: 1}}\n")
    with pytest.raises(
        UnknownNameError, match=r"no key in '.*prices\.yaml' named 'locations\.a\.egres_per_gb'"
    ) as caught:
        read_price_book(file)
    assert str(caught.value).endswith("did you mean 'locations.a.egress_per_gb'?")


def test_a_file_that_cannot_be_read_is_said(file: Path) -> None:
    with pytest.raises(SettingsError, match="deeplens prices example"):
        read_price_book(file)
    file.write_bytes(b"currency: \xff")
    with pytest.raises(SettingsError, match="not UTF-8"):
        read_price_book(file)
    with pytest.raises(SettingsError, match="Is a directory"):
        read_price_book(file.parent)


def test_a_workspace_without_the_file_has_no_prices(workspace: Workspace) -> None:
    assert workspace_prices(workspace) is None
    (workspace.directory / PRICES_FILE).write_text("currency: EUR\n")
    book = workspace_prices(workspace)
    assert book is not None and book.currency == "EUR"
    assert workspace.directory / PRICES_FILE in workspace.own_paths()


def test_the_example_states_every_price_and_is_read(workspace: Workspace, repository: Path) -> None:
    book = read_price_book(repository / "data" / "prices.example.yaml")
    checked = check_prices(workspace, book)
    assert checked.rows["not_stated"].to_list() == [""]
    assert checked.unpriced == ()
    assert checked.unknown == (("example-bucket", ""),)
    bucket = book.locations["example-bucket"]
    assert [item.kept_days for item in bucket.storage_classes.values()] == [37, 0]
