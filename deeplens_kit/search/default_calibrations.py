"""Calibrations of the built-in features for libraries that are too small to be calibrated on themselves.

Takes the key of a feature, gives what was fitted on a larger library; must not fit. `benchmarks.calibration` makes
the file and says how far it is from what other pictures give.
"""

from __future__ import annotations

import json
from functools import cache
from importlib import resources

from deeplens_kit.search.calibration import Calibration, Modality

__all__ = ["DEFAULTS_FILE", "default_calibration"]

DEFAULTS_FILE = "calibrations.json"


def default_calibration(key: str, modality: Modality) -> Calibration | None:
    """The calibration of a feature by `FeatureSpec.key`, of a hash by its name; None where none is known."""
    return _defaults().get(f"{key}/{modality}")


@cache
def _defaults() -> dict[str, Calibration]:
    text = resources.files("deeplens_kit.search").joinpath(DEFAULTS_FILE).read_text(encoding="utf-8")
    return {name: Calibration.of(given) for name, given in json.loads(text).items()}
