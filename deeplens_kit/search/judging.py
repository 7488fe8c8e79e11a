"""Candidates of a search held against the picture that is searched for: the evidence of each, its tier and its score.

Takes the features of one picture, a library and positions in it; gives rows in the order of their scores, with the very
scores that a stored pair would have. Arrays until the rows are made: of some hundred candidates a frame for each step
would take longer than the steps.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from deeplens_kit.matching import Rule
from deeplens_kit.matching.evidence import PDQ_BYTES, VECTOR_COLUMNS
from deeplens_kit.matching.first_guess import NOT_MEASURED, UNKNOWN, FirstEvidence, first_guess
from deeplens_kit.matching.neighbours.base import hash_words
from deeplens_kit.matching.neighbours.brute_force import unit_rows
from deeplens_kit.schemas import Tier
from deeplens_kit.search.facts import NO_TIME, microseconds
from deeplens_kit.search.hash_shelf import HashName, variants_of
from deeplens_kit.search.library import Library
from deeplens_kit.settings import MatchSettings

__all__ = ["QueryPicture", "best_unseen", "judged"]

# What turns a picture back, in the order of the variants: every turn and mirroring undoes itself but for quarter turns.
_UNDOES = np.array([0, 1, 2, 3, 4, 6, 5, 7])


@dataclass(frozen=True, slots=True, eq=False)
class QueryPicture:
    """The picture that is searched for.

    Attributes:
        digest: SHA-256 of its bytes.
        facts: Its row of `pictures`; PICTURE_COLUMNS that are missing count as never computed.
        vectors: By feature, (d,).
    """

    digest: str
    facts: Mapping[str, object]
    vectors: Mapping[str, NDArray[np.floating]]


def judged(
    query: QueryPicture, library: Library, positions: NDArray[np.int64], rule: Rule, floors: MatchSettings
) -> pl.DataFrame:
    """Rows of `Ranking` for those of `positions` that are alike enough, the best first."""
    own = library.position(query.digest)
    others = positions[positions != own] if own is not None else positions
    evidence, orientation = _evidence(query, library, others, rule)
    alike = np.flatnonzero(_alike(evidence, floors))
    is_copy, scores = first_guess(evidence, rule)
    pdq = evidence.pdq_distance
    order = alike[np.lexsort((others[alike], pdq[alike], -scores[alike].astype(np.float64)))]
    columns = {
        "position": (others, None, pl.Int64()),
        "score": (scores, None, pl.Float32()),
        "tier": (is_copy, None, pl.String()),
        "phash_distance": (evidence.phash_distance, evidence.phash_distance == NOT_MEASURED, pl.Int32()),
        "pdq_distance": (pdq, pdq == NOT_MEASURED, pl.Int32()),
        "orientation": (orientation, pdq == NOT_MEASURED, pl.Int32()),
        "sscd_small": (evidence.sscd_small, np.isnan(evidence.sscd_small), pl.Float32()),
        "sscd": (evidence.sscd, np.isnan(evidence.sscd), pl.Float32()),
        "page_like": (evidence.page_like == 1, evidence.page_like == UNKNOWN, pl.Boolean()),
        "low_information": (evidence.low_information, None, pl.Boolean()),
        "other_shots": (evidence.other_shots, None, pl.Boolean()),
    }
    itself = len(others) < len(positions)
    return pl.DataFrame(
        [
            _series(name, values[order], None if absent is None else absent[order], dtype, own if itself else None)
            for name, (values, absent, dtype) in columns.items()
        ]
    )


_TIERS = np.array([str(Tier.SCENE), str(Tier.COPY)], dtype=object)


def best_unseen(cosine: float, pdq_bits: float, phash_bits: float, rule: Rule) -> float:
    """The score that no pair with evidence at most as good as this, in whichever of the hashes, can exceed."""
    # One row where PDQ speaks and one where only pHash does.
    evidence = FirstEvidence(
        phash_distance=np.array([phash_bits, phash_bits], np.int32),
        pdq_distance=np.array([pdq_bits, NOT_MEASURED], np.int32),
        sscd_small=np.array([cosine, cosine], np.float32),
        sscd=np.full(2, np.nan, np.float32),
        page_like=np.zeros(2, np.int8),
        low_information=np.zeros(2, bool),
        other_shots=np.zeros(2, bool),
    )
    return float(first_guess(evidence, rule)[1].max())


def _evidence(
    query: QueryPicture, library: Library, others: NDArray[np.int64], rule: Rule
) -> tuple[FirstEvidence, NDArray[np.int32]]:
    """The evidence for each candidate, and how PDQ says it was turned."""
    # A pair tells how the picture with the greater digest was turned, so it matters which side the query takes.
    columns = [name for name in ("digest", "pdq", "phash") if name in library.pictures.columns]
    known = pl.DataFrame([library.pictures.get_column(name) for name in columns])[others]
    is_greater = (known["digest"] > query.digest).to_numpy()
    pdq, orientation = _least("pdq", query, known, is_greater)
    phash, _ = _least("phash", query, known, is_greater)
    cosines = {name: np.full(len(others), np.nan, np.float32) for name in ("sscd_small", "sscd")}
    for vectors in library.vectors:
        if vectors.name in query.vectors:
            column = cosines[VECTOR_COLUMNS[vectors.name]]
            rows = vectors.row_of_position[others]
            has = np.flatnonzero((rows >= 0) & np.isnan(column))
            if len(has):
                column[has] = _cosines(query.vectors[vectors.name], vectors.shelf.rows(rows[has]))
    page, low, shots = _circumstances(query, library, others, rule)
    return FirstEvidence(phash, pdq, cosines["sscd_small"], cosines["sscd"], page, low, shots), orientation


def _least(
    name: HashName, query: QueryPicture, known: pl.DataFrame, is_greater: NDArray[np.bool_]
) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Bits in the best of eight orientations and that orientation, as `matching.evidence` has them."""
    bits, orientation = np.full(known.height, NOT_MEASURED, np.int32), np.zeros(known.height, np.int32)
    variants = variants_of(name, query.facts.get(name))
    if variants is None or name not in known.columns or not known.height:
        return bits, orientation
    words, has = _words(name, known[name])
    if not len(has):
        return bits, orientation
    differing = np.bitwise_count(words[:, None, :] ^ variants[None]).sum(axis=2, dtype=np.int32)
    # Where the query is on the left, the other one is turned: which is the query turned back.
    turned = np.where(is_greater[has, None], differing[:, _UNDOES], differing)
    best = turned.argmin(axis=1)
    bits[has], orientation[has] = turned[np.arange(len(has)), best], best
    return bits, orientation


