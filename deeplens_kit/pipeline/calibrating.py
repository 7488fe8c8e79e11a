"""The calibration of each feature of a workspace: fitted on a sample of its pictures, kept, and renewed as it grows.

Takes an open workspace and what a library holds of a feature, gives calibrations; writes its cache and nothing else.
The sample are the pictures whose digests come first: digests are as good as drawn at random, and the same pictures
come first today and tomorrow. Copies that are known are no unrelated pictures and are left out.
"""

from __future__ import annotations

import hashlib
import json
import threading
from dataclasses import asdict
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from deeplens_kit.features import TextExtractor
from deeplens_kit.pipeline.held_features import HeldFeatures
from deeplens_kit.pipeline.workspace import Workspace
from deeplens_kit.schemas import Tier
from deeplens_kit.search.cache_files import write_json
from deeplens_kit.search.calibration import CALIBRATION_VERSION, Calibration, Modality, fitted, generic
from deeplens_kit.search.comparers import Comparer, VectorComparer
from deeplens_kit.search.default_calibrations import default_calibration
from deeplens_kit.telemetry import get_logger, span

__all__ = ["NEUTRAL_TEXTS", "OWN_FROM_PICTURES", "SAMPLE_PICTURES", "Calibrations", "sample_values", "text_values"]

_log = get_logger(__name__)

SAMPLE_PICTURES = 1_000
"""Half a million pairs: one in 1,000 of them is 500."""

OWN_FROM_PICTURES = 200
"""From so many pictures (inclusive) with the feature a library is calibrated on itself where a default is known."""

_GROWN = 1.5
_COPIES = (Tier.PIXELS, Tier.COPY)
_UNRELATED = "pictures of the library that are no copies of each other"
_WORDS_ORIGIN = "pictures of the library, each with captions that were not written for it"

NEUTRAL_TEXTS = (
    "a photo of a dog", "a cat on a sofa", "a red car on a street", "a bowl of fruit", "a mountain lake",
    "people at a table", "a child on a bicycle", "a glass of wine", "a blue sky with clouds", "an old church",
    "a page of a book", "a map of a city", "a football match", "a man in a suit", "a woman with an umbrella",
    "a green field", "a train at a station", "a kitchen sink", "a birthday cake", "a horse in a meadow",
    "a laptop on a desk", "a pair of shoes", "a yellow flower", "a boat on a river", "a snowy forest",
    "a bridge at night", "a baby asleep", "a plate of pasta", "a bar chart", "a bunch of keys",
    "a bird on a branch", "a wooden chair", "a beach at sunset", "a traffic light", "a bottle of water",
    "a group of students", "a white wall", "an airplane in the air", "a black and white portrait", "a clock tower",
    "a handwritten letter", "a cow behind a fence", "a shop window", "a skyscraper", "a drawing of a house",
    "a screwdriver", "a purple dress", "a bus in the rain", "a swimming pool", "a spoon and a fork",
    "a desert road", "a fish in the sea", "a guitar player", "an orange on a plate", "a stack of paper",
    "a hospital room", "a wedding", "a dark cave", "a circle and a square", "a company logo",
)  # fmt: skip
"""What pictures may show: each fits few of any library."""


