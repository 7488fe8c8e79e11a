"""Cards hold what they are given, whatever it is called."""

from __future__ import annotations

import base64
import re
from html.parser import HTMLParser

import polars as pl
import pytest

from deeplens_kit.storage.paths import display_path, encode_path
from deeplens_kit.views.cards import PLACEHOLDER, chip, message, picture_card, picture_grid, picture_src
from deeplens_kit.views.gallery import MAX_PICTURES, Gallery
from deeplens_kit.views.theme import TIER_COLOURS, viewer_style

HOSTILE = [
    "<script>alert(1)</script>.jpg",
    '"><img src=x onerror=alert(1)>.png',
    "it's & it isn't.jpg",
    "two\nlines.jpg",
    "\u202egpj.exe.jpg",
    encode_path(b"caf\xe9.jpg".decode("utf-8", "surrogateescape")),
    "{{ 7 * 7 }}${x}`y`.jpg",
]


class Reader(HTMLParser):
    """Elements that were opened, their attributes, and all texts."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.open: list[str] = []
        self.texts: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(tag)
        self.attributes += attrs
        if tag != "img":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


@pytest.mark.parametrize("name", HOSTILE)
def test_a_name_is_text_and_nothing_else(name: str) -> None:
    said = display_path(name)
    html = picture_grid(
        [picture_card(src=picture_src(None), title=said, lines=[said, said], badge=said, alt=said)], label=said
    )
    reader = Reader(html)
    assert reader.open == []
    assert set(reader.elements) == {"ul", "li", "article", "div", "img", "span", "h4", "bdi", "p"}
    assert not [name for name, _ in reader.attributes if name.startswith("on")]
    assert reader.texts.count(said) == 4
    assert dict(reader.attributes)["alt"] == " ".join(said.split())
    for hidden in ("\n", "\u202e", "\ufdd0"):
        assert hidden not in html


def test_a_title_that_was_not_made_fit_to_be_shown_is_still_no_markup() -> None:
    reader = Reader(picture_card(src="x", title=HOSTILE[0], lines=[HOSTILE[1]], alt=HOSTILE[1]))
    assert "script" not in reader.elements
    assert reader.elements.count("img") == 1
    assert HOSTILE[0] in reader.texts


def test_a_thumbnail_is_within_the_page_and_its_absence_is_a_picture_too() -> None:
    source = picture_src(b"RIFF....WEBP")
    assert base64.b64decode(source.removeprefix("data:image/webp;base64,")) == b"RIFF....WEBP"
    assert picture_src(None) == picture_src(b"") == PLACEHOLDER
    assert PLACEHOLDER.startswith("data:image/svg+xml,")
    assert not re.search(r"[<>\"\s]", PLACEHOLDER)


def test_a_failure_is_an_alert_and_nothing_found_is_a_status() -> None:
    assert 'role="alert"' in message("Not found", "a < b", kind="problem")
    assert "a &lt; b" in message("Not found", "a < b", kind="problem")
    assert 'role="status"' in message("Nothing")
    assert "<p>" not in message("Nothing")
    assert '<code class="mono">deeplens index</code>' in message("Nothing", "Run `deeplens index`.")


def test_a_tier_has_its_colour_and_other_words_have_none() -> None:
    assert chip("copy") == '<span class="chip copy">copy</span>'
    assert chip('x" onclick="') == '<span class="chip plain">x&quot; onclick=&quot;</span>'


def test_the_colours_of_plots_are_those_of_the_style_sheet() -> None:
    tokens = dict(re.findall(r"--([a-z-]+): light-dark\((#[0-9a-f]{6}),", viewer_style()))
    assert {tier: tokens[tier if tier != "scene" else "quiet"] for tier in TIER_COLOURS} == TIER_COLOURS


def test_the_style_asks_for_nothing_and_holds_for_components_in_light_and_dark() -> None:
    style = viewer_style()
    assert "url(" not in style
    assert "@import" not in style
    assert style.count(":root, :host {") == 1
    assert re.search(r"--ink: light-dark\(#[0-9a-f]{6}, #[0-9a-f]{6}\)", style)


def rows(count: int) -> pl.DataFrame:
    return pl.DataFrame(
        [{"digest": f"{n:064x}", "title": f"<{n}>.jpg", "lines": ["4 kB", "share"]} for n in range(count)],
        schema={"digest": pl.String, "title": pl.String, "lines": pl.List(pl.String)},
    )


def test_a_gallery_shows_rows_in_their_order_and_counts_what_it_leaves_out() -> None:
    asked: list[tuple[str, int]] = []

    def thumbnail(digest: str, side_px: int) -> bytes | None:
        asked.append((digest, side_px))
        return None

    gallery = Gallery(thumbnail, empty="Nothing is selected.")
    pane = gallery.__panel__()
    assert "Nothing is selected." in pane.object
    gallery.show(rows(3))
    assert re.findall(r"<bdi>&lt;(\d)&gt;.jpg</bdi>", pane.object) == ["0", "1", "2"]
    assert [digest for digest, _ in asked] == [f"{n:064x}" for n in range(3)]
    gallery.show(rows(MAX_PICTURES + 5))
    assert pane.object.count("<article") == MAX_PICTURES
    assert "and 5 more" in pane.object
    gallery.show(rows(1).with_columns(badge=pl.lit("keeper")))
    assert '<span class="chip keeper">keeper</span>' in pane.object
    gallery.show(rows(0))
    assert "Nothing is selected." in pane.object
