from __future__ import annotations

import os

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from deeplens_kit.errors import ObjectUnreadableError
from deeplens_kit.storage import decode_path, display_path, encode_path

# A name as a POSIX system may have it: any bytes but NUL and '/', plus names that try to look like escapes.
_NATIVE = st.one_of(
    st.binary(max_size=40).map(lambda data: os.fsdecode(data.replace(b"\0", b"").replace(b"/", b""))),
    st.lists(st.sampled_from(["\ufdd0", "\udc80", "\udcff", "0", "00", "ff", "8", "a", "é", "\n", "😀"])).map("".join),
)


@given(_NATIVE)
@example("\ufdd0ff")
@example("\udcff")
@example("\ufdd0" * 2 + "\udc80")
def test_a_name_comes_back_and_is_text(native: str) -> None:
    path = encode_path(native)
    assert path.encode("utf-8").decode("utf-8") == path
    assert decode_path(path) == native


@given(_NATIVE, _NATIVE)
def test_different_names_stay_different(one: str, other: str) -> None:
    assert (encode_path(one) == encode_path(other)) == (one == other)
    shown = display_path(encode_path(one)), display_path(encode_path(other))
    assert (shown[0] == shown[1]) == (one == other)


@given(_NATIVE, _NATIVE)
def test_parts_may_be_encoded_one_by_one(folder: str, name: str) -> None:
    assert encode_path(f"{folder}/{name}") == f"{encode_path(folder)}/{encode_path(name)}"


@given(_NATIVE)
def test_what_is_shown_stays_on_one_line(native: str) -> None:
    shown = display_path(encode_path(native))
    assert len(shown.splitlines()) <= 1
    assert all(ord(character) >= 0x20 for character in shown)


@pytest.mark.parametrize("name", ["a b", "50%", "#1", "été", "😀.jpg", "名前"])
def test_ordinary_names_are_kept_as_they_are(name: str) -> None:
    assert encode_path(name) == decode_path(name) == display_path(name) == name


@pytest.mark.parametrize(
    ("native", "encoded", "shown"),
    [
        ("a\nb", "a\nb", r"a\nb"),
        ("\udcff", "\ufdd0ff", r"\xff"),
        ("\x85", "\x85", r"\u0085"),
        ("\udc85", "\ufdd085", r"\x85"),
        ("\ufdd0", "\ufdd000", r"\ufdd0"),
        ("a\\nb", "a\\nb", r"a\\nb"),
        ("gpj\u202e.exe", "gpj\u202e.exe", r"gpj\u202e.exe"),
    ],
)
def test_canonical_values(native: str, encoded: str, shown: str) -> None:
    assert encode_path(native) == encoded
    assert display_path(encoded) == shown


@pytest.mark.parametrize("path", ["\ufdd0", "\ufdd07f", "\ufdd0FF", "a\ufdd0z"])
def test_a_path_that_no_listing_gave_is_refused(path: str) -> None:
    with pytest.raises(ObjectUnreadableError, match="U\\+FDD0"):
        decode_path(path)


def test_a_surrogate_that_is_no_byte_is_refused() -> None:
    with pytest.raises(ObjectUnreadableError, match="stands for no byte"):
        encode_path("\ud800")
