"""The pages of the map and of thresholds in a real browser: a lasso selects, a slider counts, a rule is saved."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from dashboard_server import Served, visiting
from sample_workspace import SampleWorkspace

from deeplens_kit.pipeline import Workspace

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = pytest.mark.browser


def test_a_lasso_on_the_map_selects_pictures_that_can_be_acted_on(browser: Browser, served: Served) -> None:
    from playwright.sync_api import expect

    with visiting(browser, served) as visit:
        page = visit.go("/map")
        plot = page.locator(".bk-Figure .bk-events").first
        plot.wait_for()
        page.get_by_text("Distances on this map are no evidence").wait_for()
        box = plot.bounding_box()
        assert box is not None
        # Within the frame: beside it nothing is drawn.
        left, right = box["x"] + 30, box["x"] + box["width"] - 30
        top, bottom = box["y"] + 50, box["y"] + box["height"] - 30
        page.mouse.move(left, top)
        page.mouse.down()
        for corner in ((right, top), (right, bottom), (left, bottom), (left, top + 3)):
            page.mouse.move(*corner, steps=6)
        page.mouse.up()
        said = re.compile(r"^Selected: \d\d pictures in")
        page.get_by_text(said).wait_for()
        page.get_by_role("button", name="Plan: all copies in their groups").wait_for()
        assert page.locator(".pictures img").first.get_attribute("src").startswith("/thumbnails/")
        page.get_by_role("button", name="Clear selection").click()
        expect(page.get_by_text("Nothing is selected.", exact=True)).to_be_visible()


def test_a_slider_counts_anew_and_its_bounds_become_a_rule(
    browser: Browser, served: Served, sample: SampleWorkspace
) -> None:
    from playwright.sync_api import expect

    with visiting(browser, served) as visit:
        page = visit.go("/tune")
        slider = page.get_by_role("slider", name="Least likelihood of a copy", exact=True)
        slider.wait_for()
        removable = page.locator("dd b, dd").nth(1)
        before = removable.inner_text()
        slider.focus()
        page.keyboard.press("End")
        expect(removable).not_to_have_text(before)
        page.get_by_label("Name of the rule").fill("only the surest")
        page.get_by_role("button", name="Save as a rule").click()
        page.get_by_text("Saved as 'only the surest', version 1.").wait_for()
    with Workspace.open(sample.workspace) as workspace:
        assert "only the surest" in [rule.name for rule in workspace.ledger.rules()]
