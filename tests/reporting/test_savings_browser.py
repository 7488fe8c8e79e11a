"""The reports in a real browser: they fit the screen and the paper, ask for nothing, can be read by everybody."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nbformat
import pytest
from axe_playwright_python.sync_playwright import Axe
from rich_report import enriched, rich_coverage, rich_evidence
from test_duplicates_browser import CONTRAST
from test_savings_report import all_sections, report_of

from deeplens_kit.reporting import coverage_sections, drift_sections, evidence_sections, savings_sections
from deeplens_kit.reporting.chromium import print_page
from deeplens_kit.reporting.notebook_page import notebook_page

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.browser


def page_of(answer: Any, *, rich: bool = False) -> str:
    """The page of a notebook that shows every section, as the report's does."""
    report = report_of(answer, notes=["Files were indexed after the last matching."])
    return notebook_of(all_sections(enriched(report) if rich else report, answer))


def notebook_of(shown: list[Any], title: str = "Savings") -> str:
    cells = []
    for section in shown:
        cell = nbformat.v4.new_code_cell("hidden = 'code is not part of a report'")
        cell.outputs = [nbformat.v4.new_output("execute_result", data={"text/html": section.html})]
        cells.append(cell)
    return notebook_page(nbformat.v4.new_notebook(cells=cells, metadata={"title": title}))


def other_reports(answer: Any) -> dict[str, str]:
    """The pages of the smaller reports, each with something in every section."""
    savings = enriched(report_of(answer))
    drift = [
        drift_sections.headline_section(savings),
        drift_sections.figures_section(savings),
        savings_sections.change_section(savings),
        savings_sections.history_section(savings),
        drift_sections.method_section(savings),
    ]
    pages = {"drift": notebook_of(drift, "Drift")}
    for name, module, report in (
        ("coverage", coverage_sections, rich_coverage(savings)),
        ("evidence", evidence_sections, rich_evidence(savings)),
    ):
        made = [getattr(module, part)(report) for part in module.__all__ if part.endswith("_section")]
        assert all(section.html for section in made)
        # The headline comes first, whatever the alphabet says.
        made.sort(key=lambda section: "<h1>" not in section.html)
        pages[name] = notebook_of(made, name.title())
    return pages


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory, answer: Any, nothing_analysed: Any, nothing_found: Any) -> Path:
    folder = tmp_path_factory.mktemp("reports")
    for name, item in (("full", answer), ("failures", nothing_analysed), ("empty", nothing_found)):
        (folder / f"{name}.html").write_text(page_of(item, rich=name == "full"), encoding="utf-8")
    for name, text in other_reports(answer).items():
        (folder / f"{name}.html").write_text(text, encoding="utf-8")
    return folder


# Of a page with little on it the two ends say what there is to say.
_ENDS = ((1440, "light"), (390, "dark"))
_LOOKS = [("full", 1440, "dark"), ("full", 390, "light")]
_LOOKS += [(name, width, scheme) for name in ("full", "failures", "empty") for width, scheme in _ENDS]


@pytest.mark.parametrize(("name", "width", "scheme"), _LOOKS)
def test_fits_asks_for_nothing_and_can_be_read(
    browser: Browser, pages: Path, name: str, width: int, scheme: Any
) -> None:
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
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
    if name == "full" and (width, scheme) in _ENDS:
        assert faults_of(page) == []
    context.close()


@pytest.mark.parametrize("name", ["coverage", "drift", "evidence"])
def test_the_smaller_reports_do_too(browser: Browser, pages: Path, name: str) -> None:
    for width, scheme in _ENDS:
        context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)  # type: ignore[arg-type]
        page = context.new_page()
        said: list[str] = []
        page.on("console", lambda message, said=said: said.append(message.text))
        page.goto((pages / f"{name}.html").as_uri(), wait_until="load")
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert said == []
        assert page.evaluate(CONTRAST) == []
        if width < 1440:
            assert faults_of(page) == []
        context.close()


def faults_of(page: Page) -> list[str]:
    """What axe finds against the page (WCAG 2.2, A and AA, and good practice)."""
    found = Axe().run(page).response["violations"]
    return [f"{fault['id']}: {fault['nodes'][0]['html'][:120]}" for fault in found]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_drawings_can_be_seen_on_either_ground(browser: Browser, pages: Path, scheme: Any) -> None:
    context = browser.new_context(viewport={"width": 1440, "height": 900}, color_scheme=scheme)
    page = context.new_page()
    page.goto((pages / "full.html").as_uri(), wait_until="load")
    drawings = page.locator("figure svg")
    assert drawings.count() == 4
    inks = page.evaluate("[...document.querySelectorAll('figure svg text')].map(n => getComputedStyle(n).fill)")
    light = [sum(map(int, ink.removeprefix("rgb(").rstrip(")").split(","))) > 382 for ink in inks]
    assert len(inks) > 6
    assert set(light) == {scheme == "dark"}
    for at in range(4):
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
    context.close()


def test_what_is_long_is_folded_on_a_narrow_screen_and_neither_on_a_wide_one_nor_on_paper(
    browser: Browser, pages: Path
) -> None:
    page = browser.new_page(viewport={"width": 390, "height": 900})
    page.goto((pages / "full.html").as_uri(), wait_until="load")
    shown = """() => [...document.querySelectorAll('.report-group > .fold .strip')].map(
      strip => strip.checkVisibility({contentVisibilityAuto: true, visibilityProperty: true}))"""
    groups = page.locator(".report-group").count()
    assert groups > 1
    assert page.evaluate(shown) == [True] + [False] * (groups - 1)
    page.locator(".report-group > .fold > summary").nth(1).click()
    assert page.evaluate(shown) == [True, True] + [False] * (groups - 2)
    page.emulate_media(media="print")
    assert page.evaluate(shown) == [True] * groups
    page.emulate_media(media="screen")
    page.set_viewport_size({"width": 1440, "height": 900})
    assert page.evaluate(shown) == [True] * groups
    assert not page.locator(".fold > summary").first.is_visible()
    page.close()


def test_the_pdf_has_its_pages_and_text_that_can_be_searched(pages: Path, tmp_path: Path) -> None:
    content = print_page(pages / "full.html", tmp_path)
    assert content.startswith(b"%PDF")
    assert 6 <= len(re.findall(rb"/Type /Page\b", content)) <= 14
    # Letters, not a picture of them.
    assert content.count(b"/ToUnicode") >= 2
    assert [file.name for file in pages.iterdir() if file.suffix != ".html"] == []
