"""Every page: no serious finding of axe, nothing wider than the screen, and the frame works; light and dark."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from dashboard_server import Served, visiting

from deeplens_kit.service.pages import served_pages
from tests.examples import in_turn

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.browser

PAGES = [page.name for page in served_pages()]
SERIOUS = ("serious", "critical")


def findings(page: Page) -> list[tuple[str, list[str]]]:
    """What axe finds that keeps somebody out."""
    from axe_playwright_python.sync_playwright import Axe

    found = Axe().run(page).response["violations"]
    return [(item["id"], [node["html"][:200] for node in item["nodes"]]) for item in found if item["impact"] in SERIOUS]


SCREENS = ((1440, 900, "dark"), (390, 844, "light"))


@pytest.mark.parametrize("name", PAGES)
def test_it_can_be_used_by_everybody(browser: Browser, served: Served, name: str) -> None:
    # Where little is to be tried pages take turns: the frame is the same on all.
    for width, height, scheme in in_turn(SCREENS, PAGES.index(name)):
        with visiting(browser, served, width, height, color_scheme=scheme) as visit:
            page = visit.go(f"/{name}")
            page.locator("#main .board, #main .bk-panel-models-layout-Column").first.wait_for(state="attached")
            page.wait_for_load_state("networkidle")
            assert findings(page) == []
            assert page.evaluate("document.documentElement.scrollWidth") <= width
            assert page.locator("h1").count() == 1


def test_the_frame_folds_and_wears_what_was_chosen(browser: Browser, served: Served) -> None:
    ground = "getComputedStyle(document.body).backgroundColor"
    with visiting(browser, served, 390, 844, color_scheme="light") as visit:
        page = visit.go("/search")
        light = page.evaluate(ground)
        page.locator(".person > summary").click()
        page.get_by_role("radio", name="Dark").check()
        dark = page.evaluate(ground)
        assert dark != light
        # A button of a component has a root of its own: it follows too.
        assert page.locator(".typed button").evaluate("node => getComputedStyle(node).color") != "rgb(27, 29, 34)"
        page = visit.go("/duplicates")
        assert page.evaluate(ground) == dark
        page.get_by_role("button", name="Pages").click()
        page.get_by_role("link", name="Search", exact=True).wait_for()
        page.keyboard.press("Escape")
        assert not page.get_by_role("link", name="Search", exact=True).is_visible()
        page.locator(".person > summary").click()
        page.get_by_role("radio", name="System").check()
        assert page.evaluate(ground) == light


def test_a_notice_is_text_and_never_markup(browser: Browser, served: Served) -> None:
    with visiting(browser, served) as visit:
        page: Any = visit.go("/search")
        page.get_by_label("Words, or a link to a picture").fill("fundus")
        page.keyboard.press("Enter")
        page.locator(".results").wait_for()
        assert findings(page) == []
        page.get_by_placeholder("Name this search").fill("<img src=x onerror=alert(1)>")
        page.get_by_role("button", name="Save", exact=True).click()
        page.locator(".notyf__toast").filter(has_text="<img src=x").wait_for()
