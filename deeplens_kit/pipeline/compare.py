"""Two files side by side: every score, and what each of them says.

Takes paths of two files on this machine, indexed or not, gives facts, scores and a verdict; writes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import polars as pl

from deeplens_kit.decode import IsolatedDecoder
from deeplens_kit.errors import ObjectError, ObjectUnreadableError
from deeplens_kit.features import available
from deeplens_kit.matching import (
    SAMPLE_FACTS,
    STRICT,
    KeepPolicy,
    Rule,
    explain,
    find_pairs,
    mark_pixels,
    with_context,
    worth_comparing,
)
from deeplens_kit.matching.look_words import EVIDENCE_MEANINGS
from deeplens_kit.matching.rules import tiers_and_scores
from deeplens_kit.matching.view_words import seen_from
from deeplens_kit.pipeline.analysis import Analysed, Toolbox, analyse
from deeplens_kit.pipeline.keep_policies import chosen_policy
from deeplens_kit.pipeline.pair_proposal import NOT_PROPOSED, proposal_for_two
from deeplens_kit.pipeline.reading import Content
from deeplens_kit.pipeline.workspace import Workspace
from deeplens_kit.schemas import PAIRS, PICTURES, Relation, Tier
from deeplens_kit.settings import DecodeSettings, FeatureSettings, MatchSettings
from deeplens_kit.storage import digest_content, encode_path, open_location

__all__ = ["Comparison", "ScoreLine", "compare_files"]

# No floor: whatever the two are, their scores are wanted.
_NO_FLOOR = MatchSettings(neighbours=1, pdq_max_distance=256, phash_max_distance=64, sscd_min_cosine=-1.0)
_SCORES = {
    "pdq_distance": "bits of 256 that differ, best of eight orientations",
    "phash_distance": "bits of 64 that differ, best of eight orientations",
    "sscd_small": "cosine of the small copy-detection vectors, -1..1",
    "sscd": "cosine of the full copy-detection vectors, -1..1",
    **EVIDENCE_MEANINGS,
    "score": "all evidence together, 0..1",
}
_FACTS = (
    "digest",
    "size_bytes",
    "format",
    "mode",
    "width_px",
    "height_px",
    "effective_pixels",
    "frames",
    "orientation",
    "lossless",
    "jpeg_quality",
    "taken_at",
    "camera",
    "sharpness",
    "flatness",
    "dominant_tone",
    "colourfulness",
    "low_information",
)


@dataclass(frozen=True, slots=True)
class ScoreLine:
    """One score: its name, its value (None: not computed), and what it means."""

    name: str
    value: float | None
    meaning: str


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two files held against each other.

    Attributes:
        facts_a: What is known of the first, by name.
        facts_b: What is known of the second.
        scores: Every score.
        sentences: What each score says under the rule, the verdict last.
        tier: How strong the evidence is, None when the pictures have nothing to do with each other.
        relation: How the first stands to the second, None as for the tier.
        proposal: Whether one of them could go for the other, and why or why not.
        verdict: One sentence.
        missing: Features that could not be computed, with the reason.
    """

    facts_a: Mapping[str, object]
    facts_b: Mapping[str, object]
    scores: tuple[ScoreLine, ...]
    sentences: tuple[str, ...]
    tier: Tier | None
    relation: Relation | None
    proposal: str
    verdict: str
    missing: Mapping[str, str]


def compare_files(
    workspace: Workspace | None,
    path_a: Path | str,
    path_b: Path | str,
    *,
    rule: Rule = STRICT,
    policy: KeepPolicy | str | None = None,
) -> Comparison:
    """Compare two files with every hash and every model that is installed.

    Args:
        workspace: For its limits, and for what was decided there; None for the defaults.
        path_a: A file on this machine.
        path_b: Another.
        rule: What they are judged by.
        policy: Which of the two stays, as for `list_groups`; without a workspace the default alone.

    Raises:
        ObjectError: A file cannot be read or is no picture.
        SettingsError: The policy cannot be read.
    """
    keep = chosen_policy(workspace, policy) if workspace else None
    decode = workspace.settings.decode if workspace else DecodeSettings()
    features = workspace.settings.features if workspace else FeatureSettings()
    tools = available(replace(features, enabled=tuple(dict.fromkeys((*features.enabled, "sscd")))))
    paths = [Path(path_a), Path(path_b)]
    contents = [_content(path, decode) for path in paths]
    toolbox = Toolbox(tuple(tools.extractors.values()), decode, thumbnails=None)
    analysed = [_analysed(content, path, toolbox) for content, path in zip(contents, paths, strict=True)]
    facts = [_facts(content, item, decode) for content, item in zip(contents, analysed, strict=True)]
    if contents[0].digests == contents[1].digests:
        verdict = "The files are byte for byte the same."
        equal = ScoreLine("score", 1.0, _SCORES["score"])
        if paths[0].expanduser().samefile(paths[1].expanduser()):
            verdict = "Both are names of one and the same file."
            proposal = "Not proposed: removing the one would remove the other, or free nothing."
        else:
            pictures = _pictures(analysed[:1], facts[:1])
            proposal = proposal_for_two(workspace, paths, _digests(facts), pictures, PAIRS.empty(), rule, keep)
        return Comparison(
            facts[0], facts[1], (equal,), (verdict,), Tier.BYTES, Relation.WHOLE, proposal, verdict, tools.missing
        )
    pictures = _pictures(analysed, facts)
    pairs = _pairs(analysed, contents, facts, pictures, decode, rule)
    # `a` is the first file, whichever digest is smaller.
    found = with_context(pairs, pictures, rule).rows(named=True)
    pair = seen_from(found[0], _digests(facts)[0]) if found else {}
    proposal = proposal_for_two(workspace, paths, _digests(facts), pictures, pairs, rule, keep)
    if not found and proposal == NOT_PROPOSED:
        proposal = "Not proposed: nothing of one was found in the other."
    scores = tuple(ScoreLine(name, _number(pair.get(name)), meaning) for name, meaning in _SCORES.items())
    sentences = tuple(explain(pair, rule))
    tier = Tier(str(pair["tier"])) if pair.get("tier") else None
    relation = Relation(str(pair["relation"])) if pair.get("relation") else None
    return Comparison(facts[0], facts[1], scores, sentences, tier, relation, proposal, sentences[-1], tools.missing)


