"""Ten thousand groups on the page of duplicates: how long a page of them takes, and what the browser holds of them.

Takes a folder, writes a synthetic workspace of so many groups with previews in its cache, gives what a visitor waits
for; must not measure what no visitor sees. A page counts as there when its first line shows in the browser.
"""

from __future__ import annotations

import io
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from benchmarks.report import Report
from benchmarks.synthetic_workspace import write_workspace
from deeplens_kit.pipeline import Workspace
from deeplens_kit.reporting.duplicates_frames import read_duplicates
from deeplens_kit.views.state.duplicates_state import PAGE_GROUPS, Findings

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

__all__ = ["TARGET_MIB", "TARGET_SECONDS", "measure_groups", "write_groups"]

TARGET_SECONDS, TARGET_MIB = 0.2, 300
_REST_SECONDS = 20.0
"""What a page of groups may take, and what the page may hold in the browser (inclusive)."""

# Of a synthetic workspace so many objects come to a group.
_OBJECTS_OF_GROUP = 5.2
_TURNS = 60
# Pages whose previews are in the cache: those that are turned to, and some more.
_PAGES = _TURNS + 5
_SIDES = (150, 300, 600)
_TEXT = """(wanted) => {
  const find = (root) => {
    for (const one of root.querySelectorAll("*")) {
      if (one.matches(wanted.where)) return one
      const within = one.shadowRoot && find(one.shadowRoot)
      if (within) return within
    }
  }
  const found = find(document)
  return found && found.innerText !== wanted.before
}"""


def write_groups(folder: Path, groups: int) -> int:
    """Write a workspace of about so many groups, and previews of those that free most.

    Args:
        folder: Of the workspace.
        groups: About how many.

    Returns:
        How many there are.
    """
    write_workspace(folder, round(groups * _OBJECTS_OF_GROUP))
    draw = np.random.default_rng(1)
    with Workspace.open(folder) as workspace:
        findings = Findings.of(*read_duplicates(workspace))
        shown = findings.order().ids.head(_PAGES * PAGE_GROUPS)
        rows = findings.frames.groups
        for digest in rows.filter(rows["group_id"].is_in(shown.implode()))["digest"].unique():
            coarse = Image.fromarray(draw.integers(0, 256, (12, 16, 3), np.uint8))
            for side in _SIDES:
                stream = io.BytesIO()
                coarse.resize((side, side * 3 // 4), Image.Resampling.BICUBIC).save(stream, "WEBP", quality=80)
                workspace.thumbnails.put(digest, stream.getvalue(), side)
        return findings.totals.groups


def measure_groups(report: Report, browser: Browser, url: str, groups: int) -> None:
    """Turn pages and go from group to group, as a list and one by one.

    Args:
        report: Is given a row for each.
        browser: A browser without other pages.
        url: Of a server over the workspace.
        groups: How many there are.
    """
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    page = context.new_page()
    page.goto(f"{url}/duplicates", wait_until="commit")
    page.locator(".group > summary").first.wait_for()
    _turn(report, page, f"a page of {groups:,} groups, as a list", ".head h2", _next_page(page, ".board"))
    page.locator("#way-review").click()
    page.locator(".pair").wait_for()
    place = ".pair > .head p"
    _turn(report, page, f"the next of {groups:,} groups, one by one", place, lambda: page.keyboard.press("n"))
    listed = ".groups-list"
    _turn(report, page, f"a page of {groups:,} groups, one by one", f"{listed} h2", _next_page(page, listed))
    report.figures["groups_page_heap_mib"] = _heap_mib(page)
    report.figures["groups_page_process_mib"] = _process_mib(browser)
    # What the browser frees by itself once nobody turns pages as fast as they come.
    time.sleep(_REST_SECONDS)
    report.figures["groups_page_process_mib_at_rest"] = _process_mib(browser)
    context.close()


def _next_page(page: Page, within: str) -> Callable[[], None]:
    return page.locator(f"{within} .pager").get_by_role("button", name="Next", exact=True).click


def _turn(report: Report, page: Page, what: str, where: str, turn: Callable[[], None]) -> None:
    seconds = []
    for _ in range(_TURNS):
        before = page.locator(where).first.inner_text()
        started = time.perf_counter()
        turn()
        page.wait_for_function(_TEXT, arg={"where": where, "before": before}, polling="raf")
        seconds.append(time.perf_counter() - started)
    seconds.sort()
    report.add(
        what=what,
        median_seconds=statistics.median(seconds),
        p95_seconds=seconds[int(0.95 * len(seconds))],
        worst_seconds=seconds[-1],
        times=len(seconds),
    )


def _heap_mib(page: Page) -> float:
    """What the page's scripts hold."""
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable")
    figures = {item["name"]: item["value"] for item in session.send("Performance.getMetrics")["metrics"]}
    return round(float(figures["JSHeapUsedSize"]) / 2**20, 1)


def _process_mib(browser: Browser) -> float:
    """What the largest process of a page has to itself, pictures and fonts included."""
    found = browser.new_browser_cdp_session().send("SystemInfo.getProcessInfo")["processInfo"]
    held = []
    for process in found:
        if process["type"] != "renderer":
            continue
        text = Path(f"/proc/{process['id']}/smaps_rollup").read_text(encoding="utf-8")
        held.append(sum(int(line.split()[1]) for line in text.splitlines() if line.startswith("Private_")))
    return round(max(held) / 1024, 1)
