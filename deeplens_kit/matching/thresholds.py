"""Thresholds: the few bounds of a rule that a person moves, each with its unit.

Takes numbers, gives a checked value and the rule that it stands for; must not look at a pair.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from numbers import Integral, Real

from deeplens_kit.errors import SettingsError
from deeplens_kit.matching.rules import STRICT, Clause, Rule

__all__ = ["UNMEASURED_SHARE", "Thresholds"]

UNMEASURED_SHARE = Fraction(20, 24)
"""Where nobody measured whether a picture is page-like, the bound is this share of that of plain pictures, cut down to
whole bits: the strict rule's own proportion, 20 bits to 24."""

_PDQ_BITS = 256


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Bounds on the evidence of a copy, all inclusive; as they stand they are the strict rule.

    Attributes:
        pdq_max: Bits of 256 that may differ between plain pictures; `UNMEASURED_SHARE` of it where that is not known.
        page_pdq_max: Bits that may differ where a picture is page-like: scanned text, icons on a plain ground.
        other_shots_pdq_max: Bits that may differ where both cameras noted a time and the times differ.
        sscd_alone_min: Cosine of either SSCD model at which it alone makes plain pictures copies; None for never.

    Raises:
        SettingsError: A bound is no such number or out of its range.
    """

    pdq_max: int = 24
    page_pdq_max: int = 16
    other_shots_pdq_max: int = 2
    sscd_alone_min: float | None = None

    def __post_init__(self) -> None:
        for name in ("pdq_max", "page_pdq_max", "other_shots_pdq_max"):
            value = getattr(self, name)
            whole = isinstance(value, Integral) and not isinstance(value, bool)
            if not whole or not 0 <= value <= _PDQ_BITS:
                raise SettingsError(
                    f"Threshold {name!r} is {value!r}; it must be a whole number of bits from 0 to {_PDQ_BITS}."
                )
            object.__setattr__(self, name, int(value))
        cosine = self.sscd_alone_min
        if cosine is None:
            return
        # A comparison with NaN is false, so that it is refused as well.
        if not _is_number(cosine) or not -1 <= cosine <= 1:
            raise SettingsError(
                f"Threshold 'sscd_alone_min' is {cosine!r}; it must be a cosine from -1 to 1, or None for never."
            )
        object.__setattr__(self, "sscd_alone_min", float(cosine))

    @property
    def unmeasured_pdq_max(self) -> int:
        """Bits that may differ where nobody measured whether the pictures are page-like."""
        return int(self.pdq_max * UNMEASURED_SHARE)

    def rule(self) -> Rule:
        """The rule of these bounds: `STRICT` itself where none was moved."""
        if self == Thresholds():
            return STRICT
        alone: tuple[Clause, ...] = ()
        if self.sscd_alone_min is not None:
            alone = (Clause(sscd_small_min=self.sscd_alone_min), Clause(sscd_min=self.sscd_alone_min))
        return Rule(
            name=self._name,
            version=STRICT.version,
            plain=(Clause(pdq_max=self.pdq_max), *alone),
            unmeasured=(Clause(pdq_max=self.unmeasured_pdq_max),),
            page_like=(Clause(pdq_max=self.page_pdq_max),),
            other_shots=Clause(pdq_max=self.other_shots_pdq_max),
            verified=STRICT.verified,
            verified_page=STRICT.verified_page,
        )

    @property
    def is_looser(self) -> bool:
        """Whether any bound lets more through than the strict rule, whose precision was measured."""
        strict = Thresholds()
        return (
            self.pdq_max > strict.pdq_max
            or self.page_pdq_max > strict.page_pdq_max
            or self.other_shots_pdq_max > strict.other_shots_pdq_max
            or self.sscd_alone_min is not None
        )

    @property
    def _name(self) -> str:
        bounds = f"PDQ {self.pdq_max}, pages {self.page_pdq_max}, other shots {self.other_shots_pdq_max}"
        return bounds if self.sscd_alone_min is None else f"{bounds}, SSCD alone {self.sscd_alone_min:g}"


def _is_number(value: object) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)
