"""The viewer of thresholds in a real browser: the figures follow the slider, by keyboard and while it is dragged."""

from __future__ import annotations

import dataclasses
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from sample_workspace import sample_workspace

from deeplens_kit.matching import Thresholds
from deeplens_kit.pipeline import (
    PRICES_FILE,
    Workspace,
    draw_sample,
    evaluate,
    index,
    label_pair,
    list_groups,
    next_pair,
    summarise_savings,
)
from deeplens_kit.reporting.label_words import format_share
from deeplens_kit.reporting.words import format_bytes

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator, Page

pytestmark = pytest.mark.browser

PLAIN_LABEL, PAGE_LABEL = "Least likelihood of a copy", "The same for pages and crowds"
TONE_LABEL, QUALITY_LABEL = "Share of one tone that makes a page", "Least quality at which a picture can be told"
SHOTS_LABEL = "Bits that may differ where the cameras noted different times"


@dataclasses.dataclass(frozen=True)
class Served:
    """Addresses of the pages: of the sample library, of a workspace without pairs, of an empty one."""

    sample: str
    unpaired: str
    empty: str
    workspace: Path


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("served")
    sample = sample_workspace(tmp_path_factory)
    shutil.copy(Path(__file__).parents[2] / "data" / "prices.example.yaml", sample.workspace / PRICES_FILE)
    with Workspace.open(sample.workspace) as workspace:
        draw_sample(workspace, 12)
        for _ in range(4):
            pair = next_pair(workspace)
            assert pair is not None
            label_pair(workspace, pair.digest_a, pair.digest_b, "same")
    single = folder / "single"
    single.mkdir()
    shutil.copy(sample.library / "share" / "photos" / "portraits" / "astronaut.png", single)
    with Workspace.create(folder / "unpaired") as workspace:
        workspace.ledger.add_location("single", str(single), {})
        index(workspace)
    Workspace.create(folder / "empty").close()
    log = folder / "server.log"
    folders = [sample.workspace, folder / "unpaired", folder / "empty"]
    with log.open("w") as errors:
        script = Path(__file__).with_name("serve_thresholds.py")
        root = Path(__file__).parent.parent.parent
        server = subprocess.Popen(
            [sys.executable, str(script), *map(str, folders)],
            stdout=subprocess.PIPE, stderr=errors, text=True, cwd=root,
            env={**os.environ, "PYTHONPATH": str(root)},
        )  # fmt: skip
        try:
            assert server.stdout is not None
            address = next((line.strip() for line in server.stdout if line.startswith("http://")), None)
            assert address, log.read_text()
            yield Served(f"{address}/0", f"{address}/1", f"{address}/2", sample.workspace)
        finally:
            server.terminate()
            server.communicate(timeout=30)
    # An exception in a callback leaves the page alive and silent: the log has it.
    said = _without_closed_pages(log.read_text())
    assert "Traceback" not in said and "ERROR" not in said and "never retrieved" not in said, said


def _without_closed_pages(said: str) -> str:
    """What a server says less what Bokeh 3.9 says where a page is closed while it is written to, which is no fault."""
    reports = re.split(r"(?m)^(?=WARNING:|ERROR:|Task )", said)
    return "".join(report for report in reports if "WebSocketClosedError" not in report)


@pytest.fixture(scope="module")
def workspace(served: Served) -> Iterator[Workspace]:
    with Workspace.open(served.workspace) as opened:
        yield opened


def expected(workspace: Workspace, moved: Thresholds) -> dict[str, str]:
    """The figures as they must read, from groups and savings."""
    groups = list_groups(workspace, rule=moved.rule()).groups
    amounts = summarise_savings(workspace, rule=moved.rule())
    return {
        "Could be freed": format_bytes(int(amounts["realisable_bytes"].sum())),
        "Files that could go": f"{int(amounts['objects'].sum()):,}",
        "Groups": f"{groups['group_id'].n_unique():,}",
    }


def wait_for_figures(page: Page, figures: dict[str, str]) -> None:
    from playwright.sync_api import expect

    for name, value in figures.items():
        figure = page.locator(".figures > div", has=page.locator("dt", has_text=re.compile(f"^{name}$")))
        expect(figure.locator("dd").first).to_have_text(value)


def handle(page: Page, label: str) -> Locator:
    return page.get_by_role("slider", name=label, exact=True)


