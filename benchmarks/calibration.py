"""Whether a calibrated similarity means the same of every feature, on pictures that it was not fitted on.

The photographs of the copies benchmark, one of each scene, are split in two, twenty times. Each feature is calibrated
on pairs of the one half; of pairs of the other half the share with a similarity of 0.5 and more is counted, which
should be one in 1,000. With `--write` the calibrations of all of them become the package's defaults for
libraries that are too small to be calibrated on themselves.

    python -m benchmarks.calibration FOLDER [--features NAME ...] [--most N] [--write] [--json]
"""

from __future__ import annotations

import argparse
import csv
import json
from collections.abc import Sequence
from dataclasses import asdict
from importlib import resources
from pathlib import Path

import numpy as np
import polars as pl

from benchmarks.report import Report, print_report
from deeplens_kit.decode import decode_picture
from deeplens_kit.features import Extractor, TextExtractor, available
from deeplens_kit.pipeline.analysis import plain_values
from deeplens_kit.pipeline.calibrating import sample_values, text_values
from deeplens_kit.schemas import PICTURES
from deeplens_kit.search.calibration import Calibration, Modality, fitted
from deeplens_kit.search.comparers import Comparer, HashComparer, VectorComparer
from deeplens_kit.search.default_calibrations import DEFAULTS_FILE
from deeplens_kit.search.hash_shelf import HASH_BITS, HashShelf
from deeplens_kit.search.library import laid_against
from deeplens_kit.search.vectors.digests import digest_bytes
from deeplens_kit.search.vectors.shelf import VectorShelf
from deeplens_kit.settings import DecodeSettings, FeatureSettings

__all__ = ["main", "measure"]

FEATURES = ("pdq", "phash", "dhash", "ahash", "whash", "sscd_small", "sscd", "efficientnet_lite0")
ORIGIN = "photographs of clothes, groceries and landscapes, one of each scene (copies benchmark, development part)"
ALLOWED_FACTOR = 2.0
"""Between the share that a similarity claims and the share counted, inclusive."""

SEED = 20_261_130
_SPLITS = 20
_HALF = 0.5
_BATCH = 16


def measure(folder: Path, features: Sequence[str], most: int) -> tuple[Report, dict[str, Calibration]]:
    """Calibrate each feature on half of the pictures and count on the other; also the calibrations of all of them."""
    report = Report("calibration", SEED)
    report.figures["factor_to_stay_within"] = ALLOWED_FACTOR
    digests, thumbnails = _photographs(folder, most)
    found = available(FeatureSettings(enabled=tuple(features)))
    made: dict[str, Calibration] = {}
    for name, extractor in found.extractors.items():
        comparer = _comparer(extractor, digests, thumbnails)
        everything = comparer.known()
        key = name if name in HASH_BITS else extractor.spec.key
        modalities = [Modality.PICTURE, *([Modality.WORDS] if isinstance(extractor, TextExtractor) else [])]
        for modality in modalities:
            reader = extractor if modality is Modality.WORDS and isinstance(extractor, TextExtractor) else None
            report.add(feature=name, modality=str(modality), **_held_out(comparer, everything, reader))
            whole = _fitted(comparer, everything, reader)
            if whole is not None:
                made[f"{key}/{modality}"] = whole
    return report, made


