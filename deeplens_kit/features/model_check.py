"""Whether a model gives the numbers here that it should: it is loaded, and embeds pictures that are made by rule.

Takes the name of a model and settings, gives what was seen; must not open a user's file. The pictures are made of
whole numbers, so that they are the same on every machine; the vectors that they should have were written down on one.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deeplens_kit.features.base import Extractor, Thumbnail
from deeplens_kit.features.canonical_vectors import CANONICAL, Canonical, eighths
from deeplens_kit.features.model_descriptor import Model
from deeplens_kit.features.registry import extractor
from deeplens_kit.settings import FeatureSettings

__all__ = ["ModelCheck", "canonical_pictures", "check_model"]

HEIGHT_PX, WIDTH_PX = 288, 384

_LEAST_SECONDS = 0.3
"""Of embedding, for a rate; at least two rounds."""

_LENGTH_TOLERANCE = 4e-3
"""Of a vector's length from 1: sixteen-bit numbers are rounded by one part in two thousand."""


@dataclass(frozen=True, slots=True)
class ModelCheck:
    """What was seen of a model.

    Attributes:
        name: Of the model.
        wrong: What is not as it should be; empty where nothing is.
        known: Whether there are numbers to compare with: none for weights of one's own.
        dimensions: Numbers of a vector.
        weights: Name and SHA-256 prefix of the weights; empty for a rule.
        load_seconds: Until it was ready.
        pictures_per_second: By one thread, on this machine, now.
    """

    name: str
    wrong: str
    known: bool
    dimensions: int
    weights: str
    load_seconds: float
    pictures_per_second: float


def check_model(model: Model, settings: FeatureSettings) -> ModelCheck:
    """Load a model and look at the vectors of the canonical pictures.

    Raises:
        ModelUnavailableError: It is not installed.
        ModelCorruptError: It cannot be loaded.
        SettingsError: The user's descriptor of it is not right.
    """
    began = time.perf_counter()
    made = extractor(model.name, settings)
    loaded = time.perf_counter()
    pictures = list(canonical_pictures().values())
    vectors = np.asarray(made.extract(pictures)["vector"])
    canonical = CANONICAL.get(model.name)
    known = canonical is not None and made.spec.weights.endswith(canonical.weights)
    wrong = _wrong(model, made, vectors, pictures)
    if not wrong and known and canonical is not None:
        wrong = _differs(vectors, canonical)
    return ModelCheck(
        name=model.name,
        wrong=wrong,
        known=known,
        dimensions=made.spec.size,
        weights=made.spec.weights,
        load_seconds=loaded - began,
        pictures_per_second=_rate(made, pictures),
    )


def canonical_pictures() -> dict[str, Thumbnail]:
    """Two pictures by name: soft rings over a slope, and a chequered board with a red disk."""
    y, x = np.mgrid[0:HEIGHT_PX, 0:WIDTH_PX].astype(np.int64)
    rings = np.stack([(x * x + 2 * y * y) // 331, x * 255 // (WIDTH_PX - 1), (x * y) // 431], axis=2) % 256
    rings = np.where(rings < 128, rings * 2, (255 - rings) * 2)
    board = np.where(((x // 48 + y // 48) % 2 == 0)[..., None], [30, 60, 160], [225, 220, 190])
    board = np.where(((x - 200) ** 2 + (y - 140) ** 2 < 90**2)[..., None], [200, 30, 40], board)
    return {"rings": rings.astype(np.uint8), "board": board.astype(np.uint8)}


def _wrong(model: Model, made: Extractor, vectors: NDArray[np.float16], pictures: list[Thumbnail]) -> str:
    size = model.dimensions or made.spec.size
    if vectors.shape != (len(pictures), size):
        return f"two pictures give {vectors.shape}, should be {(len(pictures), size)}"
    lengths = np.linalg.norm(vectors.astype(np.float64), axis=1)
    if not np.isfinite(lengths).all() or np.abs(lengths - 1).max() > _LENGTH_TOLERANCE:
        return f"the vectors have the lengths {', '.join(f'{item:.4g}' for item in lengths)}, should be 1"
    if np.array_equal(vectors[0], vectors[1]):
        return "two pictures that have nothing in common have one vector"
    if not np.array_equal(np.asarray(made.extract(pictures[1:])["vector"])[0], vectors[1]):
        return "the vector of a picture is another one when it comes alone"
    return ""


def _differs(vectors: NDArray[np.float16], canonical: Canonical) -> str:
    for name, vector, sums in zip(canonical_pictures(), vectors, canonical.sums, strict=True):
        off = float(np.abs(eighths(vector) - np.array(sums)).max())
        if off > canonical.tolerance:
            return (
                f"sums over the vector of the picture {name!r} are off by {off:.3g}, at most {canonical.tolerance:g} "
                "is allowed: vectors of this machine and of others must not be mixed"
            )
    return ""


def _rate(made: Extractor, pictures: list[Thumbnail]) -> float:
    done, began = 0, time.perf_counter()
    while True:
        made.extract(pictures)
        done += len(pictures)
        seconds = time.perf_counter() - began
        if seconds >= _LEAST_SECONDS and done > len(pictures):
            return done / seconds
