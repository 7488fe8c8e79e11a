"""Savings: groups to bytes."""

from deeplens_kit.savings.amounts import SAVINGS, savings, total

__all__ = ["SAVINGS", "savings", "total"]