class Calibrations:
    """Calibrations by feature; safe to share between threads.

    Args:
        workspace: An open workspace.
    """

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._root = Path(workspace.settings.cache_dir) / "calibration"
        self._lock = threading.Lock()
        self._known: dict[tuple[str, Modality], tuple[int, Calibration]] = {}

    def of(self, key: str, features: HeldFeatures, comparer: Comparer, reader: TextExtractor | None) -> Calibration:
        """The calibration of a feature in a library.

        Args:
            key: `FeatureSpec.key` of a vector; the name of a hash.
            features: Of the library.
            comparer: Of the feature.
            reader: What embeds words, for the calibration of words; None for that of pictures.
        """
        modality = Modality.PICTURE if reader is None else Modality.WORDS
        pictures = len(comparer.known())
        default = default_calibration(key, modality)
        if pictures < OWN_FROM_PICTURES and default is not None:
            return default
        with self._lock:
            kept = self._known.get((key, modality)) or self._load(key, modality)
            if kept is None or not kept[0] <= _GROWN * pictures <= _GROWN * _GROWN * kept[0]:
                with span("search.calibrate"):
                    made = self._fitted(features, comparer, reader)
                kept = (pictures, made or default or generic(comparer.same))
                if made is not None:
                    self._keep(key, modality, *kept)
            self._known[(key, modality)] = kept
        return kept[1]

    def _fitted(self, features: HeldFeatures, comparer: Comparer, reader: TextExtractor | None) -> Calibration | None:
        sample = comparer.known()[:SAMPLE_PICTURES]
        if reader is None:
            pairs = self._workspace.catalog.pairs(columns=["digest_a", "digest_b", "tier"])
            copies = pairs.filter(pl.col("tier").is_in([str(tier) for tier in _COPIES]))
            values, origin = sample_values(comparer, sample, features.pairs_within(copies, sample)), _UNRELATED
        else:
            values, origin = text_values(comparer, sample, reader), _WORDS_ORIGIN
        return fitted(values, comparer.same, origin=origin, pictures=len(sample))

    # --- The files -----------------------------------------------------------------------------------------

    def _path(self, key: str, modality: Modality) -> Path:
        named = repr((CALIBRATION_VERSION, key, str(modality), SAMPLE_PICTURES, NEUTRAL_TEXTS))
        return self._root / f"{hashlib.sha256(named.encode()).hexdigest()[:32]}.json"

    def _load(self, key: str, modality: Modality) -> tuple[int, Calibration] | None:
        try:
            stored = json.loads(self._path(key, modality).read_text(encoding="utf-8"))
            return int(stored["library_pictures"]), Calibration.of(stored["calibration"])
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError) as error:
            _log.warning("a calibration is made again: its file cannot be used", error=type(error).__name__)
            return None

    def _keep(self, key: str, modality: Modality, pictures: int, calibration: Calibration) -> None:
        target = self._path(key, modality)
        stored = {"feature": key, "modality": str(modality), "library_pictures": pictures}
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            write_json(target, {**stored, "calibration": asdict(calibration)})
        except OSError as error:
            _log.warning("a calibration is not kept", error=error.strerror or type(error).__name__)


def sample_values(
    comparer: Comparer, positions: NDArray[np.int64], copies: NDArray[np.int64] | None = None
) -> NDArray[np.float64]:
    """Values of a feature between pictures, each pair of them once.

    Args:
        comparer: Of the feature.
        positions: (n,), pictures that have it.
        copies: (m, 2), numbers among `positions` of pairs to leave out.

    Returns:
        At most n * (n - 1) / 2 values.
    """
    count = len(positions)
    table = np.full((count, count), np.nan)
    if isinstance(comparer, VectorComparer):
        table[:] = comparer.table(positions)
    else:
        for number, position in enumerate(positions):
            asked = comparer.held(int(position))
            if asked is not None:
                table[number, number + 1 :] = comparer.values(asked, positions[number + 1 :])
    if copies is not None and len(copies):
        table[copies[:, 0], copies[:, 1]] = table[copies[:, 1], copies[:, 0]] = np.nan
    values = table[np.triu_indices(count, 1)]
    return np.asarray(values[np.isfinite(values)])


def text_values(comparer: Comparer, positions: NDArray[np.int64], reader: TextExtractor) -> NDArray[np.float64]:
    """Values of a feature between pictures and captions that were not written for them."""
    captions = reader.embed_texts(NEUTRAL_TEXTS)
    values = [comparer.values(caption, positions) for caption in captions if np.any(caption)]
    found = np.concatenate([np.zeros(0), *values])
    return np.asarray(found[np.isfinite(found)])
