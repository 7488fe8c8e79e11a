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
from deeplens_kit.storage import kinds, normalise_url, open_location
from deeplens_kit.storage.local import LocalLocation, LocalOptions


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


@pytest.mark.parametrize("url", ["", "a\0b", "file:///a%00b", "file://server/share"])
def test_what_names_no_folder_is_refused(url: str) -> None:
    with pytest.raises(SettingsError, match=r"names no folder|names another computer"):
        open_location("L", "pics", url, {})


@pytest.mark.parametrize("url", ["s3://bucket/k", "GS://bucket", "sftp://me:hunter2@host/x", "simplecache::s3://b/k"])
def test_a_scheme_of_later_says_what_is_supported_and_no_secret(url: str) -> None:
    with pytest.raises(SettingsError, match="not supported yet; supported now: file and plain paths") as caught:
        open_location("L", "pics", url, {})
    assert "hunter2" not in str(caught.value)


def test_an_unknown_scheme_suggests_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'file'"):
        open_location("L", "pics", "flie://x", {})


def test_kinds() -> None:
    assert kinds() == ("file",)


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


def test_options_become_frozen_values() -> None:
    assert LocalOptions.of({"include": ["*.jpg"], "hidden": True}) == LocalOptions(include=("*.jpg",), hidden=True)


def test_opening_asks_nothing_of_the_storage_and_checking_does(tmp_path: Path) -> None:
    missing = open_location("L", "pics", str(tmp_path / "no\nsuch"), {})
    for ask in (missing.check, missing.list):
        with pytest.raises(LocationUnavailableError, match="does not exist; connect its disk") as caught:
            ask()
        assert caught.value.location == "pics"
        assert "no\\nsuch" in str(caught.value)


def test_public_names_are_sorted_and_there() -> None:
    assert sorted(storage.__all__) == storage.__all__
    assert all(hasattr(storage, name) for name in storage.__all__)


def test_importing_the_stage_loads_no_kind_and_no_fsspec() -> None:
    code = "import sys, deeplens_kit.storage; print([m for m in sys.modules if 'fsspec' in m or 'storage.local' in m])"
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
