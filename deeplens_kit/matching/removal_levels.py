"""Which removals are proposed at which strictness: the groups at every threshold of a ladder, without making any.

Takes a regrouper and rules from the strictest to the loosest, gives each ordered pair (keeper, member) of the
tier `copy` with the steps at which it is proposed and the bytes that it frees. Must not judge by anything that the
rule and the regrouper do not say. A looser threshold can give a picture another keeper, or make its keeper a member of
another: a pair is then proposed at some steps only, and can come back later.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import polars as pl
from numpy.typing import NDArray

from deeplens_kit.errors import SettingsError
from deeplens_kit.matching.regrouping import EVIDENCE_COLUMNS, SITUATIONS, Regrouper
from deeplens_kit.matching.rules import STRICT, Rule
from deeplens_kit.matching.thresholds import Thresholds
from deeplens_kit.schemas import Column, TableSchema

__all__ = [
    "LADDER",
    "REMOVAL_LEVELS",
    "STRICTEST",
    "ladder_from",
    "ladder_rules",
    "missed_pairs",
    "removal_levels",
    "rule_at",
]

LADDER = (
    *(0.9999, 0.9995, 0.999, 0.998, 0.995, 0.99, 0.985, 0.98, 0.975, 0.97, 0.96, 0.95, 0.94, 0.93, 0.92, 0.91),
    *(0.90, 0.88, 0.86, 0.84, 0.82, 0.80, 0.775, 0.75, 0.725, 0.70, 0.675, 0.65, 0.625, 0.60, 0.575, 0.55),
    *(0.525, 0.50),
)
"""Likelihoods from the strictest to the loosest; fixed, so that no label moves them. Below a half a pair is more
probably no copy than one, so that no promise could be kept there."""

STRICTEST = 0.98
"""Where a ladder begins by default, inclusive. Above it groups fall apart and are joined again otherwise a step
further, and the pairs of these take labels from those that stay: on the development benchmark a fifth more."""

REMOVAL_LEVELS = TableSchema(
    "removals by strictness",
    (
        Column("keeper_digest", pl.String(), "the picture that stays"),
        Column("digest", pl.String(), "the picture whose objects are proposed for removal"),
        Column("first_level", pl.Int16(), "the strictest step at which it is proposed, 0 is the strictest of all"),
        Column("last_level", pl.Int16(), "the loosest step up to which it is, without a gap (inclusive)"),
        Column("likelihood", pl.Float32(), "of the pair, 0..1", nullable=True),
        Column("page", pl.Boolean(), "judged as page-like or near to a crowd"),
        Column("objects", pl.Int64(), "objects that hold the picture"),
        Column("frees_bytes", pl.Int64(), "what the removal of all of them frees"),
    ),
    key=("keeper_digest", "digest", "first_level"),
)

_MOST_LEVELS = 1_000
_PAGE = SITUATIONS.index("verified_page")
_LIKELIHOOD = EVIDENCE_COLUMNS.index("likelihood")


def rule_at(likelihood: float) -> Rule:
    """The strict rule with this bound on the likelihood of what was looked at closely, plain pictures and pages alike.

    Args:
        likelihood: Probability, 0 to 1, inclusive.
    """
    return Thresholds(likelihood_min=likelihood, page_likelihood_min=likelihood).rule()


def ladder_from(strictest: float = STRICTEST) -> tuple[float, ...]:
    """The steps of `LADDER` from a likelihood on.

    Args:
        strictest: From .5 to 1, inclusive; the first step is the strictest that is no stricter.

    Raises:
        SettingsError: It is out of that range.
    """
    if not LADDER[-1] <= strictest <= 1:
        raise SettingsError(
            f"The strictest threshold is {strictest:g}; it must be a likelihood from {LADDER[-1]:g} to 1, for example "
            f"{STRICTEST:g}."
        )
    return tuple(step for step in LADDER if step <= strictest)


def ladder_rules(ladder: Sequence[float]) -> list[Rule]:
    """The rules of a ladder.

    Args:
        ladder: Likelihoods, falling.

    Raises:
        SettingsError: The ladder is empty, does not fall, or has more than 1,000 steps.
    """
    if not ladder:
        raise SettingsError("The ladder of thresholds is empty; give at least one likelihood from 0 to 1.")
    if len(ladder) > _MOST_LEVELS:
        raise SettingsError(f"The ladder has {len(ladder):,} thresholds; {_MOST_LEVELS:,} at most.")
    for stricter, looser in pairwise(ladder):
        if not stricter > looser:
            raise SettingsError(
                f"The ladder of thresholds goes from {stricter:g} to {looser:g}; name them from the strictest to the "
                "loosest, each once."
            )
    return [rule_at(likelihood) for likelihood in ladder]


def removal_levels(regrouper: Regrouper, rules: Sequence[Rule]) -> pl.DataFrame:
    """The proposals of tier `copy` by each of some rules: those of `group`.

    Args:
        regrouper: The pictures and pairs.
        rules: For example of `ladder_rules`, the strictest first; at most 32,000.

    Returns:
        REMOVAL_LEVELS, by first step, keeper and member. Where a pair is proposed, not proposed and proposed again, it
        has a row for each stretch.
    """
    count = regrouper.pictures
    nobody = np.full(count, -1, np.int32)
    held, edge, since = nobody, nobody, np.zeros(count, np.int16)
    parts: list[tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.int32], NDArray[np.int16], int]] = []
    # The last step, at which nothing is proposed, ends the stretches that are left.
    for level, rule in enumerate([*rules, None]):
        keeper, link = (nobody, nobody) if rule is None else _copy_keepers(regrouper, rule)
        changed = np.flatnonzero(keeper != held).astype(np.int32)
        ended = changed[held[changed] >= 0]
        parts.append((held[ended], ended, edge[ended], since[ended], level - 1))
        since[changed] = level
        held, edge = keeper, link
    return _described(regrouper, parts, rules[0] if rules else STRICT)


def missed_pairs(regrouper: Regrouper, rule: Rule) -> pl.DataFrame:
    """Pairs that were looked at and that a rule finds too little alike, one for any two of its groups.

    Copies among them are what the rule misses. Pairs within a group, or between two groups of which a nearer pair is
    listed, tell nothing more; a picture in no group is one by itself.

    Args:
        regrouper: The pictures and pairs.
        rule: The bounds.

    Returns:
        digest_a, digest_b (the smaller first) and Float32 likelihood, by pair.
    """
    keeper, _ = regrouper.keepers(rule)
    root = np.where(keeper >= 0, keeper, np.arange(len(keeper), dtype=np.int32))
    edges, likelihood = regrouper.edges, regrouper.evidence(rule)[:, _LIKELIHOOD]
    rows = np.flatnonzero((regrouper.margins(rule) < 0) & ~edges.same & ~np.isnan(likelihood))
    left, right = edges.left[rows], edges.right[rows]
    digest = regrouper.best["digest"]
    ends = pl.DataFrame({"left": digest.gather(left), "right": digest.gather(right)})
    found = ends.select(
        digest_a=pl.min_horizontal("left", "right"),
        digest_b=pl.max_horizontal("left", "right"),
        likelihood=pl.Series(likelihood[rows], dtype=pl.Float32),
        low=pl.Series(np.minimum(root[left], root[right])),
        high=pl.Series(np.maximum(root[left], root[right])),
    )
    nearest = found.filter(pl.col("low") != pl.col("high")).sort(
        "likelihood", "digest_a", "digest_b", descending=[True, False, False]
    )
    return nearest.unique(["low", "high"], keep="first").drop("low", "high").sort("digest_a", "digest_b")


def _copy_keepers(regrouper: Regrouper, rule: Rule) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """The keepers of what is taken as a copy; pictures whose samples are equal are grouped as such, as ever."""
    keeper, link = regrouper.keepers(rule)
    other = (keeper < 0) | np.append(regrouper.edges.same, True)[link]
    keeper[other], link[other] = -1, -1
    return keeper, link


def _described(
    regrouper: Regrouper,
    parts: list[tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.int32], NDArray[np.int16], int]],
    rule: Rule,
) -> pl.DataFrame:
    keeper, member, edge, first = (np.concatenate([part[at] for part in parts]) for at in range(4))
    last = np.concatenate([np.full(len(part[0]), part[4], np.int16) for part in parts])
    digest = regrouper.best["digest"]
    likelihood = regrouper.evidence(rule)[edge, _LIKELIHOOD] if len(edge) else np.zeros(0, np.float32)
    frame = pl.DataFrame(
        {
            "keeper_digest": digest.gather(keeper),
            "digest": digest.gather(member),
            "first_level": first,
            "last_level": last,
            "likelihood": pl.Series(likelihood, dtype=pl.Float32, nan_to_null=True),
            "page": regrouper.situations(rule)[edge] == _PAGE if len(edge) else np.zeros(0, np.bool_),
            "objects": regrouper.objects[member],
            "frees_bytes": regrouper.freed_bytes[member],
        },
        schema=REMOVAL_LEVELS.polars,
    )
    return REMOVAL_LEVELS.check(frame.sort("first_level", "keeper_digest", "digest"))
