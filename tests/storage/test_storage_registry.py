from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import deeplens_kit.storage as storage
from deeplens_kit.errors import LocationUnavailableError, SettingsError, UnknownNameError
from deeplens_kit.storage import describe_kinds, kinds, normalise_url, open_location
from deeplens_kit.storage.local import LocalLocation, LocalOptions
from deeplens_kit.storage.registry import given_options


def _root(url: str) -> str:
    opened = open_location("L", "pics", url, {})
    assert isinstance(opened, LocalLocation)
    return str(opened.root)


def test_paths_and_file_urls_name_the_same_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    want = str(tmp_path / "a b#%41")
    spelled = [
        want,
        "a b#%41",
        "./a b#%41/",
        "~/a b#%41",
        f"{tmp_path}/x/../a b#%41",
        f"file://{tmp_path}/a%20b%23%2541",
        f"file://localhost{tmp_path}/a%20b#%2541",
        f"FILE:{tmp_path}/a%20b%23%2541",
    ]
    assert {_root(url) for url in spelled} == {want}
    assert len({normalise_url(url) for url in spelled}) == 1


def test_dots_after_a_link_are_resolved_by_the_system(tmp_path: Path) -> None:
    (tmp_path / "far" / "deep").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "far" / "deep")
    assert _root(f"{tmp_path}/link/../pics") == str(tmp_path / "far" / "pics")


@given(st.binary(min_size=1, max_size=20).filter(lambda name: b"\0" not in name and b"/" not in name))
def test_the_normal_url_is_ascii_and_names_the_same_folder(name: bytes) -> None:
    path = "/pics/x" + os.fsdecode(name)
    url = normalise_url(path)
    assert url.isascii()
    assert normalise_url(url) == url
    assert _root(url) == path


@pytest.mark.parametrize("url", ["", "a\0b", "file:///a%00b", "file://me:hunter2@server/share"])
def test_what_names_no_folder_is_refused(url: str) -> None:
    with pytest.raises(SettingsError, match=r"names no folder|names another computer") as caught:
        open_location("L", "pics", url, {})
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("url", ["gopher://me:hunter2@host/x", "simplecache::s3://me:hunter2@b/k"])
def test_an_unknown_scheme_says_what_there_is_and_no_secret(url: str) -> None:
    with pytest.raises(UnknownNameError, match=r"no kind of location named '[a-z]+'") as caught:
        open_location("L", "pics", url, {})
    assert "hunter2" not in str(caught.value)


def test_an_unknown_scheme_suggests_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'file'"):
        open_location("L", "pics", "flie://x", {})


_TABLE: dict[str, object] = {"table": "pics", "blob_column": "data"}
_LOGIN: dict[str, object] = {"password": "${PICS_PASSWORD}"}
_PLACES: dict[str, tuple[str, dict[str, object], bool, int | None]] = {
    "az": ("az://acme/photos/a b", {}, True, 8),
    "file": ("/pics/a b", {}, False, None),
    "ftp": ("ftp://me@host/a b", _LOGIN, True, 8),
    "ftps": ("ftps://me@host:2121/a b", _LOGIN, True, 8),
    "gs": ("gs://photos/a b", {}, True, 8),
    "nfs": ("nfs://server/export/a b", {"mount_point": "/mnt/pics"}, False, None),
    "postgresql": ("postgresql:///pics", _TABLE, True, 8),
    "s3": ("s3://pics/a b", {"connections": 3}, True, 3),
    "sftp": ("sftp://me@host/a b", {}, True, 8),
    "smb": ("smb://me@host/share/a b", {}, True, 8),
    "sqlite": ("sqlite:///a b/pics.db", _TABLE, False, None),
    "tar": ("tar:///a b/pics.tar", {}, False, None),
    "webdav": ("webdav://me@host/a b", _LOGIN, True, 8),
    "webdavs": ("webdavs://me@host:8443/a b", _LOGIN, True, 8),
    "zip": ("zip:///a b/pics.zip", {}, False, None),
}


