"""What the vectors of two pictures should be, by model: written down on one machine, compared on every other.

Takes nothing, gives numbers. They are of the weights that are named here; of other weights nothing is known.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["CANONICAL", "Canonical", "eighths"]

_EIGHTHS = 8


@dataclass(frozen=True, slots=True)
class Canonical:
    """What a model's vectors should be.

    Attributes:
        weights: First eight digits of the weights' SHA-256; empty for a rule.
        sums: For each picture of `model_check.canonical_pictures` what `eighths` gives.
        tolerance: By which each may differ, inclusive: processors multiply in another order.
    """

    weights: str
    sums: tuple[tuple[float, ...], ...]
    tolerance: float


def eighths(vector: NDArray[np.float16]) -> NDArray[np.float64]:
    """Eight sums, of every eighth number from the first, the second and so on: all of a vector in a few numbers."""
    return np.array([vector[at::_EIGHTHS].astype(np.float64).sum() for at in range(_EIGHTHS)])


CANONICAL: dict[str, Canonical] = {
    "sscd_small": Canonical(
        "240436cc",
        (
            (-0.217, -0.251, -0.021, 0.839, 0.466, -0.727, -0.213, 0.142),
            (0.025, -0.053, 0.163, 0.639, 0.488, 0.393, 0.362, -0.145),
        ),
        2e-2,
    ),
    "sscd": Canonical(
        "86386042",
        (
            (-0.475, -0.391, -0.016, 0.184, 0.543, -0.477, -0.512, 0.121),
            (0.336, 0.473, -0.108, 0.428, 0.232, 0.457, -0.131, -0.114),
        ),
        8e-2,  # int8: without VNNI the products are rounded otherwise
    ),
    "efficientnet_lite0": Canonical(
        "57934424",
        (
            (1.479, 1.834, 1.184, 1.415, 0.960, 2.068, 1.118, 1.322),
            (1.963, 1.784, 1.607, 1.841, 1.914, 2.042, 1.272, 1.306),
        ),
        2e-2,
    ),
    "colour": Canonical(
        "",
        (
            (1.411, 1.418, 1.271, 1.116, 1.142, 1.234, 1.282, 1.330),
            (0.628, 0.732, 0.537, 0.295, 0.395, 0.673, 0.760, 0.784),
        ),
        1e-2,
    ),
    "dominant_colours": Canonical(
        "",
        (
            (0.410, 0.594, 0.647, 0.363, 0.549, 0.389, 0.795, 0.542),
            (0.000, 0.304, 0.049, 0.825, 0.229, 0.135, 0.457, 0.511),
        ),
        1e-2,
    ),
    "edges": Canonical(
        "",
        (
            (1.275, 0.864, 1.229, 1.296, 1.509, 1.654, 1.608, 2.429),
            (1.754, 2.123, 2.162, 1.727, 1.650, 1.956, 2.082, 1.808),
        ),
        1e-2,
    ),
}
"""By name of a model; those that could not be had when this was written are left out."""