def _content(path: Path, decode: DecodeSettings) -> Content:
    path = path.expanduser().absolute()
    if not path.is_file():
        raise ObjectUnreadableError(f"There is no file {str(path)!r}; name two files on this machine.")
    # Through the same door as indexing: links and special files are refused alike, limits hold alike.
    folder = open_location("", "compared", str(path.resolve().parent), {})
    data = folder.read(encode_path(path.resolve().name), expected=None, max_bytes=decode.max_bytes)
    return Content(data, digest_content(data))


def _analysed(content: Content, path: Path | str, toolbox: Toolbox) -> Analysed:
    analysed = analyse([content], toolbox)
    for failure in analysed.failures:
        raise ObjectUnreadableError(f"{str(path)!r} cannot be compared: {failure.message}")
    return analysed


def _facts(content: Content, analysed: Analysed, decode: DecodeSettings) -> dict[str, object]:
    (row,) = analysed.pictures
    return {name: row[name] for name in _FACTS} | {
        "effective_pixels": IsolatedDecoder(decode).effective_pixels(content.data)
    }


def _digests(facts: Sequence[Mapping[str, object]]) -> list[str]:
    return [str(fact["digest"]) for fact in facts]


def _pictures(analysed: Sequence[Analysed], facts: Sequence[Mapping[str, object]]) -> pl.DataFrame:
    rows = [{**row, "run_id": ""} for item in analysed for row in item.pictures]
    known = [{**row, "effective_pixels": fact["effective_pixels"]} for row, fact in zip(rows, facts, strict=True)]
    return pl.DataFrame(known, schema=PICTURES.polars)


def _pairs(
    analysed: list[Analysed],
    contents: list[Content],
    facts: list[dict[str, object]],
    pictures: pl.DataFrame,
    decode: DecodeSettings,
    rule: Rule,
) -> pl.DataFrame:
    """The pair with everything that is known of it; none where nothing of one was found in the other."""
    vectors = {
        spec.name: (
            [digest for item in analysed for digest in item.vectors[spec][0]],
            np.concatenate([item.vectors[spec][1] for item in analysed]),
        )
        for spec in analysed[0].vectors
    }
    # 1. Hashes and vectors.
    pairs = find_pairs(pictures, vectors, _NO_FLOOR, rule, run_id="")
    if pairs.is_empty():
        return pairs
    # 2. A closer look, and the samples themselves where they may be equal.
    data = {digest: content.data for digest, content in zip(_digests(facts), contents, strict=True)}
    pairs = _looked_at(pairs, pictures, data, decode)
    # 3. The rule again, over all of it.
    judged = with_context(pairs, pictures, rule)
    pairs = pairs.with_columns(tiers_and_scores(judged, rule))
    return _with_equal_samples(pairs, pictures, data, decode)


def _looked_at(
    pairs: pl.DataFrame, pictures: pl.DataFrame, data: Mapping[str, bytes], decode: DecodeSettings
) -> pl.DataFrame:
    # Imported here: OpenCV is loaded where pixels are compared.
    from deeplens_kit.matching.verification import measure_resolution, verify_pairs
    from deeplens_kit.pipeline.looks import PictureLooks

    source = PictureLooks.of_bytes(data, decode)
    pairs = verify_pairs(pairs, source)
    found = pairs["relation"][0] != Relation.UNVERIFIED
    return measure_resolution(pairs, source) if found else pairs


def _with_equal_samples(
    pairs: pl.DataFrame, pictures: pl.DataFrame, data: Mapping[str, bytes], decode: DecodeSettings
) -> pl.DataFrame:
    worth = worth_comparing(pairs, pictures.select(SAMPLE_FACTS))
    samples = [_samples(data[digest], decode) for digest in worth]
    return mark_pixels(pairs, pl.DataFrame({"digest": worth, "samples": pl.Series(samples, dtype=pl.String)}))


def _samples(data: bytes, decode: DecodeSettings) -> str:
    """The digest of native samples, empty where they cannot be told, as matching has it."""
    try:
        return IsolatedDecoder(decode).samples(data)
    except ObjectError:
        return ""


def _number(value: object) -> float | None:
    return None if value is None else float(str(value))