def _words(name: HashName, values: pl.Series) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    """The usable hashes of candidates, uint64 (m, w), and which candidates have one."""
    if name == "pdq":
        given = values.to_list()
        has = np.array([value is not None and len(value) == PDQ_BYTES for value in given], bool)
        packed = b"".join(value for value, usable in zip(given, has, strict=True) if usable)
        return hash_words(np.frombuffer(packed, np.uint8).reshape(-1, PDQ_BYTES)), np.flatnonzero(has)
    if not values.null_count():
        return hash_words(values.cast(pl.UInt64).to_numpy()), np.arange(len(values))
    has = values.is_not_null().to_numpy()
    return hash_words(values.drop_nulls().cast(pl.UInt64).to_numpy()), np.flatnonzero(has)


def _cosines(query: NDArray[np.floating], rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """Cosines; NaN where a vector has no length: it says nothing."""
    asked = np.broadcast_to(unit_rows(query.astype(np.float32)[None]), rows.shape)
    return np.asarray(np.clip(np.einsum("ij,ij->i", asked, unit_rows(rows)), -1.0, 1.0), np.float32)


def _circumstances(
    query: QueryPicture, library: Library, others: NDArray[np.int64], rule: Rule
) -> tuple[NDArray[np.int8], NDArray[np.bool_], NDArray[np.bool_]]:
    """`page_like`, `low_information` and `other_shots` of each pair, as `rules.with_context` has them."""
    known = library.picture_facts
    tone, quality, taken = query.facts.get("dominant_tone"), query.facts.get("pdq_quality"), query.facts.get("taken_at")
    least = np.float32(rule.page_tone_min)
    # Kleene logic: one page-like picture is enough, whatever is unknown of the other.
    tones = known.tones[others]
    page = np.where(np.isnan(tones), UNKNOWN, tones >= least).astype(np.int8)
    own_page = UNKNOWN if tone is None else np.int8(np.float32(tone) >= least)  # type: ignore[arg-type]
    page = np.where(
        (page == 1) | (own_page == 1), np.int8(1), np.where((page == 0) & (own_page == 0), np.int8(0), UNKNOWN)
    ).astype(np.int8)
    low = known.low_information[others] | (known.qualities[others] < rule.pdq_quality_min)
    own_low = bool(query.facts.get("low_information")) or (
        quality is not None and int(quality) < rule.pdq_quality_min  # type: ignore[call-overload]
    )
    times = known.camera_us[others]
    own_time = microseconds(taken) if isinstance(taken, datetime) else NO_TIME
    shots = (times != NO_TIME) & (own_time != NO_TIME) & (times != own_time)
    return page, low | own_low, shots


def _alike(evidence: FirstEvidence, floors: MatchSettings) -> NDArray[np.bool_]:
    """Which are as near as stored pairs have to be."""
    with np.errstate(invalid="ignore"):
        near = evidence.cosine >= np.float32(floors.sscd_min_cosine)
    measured = evidence.pdq_distance != NOT_MEASURED
    bits = np.where(
        measured, evidence.pdq_distance <= floors.pdq_max_distance, evidence.phash_distance <= floors.phash_max_distance
    )
    return np.asarray(near | bits)


def _series(
    name: str,
    values: NDArray[Any],
    absent: NDArray[np.bool_] | None,
    dtype: pl.DataType,
    own: int | None,
) -> pl.Series:
    """A column, null where a value is absent; before it that of the very picture, where it is among the rows."""
    if name == "tier":
        listed = _TIERS[values.astype(np.int8)].tolist()
        return pl.Series(name, listed if own is None else [str(Tier.BYTES), *listed], dtype=dtype)
    if own is not None:
        # As in a list of pairs: equal bytes differ in nothing, and nothing else is said of them.
        first = {"position": own, "score": 1}.get(name, 0)
        unsaid = name in ("sscd_small", "sscd", "page_like")
        values = np.concatenate([np.array([first], values.dtype), values])
        if absent is not None or unsaid:
            rest = np.zeros(len(values) - 1, bool) if absent is None else absent
            absent = np.concatenate([[unsaid], rest])
    made = pl.Series(name, values, dtype=dtype)
    return made if absent is None or not absent.any() else made.set(pl.Series(absent), None)
