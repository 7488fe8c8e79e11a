"""A browser, and servers over workspaces: the sample library, an empty one, and one where nothing could be read."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from dashboard_server import Served, serving
from PIL import Image
from sample_workspace import SampleWorkspace, sample_workspace

from deeplens_kit.pipeline import Workspace, add_location, index

if TYPE_CHECKING:
    pass


@pytest.fixture(scope="session")
def sample(tmp_path_factory: pytest.TempPathFactory) -> SampleWorkspace:
    """Not to be changed."""
    return sample_workspace(tmp_path_factory)


@pytest.fixture(scope="session")
def served(sample: SampleWorkspace, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """`deeplens serve` over the sample library."""
    with serving(sample.workspace, tmp_path_factory.mktemp("served")) as server:
        yield server


@pytest.fixture(scope="session")
def served_empty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Over a workspace without a location."""
    folder = tmp_path_factory.mktemp("empty")
    Workspace.create(folder / "workspace").close()
    with serving(folder / "workspace", folder) as server:
        yield server


@pytest.fixture(scope="session")
def served_failures(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Over a workspace of files that are no pictures."""
    folder = tmp_path_factory.mktemp("failures")
    (folder / "files").mkdir()
    (folder / "files" / "notes.jpg").write_text("no picture")
    (folder / "files" / "empty.png").write_bytes(b"")
    with Workspace.create(folder / "workspace") as workspace:
        add_location(workspace, "files", str(folder / "files"))
        index(workspace)
    with serving(folder / "workspace", folder) as server:
        yield server


@pytest.fixture(scope="session")
def re_encoded(sample: SampleWorkspace, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three quarters of each side of an original, as JPEG of quality 60; no file of the library has these bytes."""
    (original,) = sample.places(source_id="retina", family="original")
    with Image.open(sample.library / original[0] / original[1]) as image:
        smaller = image.convert("RGB").resize((image.width * 3 // 4, image.height * 3 // 4))
    stream = io.BytesIO()
    smaller.save(stream, "JPEG", quality=60)
    target = tmp_path_factory.mktemp("query") / "from the mail.jpg"
    target.write_bytes(stream.getvalue())
    return target
