from __future__ import annotations

import pytest

from deeplens_kit.errors import SettingsError
from deeplens_kit.storage.globs import path_matcher


@pytest.mark.parametrize(
    ("pattern", "matched", "left"),
    [
        ("*.jpg", ["a.jpg", "x/y/a.jpg", "a\nb.jpg", "😀.jpg", ".jpg"], ["a.JPG", "a.jpg.txt", "a.jpg\n", "ajpg"]),
        ("a/*.jpg", ["a/1.jpg"], ["b/a/1.jpg", "a/b/1.jpg"]),
        ("a/**/x.png", ["a/x.png", "a/b/x.png", "a/b/c/x.png", "a/b\nc/x.png"], ["b/a/x.png", "ax.png"]),
        ("**/raw/*", ["raw/1", "a/raw/1"], ["raw1", "a/rawer/1"]),
        ("cache/", ["cache/", "a/cache/", "a/cache/1.jpg"], ["cache", "a/cache"]),
        ("/top", ["top", "top/1.jpg"], ["a/top"]),
        ("thumbs", ["thumbs", "a/thumbs/1.jpg"], ["thumbs2", "a.thumbs"]),
        ("IMG_??[0-4].png", ["IMG_ab3.png"], ["IMG_ab5.png", "IMG_/b3.png", "IMG_b3.png"]),
        ("#recycle/", ["#recycle/", "a/#recycle/1"], ["recycle/"]),
        ("a b ", ["a b "], ["a b"]),
        ("50%.jpg", ["50%.jpg"], ["50x.jpg"]),
        ("a.b+c", ["a.b+c"], ["aXb+c", "a.bbc"]),
        ("\ufdd0ff*", ["\udcff.jpg"], ["ÿ.jpg"]),
        ("*", ["a", "a/b", ".x"], []),
    ],
)
def test_what_a_glob_matches(pattern: str, matched: list[str], left: list[str]) -> None:
    matches = path_matcher("exclude", [pattern])
    assert matches is not None
    assert [path for path in matched + left if matches(path)] == matched


def test_any_of_several_is_enough() -> None:
    matches = path_matcher("include", ["*.jpg", "cache/", "a/**/x"])
    assert matches is not None
    assert [matches(path) for path in ("1.jpg", "cache/1.png", "a/b/x", "1.png")] == [True, True, True, False]


def test_no_pattern_is_no_test() -> None:
    assert path_matcher("include", []) is None


@pytest.mark.parametrize("pattern", ["", "[", "a\\", "/", "\ufdd0zz"])
def test_a_glob_that_cannot_be_read_is_refused(pattern: str) -> None:
    with pytest.raises(SettingsError, match=r"'exclude'.*gitignore"):
        path_matcher("exclude", [pattern])


def test_a_negated_glob_is_refused() -> None:
    with pytest.raises(SettingsError, match=r"negated.*'include'"):
        path_matcher("exclude", ["*.jpg", "!keep.jpg"])
