"""Sentences for people: what a member's evidence is, what each score of a pair says.

Takes columns of facts and gives text, column by column or pair by pair. Must not decide anything: the facts were
decided on elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from deeplens_kit.matching.look_words import look_lines
from deeplens_kit.matching.relations import LOOK_FIRST
from deeplens_kit.matching.rules import Clause, Rule, tiers_and_scores
from deeplens_kit.matching.view_words import seen_from_keeper, view_sentences
from deeplens_kit.schemas import PAIRS, Tier

__all__ = [
    "TURNED_PDQ_MAX",
    "bound_words",
    "evidence_sentence",
    "evidence_words",
    "explain",
    "member_sentences",
    "turned",
]

_EVIDENCE = ("pdq_distance", "phash_distance", "sscd_small", "sscd")

TURNED_PDQ_MAX = 64
"""Bits, inclusive, up to which the best of eight orientations says how a picture was turned. Two unrelated pictures
differ in 100 to 125 bits in their best orientation, and which one that is, is chance."""


def evidence_sentence() -> pl.Expr:
    """The scores of a pair in one line; null evidence is left out."""
    parts = [
        pl.when(pl.col("pdq_distance").is_not_null()).then(pl.format("PDQ differs in {} of 256 bits", "pdq_distance")),
        pl.when(pl.col("phash_distance").is_not_null()).then(pl.format("pHash in {} of 64", "phash_distance")),
        pl.when(pl.col("sscd_small").is_not_null()).then(pl.format("small SSCD cosine {}", _rounded("sscd_small"))),
        pl.when(pl.col("sscd").is_not_null()).then(pl.format("SSCD cosine {}", _rounded("sscd"))),
    ]
    return pl.concat_str(parts, separator="; ", ignore_nulls=True)


def evidence_words(
    pdq_distance: int | None, phash_distance: int | None, sscd_small: float | None, sscd: float | None
) -> list[str]:
    """The parts of `evidence_sentence` for one pair: of the few rows of an answer a plan of polars takes longer."""
    said = []
    if pdq_distance is not None:
        said.append(f"PDQ differs in {pdq_distance} of 256 bits")
    if phash_distance is not None:
        said.append(f"pHash in {phash_distance} of 64")
    if sscd_small is not None:
        said.append(f"small SSCD cosine {_thousandths(sscd_small)}")
    if sscd is not None:
        said.append(f"SSCD cosine {_thousandths(sscd)}")
    return said


def member_sentences(pairs: pl.DataFrame) -> pl.Series:
    """What is evidence for a member against its keeper: what the closer look saw of it, then the scores.

    Args:
        pairs: PAIRS with the columns `swapped` (b is the keeper) and `towards` (the relation of the member to it).
    """
    views = view_sentences(pairs.select(seen_from_keeper(pl.col("swapped"))))
    warning = pl.col("towards").replace_strict(LOOK_FIRST, default=None, return_dtype=pl.String)
    said = pl.concat_str([warning, views, evidence_sentence()], separator="; ", ignore_nulls=True)
    return pairs.select(said.alias("sentence"))["sentence"]


def explain(pair: Mapping[str, object], rule: Rule) -> list[str]:
    """What each score of a pair says, and what they come to.

    Args:
        pair: The evidence of a row of PAIRS, by column; columns of `rules.with_context` where they are known.
        rule: The rule that it is judged by.

    Returns:
        One sentence for each signal, for each circumstance that matters, and the verdict last.
    """
    context = {name: pair.get(name) for name in ("page_like", "low_information", "other_shots")}
    page_like = context["page_like"]
    clauses = rule.unmeasured if page_like is None else rule.page_like if page_like else rule.plain
    said = [_signal(name, pair.get(name), clauses) for name in _EVIDENCE]
    said += look_lines(pair)
    if turned(pair) and pair.get("mirrored") is None:
        said.append("The hashes agree best when one picture is rotated or mirrored.")
    if page_like:
        said.append("One tone covers most of a picture, as on a page: its bounds are narrower.")
    if context["other_shots"] and rule.other_shots is not None:
        said.append(f"The cameras noted different times: two shots, unless {bound_words(rule.other_shots)}.")
    if context["low_information"]:
        said.append("A picture holds too little information to be told from others: only equal bytes would count.")
    tier, score = tiers_and_scores(_row(pair, context), rule).row(0)
    verdict = "a copy" if tier == Tier.COPY else "not a copy (scene: alike at most)"
    said.append(f"By the rule {rule.name!r} (version {rule.version}): {verdict}, score {score:.3f}.")
    return said


def turned(pair: Mapping[str, object]) -> bool:
    """Whether the hashes of a pair say that one picture is rotated or mirrored: `TURNED_PDQ_MAX`."""
    distance = pair.get("pdq_distance")
    return bool(pair.get("orientation")) and (distance is None or int(str(distance)) <= TURNED_PDQ_MAX)


_NAMES = {
    "pdq_distance": ("PDQ", "pdq_max"),
    "phash_distance": ("pHash", "phash_max"),
    "sscd_small": ("Small SSCD", "sscd_small_min"),
    "sscd": ("SSCD", "sscd_min"),
}


def _signal(column: str, value: object, clauses: tuple[Clause, ...]) -> str:
    name, bound_name = _NAMES[column]
    if value is None:
        return f"{name}: not computed for both pictures."
    bounds = [clause.bounds[bound_name] for clause in clauses if bound_name in clause.bounds]
    if column.endswith("_distance"):
        found = f"{name}: {value} of {256 if column == 'pdq_distance' else 64} bits differ"
        allowed = f"at most {max(bounds):g}" if bounds else ""
        met = bool(bounds) and float(str(value)) <= max(bounds)
    else:
        found = f"{name}: cosine {float(str(value)):.3f}"
        allowed = f"at least {min(bounds):g}" if bounds else ""
        met = bool(bounds) and float(str(value)) >= min(bounds)
    if not bounds:
        return f"{found}; the rule asks nothing of it."
    return f"{found}, the rule asks for {allowed}: {'met' if met else 'not met'}."


def bound_words(clause: Clause) -> str:
    """The bounds of a clause: "likelihood is at least 0.9 and pdq is at most 24"."""
    return " and ".join(
        f"{name.rsplit('_', 1)[0].replace('_', ' ')} is {'at most' if name.endswith('_max') else 'at least'} {value:g}"
        for name, value in clause.bounds.items()
    )


def _row(pair: Mapping[str, object], context: Mapping[str, object]) -> pl.DataFrame:
    # Every column that a rule may look at; what the pair lacks was never measured.
    values = {name: [pair.get(name)] for name in PAIRS.names}
    flags = {
        name: [bool(value) if name != "page_like" or value is not None else None] for name, value in context.items()
    }
    types = {name: PAIRS.polars[name] for name in values} | dict.fromkeys(flags, pl.Boolean())
    return pl.DataFrame(values | flags, schema=types)


def _rounded(name: str) -> pl.Expr:
    return pl.col(name).cast(pl.Float64).round(3).cast(pl.String)


def _thousandths(value: float) -> float:
    """Rounded as polars does: thousandfold first, and a half to the even number."""
    return round(value * 1000, 0) / 1000
