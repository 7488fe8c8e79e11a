"""The websocket of a page whose visitor leaves before it is open."""

from __future__ import annotations

import asyncio
import logging

import pytest
from bokeh_fastapi.handler import WSHandler

from deeplens_kit.service.page_server import _Socket


class _Websocket:
    """A websocket that keeps by which code it was closed."""

    code = 0

    async def close(self, code: int) -> None:
        self.code = code


@pytest.mark.parametrize(("error", "level"), [(RuntimeError("left"), "INFO"), (KeyError("a defect"), "ERROR")])
def test_who_leaves_at_once_is_told_in_the_log_and_in_no_line_of_the_servers(
    error: Exception,
    level: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def fails(*_: object) -> None:
        raise error

    monkeypatch.setattr(WSHandler, "_async_open", fails)
    websocket = _Websocket()
    with caplog.at_level(logging.INFO):
        asyncio.run(_Socket(None, None)._async_open(websocket, "token"))  # type: ignore[arg-type]
    assert capsys.readouterr().out == ""
    assert websocket.code == 1011
    assert [record.levelname for record in caplog.records if "websocket" in record.getMessage()] == [level]
