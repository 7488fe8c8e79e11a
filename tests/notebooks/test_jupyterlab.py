"""The notebooks in a real JupyterLab in a real browser: they run, and what is drawn in them can be worked with."""

from __future__ import annotations

import contextlib
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image
from running_lab import Lab, Sheet, opened_sheet, running_lab, wait_for
from sample_workspace import SampleWorkspace, sample_workspace

from deeplens_kit.pipeline import Workspace, add_location

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator

pytestmark = pytest.mark.browser

MANY = 150

# Where a person may look at what the tests saw.
_SCREENS = Path("build/screens")
_BOUNDS = """() => [...Bokeh.documents].flatMap(d => [...d._all_models.values()])
  .filter(m => m.type === 'Span').map(m => m.location)"""


@pytest.fixture(scope="module")
def lab(repository: Path, sample: SampleWorkspace, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    folder = tmp_path_factory.mktemp("lab")
    # A copy: JupyterLab writes beside what it opens.
    shutil.copytree(repository / "notebooks", folder / "notebooks", ignore=shutil.ignore_patterns(".*"))
    environment = {"DEEPLENS_WORKSPACE": str(sample.workspace), "PYTHONPATH": str(repository)}
    with running_lab(folder / "notebooks", folder / "home", environment) as running:
        yield running


@pytest.fixture(scope="module")
def many_pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """So many that reading them takes long enough to be interrupted."""
    folder = tmp_path_factory.mktemp("many")
    random = np.random.default_rng(11)
    for number in range(MANY):
        coarse = Image.fromarray(random.integers(0, 255, (6, 8, 3), dtype=np.uint8))
        coarse.resize((640, 480), Image.Resampling.BICUBIC).save(folder / f"{number}.jpg", quality=85)
    return folder


def ran(sheet: Sheet, name: str, repository: Path) -> None:
    """Run all cells, and keep a picture of the screen."""
    sheet.run_all()
    look(sheet, name, repository)
    well(sheet)


def look(sheet: Sheet, name: str, repository: Path) -> None:
    (repository / _SCREENS).mkdir(parents=True, exist_ok=True)
    sheet.page.screenshot(path=repository / _SCREENS / f"lab-{name}.png")


def well(sheet: Sheet) -> None:
    """Nothing failed, and nothing outside this machine was asked for."""
    assert sheet.errors() == []
    assert sheet.said == []
    assert sheet.refused == []


def test_a_pair_is_labelled_decided_and_looked_at_closely_by_keys(
    browser: Browser, repository: Path, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    from axe_playwright_python.sync_playwright import Axe

    # A workspace of its own, for what is said of pairs changes what the others show.
    own = sample_workspace(tmp_path_factory)
    shutil.copytree(repository / "notebooks", tmp_path / "notebooks", ignore=shutil.ignore_patterns(".*"))
    environment = {"DEEPLENS_WORKSPACE": str(own.workspace), "PYTHONPATH": str(repository)}
    with (
        running_lab(tmp_path / "notebooks", tmp_path / "home", environment) as running,
        opened_sheet(browser, running, "04_review_duplicates.ipynb") as sheet,
    ):
        ran(sheet, "04-ran", repository)
        page, keys = sheet.page, sheet.page.keyboard
        said, place = page.locator(".pair > .said"), page.locator(".pair > .head")
        cells = page.locator(".jp-Cell").count()
        # 1. To a group of copies, by keys that JupyterLab has other uses for. It takes the focus itself when the last
        # cell has run, at times after this: then the key goes astray, and is pressed again.
        for _attempt in range(3):
            page.locator(".pair").focus()
            keys.press("n")
            with contextlib.suppress(AssertionError):
                wait_for(lambda: "Group 2 of" in place.inner_text(), 10, place.inner_text)
                break
        assert "Group 2 of" in place.inner_text()
        keys.press("s")
        until(lambda: said.inner_text().endswith(": labelled as the same picture."), said)
        keys.press("x")
        until(lambda: said.inner_text().endswith(": it is never proposed."), said)
        # 2. A close look, whose keys count too.
        keys.press("c")
        page.get_by_role("button", name="Overlay").wait_for()
        keys.press("4")
        until(lambda: page.get_by_role("button", name="Overlay").get_attribute("aria-pressed") == "true", said)
        until(lambda: page.locator(".pair img").evaluate_all("all => all.every(i => i.naturalWidth > 1)"), said)
        look(sheet, "04-close", repository)
        output = page.locator(".jp-OutputArea-output", has=page.locator(".pair"))
        output.evaluate("element => { element.id = 'reviewed' }")
        found = Axe().run(page, context="#reviewed", options={"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]})
        assert found.violations_count == 0, found.generate_report()
        # 3. What was said is in the ledger, and undo takes the last of it back.
        with Workspace.open(own.workspace) as workspace:
            assert workspace.ledger.labels()["verdict"].to_list() == ["same"]
            assert workspace.ledger.decisions()["kind"].to_list() == ["never_propose"]
            keys.press("z")
            until(lambda: said.inner_text() == "Taken back.", said)
            assert workspace.ledger.decisions().is_empty()
        # 4. Grouped anew the place stays.
        keys.press("k")
        page.get_by_role("button", name="Group anew").wait_for()
        keys.press("r")
        until(lambda: said.inner_text() == "Grouped anew.", said)
        assert page.locator(".jp-Cell").count() == cells
        well(sheet)


def test_a_picture_that_is_given_is_found_with_its_duplicates(
    browser: Browser, lab: Lab, sample: SampleWorkspace, repository: Path
) -> None:
    with opened_sheet(browser, lab, "06_search.ipynb") as sheet:
        ran(sheet, "06-ran", repository)
        page = sheet.page
        asked = page.locator(".asked")
        ((location, path), *_) = sample.places(source_id="coffee", family="original")
        page.locator("input[type='file']").set_input_files(sample.library / location / path)
        until(lambda: Path(path).name in asked.inner_text(), asked)
        assert "This very file is indexed." in asked.inner_text()
        page.get_by_role("button", name=re.compile("^Its duplicates")).first.click()
        page.get_by_role("heading", name="Its duplicates").wait_for()
        look(sheet, "06-duplicates", repository)
        page.get_by_role("button", name="Start over").click()
        page.get_by_label("Words, or a link to a picture").press_sequentially("astronaut")
        page.keyboard.press("Enter")
        page.locator(".results h4", has_text="astronaut").first.wait_for()
        until(lambda: page.locator(".results .picture").count() > 1, page.locator(".results"))
        well(sheet)


def test_a_box_and_a_lasso_on_the_map_select_into_the_gallery(
    browser: Browser, lab: Lab, sample: SampleWorkspace, repository: Path
) -> None:
    with opened_sheet(browser, lab, "02_explore_clusters.ipynb") as sheet:
        ran(sheet, "02-ran", repository)
        said = sheet.page.get_by_role("status").filter(has_text=re.compile(r"^\d+ pictures? in")).first
        cards = sheet.page.locator(".pictures article.picture")
        # 1. what the notebook itself selected
        said.wait_for()
        assert cards.count() == pictures(said) > 0
        # 2. pointing at a dot shows its picture, which also says that the map listens by now
        canvas = sheet.page.locator(".bk-Canvas").first
        hint = sheet.page.get_by_text("Point at the map to see a picture.")
        until(lambda: sweep(sheet, canvas, hint), said)
        look(sheet, "02-pointed", repository)
        # 3. a box around the upper half, 4. a lasso around all of the map
        for tool, corners, name in (
            ("Box Select", [(0.05, 0.1), (0.97, 0.5)], "02-box"),
            ("Lasso Select", [(0.03, 0.1), (0.97, 0.1), (0.97, 0.96), (0.03, 0.96), (0.03, 0.12)], "02-lasso"),
        ):
            before = pictures(said)
            choose(sheet, tool)
            drag(sheet, canvas, corners)
            until(lambda before=before: pictures(said) not in (0, before), said)
            until(lambda: cards.count() == pictures(said), said)
            look(sheet, name, repository)
        with Workspace.open(sample.workspace) as workspace:
            assert pictures(said) == workspace.catalog.pictures().height
        well(sheet)


def test_moving_a_threshold_by_keyboard_moves_the_figures(browser: Browser, lab: Lab, repository: Path) -> None:
    from playwright.sync_api import TimeoutError as NotYet

    with opened_sheet(browser, lab, "03_tune_thresholds.ipynb") as sheet:
        ran(sheet, "03-ran", repository)
        page = sheet.page
        figures = page.locator(".figures").first
        figures.wait_for()
        assert figures.inner_text().count("as by strict") == 5
        bound = page.evaluate(_BOUNDS)[0]
        slider = page.get_by_role("slider", name="Least likelihood of a copy")

        def is_moved() -> bool:
            # What a widget of Panel says before the kernel listens is lost: a person moves it once more.
            slider.press("Home")
            slider.press("End")
            with contextlib.suppress(NotYet):
                figures.get_by_text("less than").first.wait_for(timeout=3_000)
            return "less than" in figures.inner_text()

        until(is_moved, figures)
        until(lambda: page.evaluate(_BOUNDS)[0] == 1 > bound, figures)
        until(lambda: page.locator("img[src^='data:image/webp']").count() > 0, figures)
        look(sheet, "03-moved", repository)
        page.get_by_role("button", name="Back to the strict rule").click()
        until(lambda: figures.inner_text().count("as by strict") == 5, figures)
        # A pair is opened, labelled and taken back by keys that JupyterLab has other meanings for.
        cells, desk = page.locator(".jp-Cell").count(), page.locator(".desk")
        desk.focus()
        page.keyboard.press("ArrowRight")
        until(lambda: page.locator(".pair-shot img").count() > 0, desk)
        page.keyboard.press("3")
        until(lambda: "Difference" in page.locator(".way[aria-pressed=true]").inner_text(), desk)
        for key, said in (("d", "Said: different pictures."), ("z", "Taken back.")):
            page.keyboard.press(key)
            until(lambda said=said: said in desk.inner_text(), desk)
        look(sheet, "03-labelled", repository)
        assert page.locator(".jp-Cell").count() == cells
        well(sheet)


def test_interrupting_the_kernel_keeps_what_was_read(
    browser: Browser, repository: Path, tmp_path: Path, many_pictures: Path
) -> None:
    shutil.copytree(repository / "notebooks", tmp_path / "notebooks")
    with Workspace.create(tmp_path / "workspace") as workspace:
        add_location(workspace, "many", str(many_pictures))
    environment = {"DEEPLENS_WORKSPACE": str(tmp_path / "workspace"), "PYTHONPATH": str(repository)}
    with (
        running_lab(tmp_path / "notebooks", tmp_path / "home", environment) as own,
        opened_sheet(browser, own, "01_index_locations.ipynb") as sheet,
    ):
        page = sheet.page
        page.evaluate("void window.jupyterapp.commands.execute('notebook:run-all-cells')")
        reading = page.locator(".widget-hbox", has_text="many: reading")
        until(lambda: re.search(r"[1-9]\d* of", reading.first.inner_text()) is not None, page.locator("body"))
        page.get_by_role("button", name="Interrupt the kernel").click()
        page.get_by_text("Stopped; what was done so far is kept. Run the cell again to go on.").wait_for()
        look(sheet, "01-interrupted", repository)
        assert any("Interrupted: Stopped; what was read is kept." in text for text in sheet.errors())
        assert not any("Traceback" in text for text in sheet.errors())
        with Workspace.open(tmp_path / "workspace") as workspace:
            kept = workspace.catalog.objects().height
        assert 0 < kept < MANY
        sheet.run_all(seconds=240)
        well(sheet)
    with Workspace.open(tmp_path / "workspace") as workspace:
        assert workspace.catalog.objects().height == MANY


def pictures(said: Locator) -> int:
    """The number that the words about the selection begin with."""
    return int(said.inner_text().split()[0].replace(",", ""))


def choose(sheet: Sheet, tool: str) -> None:
    sheet.page.locator(f".bk-OnOffButton[title='{tool}']").click()


def sweep(sheet: Sheet, canvas: Locator, hint: Locator) -> bool:
    """Move over the map line by line until the hint gives way to a picture."""
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    assert box is not None
    for line in range(4, 20):
        for x in range(2, 40):
            sheet.page.mouse.move(box["x"] + box["width"] * x / 41, box["y"] + box["height"] * line / 21)
        if not hint.count():
            return True
    return False


def drag(sheet: Sheet, canvas: Locator, corners: list[tuple[float, float]]) -> None:
    """Draw with the mouse from corner to corner, each as shares of the width and height; the tools are at the top."""
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    assert box is not None
    points = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in corners]
    sheet.page.mouse.move(*points[0])
    sheet.page.mouse.down()
    for point in points[1:]:
        sheet.page.mouse.move(*point, steps=12)
    sheet.page.mouse.up()


def until(condition: Callable[[], bool], shown: Locator) -> None:
    wait_for(condition, 30, shown.inner_text)
