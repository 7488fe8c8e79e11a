"""The page of duplicates in a real browser: the figures of the command, filters, and a link to a group."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
from dashboard_server import Served, visiting
from sample_workspace import SampleWorkspace
from test_search_dashboard import CONTRAST, members

from deeplens_kit.pipeline import Workspace, list_groups
from deeplens_kit.reporting.totals import add_up_groups
from deeplens_kit.reporting.words import format_bytes

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def groups(sample: SampleWorkspace) -> pl.DataFrame:
    with Workspace.open(sample.workspace) as workspace:
        return list_groups(workspace).groups


def places(rows: pl.DataFrame) -> set[tuple[str, str]]:
    return set(rows.select("location", "path").iter_rows())


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("width", "height"), [(1440, 900), (390, 844)])
def test_it_shows_every_group_and_the_figures_of_the_command(
    browser: Browser, served: Served, groups: pl.DataFrame, width: int, height: int, scheme: Any
) -> None:
    totals = add_up_groups(groups)
    with visiting(browser, served, width, height, color_scheme=scheme) as visit:
        page = visit.go("/duplicates")
        page.get_by_role("heading", name=f"{totals.groups} groups").wait_for()
        assert page.locator("h1 b").inner_text() == format_bytes(totals.realisable_bytes)
        figures = page.locator(".figures").inner_text()
        assert format_bytes(totals.gross_bytes) in figures
        assert f"{totals.objects}\nin {totals.groups} groups" in figures
        assert "57 of 63 files" in figures
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        for group in page.locator(".group").all():
            if group.get_attribute("open") is None:
                group.locator("summary").first.click()
        assert page.evaluate(CONTRAST) == []
        # A line break in a name is shown as one on the page.
        shown = {(place, path.replace("\\n", "\n")) for place, path in members(page)}
        assert shown == places(groups)
        frees = [line.split("\n")[0] for line in page.locator(".frees").all_inner_texts()]
        freed = groups.group_by("group_id").agg(pl.col("frees_bytes").sum()).sort("frees_bytes", descending=True)
        assert frees == [format_bytes(size) for size in freed["frees_bytes"]]


def test_filters_leave_the_groups_of_a_location_or_tier(browser: Browser, served: Served, groups: pl.DataFrame) -> None:
    removable = groups.filter(~groups["is_keeper"])
    with visiting(browser, served) as visit:
        page = visit.go("/duplicates")
        page.get_by_label(re.compile("^bytes")).check()
        of_bytes = removable.filter(removable["tier"] == "bytes")
        page.get_by_role("heading", name=f"{of_bytes['group_id'].n_unique()} groups").wait_for()
        assert f"which frees {format_bytes(int(of_bytes['frees_bytes'].sum()))}." in page.locator(".head").inner_text()
        assert page.locator(".group > summary .chip").all_inner_texts() == ["bytes"] * page.locator(".group").count()
        page.get_by_label(re.compile("^share")).check()
        both = of_bytes.filter(of_bytes["location"] == "share")
        page.get_by_role("heading", name=re.compile(f"^{both['group_id'].n_unique()} group")).wait_for()


def test_a_link_opens_its_group_and_an_old_one_says_so(browser: Browser, served: Served, groups: pl.DataFrame) -> None:
    group_id = groups["group_id"][0]
    with visiting(browser, served) as visit:
        page = visit.go(f"/duplicates?group={group_id}")
        page.get_by_role("button", name="All groups").wait_for()
        assert members(page) == places(groups.filter(groups["group_id"] == group_id))
        page.get_by_role("button", name="All groups").click()
        page.get_by_role("heading", name=f"{groups['group_id'].n_unique()} groups").wait_for()
        page = visit.go("/duplicates?group=%3Cscript%3Ealert(1)%3C/script%3E")
        page.get_by_text("There is no such group now").wait_for()
        page.get_by_role("button", name="All groups").click()
        page.locator(".group").first.wait_for()


def test_groups_fold_by_keyboard_and_the_pages_lead_to_each_other(browser: Browser, served: Served) -> None:
    with visiting(browser, served) as visit:
        page = visit.go("/duplicates")
        second = page.locator(".group > summary").nth(1)
        second.focus()
        page.keyboard.press("Enter")
        assert page.locator(".group").nth(1).get_attribute("open") is not None
        page.get_by_role("link", name="Search", exact=True).click()
        page.get_by_text("Have we got this picture?").wait_for()
        assert page.get_by_role("link", name="Search", exact=True).get_attribute("aria-current") == "page"
        page = visit.go("/")
        assert page.url == f"{served.url}/search"
        assert page.title().startswith("Search · workspace · DeepLens")
