"""The savings report in a real browser: fits the screen and the paper, asks for nothing, can be read."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import nbformat
import pytest
from test_duplicates_browser import CONTRAST
from test_savings_report import report_of

from deeplens_kit.reporting import savings_sections as sections
from deeplens_kit.reporting.notebook_page import notebook_page

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = pytest.mark.browser


def page_of(answer: Any) -> str:
    """The page of a notebook that shows every section, as the report's does."""
    report = report_of(answer, notes=["Files were indexed after the last matching."])
    shown = [
        sections.headline_section(report),
        sections.tiers_section(report),
        sections.locations_section(report),
        sections.groups_section(report, answer.thumbnail),
        sections.coverage_section(report),
        sections.withheld_section(report),
        sections.method_section(report),
    ]
    cells = []
    for section in shown:
        cell = nbformat.v4.new_code_cell("hidden = 'code is not part of a report'")
        cell.outputs = [nbformat.v4.new_output("execute_result", data={"text/html": section.html})]
        cells.append(cell)
    return notebook_page(nbformat.v4.new_notebook(cells=cells, metadata={"title": "Savings"}))


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory, answer: Any, nothing_analysed: Any, nothing_found: Any) -> Path:
    folder = tmp_path_factory.mktemp("reports")
    for name, item in (("full", answer), ("failures", nothing_analysed), ("empty", nothing_found)):
        (folder / f"{name}.html").write_text(page_of(item), encoding="utf-8")
    return folder


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("width", "height"), [(1440, 900), (390, 844)])
@pytest.mark.parametrize("name", ["full", "failures", "empty"])
def test_fits_asks_for_nothing_and_can_be_read(
    browser: Browser, pages: Path, name: str, width: int, height: int, scheme: Any
) -> None:
    context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)
    page = context.new_page()
    said: list[str] = []
    asked: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    page.goto((pages / f"{name}.html").as_uri(), wait_until="load")
    assert page.title() == "Savings: DeepLens"
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert [url for url in asked if not url.startswith(("file:", "data:"))] == []
    assert said == []
    assert page.evaluate("[...document.images].filter(i => !i.complete || i.naturalWidth === 0).length") == 0
    assert page.evaluate(CONTRAST) == []
    assert page.locator("h1").count() == 1
    assert not page.locator("text=code is not part").count()
    # No table is cut off where nobody sees that it goes on.
    cut = "[...document.querySelectorAll('.panel *')].filter(n => n.scrollWidth > n.clientWidth + 1 && n.clientWidth"
    cut += " && !n.closest('thead') && getComputedStyle(n).overflowX !== 'visible').map(n => n.outerHTML.slice(0, 80))"
    assert page.evaluate(cut) == []
    context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_drawings_can_be_seen_on_either_ground(browser: Browser, pages: Path, scheme: Any) -> None:
    context = browser.new_context(viewport={"width": 1440, "height": 900}, color_scheme=scheme)
    page = context.new_page()
    page.goto((pages / "full.html").as_uri(), wait_until="load")
    drawings = page.locator("figure svg")
    assert drawings.count() == 2
    inks = page.evaluate("[...document.querySelectorAll('figure svg text')].map(n => getComputedStyle(n).fill)")
    light = [sum(map(int, ink.removeprefix("rgb(").rstrip(")").split(","))) > 382 for ink in inks]
    assert len(inks) > 6
    assert set(light) == {scheme == "dark"}
    for at in range(2):
        box = drawings.nth(at).bounding_box()
        assert box is not None
        assert box["width"] > 300
        assert box["height"] > 80
        assert drawings.nth(at).get_attribute("aria-label")
    context.close()


def test_prints_as_it_is_light_though_the_screen_is_dark(browser: Browser, pages: Path) -> None:
    context = browser.new_context(viewport={"width": 1440, "height": 900}, color_scheme="dark")
    page = context.new_page()
    page.goto((pages / "full.html").as_uri(), wait_until="load")
    page.emulate_media(media="print")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert page.evaluate(CONTRAST) == []
    assert page.pdf(format="A4", print_background=True).startswith(b"%PDF")
    context.close()
