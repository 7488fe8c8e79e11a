"""Regions: the panels of a picture embedded each by itself, so that a part finds the picture it came from.

Takes thumbnails and gives for each a row of up to four boxes with a vector each, zeros where it has fewer; most
pictures have none, and only the others are stored. A region's vector is compared with whole pictures' vectors of the
same model; it must not be taken for one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from deeplens_kit.features.base import Columns, Thumbnail, require_thumbnails
from deeplens_kit.features.panels import find_panels
from deeplens_kit.features.region_rows import BOX, MOST_REGIONS, ROW, SLOT
from deeplens_kit.features.sscd import SMALL, SQUARE, Sscd, sscd_extractor
from deeplens_kit.schemas import FeatureSpec

__all__ = ["Regions", "regions_extractor"]


@dataclass(frozen=True, slots=True)
class Regions:
    """Gives {"regions": (n, 4 * 516) float16}: left, top, right, bottom (shares of the picture), then the vector."""

    spec: FeatureSpec
    model: Sscd

    def extract(self, thumbnails: Sequence[Thumbnail]) -> Columns:
        """Find the panels of each thumbnail and embed them."""
        require_thumbnails(thumbnails)
        rows = np.zeros((len(thumbnails), MOST_REGIONS, SLOT), np.float16)
        for row, pixels in zip(rows, thumbnails, strict=True):
            height, width = pixels.shape[:2]
            panels = find_panels(pixels)
            if not panels:
                continue
            parts = [np.ascontiguousarray(pixels[item.top : item.bottom, item.left : item.right]) for item in panels]
            row[: len(panels), :BOX] = np.array(panels) / (width, height, width, height)
            row[: len(panels), BOX:] = self.model.extract(parts)["vector"]
        return {"regions": rows.reshape(len(thumbnails), ROW)}


def regions_extractor(model_dir: str) -> Regions:
    """Load the small SSCD model and make the extractor.

    Raises:
        ModelUnavailableError: As `sscd_extractor`.
        ModelCorruptError: As `sscd_extractor`.
    """
    model = sscd_extractor(SMALL, model_dir)
    spec = replace(
        model.spec,
        name="sscd_small_regions",
        version=1,
        kind="regions",
        size=ROW,
        preprocessing=f"panels-1/{SQUARE}",
    )
    return Regions(spec, model)
