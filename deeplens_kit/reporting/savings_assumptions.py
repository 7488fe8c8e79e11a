"""What the money of a report rests on, and when the cost of reading has come back, in sentences and lines.

Takes prices that were used and costs of reading, gives frozen values; must not price anything. What is paid is rounded
up in words, what is gained is rounded down; the exact amounts come along.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import ROUND_CEILING, Decimal
from typing import TYPE_CHECKING

from deeplens_kit.reporting.report_lines import Payback, PaybackLine
from deeplens_kit.reporting.savings_numbers import SavingsNumbers
from deeplens_kit.reporting.words import format_bytes, format_money, plural
from deeplens_kit.savings import DAYS_PER_MONTH, ClassPrices, exact, exact_text
from deeplens_kit.storage.paths import display_path

if TYPE_CHECKING:
    from deeplens_kit.pipeline.report_payback import PriceUsed, ReadOnce

__all__ = ["money_notes", "payback_of", "payback_words"]

_NO_BOOK = "There is no price book, so nothing is said of money; `deeplens prices example` prints one to fill in."


def money_notes(used: Sequence[PriceUsed]) -> tuple[str, ...]:
    """The assumptions behind the money, a sentence for each location and storage class; none without prices."""
    notes = []
    for item in used:
        where = display_path(item.location) + (f" ({display_path(item.storage_class)})" if item.storage_class else "")
        of_class = None if item.prices is None else item.prices.of_class(item.storage_class or None)
        if item.prices is None or of_class is None or of_class.storage_per_gb_month is None:
            notes.append(f"{where}: no price is stated, so its bytes are no part of the money.")
            continue
        price = f"{exact_text(of_class.storage_per_gb_month)} {item.prices.currency}"
        size = "1,000,000,000" if item.prices.gb == "decimal" else "1,073,741,824"
        notes.append(f"{where}: {price} a month for {size} bytes{_more(of_class)}.")
    if any("a month for" in note for note in notes):
        notes.append(
            f"Prices are those of the price book and not of an invoice: no tiers, discounts or taxes. A month has "
            f"{DAYS_PER_MONTH} days where a minimum duration is charged; an object is as old as its last change."
        )
    return tuple(notes)


def payback_of(costs: Sequence[ReadOnce] | None, numbers: SavingsNumbers) -> Payback | None:
    """The cost of reading everything once against the money that is saved; None without a price book.

    Args:
        costs: By location; None without a price book.
        numbers: The sums of the report.
    """
    if costs is None or numbers.money is None:
        return None
    saved: dict[str, Decimal] = {}
    for location, money in numbers.rows.select("location", "money_per_month").iter_rows():
        if money is not None:
            with exact():
                saved[location] = saved.get(location, Decimal(0)) + Decimal(money)
    lines = tuple(
        PaybackLine(
            display_path(item.location),
            item.objects,
            item.read_bytes,
            None if item.cost is None else exact_text(item.cost),
            None if item.location not in saved else exact_text(saved[item.location]),
            _months(item.cost, saved.get(item.location)),
            item.unstated,
        )
        for item in costs
    )
    priced = [item.cost for item in costs if item.cost is not None]
    with exact():
        known = sum(priced, Decimal(0)) if priced else None
    total, per_month = known if len(priced) == len(costs) else None, numbers.money.per_month
    return Payback(
        currency=numbers.money.currency,
        lines=lines,
        cost=None if total is None else exact_text(total),
        per_month=None if per_month is None else exact_text(per_month),
        months=_months(total, per_month),
        words=_words(costs, known, per_month, numbers.money.currency),
    )


def payback_words(payback: Payback | None, *, book: bool) -> str:
    """What the payback comes to, or why nothing is said of it."""
    if payback is not None:
        return payback.words
    return "Nothing is proposed for removal, so nothing pays the reading back." if book else _NO_BOOK


def _more(prices: ClassPrices) -> str:
    said = []
    if prices.replication_factor != 1:
        said.append(f"{exact_text(prices.replication_factor)} copies are paid for")
    if prices.minimum_days:
        said.append(f"{plural(prices.minimum_days, 'day')} are paid for at the least")
    if prices.versioning:
        days = prices.kept_days
        kept = "with no end, so that nothing is saved" if days is None else f"for {plural(days, 'day')}"
        said.append(f"a removed object is kept as a version {kept}")
    elif prices.soft_delete_days:
        said.append(f"a removed object goes on costing for {plural(prices.soft_delete_days, 'day')}")
    return f"; {', '.join(said)}" if said else ""


def _months(cost: Decimal | None, per_month: Decimal | None) -> int | None:
    """Whole months after which what was saved is at least the cost."""
    if cost is None or (cost > 0 and not per_month):
        return None
    if not cost or not per_month:
        return 0
    with exact():
        return int((cost / per_month).to_integral_value(ROUND_CEILING))


def _words(costs: Sequence[ReadOnce], known: Decimal | None, per_month: Decimal | None, currency: str) -> str:
    size = format_bytes(sum(item.read_bytes for item in costs))
    unknown = [item.location for item in costs if item.cost is None]
    if known is None:
        return f"What it costs to list and read {size} once is not known: no price of it is stated."
    paid = f"{format_money(known, cost=True)} {currency}"
    left = f", without {', '.join(map(display_path, unknown))}, of which a price is not stated" if unknown else ""
    said = f"To list everything and read {size} once costs {paid}{left}."
    months = _months(known, per_month)
    if not known or months is None:
        return said if known else f"{said} Nothing has to come back."
    after = "in the first month" if months <= 1 else f"after {months:,} months"
    return f"{said} What removing the copies saves has paid that back {after}."