def value_of(page: Page, label: str) -> float:
    title = page.locator(".bk-Slider", has_text=label).locator(".bk-slider-title").inner_text()
    return float(title.rsplit(":", 1)[1])


def open_page(page: Page, address: str) -> None:
    page.goto(address)
    page.locator(".pairing").first.wait_for()


def test_by_keyboard_the_figures_follow_every_key(page: Page, served: Served, workspace: Workspace) -> None:
    open_page(page, served.sample)
    wait_for_figures(page, expected(workspace, Thresholds()))
    # Reached by the keyboard alone.
    for _ in range(20):
        page.keyboard.press("Tab")
        if page.evaluate(
            "(() => { let at = document.activeElement; while (at?.shadowRoot?.activeElement) at = "
            "at.shadowRoot.activeElement; return at?.classList.contains('noUi-handle'); })()"
        ):
            break
    # Up to where copies begin to be missed, key by key.
    for percent in range(91, 101):
        page.keyboard.press("ArrowRight")
        if percent in (94, 97, 99, 100):
            wait_for_figures(page, expected(workspace, Thresholds(likelihood_min=percent / 100)))
            assert value_of(page, PLAIN_LABEL) == percent / 100
    assert page.locator(".less-than").count() > 0
    assert page.locator(".message.warning").count() == 0
    page.get_by_role("button", name="Back to the strict rule").click()
    wait_for_figures(page, expected(workspace, Thresholds()))


def test_while_it_is_dragged_the_figures_are_those_of_where_it_is(
    page: Page, served: Served, workspace: Workspace
) -> None:
    open_page(page, served.sample)
    box = handle(page, PLAIN_LABEL).bounding_box()
    assert box is not None
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    seen = set()
    for step in (-15, 12, 18, -120):
        # Quickly over many values, then held: the button stays down.
        page.mouse.move(x + step, y, steps=25)
        bound = value_of(page, PLAIN_LABEL)
        wait_for_figures(page, expected(workspace, Thresholds(likelihood_min=bound)))
        seen.add(bound)
    assert len(seen) == 4
    page.mouse.up()
    assert bound < 0.9
    assert "nothing beyond it is proven" in page.locator(".message.warning").inner_text()


def test_each_borderline_pair_shows_both_pictures_and_its_verdict(
    page: Page, served: Served, workspace: Workspace
) -> None:
    from deeplens_kit.pipeline import ThresholdLab

    open_page(page, served.sample)
    handle(page, PLAIN_LABEL).focus()
    for _ in range(6):
        page.keyboard.press("ArrowRight")
    moved = Thresholds(likelihood_min=0.96)
    wait_for_figures(page, expected(workspace, moved))
    rows = ThresholdLab(workspace).borderline(moved).rows(named=True)
    names = [f"{row['digest_a']}-{row['digest_b']}" for row in rows]
    for name, row in zip(names, rows, strict=True):
        card = page.locator(f'[data-pair="{name}"]')
        card.wait_for()
        assert card.locator(".chip").first.inner_text() == ("accepted" if row["accepted"] else "rejected")
        assert row["why"] in card.inner_text()
        card.scroll_into_view_if_needed()
        for image in card.locator("img").all():
            image.wait_for()
            handle_of = image.element_handle()
            page.wait_for_function(
                "i => i.complete && i.naturalWidth > 1 && i.src.startsWith('data:image/webp')", arg=handle_of
            )


def test_every_slider_has_its_name_and_counts(page: Page, served: Served, workspace: Workspace) -> None:
    open_page(page, served.sample)
    for label, key, moved in (
        (PLAIN_LABEL, "Home", Thresholds(likelihood_min=0)),
        (PAGE_LABEL, "Home", Thresholds(0, 0)),
        (SHOTS_LABEL, "End", Thresholds(0, 0, 256)),
        (TONE_LABEL, "Home", Thresholds(0, 0, 256, 0)),
        (QUALITY_LABEL, "Home", Thresholds(0, 0, 256, 0, 0)),
    ):
        handle(page, label).focus()
        page.keyboard.press(key)
        wait_for_figures(page, expected(workspace, moved))
        assert value_of(page, label) in (0, 256)
    assert page.get_by_role("slider").count() == 5


def said_of(page: Page, name: str) -> str:
    return page.locator(".quality > div", has_text=name).locator("dd").first.inner_text()


