"""Labels and decisions on the page of duplicates in a real browser, by keyboard, and taken back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from dashboard_server import Served, visiting
from sample_workspace import SampleWorkspace

from deeplens_kit.pipeline import Workspace

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = pytest.mark.browser


def said(sample: SampleWorkspace) -> tuple[list[str], list[str]]:
    """The labels and decisions that hold."""
    with Workspace.open(sample.workspace) as workspace:
        return workspace.ledger.labels()["verdict"].to_list(), workspace.ledger.decisions()["kind"].to_list()


def test_a_group_is_labelled_and_decided_by_keyboard_and_all_of_it_taken_back(
    browser: Browser, served: Served, sample: SampleWorkspace
) -> None:
    from playwright.sync_api import expect

    with visiting(browser, served) as visit:
        page = visit.go("/duplicates")
        page.get_by_label("copy (").check()
        page.locator(".group > summary").first.wait_for()
        page.locator("#way-review").click()
        pair, told = page.locator(".pair"), page.locator(".pair .said")
        expect(pair).to_be_focused()
        before = said(sample)
        # The list shows what was narrowed before.
        assert "Group 1 of 7" in pair.inner_text()
        page.keyboard.press("s")
        expect(told).to_contain_text(": labelled as the same picture.")
        page.keyboard.press("b")
        expect(told).to_contain_text(": both are kept.")
        page.keyboard.press("m")
        page.keyboard.press("m")
        expect(page.locator(".marked h3")).to_have_text("2 marked groups")
        page.locator("#marked-never_propose").click()
        expect(told).to_contain_text("2 marked groups:")
        labels, decisions = said(sample)
        assert (len(labels), decisions.count("keep_both")) == (len(before[0]) + 1, before[1].count("keep_both") + 1)
        assert decisions.count("never_propose") > 2
        for _ in range(3):
            page.keyboard.press("z")
        expect(page.locator("#undo")).to_be_disabled()
        assert said(sample) == before
        page.locator("#way-list").click()
        page.locator(".group > summary").nth(1).click()
        page.get_by_role("button", name="Review this group").nth(1).click()
        expect(pair).to_contain_text("Group 2 of 7")
