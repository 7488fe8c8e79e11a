"""What archives have that folders have not: names that lead out, damage, passwords, compression, order."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import random
import stat
import struct
import tarfile
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from deeplens_kit.errors import (
    LocationUnavailableError,
    ObjectChangedError,
    ObjectForbiddenError,
    ObjectUnreadableError,
    SettingsError,
)
from deeplens_kit.storage import LocationKind, encode_path, open_location
from deeplens_kit.storage.archive import packed
from deeplens_kit.storage.archive.members import member_path

Opener = Callable[[Path], LocationKind]


@pytest.fixture
def opened(request: pytest.FixtureRequest) -> Opener:
    def opening(file: Path) -> LocationKind:
        scheme = "zip" if file.suffix == ".zip" else "tar"
        location = open_location("L", "pics", file.as_uri().replace("file", scheme, 1), {})
        request.addfinalizer(location.close)
        return location

    return opening


def _zip(file: Path, contents: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, data in contents.items():
            archive.writestr(name, data)
    return file


def _tar(contents: list[tuple[str, bytes]]) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as tar:
        for name, data in contents:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return stream.getvalue()


def _content(number: int) -> bytes:
    return random.Random(number).randbytes(3000 + number)


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("a/b.jpg", "a/b.jpg"),
        ("./a//b.jpg", "a/b.jpg"),
        ("a:b.jpg", "a:b.jpg"),
        *((name, None) for name in ("/a", "\\a", "../a", "a/../b", "a\\..\\b", "C:\\a", "c:/a", "", "./", "a\0b")),
    ],
)
def test_names_that_lead_out_are_refused(name: str, path: str | None) -> None:
    assert member_path(name) == path


@pytest.mark.parametrize(
    ("url", "good"), [("zip:///a//b.zip", "zip:///a/b.zip"), ("TAR:///a%20b.tar", "tar:///a%20b.tar")]
)
def test_urls_have_one_spelling(url: str, good: str) -> None:
    assert open_location("L", "pics", url, {}).url == good


@pytest.mark.parametrize("url", ["zip://", "zip://relative.zip", "tar://host/a.tar", "zip:///a%00b"])
def test_urls_that_name_no_file_are_refused(url: str) -> None:
    with pytest.raises(SettingsError, match="names no file; write"):
        open_location("L", "pics", url, {})


def test_a_zip_lists_files_only_and_the_last_of_a_name(tmp_path: Path, opened: Opener) -> None:
    file = tmp_path / "a.zip"
    link, device = zipfile.ZipInfo("link"), zipfile.ZipInfo("device")
    link.external_attr, device.external_attr = (stat.S_IFLNK | 0o777) << 16, (stat.S_IFCHR | 0o600) << 16
    with zipfile.ZipFile(file, "w") as archive:
        archive.mkdir("folder")
        for name in ("a.jpg", "../out.jpg", "b.jpg"):
            archive.writestr(name, b"first")
        archive.writestr(link, "a.jpg")
        archive.writestr(device, "")
        with pytest.warns(UserWarning, match="Duplicate name"):
            archive.writestr("a.jpg", b"second")
    location = opened(file)
    listing = location.list()
    assert listing.frame["path"].to_list() == ["b.jpg", "a.jpg"]
    assert dict(listing.skipped) == {"special": 3, "symlink": 1}
    assert location.read("a.jpg", max_bytes=9) == b"second"


def test_names_of_a_zip_without_a_mark_are_utf8_or_the_code_page_of_dos(tmp_path: Path, opened: Opener) -> None:
    file = _zip(tmp_path / "a.zip", {"a.jpg": b"1", "b.jpg": b"2"})
    data = file.read_bytes().replace(b"a.jpg", "é.jp".encode()).replace(b"b.jpg", b"\x82.jpg")
    file.write_bytes(data)
    assert opened(file).list().frame["path"].to_list() == ["é.jp", "é.jpg"]


def test_members_of_a_zip_that_cannot_be_read_say_why(tmp_path: Path, opened: Opener) -> None:
    contents = dict.fromkeys(("plain", "secret", "deflate64", "crc", "short", "long"), b"content of a member " * 9)
    file = _zip(tmp_path / "a.zip", contents)
    data = bytearray(file.read_bytes())

    def patch(name: str, at: int, form: str, value: int) -> None:
        """In the directory at the end (APPNOTE.TXT 4.3.12): its names stand 46 bytes behind their entries."""
        struct.pack_into(form, data, data.rindex(name.encode()) - 46 + at, value)

    patch("secret", 8, "<H", 1)
    patch("deflate64", 10, "<H", 9)
    patch("crc", 16, "<I", 1)
    patch("short", 24, "<I", 7)
    patch("long", 24, "<I", 10**6)
    file.write_bytes(data)
    location = opened(file)
    assert location.list().frame.height == 6
    assert location.read("plain", max_bytes=999) == contents["plain"]
    for name, error, message in (
        ("secret", ObjectForbiddenError, "encrypted with a password"),
        ("deflate64", ObjectUnreadableError, r"compression \(deflate64\) is not read"),
        ("crc", ObjectUnreadableError, "damaged in the archive: Bad CRC-32"),
        ("short", ObjectUnreadableError, "damaged in the archive: Bad CRC-32"),  # no more than it says is unpacked
        ("long", ObjectUnreadableError, "damaged in the archive"),
    ):
        with pytest.raises(error, match=message):
            location.read(name, max_bytes=10**7)


_METHODS = {"stored": 0, "deflate": 8, "bzip2": 12, "lzma": 14}


@pytest.mark.parametrize("method", _METHODS.values(), ids=_METHODS)
def test_members_of_a_zip_are_read_whole_and_in_parts(tmp_path: Path, opened: Opener, method: int) -> None:
    contents = {"a.bin": _content(1) + bytes(3 * 2**20) + _content(2), "empty": b"", "b.bin": _content(3)}
    location = opened(_zip(tmp_path / "a.zip", contents, method))
    assert {name: location.read(name, max_bytes=2**23) for name in contents} == contents
    with location.open("a.bin") as file:
        for start in (2**20 + 5, 10, 3 * 2**20):
            file.seek(start)
            assert file.read(3000) == contents["a.bin"][start : start + 3000]


@pytest.mark.parametrize("method", [12, 14])
def test_damage_of_a_packed_member_is_told(tmp_path: Path, opened: Opener, method: int) -> None:
    file = _zip(tmp_path / "a.zip", {"crc": _content(1), "cut": _content(2)}, method)
    data = bytearray(file.read_bytes())
    struct.pack_into("<I", data, data.rindex(b"crc") - 46 + 16, 1)
    struct.pack_into("<I", data, data.rindex(b"cut") - 46 + 20, 1500)  # of its compressed bytes
    file.write_bytes(data)
    for name, message in (("crc", "Bad CRC-32"), ("cut", "it ends after 0 of 3002 bytes" if method == 12 else "ends")):
        with pytest.raises(ObjectUnreadableError, match=rf"damaged in the archive: .*{message}"):
            opened(file).read(name, max_bytes=10**7)


@pytest.mark.parametrize("method", [12, 14])
def test_a_member_that_unpacks_to_more_than_it_says_is_never_held(tmp_path: Path, opened: Opener, method: int) -> None:
    file = _zip(tmp_path / "a.zip", {"bomb": bytes(2**25)}, method)
    data = bytearray(file.read_bytes())
    struct.pack_into("<I", data, data.rindex(b"bomb") - 46 + 24, 2**16)
    file.write_bytes(data)
    location = opened(file)
    location.list()
    tracemalloc.start()
    try:
        with pytest.raises(ObjectUnreadableError, match="damaged in the archive"):
            location.read("bomb", max_bytes=2**20)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 2**24


def test_a_zip_tells_times_only_with_their_zone(tmp_path: Path, opened: Opener) -> None:
    told, untold = zipfile.ZipInfo("told"), zipfile.ZipInfo("untold")
    told.extra = struct.pack("<HHBi", 0x5455, 5, 1, 86400)
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr(told, "1")
        archive.writestr(untold, "1")
    times = opened(tmp_path / "a.zip").list().frame["modified_at"]
    assert [time and time.isoformat() for time in times] == ["1970-01-02T00:00:00+00:00", None]


@pytest.mark.parametrize("pack", [bytes, gzip.compress, bz2.compress, lzma.compress])
def test_a_tar_lists_files_only_in_its_order(tmp_path: Path, opened: Opener, pack: Callable[[bytes], bytes]) -> None:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as tar:
        for name, kind, link in (
            ("./b.jpg", tarfile.REGTYPE, ""),
            ("folder", tarfile.DIRTYPE, ""),
            ("x" * 120 + "\udcff.jpg", tarfile.REGTYPE, ""),
            ("link", tarfile.SYMTYPE, "b.jpg"),
            ("hard", tarfile.LNKTYPE, "b.jpg"),
            ("pipe", tarfile.FIFOTYPE, ""),
            ("/etc/x.jpg", tarfile.REGTYPE, ""),
            ("b.jpg", tarfile.REGTYPE, ""),
        ):
            info = tarfile.TarInfo(name)
            info.type, info.linkname, info.size = kind, link, 7 if kind == tarfile.REGTYPE else 0
            tar.addfile(info, io.BytesIO(b"content"))
    (tmp_path / "a.tar").write_bytes(pack(stream.getvalue()))
    location = opened(tmp_path / "a.tar")
    listing = location.list()
    odd = encode_path("x" * 120 + "\udcff.jpg")
    assert listing.frame["path"].to_list() == [odd, "b.jpg"]
    assert dict(listing.skipped) == {"special": 3, "symlink": 2}
    assert location.read(odd, max_bytes=9) == b"content"
    assert location.readers == (None if pack is bytes else 1)
    assert bool(location.check().remarks) == (pack in (bz2.compress, lzma.compress))


def test_a_sparse_member_of_a_tar_has_zeros_in_its_holes(tmp_path: Path, opened: Opener) -> None:
    header = bytearray(tarfile.TarInfo("sparse.bin").tobuf(tarfile.GNU_FORMAT))
    header[156:157] = tarfile.GNUTYPE_SPARSE
    header[124:136] = b"%011o\0" % 1024
    pieces = ((512, 512), (4096, 512))
    for number, (start, length) in enumerate(pieces):
        header[386 + 24 * number : 410 + 24 * number] = b"%011o\0%011o\0" % (start, length)
    header[483:495] = b"%011o\0" % 5000
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    (tmp_path / "a.tar").write_bytes(bytes(header) + b"A" * 512 + b"B" * 512 + bytes(1024))
    whole = bytes(512) + b"A" * 512 + bytes(3072) + b"B" * 512 + bytes(392)
    location = opened(tmp_path / "a.tar")
    assert location.read("sparse.bin", max_bytes=5000) == whole
    with location.open("sparse.bin") as stream:
        stream.seek(1000)
        assert stream.read(3200) == whole[1000:4200]


_MEMBERS = [(f"{number}.bin", _content(number)) for number in range(8)]


@pytest.mark.parametrize("pack", [bytes, gzip.compress, bz2.compress, lzma.compress])
@pytest.mark.parametrize("end", [0.3, 0.97])
def test_an_archive_that_is_cut_off_is_not_listed(
    tmp_path: Path, opened: Opener, pack: Callable[[bytes], bytes], end: float
) -> None:
    whole = pack(_tar(_MEMBERS)[: 8 * 3584 + 512])
    (tmp_path / "a.tar").write_bytes(whole[: int(len(whole) * end)])
    with pytest.raises(LocationUnavailableError, match=r"cut off or damaged.*Nothing was marked as gone"):
        opened(tmp_path / "a.tar").list()


def test_a_tar_that_ends_between_two_members_is_not_listed(tmp_path: Path, opened: Opener) -> None:
    (tmp_path / "a.tar").write_bytes(_tar(_MEMBERS)[: 2 * (512 + 3072)])
    with pytest.raises(LocationUnavailableError, match="after 2 members there is neither another nor the end"):
        opened(tmp_path / "a.tar").list()


def test_a_tar_with_a_damaged_header_is_not_listed(tmp_path: Path, opened: Opener) -> None:
    data = bytearray(_tar(_MEMBERS))
    data[2 * 3584 + 150] ^= 1
    (tmp_path / "a.tar").write_bytes(data)
    with pytest.raises(LocationUnavailableError, match="after 2 members there is neither"):
        opened(tmp_path / "a.tar").check()


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("a.zip", b"PK\3\4 and no more", "cut off or damaged"),
        ("a.zip", b"plain text", "is no ZIP archive"),
        ("a.zip", b"", "is no ZIP archive"),
        ("a.tar", b"plain text" * 100, "cut off or damaged"),
        ("a.tar", b"", "cut off or damaged"),
        ("a.tar", b"\x28\xb5\x2f\xfd....", "Zstandard are not read"),
        ("a.tar", bz2.compress(bytes(9))[:6] + b"x" * 50, "archive is damaged"),
        (
            "a.tar",
            gzip.compress(_tar([("a", b"1")]), mtime=0)[:-8] + bytes(8),
            "cut off or damaged: .*incorrect data check",
        ),
    ],
    ids=("half a zip", "text.zip", "empty.zip", "text.tar", "empty.tar", "zstandard", "bzip2", "gzip"),
)
def test_what_is_no_archive_is_not_listed(tmp_path: Path, opened: Opener, name: str, data: bytes, message: str) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(LocationUnavailableError, match=message):
        opened(tmp_path / name).list()


def test_a_zip_that_is_cut_off_is_not_listed(tmp_path: Path, opened: Opener) -> None:
    file = _zip(tmp_path / "a.zip", {"a": bytes(5000), "b": b"1"})
    file.write_bytes(file.read_bytes()[:-30])
    with pytest.raises(LocationUnavailableError, match="cut off or damaged"):
        opened(file).list()


@pytest.mark.parametrize("name", ["gone.zip", "gone.tar"])
def test_an_archive_that_is_not_there_marks_nothing_as_gone(tmp_path: Path, opened: Opener, name: str) -> None:
    location = opened(tmp_path / name)
    for ask in (location.check, location.list, lambda: location.stat("a")):
        with pytest.raises(LocationUnavailableError, match=r"No such file.*Nothing was marked as gone"):
            ask()


def test_a_pipe_is_not_waited_for(tmp_path: Path, opened: Opener) -> None:
    os.mkfifo(tmp_path / "a.zip")
    with pytest.raises(LocationUnavailableError, match="no regular file"):
        opened(tmp_path / "a.zip").list()


def test_a_change_of_the_archive_changes_every_token(tmp_path: Path, opened: Opener) -> None:
    file = _zip(tmp_path / "a.zip", {"a": b"1", "b": b"2"})
    location = opened(file)
    before = {path: location.stat(path) for path in ("a", "b")}
    with location.open("a") as held:
        _zip(tmp_path / "new.zip", {"a": b"1", "b": b"3"}).replace(file)
        for path, state in before.items():
            with pytest.raises(ObjectChangedError):
                location.read(path, expected=state, max_bytes=9)
        with pytest.raises(ObjectChangedError):
            held.read()
    assert location.read("b", max_bytes=9) == b"3"
    _zip(file, {"b": b"4"})
    assert location.read("b", max_bytes=9) == b"4"


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress])
def test_streams_behind_one_another_are_read_from_any_place_on(
    tmp_path: Path, opened: Opener, pack: Callable[[bytes], bytes]
) -> None:
    members = [(f"{number}.bin", _content(number)) for number in range(40)]
    data = _tar(members)
    parts = [data[start : start + 20_000] for start in range(0, len(data), 20_000)]
    (tmp_path / "a.tar").write_bytes(b"".join(map(pack, parts)) + bytes(512))
    location = opened(tmp_path / "a.tar")
    shuffled = random.Random(3).sample(members, len(members))
    assert [location.read(path, max_bytes=10_000) for path, _ in shuffled] == [data for _, data in shuffled]


@pytest.mark.parametrize(("order", "most"), [("listed", 1.1), ("backwards", 6.0)])
def test_a_gzipped_tar_is_not_unpacked_anew_for_each_member(
    tmp_path: Path, opened: Opener, monkeypatch: pytest.MonkeyPatch, order: str, most: float
) -> None:
    members = [(f"{number}.bin", _content(number)) for number in range(200)]
    data = _tar(members)
    (tmp_path / "a.tar").write_bytes(gzip.compress(data, 1))
    monkeypatch.setattr(packed, "_MOST_UNPACKED_BYTES", 5_000)
    monkeypatch.setattr(packed, "_FIRST_STEP_BYTES", 10_000)
    unpacked = 0
    take = packed.PackedReader._take

    def counted(reader: packed.PackedReader, count: int) -> None:
        nonlocal unpacked
        unpacked += count
        take(reader, count)

    location = opened(tmp_path / "a.tar")
    paths = location.list().frame["path"].to_list()
    monkeypatch.setattr(packed.PackedReader, "_take", counted)
    for path in paths if order == "listed" else reversed(paths):
        location.read(path, max_bytes=10_000)
    assert len(data) * 0.9 < unpacked < len(data) * most