def _held_out(comparer: Comparer, everything: np.ndarray, reader: TextExtractor | None) -> dict[str, object]:
    random = np.random.default_rng(SEED)
    claims, counts, values_at = [], [], []
    for _ in range(_SPLITS):
        # A few pictures that are much alike lie in one half or in both: one split alone says little.
        order = random.permutation(everything)
        fit, rest = np.sort(order[: len(order) // 2]), np.sort(order[len(order) // 2 :])
        calibration = _fitted(comparer, fit, reader)
        if calibration is None:
            return {"pictures": len(everything), "values": 0}
        values = _values(comparer, rest, reader)
        values = values[values < calibration.same]
        reached = values[calibration.similarity(values) >= _HALF]
        # On a lattice the least similarity that reaches 0.5 claims less than one in 1,000.
        claims.append(10.0 ** -float(calibration.rarity(np.array([reached.min()]))[0]) if len(reached) else 1e-3)
        counts.append(len(reached) / len(values))
        values_at.append([calibration.value_at(similarity) for similarity in (_HALF, 0.8)])
    claimed, counted = float(np.mean(claims)), float(np.mean(counts))
    return {
        "pictures": len(everything),
        "values_each": len(values),
        "claimed_per_1000": round(1000 * claimed, 3),
        "counted_per_1000": round(1000 * counted, 3),
        "within": bool(claimed / ALLOWED_FACTOR <= counted <= claimed * ALLOWED_FACTOR),
        "value_at_0.5": round(float(np.mean(values_at, axis=0)[0]), 3),
        "value_at_0.8": round(float(np.mean(values_at, axis=0)[1]), 3),
    }


def _fitted(comparer: Comparer, positions: np.ndarray, reader: TextExtractor | None) -> Calibration | None:
    values = _values(comparer, positions, reader)
    return fitted(values, comparer.same, origin=ORIGIN, pictures=len(positions))


def _values(comparer: Comparer, positions: np.ndarray, reader: TextExtractor | None) -> np.ndarray:
    return sample_values(comparer, positions) if reader is None else text_values(comparer, positions, reader)


def _photographs(folder: Path, most: int) -> tuple[pl.Series, list[np.ndarray]]:
    with (folder / "manifest.csv").open(encoding="utf-8", newline="") as stream:
        rows = [row for row in csv.DictReader(stream) if row["category"] == "photo" and row["kind"] != "copy"]
    scenes = {row["scene_group"] or row["source_id"]: row for row in sorted(rows, key=lambda row: row["sha256"])}
    chosen = sorted(scenes.values(), key=lambda row: row["sha256"])[:most]
    settings = DecodeSettings()
    thumbnails = [decode_picture((folder / row["path"]).read_bytes(), settings).rgb for row in chosen]
    return pl.Series("digest", [row["sha256"] for row in chosen], pl.String), thumbnails


def _comparer(extractor: Extractor, digests: pl.Series, thumbnails: Sequence[np.ndarray]) -> Comparer:
    spec = extractor.spec
    batches = [extractor.extract(thumbnails[at : at + _BATCH]) for at in range(0, len(thumbnails), _BATCH)]
    if spec.kind == "vector":
        shelf = VectorShelf.of(spec.key, digests, np.concatenate([batch["vector"] for batch in batches]))
        return VectorComparer(laid_against(spec.name, shelf, digest_bytes(digests)), spec.metric == "euclidean")
    values = [value for batch in batches for value in plain_values(batch[spec.name])]
    for name in HASH_BITS:
        if name == spec.name:
            return HashComparer(HashShelf.of(name, pl.Series(name, values, PICTURES.polars[name])))
    raise SystemExit(f"{spec.name!r} is neither a vector nor a hash.")


def main() -> None:
    """Measure, show, and write where that is asked for."""
    parser = argparse.ArgumentParser(description="Whether a calibrated similarity means the same of every feature.")
    parser.add_argument("folder", type=Path, help="the copies benchmark's development part")
    parser.add_argument("--features", nargs="+", default=list(FEATURES))
    parser.add_argument("--most", type=int, default=1000, help="photographs at most")
    parser.add_argument("--write", action="store_true", help="make the calibrations the package's defaults")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    report, made = measure(options.folder, options.features, options.most)
    if options.write:
        target = Path(str(resources.files("deeplens_kit.search").joinpath(DEFAULTS_FILE)))
        kept = json.loads(target.read_text(encoding="utf-8")) | {name: _rounded(one) for name, one in made.items()}
        target.write_text(json.dumps(dict(sorted(kept.items())), indent=1) + "\n", encoding="utf-8")
    print_report(report, as_json=options.json)


def _rounded(calibration: Calibration) -> dict[str, object]:
    given = asdict(calibration)
    return {**given, **{name: [round(value, 6) for value in given[name]] for name in ("values", "rarities")}}


if __name__ == "__main__":
    main()
