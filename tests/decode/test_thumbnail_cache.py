"""Thumbnails are encoded small and kept in files that may vanish at any time."""

from __future__ import annotations

import io
import threading

import numpy as np
import pytest
from PIL import Image

from deeplens_kit.decode import DECODE_SPEC, THUMBNAIL_SIDES_PX, ThumbnailCache, decode_thumbnail, encode_thumbnail
from deeplens_kit.errors import SettingsError

DIGEST = "ab" * 32


@pytest.mark.parametrize(
    ("size", "side", "expected"),
    [
        ((384, 256), 300, (300, 200)),
        ((384, 256), 150, (150, 100)),
        ((100, 50), 300, (100, 50)),
        ((384, 1), 150, (150, 1)),
    ],
)
def test_thumbnails_are_webp_of_the_asked_side(size, side, expected, photo):
    rgb = np.asarray(photo.resize(size))
    with Image.open(io.BytesIO(encode_thumbnail(rgb, side))) as thumbnail:
        assert thumbnail.format == "WEBP"
        assert thumbnail.size == expected


def test_thumbnails_look_like_the_picture(photo, difference):
    rgb = np.asarray(photo.resize((384, 256)))
    with Image.open(io.BytesIO(encode_thumbnail(rgb))) as thumbnail:
        assert difference(np.asarray(thumbnail.convert("RGB")), photo.resize((300, 200))) < 6


def test_a_kept_thumbnail_is_read_back_and_a_damaged_one_is_none(photo):
    content = encode_thumbnail(np.asarray(photo.resize((384, 256))))
    with Image.open(io.BytesIO(content)) as thumbnail:
        assert np.array_equal(decode_thumbnail(content), np.asarray(thumbnail.convert("RGB")))
    png = io.BytesIO()
    photo.resize((8, 8)).save(png, "PNG")
    for damaged in (b"", content[:40], content[:12] + bytes(len(content) - 12), png.getvalue()):
        assert decode_thumbnail(damaged) is None


def test_quality_and_method_are_obeyed(photo):
    rgb = np.asarray(photo)
    assert len(encode_thumbnail(rgb, quality=20)) < len(encode_thumbnail(rgb, quality=90))
    assert encode_thumbnail(rgb, method=0) != encode_thumbnail(rgb, method=6)


@pytest.fixture
def content(photo) -> bytes:
    return encode_thumbnail(np.asarray(photo))


def test_what_was_put_is_got(tmp_path, content):
    cache = ThumbnailCache(tmp_path)
    assert cache.get(DIGEST) is None
    path = cache.put(DIGEST, content)
    assert ThumbnailCache(tmp_path).get(DIGEST) == content
    assert path == cache.path(DIGEST)
    assert path.parts[-5:] == (DECODE_SPEC, "300", "ab", "ab", f"{DIGEST}.webp")


def test_the_key_holds_digest_side_and_decode_path(tmp_path):
    cache = ThumbnailCache(tmp_path)
    paths = {cache.path(digest, side) for digest in (DIGEST, "cd" * 32) for side in THUMBNAIL_SIDES_PX}
    assert len(paths) == 6
    assert all(DECODE_SPEC in path.parts for path in paths)


@pytest.mark.parametrize("side", [0, 151, 299, 1200, -300])
def test_other_sides_are_refused(side, tmp_path, content):
    cache = ThumbnailCache(tmp_path)
    with pytest.raises(SettingsError, match="150"):
        cache.put(DIGEST, content, side)
    with pytest.raises(SettingsError, match="150"):
        cache.get(DIGEST, side)


@pytest.mark.parametrize("digest", ["", "../../etc/passwd", "AB" * 32, "ab" * 31, "ab" * 32 + "\n", "g" * 64])
def test_what_is_no_digest_never_becomes_a_path(digest, tmp_path, content):
    cache = ThumbnailCache(tmp_path)
    assert cache.get(digest) is None
    with pytest.raises(SettingsError):
        cache.put(digest, content)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "damage", [lambda c: b"", lambda c: c[:-1], lambda c: c[: len(c) // 2], lambda c: bytes(len(c))]
)
def test_damaged_files_are_missing(damage, tmp_path, content):
    cache = ThumbnailCache(tmp_path)
    cache.put(DIGEST, content).write_bytes(damage(content))
    assert cache.get(DIGEST) is None
    cache.put(DIGEST, content)
    assert cache.get(DIGEST) == content


def test_concurrent_writers_and_readers_see_whole_files(tmp_path, photo):
    versions = [encode_thumbnail(np.asarray(photo), quality=quality) for quality in (10, 50, 90)]
    cache = ThumbnailCache(tmp_path)
    cache.put(DIGEST, versions[0])
    wrong: list[object] = []

    def write(content: bytes) -> None:
        for _ in range(60):
            cache.put(DIGEST, content)

    def read() -> None:
        for _ in range(200):
            if cache.get(DIGEST) not in versions:
                wrong.append(1)

    threads = [threading.Thread(target=write, args=(content,)) for content in versions]
    threads += [threading.Thread(target=read) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert [path.name for path in cache.path(DIGEST).parent.iterdir()] == [f"{DIGEST}.webp"]


def test_a_failed_write_leaves_nothing_behind(tmp_path, content):
    cache = ThumbnailCache(tmp_path)
    cache.put(DIGEST, content[:100])
    folder = cache.path(DIGEST).parent
    folder.rename(folder.with_name("moved"))
    folder.write_bytes(b"a file where a folder should be")
    with pytest.raises(OSError, match="exists"):
        cache.put(DIGEST, content)
    assert folder.read_bytes() == b"a file where a folder should be"
