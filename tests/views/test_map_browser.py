"""The map in a real browser: a picture shows where one points, a lasso and a box select what is in them."""

from __future__ import annotations

import dataclasses
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl
import pytest
from sample_workspace import sample_workspace

from deeplens_kit.pipeline import Workspace, index, map_pictures
from deeplens_kit.reporting.selection_words import add_up_selection
from deeplens_kit.storage.paths import display_path

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.browser

# Screen coordinates of a place of the map, as Bokeh itself has them.
TO_SCREEN = """([x, y]) => {
  const walk = view => view.model.type === 'Figure' ? view : [...view.children()].map(walk).find(Boolean);
  const figure = [...Bokeh.index.roots].map(walk).find(Boolean);
  const box = figure.el.getBoundingClientRect();
  const scale = figure.frame;
  return [box.x + scale.x_scale.compute(x), box.y + scale.y_scale.compute(y)];
}"""


# What Tornado logs where a page is closed while its last pointer move is being answered.
BROWSER_LEFT = re.compile(
    r"Task exception was never retrieved\nfuture: <Task [^\n]*WebSocketClosedError\(\)>\n"
    r"Traceback.*?\ntornado\.websocket\.WebSocketClosedError\n",
    re.DOTALL,
)


@dataclasses.dataclass(frozen=True)
class Served:
    """Addresses of the pages, and the points of the map at `sample`."""

    sample: str
    failures: str
    empty: str
    unread: str
    waiting: str
    points: pl.DataFrame


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("served")
    sample = sample_workspace(tmp_path_factory)
    with Workspace.open(sample.workspace) as workspace:
        points = map_pictures(workspace).points
    # A workspace whose pictures have no vectors.
    (folder / "single").mkdir()
    shutil.copy(sample.library / "share" / "photos" / "portraits" / "astronaut.png", folder / "single")
    with Workspace.create(folder / "without") as workspace:
        workspace.ledger.add_location("single", str(folder / "single"), {})
    toml = folder / "without" / "workspace.toml"
    toml.write_text(toml.read_text() + '\n[features]\nenabled = ["clarity", "pdq"]\n')
    with Workspace.open(folder / "without") as workspace:
        index(workspace)
    Workspace.create(folder / "empty").close()
    # One whose only file is no picture.
    (folder / "damaged").mkdir()
    (folder / "damaged" / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 and no more")
    with Workspace.create(folder / "unread") as workspace:
        workspace.ledger.add_location("damaged", str(folder / "damaged"), {})
        index(workspace)
    log = folder / "server.log"
    folders = [sample.workspace, folder / "without", folder / "empty", folder / "unread"]
    root = Path(__file__).parent.parent.parent
    with log.open("w") as errors:
        server = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("serve_map.py")), *map(str, folders)],
            stdout=subprocess.PIPE, stderr=errors, text=True, cwd=root,
            env={**os.environ, "PYTHONPATH": str(root)},
        )  # fmt: skip
        try:
            assert server.stdout is not None
            address = next((line.strip() for line in server.stdout if line.startswith("http://")), None)
            assert address, log.read_text()
            yield Served(*(f"{address}/{name}" for name in ("0", "1", "2", "3", "waiting")), points)
        finally:
            server.terminate()
            server.communicate(timeout=30)
    # An exception in a callback leaves the page alive and silent: the log has it.
    said = BROWSER_LEFT.sub("", log.read_text())
    assert "Traceback" not in said and "ERROR" not in said and "never retrieved" not in said, said


def open_map(page: Page, served: Served) -> None:
    page.goto(served.sample)
    page.locator(".bk-Figure canvas").first.wait_for()
    # The frame has its size when the axes have theirs.
    page.wait_for_function(f"(({TO_SCREEN}))([0, 0]).every(Number.isFinite)")


def on_screen(page: Page, x: float, y: float) -> tuple[float, float]:
    column, row = page.evaluate(TO_SCREEN, [x, y])
    return column, row


