"""Keep policies drawn at random, and what they may ask of objects."""

from __future__ import annotations

import numpy as np
import polars as pl
from hypothesis import strategies as st

from deeplens_kit.matching import KeepCriterion, KeepPolicy
from deeplens_kit.matching.keep_order import KEEP_FACTS

CRITERIA = st.lists(st.sampled_from(list(KeepCriterion)), min_size=1, max_size=6, unique=True).map(tuple)
TEXTS = st.lists(st.text(st.characters(codec="utf-8", exclude_categories=("C",)), min_size=1, max_size=8), max_size=2)


@st.composite
def policies(draw: st.DrawFn) -> KeepPolicy:
    """Any policy, in order or with weights, whatever it protects or prefers."""
    criteria = draw(CRITERIA)
    some = st.lists(st.integers(1, 1000), min_size=len(criteria), max_size=len(criteria))
    weights = tuple(draw(st.just([]) | some))
    globs = tuple(draw(TEXTS)) or ("*.jpg",)
    paths = {"preferred_paths": globs} if KeepCriterion.PATH in criteria else {}
    protected = {"protected_locations": ("disk",)} if draw(st.booleans()) else {}
    return KeepPolicy(draw(st.sampled_from(["drawn", "another"])), criteria, weights, **paths, **protected)


def with_facts(objects: pl.DataFrame, seed: int, policy: KeepPolicy) -> pl.DataFrame:
    """The objects with what the pipeline finds out for a policy, few different values each, some of them unknown."""
    draw, count = np.random.default_rng(seed + 2), objects.height
    known = {
        "protected": draw.random(count) < (0.2 if policy.protects else 0.0),
        "path_class": draw.integers(-1, 3, count),
        "place_cost": [[None, 0.004, 0.02, 0.3][at] for at in draw.integers(0, 4, count)],
        "place_copies": draw.integers(1, 4, count),
        "place_immutable": draw.random(count) < 0.3,
        "notes": [[None, 0, 1, 5][at] for at in draw.integers(0, 4, count)],
    }
    return objects.with_columns(pl.Series(name, values, KEEP_FACTS[name]) for name, values in known.items())
