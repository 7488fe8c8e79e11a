"""A small library that is indexed once, and what the tests of the API ask of it."""

from __future__ import annotations

import base64
import io
import shutil
import sqlite3
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from shared_folder import shared_folder
from skimage import data
from starlette.testclient import TestClient

from deeplens_kit.pipeline import Workspace, add_location, index
from deeplens_kit.service.application import make_application
from deeplens_kit.service.context import Service
from deeplens_kit.service.desk import Desk
from deeplens_kit.service.jobs.worker import Worker

__all__ = ["CAT", "COFFEE", "ROCKET", "Library", "as_base64", "copied_library", "encoded", "served"]


def encoded(image: Image.Image, form: str = "JPEG", **options: Any) -> bytes:
    stream = io.BytesIO()
    image.save(stream, form, **options)
    return stream.getvalue()


def as_base64(content: bytes) -> str:
    return base64.b64encode(content).decode()


CAT = Image.fromarray(data.chelsea()).resize((300, 200))
COFFEE = Image.fromarray(data.coffee()).resize((300, 200))
ROCKET = Image.fromarray(data.rocket()).resize((240, 160))


def make_library(folder: Path) -> None:
    """`photos`, opened for changes: a cat twice, a cup twice, a broken file; and `inbox`, open for new files."""
    photos = folder / "photos"
    (photos / "copies").mkdir(parents=True)
    (folder / "inbox").mkdir()
    (photos / "cat.png").write_bytes(encoded(CAT, "PNG"))
    (photos / "cat.jpg").write_bytes(encoded(CAT, quality=85))
    cup = encoded(COFFEE, quality=92)
    (photos / "cup.jpg").write_bytes(cup)
    (photos / "copies" / "cup again.jpg").write_bytes(cup)
    (photos / "broken.jpg").write_bytes(cup[:400])
    with Workspace.create(folder / "workspace") as workspace:
        add_location(workspace, "photos", str(photos), {"permissions": "change"})
        add_location(workspace, "inbox", str(folder / "inbox"), {"permissions": "create"})
        index(workspace)


@dataclass
class Library:
    """A workspace that is served in this process.

    Attributes:
        folder: With `photos`, `inbox` and `workspace`.
        workspace: Open.
        client: Asks it.
    """

    folder: Path
    workspace: Workspace
    client: TestClient

    def work(self) -> None:
        """Do the jobs that wait, here and now."""
        Worker(self.workspace, poll_seconds=0.05).run(until_idle=True)

    def get(self, path: str, status: int = 200, **options: Any) -> Any:
        return self._asked("GET", path, status, **options)

    def post(self, path: str, body: Any = None, status: int = 200, **options: Any) -> Any:
        return self._asked("POST", path, status, **({} if body is None else {"json": body}), **options)

    def _asked(self, method: str, path: str, status: int, **options: Any) -> Any:
        answer = self.client.request(method, f"/api/v1/{path}", **options)
        assert answer.status_code == status, answer.text
        return answer.json() if answer.content else None

    def image(self, path: str) -> dict[str, Any]:
        """The image at a path of `photos`, as a list of images has it."""
        for item in self.get("images")["items"]:
            for place in item["locations"]:
                if place["file_path"] == path:
                    found: dict[str, Any] = {**item, **place}
                    return found
        raise AssertionError(f"no image at {path}")


def copied_library(factory: pytest.TempPathFactory) -> Path:
    """A library of one's own, as it is made: its files and what is known of them may be changed."""
    made = shared_folder(factory, "served-library", make_library)
    folder = factory.mktemp("library")
    shutil.copytree(made, folder, dirs_exist_ok=True)
    # Its locations name folders of the other one, and a location's address does not change by itself.
    ledger = folder / "workspace" / "ledger.sqlite"
    with sqlite3.connect(ledger) as connection:
        connection.execute("update locations set url = replace(url, ?, ?)", (str(made), str(folder)))
    connection.close()
    return folder


def served(folder: Path) -> tuple[Workspace, TestClient]:
    """Open a library's workspace, and give a client of an application over it."""
    workspace = Workspace.open(folder / "workspace")
    service = Service(workspace, Desk(workspace))
    app = make_application(service, pages=False)
    return workspace, TestClient(app, base_url="http://127.0.0.1:5006")