def corner_points(points: pl.DataFrame) -> tuple[tuple[float, float], tuple[float, float], pl.DataFrame]:
    """A box around the leftmost third of the points whose sides come near no point, and what is in it."""
    x, y = points["x"].sort(), points["y"]
    gaps = (x - x.shift(1))[points.height // 4 : points.height // 2]
    at = points.height // 4 + int(gaps.arg_max() or 0)
    side = (x[at - 1] + x[at]) / 2
    low, high = (x.min() - 0.2, y.min() - 0.2), (side, y.max() + 0.2)  # type: ignore[operator]
    return low, high, points.filter(pl.col("x") < side)


def test_the_picture_that_one_points_at_is_shown_with_its_facts(page: Page, served: Served) -> None:
    from playwright.sync_api import expect

    open_map(page, served)
    expect(page.get_by_text("Point at the map to see a picture")).to_be_visible()
    # The one that is farthest from all others, so that no other is meant.
    lonely = max(
        served.points.iter_rows(named=True),
        key=lambda row: ((served.points["x"] - row["x"]) ** 2 + (served.points["y"] - row["y"]) ** 2).sort()[1],
    )
    page.mouse.move(*on_screen(page, lonely["x"], lonely["y"]), steps=4)
    card = page.locator("article.picture")
    expect(card.locator("h4")).to_have_text(display_path(lonely["path"].rpartition("/")[2]))
    expect(card).to_contain_text(f"{lonely['width_px']:,} × {lonely['height_px']:,} px")
    expect(card).to_contain_text(f"{lonely['location']}:")
    page.wait_for_function(
        "image => image.complete && image.naturalWidth > 100", arg=card.locator("img").element_handle()
    )
    assert str(card.locator("img").get_attribute("src")).startswith("data:image/webp;base64,")
    page.mouse.click(*on_screen(page, lonely["x"], lonely["y"]))
    expect(page.get_by_role("list", name="Most like it").get_by_role("button")).to_have_count(8)
    other = served.points.filter(pl.col("digest") != lonely["digest"]).row(0, named=True)
    page.mouse.move(*on_screen(page, other["x"], other["y"]), steps=4)
    expect(card.locator("h4")).to_have_text(display_path(lonely["path"].rpartition("/")[2]))


@pytest.mark.parametrize("tool", ["Lasso Select", "Box Select"])
def test_what_is_drawn_around_is_selected_exactly_and_shared(page: Page, served: Served, tool: str) -> None:
    from playwright.sync_api import expect

    open_map(page, served)
    low, high, inside = corner_points(served.points)
    assert 3 < inside.height < served.points.height - 3
    if tool == "Box Select":  # the lasso is taken up already
        page.locator(f".bk-OnOffButton[title^='{tool}']").click()
    (left, bottom), (right, top) = on_screen(page, *low), on_screen(page, *high)
    corners = [(left, top), (right, top), (right, bottom), (left, bottom), (left, top + 2)]
    path = corners if tool.startswith("Lasso") else [(left, top), (right, bottom)]
    page.mouse.move(*path[0])
    page.mouse.down()
    for corner in path[1:]:
        page.mouse.move(*corner, steps=8)
    page.mouse.up()
    expect(page.locator("p[role=status]").first).to_have_text(f"Selected: {add_up_selection(inside).sentence}")
    expect(page.locator(".chosen")).to_have_text(" ".join(inside["digest"].sort()))
    page.get_by_role("button", name="Clear selection").click()
    expect(page.locator("p[role=status]").first).to_have_text("Nothing is selected.")


def test_everything_is_reached_by_keyboard(page: Page, served: Served) -> None:
    """Colours, a selection, and its pictures one by one with those most like them."""
    from playwright.sync_api import expect

    open_map(page, served)
    page.get_by_role("button", name="format").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("list", name="Colours")).to_contain_text("JPEG")
    page.get_by_role("button", name="age").focus()
    page.keyboard.press("Enter")
    expect(page.locator(".scale p span").first).to_have_text(re.compile(r"^[A-Z][a-z]+ \d{4}$"))
    page.get_by_role("button", name="tier").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_text("In no group")).to_be_visible()
    page.get_by_role("button", name="reclaimable bytes").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_text("Nothing to free")).to_be_visible()
    page.get_by_role("button", name="Select what is shown").focus()
    page.keyboard.press("Enter")
    expect(page.locator("p[role=status]").first).to_contain_text(f"Selected: {served.points.height} pictures")
    # The pictures one by one, and those most like each.
    page.get_by_role("button", name="Next selected picture").focus()
    page.keyboard.press("Enter")
    name = display_path(served.points["path"][0].rpartition("/")[2])
    expect(page.locator("article.picture h4").first).to_have_text(name)
    near = page.get_by_role("list", name="Most like it").get_by_role("button")
    expect(near).to_have_count(8)
    wanted = str(near.first.get_attribute("title"))
    near.first.focus()
    page.keyboard.press("Enter")
    expect(page.locator("article.picture h4").first).to_have_text(wanted)
    page.get_by_role("button", name="Let go of it").focus()
    page.keyboard.press("Enter")
    expect(near).to_have_count(0)


