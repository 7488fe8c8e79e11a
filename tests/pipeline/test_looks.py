"""Looks and luma of pictures: made once, the same from the cache as anew, within a bound of memory."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from deeplens_kit.decode import IsolatedDecoder, decode_grey
from deeplens_kit.matching.verification import LOOK_SIDE_PX, Look
from deeplens_kit.pipeline import Workspace, index, list_objects
from deeplens_kit.pipeline.look_files import LookFiles
from deeplens_kit.pipeline.looks import PictureLooks
from deeplens_kit.settings import DecodeSettings


@pytest.fixture
def contents(pictures: Path) -> dict[str, bytes]:
    return {path.stem: path.read_bytes() for path in sorted(pictures.glob("*.jpg"))}


def same(one: Look | None, other: Look | None) -> bool:
    assert one is not None
    assert other is not None
    return all(
        np.array_equal(getattr(one, name), getattr(other, name))
        for name in ("points", "sizes", "angles", "descriptors")
    ) and all(map(np.array_equal, one.levels, other.levels))


def test_a_workspace_shows_its_pictures(workspace: Workspace, pictures: Path) -> None:
    index(workspace, and_match=False)
    digests = dict(list_objects(workspace).drop_nulls("digest").select("path", "digest").iter_rows())
    looks = PictureLooks.of_workspace(workspace)
    look = looks.look(digests["coffee.jpg"])
    assert look is not None
    assert (look.width, look.height) == (600, 400)
    assert len(look.points) > 100
    (pictures / "camera.jpg").unlink()
    assert looks.look(digests["camera.jpg"]) is None
    assert looks.luma(digests["camera.jpg"]) is None
    assert looks.unread == {digests["camera.jpg"]}
    assert looks.searched == 1


def test_luma_is_upright_and_full_size(contents: dict[str, bytes], tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    with Image.open(tmp_path / "pictures" / "coffee.jpg") as image:
        image.resize((2000, 1400)).transpose(Image.Transpose.ROTATE_90).save(tmp_path / "turned.jpg", exif=exif)
    contents["turned"] = (tmp_path / "turned.jpg").read_bytes()
    looks = PictureLooks.of_bytes(contents, DecodeSettings())
    luma, look = looks.luma("turned"), looks.look("turned")
    assert luma is not None
    assert look is not None
    assert luma.shape == (1400, 2000)
    assert (look.width, look.height) == (LOOK_SIDE_PX, round(1400 * LOOK_SIDE_PX / 2000))


def test_a_small_picture_is_decoded_once_for_look_and_luma(contents: dict[str, bytes]) -> None:
    read: list[str] = []

    def counted(digest: str) -> bytes | None:
        read.append(digest)
        return contents.get(digest)

    looks = PictureLooks(counted, IsolatedDecoder(DecodeSettings()))
    assert looks.look("coffee") is not None
    luma = looks.luma("coffee")
    assert read == ["coffee"]
    alone = PictureLooks(contents.get, IsolatedDecoder(DecodeSettings())).luma("coffee")
    assert luma is not None
    assert alone is not None
    assert np.array_equal(luma, alone)


def test_bytes_that_are_no_picture_cost_no_more_than_their_pairs(contents: dict[str, bytes]) -> None:
    looks = PictureLooks.of_bytes(contents, DecodeSettings())
    for name in ("empty", "cut", "notes"):
        assert looks.look(name) is None
        assert looks.luma(name) is None
    # They were read: reading them again would not help, unlike for what is not there at all.
    assert looks.unread == frozenset()
    assert looks.look("no such picture") is None
    assert looks.unread == {"no such picture"}


def test_many_threads_look_at_a_picture_once(contents: dict[str, bytes]) -> None:
    looks = PictureLooks.of_bytes(contents, DecodeSettings())
    all_ask = threading.Barrier(4)

    def ask(_: int) -> Look | None:
        all_ask.wait(30)
        return looks.look("astronaut")

    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(ask, range(4)))
    assert all(look is found[0] for look in found)
    assert looks.searched == 1


def test_memory_stays_within_its_bound_and_what_went_is_made_again(contents: dict[str, bytes]) -> None:
    bound = 2**20
    looks = PictureLooks(contents.get, IsolatedDecoder(DecodeSettings()), held_bytes=bound)
    first = looks.look("astronaut")
    for _ in range(2):
        for name in ("coffee", "chelsea", "camera", "astronaut"):
            assert looks.look(name) is not None
            assert looks.luma(name) is not None
            assert looks.held_bytes <= bound
    assert looks.searched > 4
    assert same(first, looks.look("astronaut"))


def test_features_in_files_are_those_that_were_found(contents: dict[str, bytes], tmp_path: Path) -> None:
    read: list[str] = []

    def counted(digest: str) -> bytes | None:
        read.append(digest)
        return contents.get(digest)

    files = LookFiles(tmp_path / "cache")
    first = PictureLooks(counted, IsolatedDecoder(DecodeSettings()), files=files)
    found = first.look("coffee")
    second = PictureLooks(counted, IsolatedDecoder(DecodeSettings()), files=files)
    assert same(second.look("coffee"), found)
    assert (first.searched, second.searched) == (1, 0)
    assert files.path("coffee").stat().st_size < 120_000


def test_a_picture_without_features_is_kept_as_one(tmp_path: Path) -> None:
    Image.new("L", (300, 200), 255).save(tmp_path / "blank.png")
    contents = {"blank": (tmp_path / "blank.png").read_bytes()}
    files = LookFiles(tmp_path / "cache")
    found = PictureLooks(contents.get, IsolatedDecoder(DecodeSettings()), files=files).look("blank")
    again = PictureLooks(contents.get, IsolatedDecoder(DecodeSettings()), files=files)
    assert same(again.look("blank"), found)
    assert again.searched == 0


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1000])


def _flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 255
    path.write_bytes(content)


def _of_another_size(path: Path) -> None:
    with np.load(path) as archive:
        arrays = dict(archive)
    np.savez(path, **arrays | {"size": np.array([10, 10], np.int32)})


def _of_other_types(path: Path) -> None:
    with np.load(path) as archive:
        arrays = dict(archive)
    np.savez(path, **arrays | {"points": arrays["points"].astype(np.float64)})


def _too_few(path: Path) -> None:
    with np.load(path) as archive:
        arrays = dict(archive)
    np.savez(path, **arrays | {"angles": arrays["angles"][:-1]})


def _no_archive(path: Path) -> None:
    np.save(path.with_suffix(".npy"), np.zeros(3))
    path.with_suffix(".npy").replace(path)


@pytest.mark.parametrize("damage", [_cut, _flip, _of_another_size, _of_other_types, _too_few, _no_archive, Path.unlink])
def test_damaged_or_deleted_files_are_made_again(
    damage: Callable[[Path], None], contents: dict[str, bytes], tmp_path: Path
) -> None:
    files = LookFiles(tmp_path / "cache")
    found = PictureLooks(contents.get, IsolatedDecoder(DecodeSettings()), files=files).look("coffee")
    damage(files.path("coffee"))
    again = PictureLooks(contents.get, IsolatedDecoder(DecodeSettings()), files=files)
    assert same(again.look("coffee"), found)
    assert again.searched == 1
    assert files.get("coffee", decode_grey(contents["coffee"], DecodeSettings(), LOOK_SIDE_PX)) is not None


def test_where_files_cannot_be_written_the_work_goes_on(contents: dict[str, bytes], tmp_path: Path) -> None:
    (tmp_path / "a file").write_bytes(b"")
    looks = PictureLooks(contents.get, IsolatedDecoder(DecodeSettings()), files=LookFiles(tmp_path / "a file"))
    assert looks.look("coffee") is not None
    assert looks.look("chelsea") is not None
