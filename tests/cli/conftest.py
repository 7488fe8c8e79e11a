"""The command in this process, and a workspace that is indexed."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import skimage.data
from cli_process import Deeplens, Result, make_pictures
from PIL import Image, ImageDraw
from shared_folder import shared_folder

from deeplens_kit.cli import main
from deeplens_kit.pipeline import Workspace, add_location, index


@pytest.fixture
def deeplens(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Deeplens]:
    """Runs the command in this process; the current folder is an empty one."""
    monkeypatch.delenv("DEEPLENS_WORKSPACE", raising=False)
    monkeypatch.setenv("COLUMNS", "200")
    empty = tmp_path / "current"
    empty.mkdir()
    monkeypatch.chdir(empty)
    root = logging.getLogger()
    level, handlers = root.level, list(root.handlers)

    def run(*words: object) -> Result:
        capsys.readouterr()
        code = main([str(word) for word in words])
        said = capsys.readouterr()
        return Result(code, said.out, said.err)

    yield run
    logging.captureWarnings(False)
    root.setLevel(level)
    root.handlers[:] = handlers


@pytest.fixture(scope="session")
def indexed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace over the pictures, indexed once; not to be changed.

    Its pictures are of its own: a test moves them away for a while.
    """
    folder = tmp_path_factory.mktemp("library")
    workspace = folder / "workspace"
    with Workspace.create(workspace) as made:
        for name, place in make_pictures(folder / "pictures").items():
            add_location(made, name, str(place))
        index(made)
    return workspace


@pytest.fixture(scope="session")
def related(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace over a photograph, a crop of it, and the photograph with a caption below; not to be changed."""
    return _workspace_of(shared_folder(tmp_path_factory, "cli-related", _make_related), tmp_path_factory)


def _workspace_of(made: Path, factory: pytest.TempPathFactory) -> Path:
    """A copy of the workspace, for commands write into it what they did; the pictures are those of the whole run."""
    folder = factory.mktemp("library")
    shutil.copytree(made / "workspace", folder / "workspace")
    (folder / "pictures").symlink_to(made / "pictures")
    return folder / "workspace"


def _make_related(folder: Path) -> None:
    pictures = folder / "pictures"
    pictures.mkdir()
    photograph = Image.fromarray(skimage.data.coffee())
    photograph.save(pictures / "photo.jpg", quality=92)
    photograph.crop((60, 40, 540, 360)).save(pictures / "crop.jpg", quality=90)
    captioned = Image.new("RGB", (600, 465), "white")
    captioned.paste(photograph)
    ImageDraw.Draw(captioned).text(
        (30, 420), "An espresso, as it was served to us in March", fill="black", font_size=24
    )
    captioned.save(pictures / "captioned.jpg", quality=92)
    with Workspace.create(folder / "workspace") as workspace:
        add_location(workspace, "pics", str(pictures))
        index(workspace)


@pytest.fixture
def library(tmp_path: Path, deeplens: Deeplens) -> tuple[Path, dict[str, Path]]:
    """A workspace of the test's own with the pictures, not indexed yet."""
    workspace = tmp_path / "workspace"
    assert deeplens("init", workspace).code == 0
    return workspace, make_pictures(tmp_path / "pictures")