def test_pairs_are_labelled_by_key_and_the_figures_follow(page: Page, served: Served, workspace: Workspace) -> None:
    from playwright.sync_api import expect

    open_page(page, served.sample)
    page.locator(".quality").wait_for()
    assert said_of(page, "Precision") == format_share(evaluate(workspace).precision.estimate)
    desk, first = page.locator(".desk"), page.locator(".pairing").first
    desk.focus()
    # 1. The pair is opened, and looked at in each of the four ways.
    page.keyboard.press("ArrowRight")
    expect(first).to_have_attribute("aria-current", "true")
    page.locator(".pair-shot img").nth(1).wait_for()
    assert page.locator(".pair-shot polygon").count() == 4
    for key, name in (("2", "Blink"), ("3", "Difference"), ("4", "Overlay")):
        page.keyboard.press(key)
        expect(page.locator(".way[aria-pressed=true]")).to_contain_text(name)
    # 2. It is labelled and taken back; the next one is looked at meanwhile.
    before = workspace.ledger.labels().height
    page.keyboard.press("u")
    expect(first.get_by_text("you said: unsure")).to_be_visible()
    expect(first).not_to_have_attribute("aria-current", "true")
    page.keyboard.press("z")
    expect(first.get_by_text("you said")).to_have_count(0)
    expect(first).to_have_attribute("aria-current", "true")
    expect(desk.get_by_role("status").first).to_have_text("Taken back.")
    # 3. What the sample asks for counts in the figures.
    page.get_by_role("button", name="From the sample").click()
    expect(page.get_by_text("Its likelihood is not told")).to_be_visible()
    expect(page.get_by_role("button", name="Different")).to_be_enabled(timeout=30_000)
    page.keyboard.press("d")
    expect(page.get_by_text("drawn pairs, 7 wait for one")).to_be_visible(timeout=30_000)
    assert workspace.ledger.labels().height == before + 1
    assert said_of(page, "Precision") == format_share(evaluate(workspace).precision.estimate)
    page.keyboard.press("z")
    expect(page.get_by_text("drawn pairs, 8 wait for one")).to_be_visible(timeout=30_000)


def test_bounds_are_saved_under_a_name(page: Page, served: Served, workspace: Workspace) -> None:
    from playwright.sync_api import expect

    open_page(page, served.sample)
    name, save = page.get_by_label("Name of the rule"), page.get_by_role("button", name="Save as a rule")
    name.fill("strict")
    save.click()
    expect(page.get_by_role("alert")).to_contain_text("choose another name")
    handle(page, PLAIN_LABEL).focus()
    page.keyboard.press("ArrowRight")
    wait_for_figures(page, expected(workspace, Thresholds(likelihood_min=0.91)))
    name.fill("careful")
    save.click()
    expect(page.locator(".saved")).to_contain_text("Saved as 'careful', version 1.")
    assert workspace.ledger.rule("careful").document["verified"] == [{"likelihood_min": 0.91}]
    page.goto(served.sample)
    expect(page.get_by_label("Start from a rule")).to_contain_text("careful")


@pytest.mark.parametrize(
    "page", [(1440, 900, "light"), (1440, 900, "dark"), (390, 844, "light")], indirect=True, ids=str
)
def test_it_fits_the_screen_and_asks_for_nothing_elsewhere(page: Page, served: Served) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    open_page(page, served.sample)
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    origin = served.sample.rsplit("/", 1)[0]
    foreign = [url for url in asked if not url.startswith((origin, origin.replace("http", "ws"), "data:", "blob:"))]
    assert foreign == []


def test_without_pairs_it_says_so(page: Page, served: Served) -> None:
    page.goto(served.unpaired)
    page.get_by_text("No pairs to set thresholds for").wait_for()
    page.goto(served.empty)
    page.get_by_text("Nothing indexed yet").wait_for()
    assert page.locator(".noUi-handle").count() == 0


def test_two_who_look_at_once_have_sliders_of_their_own(
    page: Page, browser: Browser, served: Served, workspace: Workspace
) -> None:
    open_page(page, served.sample)
    context: Any = browser.new_context()
    other = context.new_page()
    open_page(other, served.sample)
    handle(page, PAGE_LABEL).focus()
    page.keyboard.press("Home")
    wait_for_figures(page, expected(workspace, Thresholds(page_likelihood_min=0)))
    wait_for_figures(other, expected(workspace, Thresholds()))
    context.close()
