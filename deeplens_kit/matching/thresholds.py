"""Thresholds: the few bounds of a rule that a person moves, each with its unit.

Takes numbers, gives a checked value and the rule that it stands for; must not look at a pair.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Self

from deeplens_kit.errors import SettingsError, UnknownNameError
from deeplens_kit.matching.rules import STRICT, Clause, Rule

__all__ = ["REPLACED", "Thresholds", "refuse_replaced"]

REPLACED: Mapping[str, str] = {
    "pdq_max": "likelihood_min",
    "page_pdq_max": "page_likelihood_min",
    "sscd_alone_min": "likelihood_min",
}
"""Bounds on hashes and vectors that once said what a copy is, and what does so now."""

_PDQ_BITS = 256
_BEST_QUALITY = 100


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Bounds on the evidence of a copy, all inclusive; as they stand they are the strict rule.

    They judge the pairs that were looked at closely. Of others hashes say what they are at first sight, and no
    threshold proposes them: their bounds, and the curve of the score, are no thresholds because no group depends on
    them.

    Attributes:
        likelihood_min: Probability, 0 to 1, from which on two plain pictures are copies.
        page_likelihood_min: The same where a picture is page-like (scanned text, icons on a plain ground), nobody
            knows, or it is near to a crowd of others.
        other_shots_pdq_max: Bits of 256 that may differ where both cameras noted a time and the times differ.
        page_tone_min: Share of one tone, 0 to 1, from which on a picture is page-like.
        pdq_quality_min: Quality of PDQ, 0 to 100, below which a picture holds too little to be told from others: none
            of its pairs is a copy.

    Raises:
        SettingsError: A bound is no such number, out of its range, or one that was replaced.
        UnknownNameError: There is no such bound.
    """

    likelihood_min: float = 0.90
    page_likelihood_min: float = 0.90
    other_shots_pdq_max: int = 2
    page_tone_min: float = STRICT.page_tone_min
    pdq_quality_min: int = STRICT.pdq_quality_min

    def __new__(cls, *_values: object, **bounds: object) -> Self:
        """Refuse names in words, where Python would only say that an argument is unexpected."""
        names = [item.name for item in dataclasses.fields(cls)]
        refuse_replaced("threshold", bounds, names)
        for name in bounds:
            if name not in names:
                raise UnknownNameError("threshold", name, names)
        return object.__new__(cls)

    def __post_init__(self) -> None:
        for name in ("likelihood_min", "page_likelihood_min"):
            object.__setattr__(self, name, _probability(name, getattr(self, name)))
        bits = _whole("other_shots_pdq_max", self.other_shots_pdq_max, _PDQ_BITS, "number of bits")
        object.__setattr__(self, "other_shots_pdq_max", bits)
        tone = _probability("page_tone_min", self.page_tone_min, "share")
        object.__setattr__(self, "page_tone_min", tone)
        quality = _whole("pdq_quality_min", self.pdq_quality_min, _BEST_QUALITY, "number")
        object.__setattr__(self, "pdq_quality_min", quality)

    @classmethod
    def of(cls, rule: Rule) -> Self | None:
        """The bounds of a rule that thresholds can say in full; None of any other one.

        Args:
            rule: Any rule; its name and version do not matter.
        """
        plain, page, other = rule.verified, rule.verified_page, rule.other_shots
        if len(plain) != 1 or len(page) != 1 or other is None:
            return None
        likelihood, of_page, bits = plain[0].likelihood_min, page[0].likelihood_min, other.pdq_max
        if likelihood is None or of_page is None or bits is None:
            return None
        found = cls(likelihood, of_page, bits, rule.page_tone_min, rule.pdq_quality_min)
        same = dataclasses.replace(found.rule(), name=rule.name, version=rule.version)
        return found if same == rule else None

    def rule(self) -> Rule:
        """The rule of these bounds: `STRICT` itself where none was moved."""
        if self == Thresholds():
            return STRICT
        return dataclasses.replace(
            STRICT,
            name=self._name,
            verified=(Clause(likelihood_min=self.likelihood_min),),
            verified_page=(Clause(likelihood_min=self.page_likelihood_min),),
            other_shots=Clause(pdq_max=self.other_shots_pdq_max),
            page_tone_min=self.page_tone_min,
            pdq_quality_min=self.pdq_quality_min,
        )

    @property
    def is_looser(self) -> bool:
        """Whether any bound lets more through than the strict rule, whose precision was measured."""
        strict = Thresholds()
        return (
            self.likelihood_min < strict.likelihood_min
            or self.page_likelihood_min < strict.page_likelihood_min
            or self.other_shots_pdq_max > strict.other_shots_pdq_max
            # More pictures are judged as plain ones, and some of which little can be told are judged at all.
            or self.page_tone_min > strict.page_tone_min
            or self.pdq_quality_min < strict.pdq_quality_min
        )

    @property
    def _name(self) -> str:
        strict = Thresholds()
        parts = [
            f"likelihood {self.likelihood_min:g}",
            f"pages and crowds {self.page_likelihood_min:g}",
            f"other shots {self.other_shots_pdq_max}",
        ]
        if self.page_tone_min != strict.page_tone_min:
            parts.append(f"pages from {self.page_tone_min:g} of one tone")
        if self.pdq_quality_min != strict.pdq_quality_min:
            parts.append(f"quality {self.pdq_quality_min}")
        return ", ".join(parts)


def refuse_replaced(kind: str, names: Collection[str], known: Collection[str]) -> None:
    """Do nothing where no name is that of a bound which was replaced by one that is known.

    Args:
        kind: What the names name, for example "report parameter".
        names: The names that were given.
        known: The names that exist.

    Raises:
        SettingsError: A bound was replaced.
    """
    for name in names:
        if name not in known and REPLACED.get(name) in known:
            now = REPLACED[name]
            raise SettingsError(
                f"There is no {kind} named {name!r} any more: pairs are looked at closely and judged by their "
                f"likelihood; give {now}, from 0 to 1, for example {now}={getattr(Thresholds(), now):g}."
            )


def _probability(name: str, value: object, what: str = "probability") -> float:
    # A comparison with NaN is false, so that it is refused as well.
    if _is_number(value, Real) and 0 <= float(value) <= 1:  # type: ignore[arg-type]
        return float(value)  # type: ignore[arg-type]
    raise SettingsError(f"Threshold {name!r} is {value!r}; it must be a {what} from 0 to 1.")


def _whole(name: str, value: object, most: int, what: str) -> int:
    if _is_number(value, Integral) and 0 <= int(value) <= most:  # type: ignore[call-overload]
        return int(value)  # type: ignore[call-overload, no-any-return]
    raise SettingsError(f"Threshold {name!r} is {value!r}; it must be a whole {what} from 0 to {most}.")


def _is_number(value: object, kind: type) -> bool:
    return isinstance(value, kind) and not isinstance(value, bool)
