"""Savings: groups to bytes, and bytes to money by a price book."""

from deeplens_kit.savings.amounts import SAVINGS, savings, total
from deeplens_kit.savings.breakdown import AGE_BUCKETS, BREAKDOWN, age_bucket, break_down
from deeplens_kit.savings.costs import (
    DAYS_PER_MONTH,
    ReadingCost,
    RemovalSaving,
    cost_of_reading,
    exact,
    exact_text,
    monthly_cost,
    saving_of_removal,
)
from deeplens_kit.savings.price_book import ANY, ClassPrices, LocationPrices, PriceBook, RequestPrices
from deeplens_kit.savings.price_parsing import parse_price_book
from deeplens_kit.savings.priced import MONEY, price_members

__all__ = [
    "AGE_BUCKETS",
    "ANY",
    "BREAKDOWN",
    "DAYS_PER_MONTH",
    "MONEY",
    "SAVINGS",
    "ClassPrices",
    "LocationPrices",
    "PriceBook",
    "ReadingCost",
    "RemovalSaving",
    "RequestPrices",
    "age_bucket",
    "break_down",
    "cost_of_reading",
    "exact",
    "exact_text",
    "monthly_cost",
    "parse_price_book",
    "price_members",
    "saving_of_removal",
    "savings",
    "total",
]
