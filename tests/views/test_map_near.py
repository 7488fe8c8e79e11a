"""The pictures beside a map: what cannot be compared is said, and the page goes on."""

from __future__ import annotations

import asyncio

import polars as pl

from deeplens_kit.errors import SettingsError
from deeplens_kit.views.map_near import NearPictures
from deeplens_kit.views.state.map_state import MapState


def test_what_cannot_be_compared_is_said() -> None:
    def away(_digest: str, _most: int) -> pl.DataFrame:
        raise SettingsError("The <catalog> is away.")

    near = NearPictures(MapState(), lambda *_: None, away, [])
    near._asked = "a" * 64
    asyncio.run(near._fetch())
    assert "The &lt;catalog&gt; is away." in near._board.html and 'role="alert"' in near._board.html
