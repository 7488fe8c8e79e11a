"""Paths of rows: no two rows share one, and each leads back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deeplens_kit.storage.database.naming import RowName, called, path_with_key, row_name

_TEXTS = st.one_of(
    st.text(max_size=12),
    st.lists(st.sampled_from(["a", ".jpg", " [key ", "]", "/", "7", "%5D", "\udcff"]), max_size=7).map("".join),
)


@given(_TEXTS, _TEXTS)
def test_a_path_leads_back_to_its_row(name: str, key: str) -> None:
    if called(name):
        assert row_name(name) == RowName(name)
    path = path_with_key(name, key)
    assert row_name(path) == RowName(name, key)
    assert not called(path)
    assert path
    assert not path.endswith("/")


@pytest.mark.parametrize(
    ("name", "key", "path"),
    [
        ("a/b.jpg", "7", "a/b [key 7].jpg"),
        ("no suffix", "x/y]", "no suffix [key x%2Fy%5D]"),
        ("", "7", " [key 7]"),
        ("folder/", "7", "folder/ [key 7]"),
        ("a [key 1].jpg", "7", "a [key 1] [key 7].jpg"),
    ],
)
def test_the_key_stands_before_the_suffix(name: str, key: str, path: str) -> None:
    assert path_with_key(name, key) == path