def test_what_is_selected_is_acted_on_by_keys_alone(page: Page, served: Served) -> None:
    from playwright.sync_api import expect

    open_map(page, served)
    page.get_by_role("button", name="Select what is shown").focus()
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Label the pairs among them").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Are these two the same picture?")).to_be_visible()
    expect(page.get_by_role("button", name="Same picture (S)")).to_be_focused()
    waiting = page.get_by_text("wait behind this one")
    before = waiting.inner_text()
    page.keyboard.press("s")
    expect(waiting).not_to_have_text(before)
    page.keyboard.press("Escape")
    expect(page.get_by_role("heading", name="1 pair labelled")).to_be_visible()
    page.get_by_role("button", name="Plan: all copies in their groups").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("No plan was made")
    with page.expect_download() as saved:
        page.get_by_role("button", name="Save as CSV").focus()
        page.keyboard.press("Enter")
    assert pl.read_csv(saved.value.path())["digest"].sort().equals(served.points["digest"].sort())
    page.get_by_role("button", name="Never propose these for removal").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_text(f"{served.points.height} pictures will never be proposed for removal")).to_be_visible()
    page.get_by_role("button", name="Take it back").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_text(f"{served.points.height} decisions taken back")).to_be_visible()


@pytest.mark.parametrize("page", [(1440, 900, "dark"), (390, 844, "light")], indirect=True)
def test_it_fits_the_screen_and_warns_of_what_it_is_not(page: Page, served: Served) -> None:
    from playwright.sync_api import expect

    open_map(page, served)
    expect(page.get_by_text("Distances on this map are no evidence: groups come from pairs.")).to_be_visible()
    width = page.viewport_size["width"] if page.viewport_size else 0
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    for name in ("laptop", "share"):
        expect(page.get_by_text(name, exact=True)).to_be_visible()


def test_what_is_missing_is_said_in_the_place_of_the_map(page: Page, served: Served) -> None:
    from playwright.sync_api import expect

    page.goto(served.empty)
    expect(page.get_by_role("heading", name="No picture is indexed yet")).to_be_visible()
    page.goto(served.unread)
    expect(page.get_by_role("heading", name="No picture could be read")).to_be_visible()
    page.goto(served.failures)
    expect(page.get_by_role("heading", name="None of the 1 picture has vectors of sscd_small")).to_be_visible()
    expect(page.get_by_text("deeplens index")).to_be_visible()
    page.goto(served.waiting)
    expect(page.get_by_role("heading", name="The map is being made")).to_be_visible()
