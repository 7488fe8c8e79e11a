"""How alike two pictures are, said so that 0.8 means the same of every feature: how rarely unrelated pictures are so.

Takes values of a feature between pictures that have nothing to do with each other, gives a rising map from a value to
a similarity from 0 to 1; must not read a picture or a store. A cosine of 0.6 says much of one model and nothing of
another, and bits of a hash are no cosines at all; the share of unrelated pairs that come as near can be told of all.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from enum import StrEnum
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

__all__ = ["CALIBRATION_VERSION", "LEAST_VALUES", "Calibration", "Modality", "fitted", "generic"]

CALIBRATION_VERSION = 1
"""Raised when the same values would give another map."""

LEAST_VALUES = 190
"""Fewer values (20 pictures, each with each other) say too little of what is rare."""

# Powers of ten of rarity at similarity 1, were the scale straight to its end: one unrelated pair in a million.
_SCALE = 6.0
# From 0.9 on the scale bends, so that what is rarer than anything measured is still told apart, and 1 is the same.
_BEND = 0.9
_BEND_RARITY = _SCALE * _BEND
_BEND_SPREAD = _SCALE * (1.0 - _BEND)
# The tail that the law is fitted to: enough values to fit it by, few enough to be a tail.
_TAIL_VALUES, _LEAST_TAIL, _GREATEST_TAIL = 200, 0.002, 0.1
# Of a lattice a law between its points says less than its points do: they are counted as far as they can be.
_LATTICE_TAIL_VALUES = 30
# The greatest tenth of the tail counts by number alone: among unrelated pictures a few always are copies after all.
_UNCENSORED = 0.9
_KNOTS = 64
# More different values than this are no lattice.
_LATTICE = 600
_SAME_WITHIN = 1e-6
_DECIMALS = 6
_TINY = 1e-12


class Modality(StrEnum):
    """What is compared with a picture: each has a calibration of its own."""

    PICTURE = "picture"
    WORDS = "words"


@dataclass(frozen=True)
class Calibration:
    """A map from values of a feature, greater for what is more alike, to similarities.

    The rarity of a value is -log10 of the share of unrelated pairs that have it or a greater one: up to `edge` as it
    was counted, beyond by a generalised Pareto law whose end is known, the value of what is the same (Pickands 1975;
    Coles 2001, chapter 4): share = 10**-edge_rarity * ((same - value) / (same - edge))**power. The similarity is
    rarity / 6 up to 0.9, from where it bends towards 1: 0.5 is one unrelated pair in 1,000, 0.83 one in 100,000,
    0.95 one in a million, and 1 the same. Weighted sums of rarities are how independent pieces of evidence are put
    together (Fisher 1932; Good 1955), so weighted sums of similarities are too.

    Attributes:
        values: Rising, the first with rarity 0, the last is `edge`.
        rarities: Of these, rising.
        power: Of the law of the tail, above 0.
        same: The value of what is the same.
        origin: What it was fitted on, in words.
        pictures: How many pictures that were.
    """

    values: tuple[float, ...]
    rarities: tuple[float, ...]
    power: float
    same: float
    origin: str
    pictures: int

    def similarity(self, values: NDArray[np.floating]) -> NDArray[np.float64]:
        """Similarities 0..1 of values; NaN stays NaN.

        Args:
            values: Of any shape, greater for what is more alike.
        """
        rarity = self.rarity(values)
        bent = 1.0 - (1.0 - _BEND) / (1.0 + np.maximum(rarity - _BEND_RARITY, 0.0) / _BEND_SPREAD)
        return np.asarray(np.where(rarity > _BEND_RARITY, bent, rarity / _SCALE))

    def rarity(self, values: NDArray[np.floating]) -> NDArray[np.float64]:
        """-log10 of the share of unrelated pairs that are as alike; infinite for what is the same."""
        given = np.asarray(values, np.float64)
        edge = self.values[-1]
        counted = np.interp(given, self.values, self.rarities)
        left = np.clip((self.same - given) / (self.same - edge), _TINY, 1.0)
        beyond = self.rarities[-1] - self.power * np.log10(left)
        found = np.where(given > edge, beyond, counted)
        return np.where(np.isnan(given), np.nan, np.where(given >= self.same - _SAME_WITHIN, np.inf, found))

    def value_at(self, similarity: float) -> float:
        """The least value of a similarity, 0..0.9: the inverse of `similarity`."""
        rarity = _SCALE * min(max(similarity, 0.0), _BEND)
        if rarity <= self.rarities[-1]:
            return float(np.interp(rarity, self.rarities, self.values))
        left = 10.0 ** (-(rarity - self.rarities[-1]) / self.power)
        return float(self.same - (self.same - self.values[-1]) * left)

    @cached_property
    def spread(self) -> float:
        """By how much a value grows from similarity 0.25 to 0.75; above 0."""
        return max(self.value_at(0.75) - self.value_at(0.25), _TINY)

    @cached_property
    def calibration_id(self) -> str:
        """Names the map: equal for maps that are."""
        return hashlib.sha256(self.to_json().encode()).hexdigest()[:16]

    def to_json(self) -> str:
        """All of it as text."""
        return json.dumps(asdict(self), sort_keys=True)

    @classmethod
    def of(cls, given: Mapping[str, object]) -> Calibration:
        """The calibration that `to_json` wrote, parsed.

        Raises:
            ValueError: It is none.
        """
        try:
            made = cls(**{item.name: given[item.name] for item in fields(cls)})  # type: ignore[arg-type]
            values, rarities = (tuple(float(one) for one in ones) for ones in (made.values, made.rarities))
            made = cls(values, rarities, float(made.power), float(made.same), str(made.origin), int(made.pictures))
        except (KeyError, TypeError) as error:
            raise ValueError("it is no calibration") from error
        numbers = np.array([*values, *rarities, made.power, made.same])
        rising = all((np.diff(ones) > 0).all() for ones in (values, rarities))
        if not (len(values) == len(rarities) >= 1 and rising and np.isfinite(numbers).all()):
            raise ValueError("its values do not rise")
        if made.power <= 0 or values[-1] >= made.same:
            raise ValueError("its tail has no end")
        return made


def fitted(values: NDArray[np.floating], same: float, *, origin: str, pictures: int) -> Calibration | None:
    """The calibration that values between unrelated pictures give; None where they say too little.

    Args:
        values: (n,), greater for what is more alike. Values of what cannot be told apart by the feature are left out:
            two blank pages are no unrelated pictures.
        same: The value of what is the same.
        origin: As of `Calibration`.
        pictures: As of `Calibration`.
    """
    # Nothing that is told apart by less is: and lines between values that nearly touch have no slope.
    known = np.sort(np.round(np.asarray(values, np.float64)[np.isfinite(values)], _DECIMALS))
    known = known[known < same - 2 * _SAME_WITHIN]
    if len(known) < LEAST_VALUES or known[-1] - known[0] < _SAME_WITHIN:
        return None
    heights, rarities = _counted(known)
    edge = heights[-1]
    # In these terms the law is that of exponential waiting times, the last of which were not waited for.
    waits = -np.log((same - known[known >= edge]) / (same - edge))
    step = _step(known, edge, same)
    seen = max(1, int(_UNCENSORED * len(waits)))
    mean = (waits[:seen].sum() + (len(waits) - seen) * waits[seen - 1]) / seen
    power = math.log1p(step / max(mean, _TINY)) / step if step > 0.0 else 1.0 / max(mean, _TINY)
    return Calibration(tuple(heights), tuple(rarities), float(power), same, origin, pictures)


def generic(same: float = 1.0) -> Calibration:
    """Where nothing is known of a feature: as if of 1,000 unrelated pairs one had 0.9 of what is the same."""
    return Calibration((same - 1.0,), (0.0,), 3.0, same, "no picture: the feature is not known", 0)


def _counted(known: NDArray[np.float64]) -> tuple[list[float], list[float]]:
    """Values, rising, with their rarities as counted: to the first value that few enough reach."""
    distinct, first = np.unique(known, return_index=True)
    tail = min(max(_TAIL_VALUES / len(known), _LEAST_TAIL), _GREATEST_TAIL)
    if len(distinct) <= _LATTICE:
        tail = min(_LATTICE_TAIL_VALUES / len(known), _GREATEST_TAIL)
    # Of a value that many pairs have, all of them reach it.
    reached = 1.0 - first / len(known)
    rarity = np.abs(np.log10(reached))
    end = min(int(np.searchsorted(-reached, -tail)), len(distinct) - 1)
    if len(distinct) <= _LATTICE:
        chosen = np.arange(end + 1)
    else:
        chosen = np.unique(np.searchsorted(rarity[: end + 1], np.linspace(0.0, rarity[end], _KNOTS)))
    return distinct[chosen].tolist(), rarity[chosen].tolist()


def _step(known: NDArray[np.float64], edge: float, same: float) -> float:
    """The step of a lattice, in the terms of the tail's law; 0 where values lie anywhere."""
    distinct = np.unique(known)
    if len(distinct) > _LATTICE:
        return 0.0
    above = distinct[distinct > edge]
    if not len(above):
        return 0.0
    gap = float(np.median(np.diff(distinct)))
    return -math.log(max((same - edge - gap) / (same - edge), _TINY))
