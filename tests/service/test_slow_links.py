"""A picture from a link is fetched before a search takes its turn."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from deeplens_kit.errors import LinkRefusedError
from deeplens_kit.pipeline import Workspace
from deeplens_kit.search.link import LinkPicture
from deeplens_kit.service.application import make_application
from deeplens_kit.service.context import Service
from deeplens_kit.service.desk import Desk
from deeplens_kit.settings import ServiceSettings

_SEARCH = "/api/v1/search/similarity"


def test_a_link_whose_server_is_slow_holds_up_no_search(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked, answered = threading.Event(), threading.Event()

    # A server of this test's own would be refused: its address is private.
    def slow(*_: object) -> LinkPicture:
        asked.set()
        answered.wait(20)
        raise LinkRefusedError("The link is not followed: it was too slow.")

    monkeypatch.setattr("deeplens_kit.service.api.search.followed", slow)
    told = []
    with Workspace.create(tmp_path / "workspace") as workspace:
        one_at_a_time = Service(workspace, Desk(workspace), ServiceSettings(costly_at_once=1))
        with TestClient(make_application(one_at_a_time, pages=False), base_url="http://127.0.0.1") as client:
            link = {"image_url": "https://pictures.example.org/a.jpg"}
            waiting = threading.Thread(target=lambda: told.append(client.post(_SEARCH, json=link)))
            waiting.start()
            try:
                assert asked.wait(20)
                assert client.post(_SEARCH, json={"words": "cat"}).json()["total_results"] == 0
                assert not told
            finally:
                answered.set()
                waiting.join()
    assert told[0].json()["code"] == LinkRefusedError.code