@pytest.mark.parametrize("scheme", kinds())
def test_a_url_that_is_kept_opens_the_same_place_with_the_same_options(scheme: str) -> None:
    url, given, over_network, readers = _PLACES[scheme]
    options = {**given, "base_path": "2024/é x"}
    first = open_location("L", "pics", url, options)
    again = open_location("L", "pics", first.url, options)
    assert (again.url, again.place) == (first.url, first.place)
    assert first.place.endswith("2024/é x/")
    assert (first.over_network, first.readers) == (over_network, readers)
    whole = open_location("L", "pics", first.url, given)
    assert whole.url == first.url
    assert first.place == whole.place + "2024/é x/"


def test_a_mounted_share_is_on_this_machine_and_a_packed_tar_is_read_in_order(tmp_path: Path) -> None:
    share = open_location("L", "pics", "smb://me@host/share", {"mount_point": "/mnt/pics"})
    assert (share.over_network, share.readers) == (False, None)
    (tmp_path / "pics.tar").write_bytes(b"\x1f\x8b" + bytes(9))
    packed = open_location("L", "pics", f"tar://{tmp_path}/pics.tar", {})
    assert (packed.over_network, packed.readers) == (False, 1)


def test_every_kind_describes_its_options() -> None:
    described = describe_kinds()
    assert tuple(kind.scheme for kind in described) == kinds()
    for kind in described:
        names = [option.name for option in kind.options]
        assert {"include", "exclude", "hidden", "base_path", "permissions", "redundancy"} <= set(names)
        assert len(names) == len(set(names))
        for option in kind.options:
            assert option.meaning.endswith(".")
            assert option.takes


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"hiden": True}, "did you mean 'hidden'"),
        ({"hidden": "yes"}, "'hidden' is 'yes'; it must be true or false"),
        ({"include": "*.jpg"}, "'include' is '\\*.jpg'; it must be a list"),
        ({"exclude": ["!a"]}, "negated"),
    ],
)
def test_options_that_are_not_allowed(options: dict[str, object], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        open_location("L", "pics", "/pics", options)


@pytest.mark.parametrize(
    ("item", "message"),
    [
        ("password:hunter2", "--option 'password' is not allowed so; write KEY=VALUE"),
        ("password hunter2", "--option 'password' is not allowed so"),
        ("hunter2", "--option is not allowed so"),
        ("=hunter2", "--option is not allowed so"),
        ("password:hunter2=x", "--option 'password' is not"),
        ("passwort=hunter2", "no location option named 'passwort'; did you mean 'password'"),
        ("hidden", "--option 'hidden' is not"),
    ],
)
def test_an_option_that_is_not_understood_is_told_without_what_may_be_a_password(item: str, message: str) -> None:
    with pytest.raises(SettingsError, match=message) as caught:
        given_options("smb://me@host/share", [item])
    assert "hunter2" not in str(caught.value)


def test_a_password_that_is_no_text_is_not_repeated() -> None:
    with pytest.raises(SettingsError, match="'password' is no text") as caught:
        open_location("L", "pics", "smb://me@host/share", {"password": ["hunter2"]})
    assert "hunter2" not in str(caught.value)


def test_options_become_frozen_values() -> None:
    assert LocalOptions.of({"include": ["*.jpg"], "hidden": True}) == LocalOptions(include=("*.jpg",), hidden=True)


def test_opening_asks_nothing_of_the_storage_and_checking_does(tmp_path: Path) -> None:
    missing = open_location("L", "pics", str(tmp_path / "no\nsuch"), {})
    for ask in (missing.check, missing.list):
        with pytest.raises(LocationUnavailableError, match="does not exist; connect its disk") as caught:
            ask()
        assert caught.value.location == "pics"
        assert "no\\nsuch" in str(caught.value)


def test_public_names_are_there() -> None:
    assert all(hasattr(storage, name) for name in storage.__all__)


def test_importing_the_stage_loads_no_kind_and_no_fsspec() -> None:
    code = "import sys, deeplens_kit.storage; print([m for m in sys.modules if 'fsspec' in m or 'storage.local' in m])"
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
