"""What a search by likeness compares: each term of the query under the features that it can be compared by.

Takes terms and a library, gives features with weights and calibrations; must not compute a feature of a picture. The
weight of a term is shared by its features, so that a picture with four of them counts no more than words with one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from deeplens_kit.errors import QueryError, UnknownNameError
from deeplens_kit.features import TextExtractor
from deeplens_kit.matching.evidence import VECTOR_COLUMNS
from deeplens_kit.pipeline.calibrating import Calibrations
from deeplens_kit.pipeline.held_features import HeldFeatures
from deeplens_kit.pipeline.query_terms import PictureReader, ReadTerm
from deeplens_kit.pipeline.query_tools import ExtractorShelf
from deeplens_kit.pipeline.search_library import Held
from deeplens_kit.search.calibration import Calibration
from deeplens_kit.search.comparers import AskedValue, Comparer
from deeplens_kit.search.hash_shelf import HASH_BITS
from deeplens_kit.search.likeness import LikenessPart
from deeplens_kit.search.query import Query

__all__ = ["PlannedPart", "plan_likeness", "valued"]


@dataclass(frozen=True, slots=True, eq=False)
class PlannedPart:
    """A term under a feature, before its value is computed.

    Attributes:
        term: The term.
        feature: What is compared.
        key: `FeatureSpec.key` of a vector; the name of a hash.
        weight: Signed; all absolute weights of a query sum to 1.
        calibration: Of the feature.
        comparer: The pictures' values.
    """

    term: ReadTerm
    feature: str
    key: str
    weight: float
    calibration: Calibration
    comparer: Comparer


def plan_likeness(
    query: Query, terms: Sequence[ReadTerm], held: Held, tools: ExtractorShelf, calibrations: Calibrations
) -> tuple[tuple[PlannedPart, ...], tuple[str, ...]]:
    """The parts of a query's scores, and what cannot be used, a sentence each.

    Where the query names no features these are the vectors that the library has; those made to find copies, which
    see nothing in two pictures that are merely alike, only where there are no others; hashes where there are no
    vectors. A vector is compared by what it is of, whether or not that is among these.

    Raises:
        UnknownNameError: A weight or a vector names a feature that no indexed picture has.
        QueryError: One names a feature that is enabled but not indexed yet, a vector has another number of values than
            its feature, or a term can be compared by none.
    """
    own = {term.vector.feature: 1.0 for term in terms if term.vector is not None}
    usual = () if all(term.vector is not None for term in terms) else _usual(held.features)
    weights = dict(query.weights) or {**dict.fromkeys(usual, 1.0), **own}
    for name in {**weights, **own}:
        if held.features.comparer(name) is None:
            if name in tools.enabled:
                raise QueryError(f"No indexed picture has {name!r} yet; run `deeplens index`.")
            raise UnknownNameError("feature of the indexed pictures", name, held.features.names())
    for term in terms:
        _check_vector(term, held.features)
    weights = {name: weight for name, weight in weights.items() if weight > 0}
    total = sum(abs(term.weight) for term in terms)
    parts: list[PlannedPart] = []
    notes: list[str] = []
    for term in terms:
        reasons: dict[str, str] = {}
        # Unless they are named, the features of a given vector are for that one alone.
        asked = weights if query.weights or term.vector is not None else [name for name in weights if name in usual]
        for name in asked:
            reasons.update(_why_not(term, name, held.features, tools))
        usable = [name for name in asked if name not in reasons]
        if not usable:
            raise QueryError(_nothing_to_compare(term, reasons))
        notes += [f"{name} was not used for {term.name}: {why.rstrip('.')}." for name, why in reasons.items() if why]
        share = sum(weights[name] for name in usable)
        for name in usable:
            weight = term.weight / total * weights[name] / share
            parts.append(_part(term, name, weight, held.features, tools, calibrations))
    return tuple(parts), tuple(dict.fromkeys(notes))


def valued(parts: Sequence[PlannedPart], reader: PictureReader, tools: ExtractorShelf) -> list[LikenessPart]:
    """The parts with their values: of indexed pictures those of the library, else computed.

    Raises:
        QueryError: A picture cannot be read or decoded.
    """
    made = []
    for part in parts:
        asked = _value(part, reader, tools)
        made.append(
            LikenessPart(part.term.number, part.feature, asked, part.weight, part.calibration, part.term.itself)
        )
    return made


def _usual(features: HeldFeatures) -> list[str]:
    vectors = sorted(features.specs)
    ranks = ([name for name in vectors if name not in VECTOR_COLUMNS], vectors)
    for names in ranks:
        usable = [name for name in names if features.comparer(name) is not None]
        if usable:
            return usable
    return [str(name) for name in HASH_BITS if features.comparer(name) is not None][:1]


def _why_not(term: ReadTerm, feature: str, features: HeldFeatures, tools: ExtractorShelf) -> dict[str, str]:
    """The feature with the reason why a term cannot be compared by it, empty where that goes without saying."""
    if term.vector is not None:
        return {} if term.vector.feature == feature else {feature: ""}
    if term.picture is not None and _held_value(term, features.comparer(feature)) is not None:
        return {}
    spec = features.specs.get(feature)
    made = tools.of(feature, spec.key if spec else None)
    if isinstance(made, str):
        return {feature: made}
    return {feature: ""} if term.picture is None and not isinstance(made, TextExtractor) else {}


def _check_vector(term: ReadTerm, features: HeldFeatures) -> None:
    """Refuse numbers that are none of the feature that they are said to be of."""
    if term.vector is None:
        return
    spec = features.specs.get(term.vector.feature)
    if spec is None:
        named = ", ".join(sorted(features.specs)) or "none of the indexed pictures' features"
        raise QueryError(f"{term.vector.feature!r} is a hash, which is no vector; vectors are of: {named}.")
    if len(term.vector.values) != spec.size:
        raise QueryError(
            f"The vector has {len(term.vector.values):,} numbers, and {spec.name} has {spec.size:,}; give all of a "
            f"vector that the model of {spec.key} made."
        )


def _nothing_to_compare(term: ReadTerm, reasons: dict[str, str]) -> str:
    said = "; ".join(f"{name}: {why.rstrip('.')}" for name, why in reasons.items() if why)
    if term.vector is not None:
        what, advice = "the weights leave its feature out", f"give {term.vector.feature!r} a weight above 0"
    elif term.picture is None:
        what = "no feature that is compared understands words"
        advice = "name a CLIP model in features.enabled of workspace.toml and run `deeplens index`"
    else:
        what = "none of the features that the indexed pictures have can be used for it"
        advice = "run `deeplens index`"
    return f"{term.name} cannot be searched for: {what}{f' ({said})' if said else ''}; {advice}."


def _part(
    term: ReadTerm, feature: str, weight: float, features: HeldFeatures, tools: ExtractorShelf,
    calibrations: Calibrations,
) -> PlannedPart:  # fmt: skip
    comparer = features.comparer(feature)
    assert comparer is not None, "asked for before"
    spec = features.specs.get(feature)
    key = feature if spec is None else spec.key
    made = tools.of(feature, None) if term.text else None
    reader = made if isinstance(made, TextExtractor) else None
    return PlannedPart(term, feature, key, weight, calibrations.of(key, features, comparer, reader), comparer)


def _held_value(term: ReadTerm, comparer: Comparer | None) -> AskedValue | None:
    if term.itself is None or comparer is None:
        return None
    return comparer.held(term.itself)


def _value(part: PlannedPart, reader: PictureReader, tools: ExtractorShelf) -> AskedValue:
    if part.term.vector is not None:
        return np.asarray(part.term.vector.values, np.float32)
    known = _held_value(part.term, part.comparer)
    if known is not None:
        return known
    made = tools.of(part.feature, None)
    assert not isinstance(made, str), "a part is planned only where there is an extractor"
    if part.term.picture is None:
        assert isinstance(made, TextExtractor), "a part is planned only where words are understood"
        return np.asarray(made.embed_texts([part.term.text])[0])
    return reader.value(part.term, made)
