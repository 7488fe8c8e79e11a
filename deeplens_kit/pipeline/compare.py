"""Two files side by side: every score, and what each of them says.

Takes paths of two files on this machine, indexed or not, gives facts, scores and a verdict; writes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import polars as pl

from deeplens_kit.decode import effective_pixels
from deeplens_kit.errors import ObjectUnreadableError
from deeplens_kit.features import available
from deeplens_kit.matching import STRICT, Rule, explain, find_pairs, with_context
from deeplens_kit.pipeline.analysis import Analysed, Toolbox, analyse
from deeplens_kit.pipeline.reading import Content
from deeplens_kit.pipeline.workspace import Workspace
from deeplens_kit.schemas import PICTURES, Tier
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
        verdict: One sentence.
        missing: Features that could not be computed, with the reason.
    """

    facts_a: Mapping[str, object]
    facts_b: Mapping[str, object]
    scores: tuple[ScoreLine, ...]
    sentences: tuple[str, ...]
    tier: Tier | None
    verdict: str
    missing: Mapping[str, str]


def compare_files(
    workspace: Workspace | None, path_a: Path | str, path_b: Path | str, *, rule: Rule = STRICT
) -> Comparison:
    """Compare two files with every hash and every model that is installed.

    Args:
        workspace: For its limits; None for the defaults.
        path_a: A file on this machine.
        path_b: Another.
        rule: What they are judged by.

    Raises:
        ObjectError: A file cannot be read or is no picture.
    """
    decode = workspace.settings.decode if workspace else DecodeSettings()
    features = workspace.settings.features if workspace else FeatureSettings()
    tools = available(replace(features, enabled=tuple(dict.fromkeys((*features.enabled, "sscd")))))
    contents = [_content(Path(path), decode) for path in (path_a, path_b)]
    toolbox = Toolbox(tuple(tools.extractors.values()), decode, thumbnails=None)
    analysed = [_analysed(content, path, toolbox) for content, path in zip(contents, (path_a, path_b), strict=True)]
    facts = [_facts(content, item, decode) for content, item in zip(contents, analysed, strict=True)]
    if contents[0].digests == contents[1].digests:
        verdict = "The files are byte for byte the same."
        equal = ScoreLine("score", 1.0, _SCORES["score"])
        return Comparison(facts[0], facts[1], (equal,), (verdict,), Tier.BYTES, verdict, tools.missing)
    pair = _pair(analysed, rule)
    scores = tuple(ScoreLine(name, _number(pair.get(name)), meaning) for name, meaning in _SCORES.items())
    sentences = tuple(explain(pair, rule))
    tier = Tier(str(pair["tier"])) if pair.get("tier") else None
    return Comparison(facts[0], facts[1], scores, sentences, tier, sentences[-1], tools.missing)


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
    return {name: row[name] for name in _FACTS} | {"effective_pixels": effective_pixels(content.data, decode)}


def _pair(analysed: list[Analysed], rule: Rule) -> Mapping[str, object]:
    rows = [{**row, "run_id": ""} for item in analysed for row in item.pictures]
    pictures = pl.DataFrame(rows, schema=PICTURES.polars)
    vectors = {
        spec.name: (
            [digest for item in analysed for digest in item.vectors[spec][0]],
            np.concatenate([item.vectors[spec][1] for item in analysed]),
        )
        for spec in analysed[0].vectors
    }
    pairs = find_pairs(pictures, vectors, _NO_FLOOR, rule, run_id="")
    if pairs.is_empty():
        return {}
    return with_context(pairs, pictures, rule).row(0, named=True)


def _number(value: object) -> float | None:
    return None if value is None else float(str(value))
