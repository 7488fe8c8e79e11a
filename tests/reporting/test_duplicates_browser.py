"""The page in a real browser: fits the screen, asks for nothing, works by keyboard."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = pytest.mark.browser

# Contrast as WCAG 2.2 measures it, of every text against the nearest opaque background.
CONTRAST = """() => {
  const parse = c => (c.match(/[\\d.]+/g) || []).map(Number);
  const light = c => { const [r, g, b] = c.map(v => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
  const low = [];
  for (const node of document.querySelectorAll('body *')) {
    const text = [...node.childNodes].some(n => n.nodeType === 3 && n.textContent.trim());
    if (!text || !node.checkVisibility() || node.closest('.skip')) continue;
    let at = node, back = [0, 0, 0, 0];
    while (at && (back.length < 3 || back[3] === 0)) {
      back = parse(getComputedStyle(at).backgroundColor); at = at.parentElement; }
    const [a, b] = [light(parse(getComputedStyle(node).color).slice(0, 3)), light(back.slice(0, 3))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5) low.push([node.tagName, node.className, node.textContent.trim().slice(0, 30), ratio]);
  }
  return low;
}"""


@pytest.fixture(scope="module")
def pages(
    tmp_path_factory: pytest.TempPathFactory, page_of: Callable[..., str], answer: Any, no_duplicates: Any
) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("pages")
    written = {}
    for name, item in (("full", answer), ("none", no_duplicates)):
        written[name] = folder / f"{name}.html"
        written[name].write_text(page_of(item), encoding="utf-8")
    return written


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("width", "height"), [(1440, 900), (390, 844)])
@pytest.mark.parametrize("name", ["full", "none"])
def test_fits_asks_for_nothing_and_can_be_read(
    browser: Browser, pages: dict[str, Path], name: str, width: int, height: int, scheme: Any
) -> None:
    context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)
    page = context.new_page()
    said: list[str] = []
    asked: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(pages[name].as_uri(), wait_until="load")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert [url for url in asked if not url.startswith(("file:", "data:"))] == []
    assert said == []
    assert page.evaluate("[...document.images].filter(i => !i.complete || i.naturalWidth === 0).length") == 0
    assert page.evaluate(CONTRAST) == []
    context.close()


def test_groups_are_reached_and_folded_by_keyboard(browser: Browser, pages: dict[str, Path]) -> None:
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    page = context.new_page()
    page.goto(pages["full"].as_uri(), wait_until="load")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the groups"
    assert page.evaluate("document.activeElement.getBoundingClientRect().left") >= 0
    reached = []
    for _ in range(3):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.closest('details')?.id"))
    assert reached == page.evaluate("[...document.querySelectorAll('details')].map(d => d.id)")
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.closest('details').open") is False
    context.close()


@pytest.mark.parametrize("width", [1440, 390])
def test_outlines_lie_over_the_pictures_that_they_speak_of(
    browser: Browser, pages: dict[str, Path], width: int
) -> None:
    context = browser.new_context(viewport={"width": width, "height": 900})
    page = context.new_page()
    page.goto(pages["full"].as_uri(), wait_until="load")
    outlines = page.evaluate(
        """() => [...document.querySelectorAll('.region')].map(node => {
          const box = node.getBoundingClientRect(), image = node.parentElement.querySelector('img');
          const of = image.getBoundingClientRect(), style = node.style;
          return [(box.left - of.left) / of.width * 100 - parseFloat(style.left),
                  (box.top - of.top) / of.height * 100 - parseFloat(style.top),
                  box.width / of.width * 100 - parseFloat(style.width),
                  of.width / of.height - image.naturalWidth / image.naturalHeight,
                  parseFloat(getComputedStyle(image).paddingTop)]; })"""
    )
    assert len(outlines) == 2
    for off in outlines:
        assert max(map(abs, off[:3])) < 1.5, off
        assert abs(off[3]) < 0.03, off
        assert off[4] == 0, off
    alts = page.evaluate("[...document.querySelectorAll('.shot img')].map(i => i.alt)")
    assert alts == [
        "Preview of chelsea.jpg; the middle matches eyes.jpg",
        "Preview of Shop & <Web>: sheet.jpg; the top left matches Archive: cup.jpg",
    ]
    page.locator(".related li").first.focus()
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    context.close()
