"""The page is one well-formed file that escapes every name and asks for nothing."""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Callable
from html.parser import HTMLParser
from itertools import pairwise
from typing import Any

import pytest
from PIL import Image

PageOf = Callable[..., str]

VOID = {"meta", "link", "img", "br", "rect"}
NEEDS_URL = {"src", "href", "srcset", "action", "poster", "data"}


class Page(HTMLParser):
    """Collects tags and text, and checks that tags close in order."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text: list[str] = []
        self.feed(html)
        self.close()
        assert self.open == [], f"not closed: {self.open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.text.append(data)

    @property
    def words(self) -> str:
        return re.sub(r"\s+", " ", "".join(self.text))

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attrs for name, attrs in self.tags if name == tag]


@pytest.fixture(scope="module")
def full(answer: Any, page_of: PageOf) -> Page:
    return Page(page_of(answer))


def test_nothing_is_loaded_from_elsewhere(full: Page, answer: Any, page_of: PageOf) -> None:
    assert full.all("script") == []
    for tag, attrs in full.tags:
        for name, value in attrs.items():
            assert not name.startswith("on"), f"{tag} runs a script"
            if name in NEEDS_URL:
                assert (value or "").startswith(("data:", "#")), f"{tag} {name}={value}"
    style = re.search(r"<style>(.*?)</style>", page_of(answer), re.DOTALL)
    assert style is not None
    assert "url(" not in style[1]
    assert "@import" not in style[1]
    (policy,) = [attrs["content"] for attrs in full.all("meta") if "http-equiv" in attrs]
    assert policy is not None
    assert policy.startswith("default-src 'none'")


def test_hostile_names_stay_text(full: Page, answer: Any, page_of: PageOf) -> None:
    html = page_of(answer)
    assert "<script" not in html
    assert r"evil/<script>alert(1)</script>\n\xff.jpg" in full.words.replace("</ ", "</")
    assert "Shop & <Web>" in full.words
    assert "pictures <b>of</b> the office" in full.words
    assert full.all("b") and not any("<b>of" in text for text in html.split("pictures ")[1:2])


def test_pictures_are_embedded_once_each_with_a_text(full: Page) -> None:
    images = full.all("img")
    # Ten pictures, two of them also beside the withheld match and one beside the related one; one has no preview.
    assert len(images) == 11
    assert full.words.count("No preview") == 1
    for image in images:
        assert image["alt"]
        source = image["src"] or ""
        data = base64.b64decode(source.removeprefix("data:image/webp;base64,"))
        with Image.open(io.BytesIO(data)) as picture:
            assert picture.format == "WEBP"
            assert max(picture.size) <= 300


def test_headings_and_landmarks(full: Page) -> None:
    levels = [int(tag[1]) for tag, _ in full.tags if re.fullmatch(r"h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))
    assert len(full.all("main")) == len(full.all("header")) == len(full.all("footer")) == 1
    assert full.all("html")[0]["lang"] == "en"
    ids = [attrs["id"] for _, attrs in full.tags if "id" in attrs]
    assert len(ids) == len(set(ids))
    for attrs in full.all("section"):
        assert attrs["aria-labelledby"] in ids


def test_says_what_was_found(full: Page) -> None:
    words = full.words
    for expected in (
        "could be freed",
        "7 files are copies of another that stays",
        "the 71.4 % of 14 files",
        "Keeps",
        "turned 90° clockwise",
        "PDQ: 18 of 256 bits differ",
        "SSCD small cosine 0.981",
        "another name of the kept file (hard link)",
        "frees nothing",
        "it has more pixels than the picture that would stay",
        "above a limit on bytes, pixels, frames or memory",
        "Related, not proposed",
        "differs in: all around the top left (79 % of the view)",
        "has the most pixels that carry detail",
    ):
        assert expected in words
    assert len(full.all("details")) == 3


def test_says_what_it_does_not_show(answer: Any, page_of: PageOf) -> None:
    assert "Showing 1 of 3" in Page(page_of(answer, max_groups=1)).words
    assert "Shop <was> not indexed." in Page(page_of(answer, notes=["Shop <was> not indexed."])).words
    assert "older than the catalog" not in Page(page_of(answer)).words


def test_empty_states(no_duplicates: Any, nothing_analysed: Any, nothing_found: Any, page_of: PageOf) -> None:
    none, failed, nothing = (Page(page_of(item)).words for item in (no_duplicates, nothing_analysed, nothing_found))
    assert "No duplicates found" in none
    assert "10 files that could be analysed (71.4 % of 14)" in none
    assert "Nothing could be analysed" in failed
    assert "Not analysed, and why" in failed
    assert "Nothing indexed yet" in nothing
    for words in (none, failed, nothing):
        assert "could be freed" not in words
