"""What a network is shown of a thumbnail: resized, cropped or padded, scaled and in the order that networks take.

Takes a thumbnail and the numbers that a model was trained with and gives (3, height, width) float32; must give the
same as the model's own preparation up to the last levels, and make no picture of millions from a strip of one pixel.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from deeplens_kit.features.base import Thumbnail

__all__ = ["Preprocessing"]

_LEVELS = np.float32(255.0)
_FILTERS = {"bicubic": Image.Resampling.BICUBIC, "bilinear": Image.Resampling.BILINEAR}


@dataclass(frozen=True, slots=True)
class Preprocessing:
    """The numbers of one model's preparation.

    Attributes:
        height_px: Height of what the network is shown.
        width_px: Its width.
        mean: Subtracted from red, green and blue in 0..1.
        deviation: They are divided by it then.
        interpolation: How pixels between pixels are made.
        resize_mode: `shortest` crops the centre, `longest` pads around it, `squash` keeps all and no proportions.
        crop: Part of the shortest side that the centre keeps, 0..1, where it is cropped.
        fill: Level of what is padded, 0..255.
    """

    height_px: int
    width_px: int
    mean: tuple[float, float, float]
    deviation: tuple[float, float, float]
    interpolation: Literal["bicubic", "bilinear"] = "bicubic"
    resize_mode: Literal["shortest", "longest", "squash"] = "shortest"
    crop: float = 1.0
    fill: int = 0

    def __post_init__(self) -> None:
        if self.interpolation not in _FILTERS:
            raise ValueError(f"interpolation is {self.interpolation!r}, may be {', '.join(_FILTERS)}")
        if self.resize_mode not in {"shortest", "longest", "squash"}:
            raise ValueError(f"resize_mode is {self.resize_mode!r}, may be shortest, longest, squash")

    @property
    def name(self) -> str:
        """For `FeatureSpec.preprocessing`."""
        crop = "" if self.crop == 1.0 else f"-{self.crop:g}"
        scaled = "/".join(",".join(f"{number:.4g}" for number in row) for row in (self.mean, self.deviation))
        return f"thumbnail-384/{self.resize_mode}{crop}-{self.height_px}x{self.width_px}-{self.interpolation}/{scaled}"

    def apply(self, pixels: Thumbnail) -> NDArray[np.float32]:
        """(3, height, width) float32 of one thumbnail."""
        shown = np.asarray(self._shown(Image.fromarray(pixels)), dtype=np.float32) / _LEVELS
        scaled = (shown - np.array(self.mean, np.float32)) / np.array(self.deviation, np.float32)
        return np.ascontiguousarray(scaled.transpose(2, 0, 1), dtype=np.float32)

    def to_json(self) -> str:
        """As it stands in an exported model."""
        return json.dumps(asdict(self), sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> Preprocessing:
        """What `to_json` gave."""
        values = json.loads(text)
        return cls(**values | {name: _three(values[name]) for name in ("mean", "deviation")})

    @classmethod
    def of_open_clip(cls, config: Mapping[str, Any]) -> Preprocessing:
        """From a `preprocess_cfg` of open_clip."""
        size = config["size"]
        height, width = (size, size) if isinstance(size, int) else size
        return cls(
            int(height),
            int(width),
            _three(config["mean"]),
            _three(config["std"]),
            # What training alone knows, a random one, is bicubic where nothing is trained.
            "bilinear" if config["interpolation"] == "bilinear" else "bicubic",
            config["resize_mode"],
            fill=int(config["fill_color"]),
        )

    @classmethod
    def of_timm(cls, config: Mapping[str, Any]) -> Preprocessing:
        """From a `pretrained_cfg` of timm, with the size that the network was trained at."""
        _, height, width = config["input_size"]
        return cls(
            int(height),
            int(width),
            _three(config["mean"]),
            _three(config["std"]),
            config["interpolation"],
            "squash" if config["crop_mode"] == "squash" else "shortest",
            float(config["crop_pct"] or 1.0),
        )

    def _shown(self, picture: Image.Image) -> Image.Image:
        size, resampling = (self.width_px, self.height_px), _FILTERS[self.interpolation]
        if self.resize_mode == "squash":
            return picture.resize(size, resampling)
        if self.resize_mode == "longest":
            return ImageOps.pad(picture, size, resampling, color=(self.fill,) * 3)
        # Cropped and resized in one step: a strip of one pixel is never as long as its height would have it.
        scale = min(picture.width / self.width_px, picture.height / self.height_px) * self.crop
        width, height = self.width_px * scale, self.height_px * scale
        left, top = (picture.width - width) / 2, (picture.height - height) / 2
        return picture.resize(size, resampling, box=(left, top, left + width, top + height))


def _three(values: Any) -> tuple[float, float, float]:
    red, green, blue = (values,) * 3 if isinstance(values, float | int) else values
    return float(red), float(green), float(blue)
