"""A part of the picture that is searched for, drawn on it.

Takes an image and a part, gives a component that tells which part somebody drew; must not search.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import param
from panel.custom import JSComponent

from deeplens_kit.views.theme import viewer_style

__all__ = ["CropBox"]

_SIDES = 4


class CropBox(JSComponent):
    """A picture on which a part is drawn.

    Args:
        on_crop: Told left, top, right and bottom as shares 0..1, or None for the whole picture.

    Attributes:
        src: Address of the picture.
        alt: What it shows.
        shape: Its width over its height.
        crop: Left, top, right, bottom; empty for the whole.
        busy: A search is under way: nothing is drawn.
    """

    src = param.String(default="")
    alt = param.String(default="")
    shape = param.Number(default=1.0)
    crop = param.List(default=[])
    busy = param.Boolean(default=False)

    _esm = Path(__file__).with_name("crop_box.js")

    def __init__(self, on_crop: Callable[[tuple[float, float, float, float] | None], Any], **params: Any) -> None:
        params = {"stylesheets": [viewer_style()], "sizing_mode": "stretch_width"} | params
        super().__init__(**params)  # type: ignore[no-untyped-call]
        self._on_crop = on_crop

    def _handle_msg(self, data: Any) -> None:
        """Take a part; what is none is passed over, for a page can send anything."""
        crop = data.get("crop", False) if isinstance(data, dict) else False
        if crop is None:
            self._on_crop(None)
            return
        if not isinstance(crop, list) or len(crop) != _SIDES or not all(isinstance(side, int | float) for side in crop):
            return
        left, top, right, bottom = (round(float(side), 4) for side in crop)
        if 0 <= left < right <= 1 and 0 <= top < bottom <= 1:
            self._on_crop((left, top, right, bottom))
