"""What an ONNX file takes and gives, as its user says it; must not load or look for the file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["Layout", "OnnxDescriptor", "Resample", "Resize"]

Layout = Literal["nchw", "nhwc"]
Resize = Literal["crop", "squash", "pad"]
Resample = Literal["bilinear", "bicubic"]


@dataclass(frozen=True, slots=True)
class OnnxDescriptor:
    """What to do to a thumbnail before an ONNX file gets it, and what comes out.

    Attributes:
        name: Name of the feature.
        file: The ONNX file, with its weights inside; relative to `features.model_dir` or absolute.
        input_px: Height and width that the file takes.
        dimensions: Numbers that it gives for a picture.
        input_name: Its input; empty: its only one.
        output_name: Its output; empty: the first.
        layout: Channels before the sides, or after.
        scale: What samples of 0..255 are divided by, above 0.
        mean: By channel (RGB), subtracted afterwards.
        std: By channel (RGB), divided by at last; above 0.
        resize: "crop" the middle, "squash" the sides, or "pad" with black.
        resample: Filter of the resize.
        source: Where it comes from.
    """

    name: str
    file: str
    input_px: tuple[int, int]
    dimensions: int
    input_name: str = ""
    output_name: str = ""
    layout: Layout = "nchw"
    scale: float = 255.0
    mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    std: tuple[float, float, float] = (1.0, 1.0, 1.0)
    resize: Resize = "crop"
    resample: Resample = "bilinear"
    source: str = ""

    @property
    def preprocessing(self) -> str:
        """Everything that is done to a thumbnail, as a text."""
        height, width = self.input_px
        numbers = "/".join(
            f"{name}-{','.join(map(repr, values))}" for name, values in (("mean", self.mean), ("std", self.std))
        )
        return f"thumbnail-384/{self.resize}-{height}x{width}-{self.resample}/scale-{self.scale!r}/{numbers}"
