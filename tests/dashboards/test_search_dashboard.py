"""The page of search in a real browser, served by the real command over the sample library."""

from __future__ import annotations

import base64
import json
import re
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from dashboard_server import Served, visiting
from sample_workspace import SampleWorkspace

from deeplens_kit.pipeline import Workspace

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.browser

FILE = "input[type=file]"
# Seconds until a refusal is on the screen: the file is not sent at all.
REFUSED_SECONDS = 3.0
# Stops of the Tab key before the place of a picture: the pages, and the menu of the person.
MOST_TABS = 16
# Cumulative Layout Shift that Web Vitals call good.
STEADY = 0.1

# Contrast as WCAG 2.2 measures it, of every text against the nearest opaque background, into shadow roots.
CONTRAST = """() => {
  const parse = c => (c.match(/[\\d.]+/g) || []).map(Number);
  const light = c => { const [r, g, b] = c.map(v => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
  const up = node => node.parentElement || (node.getRootNode().host || null);
  const low = [];
  const look = root => {
    for (const node of root.querySelectorAll('*')) {
      if (node.shadowRoot) look(node.shadowRoot);
      const text = [...node.childNodes].some(n => n.nodeType === 3 && n.textContent.trim());
      if (!text || ['SCRIPT', 'STYLE', 'OPTION'].includes(node.tagName) || !node.checkVisibility()) continue;
      if (node.closest('.skip, .unseen, :disabled')) continue;
      let at = node, back = [0, 0, 0, 0];
      while (at && (back.length < 3 || back[3] === 0)) {
        back = parse(getComputedStyle(at).backgroundColor); at = up(at); }
      const [a, b] = [light(parse(getComputedStyle(node).color).slice(0, 3)), light(back.slice(0, 3))];
      const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
      if (ratio < 4.5) low.push([node.tagName, node.className, node.textContent.trim().slice(0, 30), ratio]);
    }
  };
  look(document);
  return low;
}"""
# The element with the focus, also within a shadow root.
FOCUSED = """() => {
  let at = document.activeElement;
  while (at && at.shadowRoot && at.shadowRoot.activeElement) at = at.shadowRoot.activeElement;
  return at ? `${at.tagName} ${at.type || ''} ${at.getAttribute('aria-label') || at.textContent}`.trim() : '';
}"""


HAS_FOCUS = "element => element.getRootNode().activeElement === element"


def ready(page: Page) -> Page:
    page.locator(FILE).wait_for(state="attached")
    return page


def search(page: Page, picture: Path) -> None:
    page.set_input_files(FILE, picture)
    page.get_by_text(re.compile("compared in")).wait_for()


def names(page: Page) -> list[str]:
    return [text.strip() for text in page.locator(".results h4").all_inner_texts()]


def members(page: Page) -> set[tuple[str, str]]:
    """Location and path of every file of the groups that show."""
    said = page.locator(".group .files .mono").all_text_contents()
    return {(location, path) for location, _, path in (text.strip().partition(": ") for text in said)}


@pytest.mark.parametrize(("width", "height"), [(1440, 900), (390, 844)])
def test_a_re_encoded_copy_finds_its_original_first_and_the_group_of_it(
    browser: Browser, served: Served, sample: SampleWorkspace, re_encoded: Path, width: int, height: int
) -> None:
    (original,) = sample.places(source_id="retina", family="original")
    with visiting(browser, served, width, height) as visit:
        page = ready(visit.go("/search"))
        search(page, re_encoded)
        first = page.locator(".results > li").first
        assert first.locator("h4").inner_text() == Path(original[1]).name
        assert first.locator(".chip").all_inner_texts() == ["copy", "keeper"]
        assert first.locator(".places .mono").first.text_content() == f"{original[0]}: {original[1]}"
        assert page.locator(".asked .title").inner_text() == re_encoded.name
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        first.get_by_role("button", name="Its duplicates").click()
        page.get_by_role("button", name="Back to the results").wait_for()
        assert members(page) == set(sample.places(source_id="retina"))
        keeper = page.locator(".group .picture.keeper")
        assert keeper.locator("h4").inner_text() == Path(original[1]).name
        assert "PDQ:" in page.locator(".group .evidence").first.inner_text()
        page.get_by_role("link", name="Link to this group").click()
        page.get_by_role("button", name="All groups").wait_for()
        assert members(page) == set(sample.places(source_id="retina"))


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_can_be_read_and_does_not_jump(browser: Browser, served: Served, re_encoded: Path, scheme: Any) -> None:
    with visiting(browser, served, color_scheme=scheme) as visit:
        page = visit.page
        page.add_init_script(
            "window.shifted = 0; new PerformanceObserver(list => { for (const entry of list.getEntries())"
            " if (!entry.hadRecentInput) window.shifted += entry.value })"
            ".observe({ type: 'layout-shift', buffered: true })"
        )
        ready(visit.go("/search"))
        assert page.evaluate(CONTRAST) == []
        search(page, re_encoded)
        page.wait_for_load_state("networkidle")
        assert page.evaluate(CONTRAST) == []
        before = page.evaluate("window.shifted")
        page.mouse.wheel(0, 2000)
        page.wait_for_load_state("networkidle")
        assert page.evaluate("window.shifted") - before < STEADY
        page.get_by_role("button", name="Its duplicates").first.click()
        page.get_by_role("button", name="Back to the results").wait_for()
        assert page.evaluate(CONTRAST) == []
        unloaded = "[...document.images].filter(i => i.complete && i.naturalWidth === 0).length"
        assert page.evaluate(unloaded) == 0


def test_a_picture_is_dropped_and_pasted(browser: Browser, served: Served, re_encoded: Path) -> None:
    from playwright.sync_api import expect

    content = base64.b64encode(re_encoded.read_bytes()).decode()
    give = """([content, kind]) => {
      const bytes = Uint8Array.from(atob(content), c => c.charCodeAt(0));
      const data = new DataTransfer();
      data.items.add(new File([bytes], `${kind}.jpg`, { type: 'image/jpeg' }));
      const event = kind === 'drop' ? new DragEvent('drop', { dataTransfer: data, bubbles: true, cancelable: true })
        : new ClipboardEvent('paste', { clipboardData: data, bubbles: true, cancelable: true });
      document.body.dispatchEvent(event);
    }"""
    with visiting(browser, served) as visit:
        page = ready(visit.go("/search"))
        for kind in ("drop", "paste"):
            page.evaluate(give, [content, kind])
            page.locator(".asked .title", has_text=f"{kind}.jpg").wait_for()
            expect(page.locator(".results h4").first).to_have_text("fundus.jpg")


def test_filters_and_threshold_narrow_the_answer_and_keep_the_picture(
    browser: Browser, served: Served, re_encoded: Path
) -> None:
    with visiting(browser, served) as visit:
        page = ready(visit.go("/search"))
        search(page, re_encoded)
        assert names(page) == ["fundus.jpg", "fundus_700.jpg", "fundus.bmp"]
        page.get_by_label(re.compile("^laptop")).check()
        page.get_by_role("heading", name="2 pictures").wait_for()
        assert names(page) == ["fundus_700.jpg", "fundus.bmp"]
        bmp = page.get_by_label(re.compile("^BMP"))
        bmp.check()
        page.get_by_role("heading", name="1 picture", exact=True).wait_for()
        assert names(page) == ["fundus.bmp"]
        assert bmp.evaluate(HAS_FOCUS), "what was ticked keeps the focus while the counts change"
        page.get_by_label(re.compile("^BMP")).uncheck()
        page.get_by_role("heading", name="2 pictures").wait_for()
        slider = page.get_by_role("slider", name="Least score")
        slider.focus()
        page.keyboard.press("End")
        page.get_by_text("Nothing like it was found").wait_for()
        page.keyboard.press("Home")
        page.get_by_role("heading", name="2 pictures").wait_for()
        assert slider.evaluate(HAS_FOCUS)
        assert page.locator(".asked .title").inner_text() == re_encoded.name
        page.get_by_role("button", name="Clear filters").click()
        page.get_by_role("heading", name="3 pictures").wait_for()
        page.get_by_role("button", name="Start over").click()
        page.get_by_text("Have we got this picture?").wait_for()


def test_words_find_names_and_a_link_to_the_search_and_back_ask_again(browser: Browser, served: Served) -> None:
    with visiting(browser, served) as visit:
        page = ready(visit.go("/search"))
        typed = page.get_by_label("Words, or a link to a picture")
        for words in ("fundus", "astronaut"):
            typed.fill(words)
            typed.press("Enter")
            page.locator(".results h4", has_text=words).first.wait_for()
        page.get_by_label(re.compile("^PNG")).first.check()
        page.wait_for_url(re.compile("words=astronaut&where=format"))
        shared = page.url
        found = names(page)
        page.go_back()
        page.locator(".results h4", has_text="fundus").first.wait_for()
        assert "words=fundus" in page.url and "where" not in page.url
        page.goto(shared)
        page.locator(".results h4", has_text="astronaut").first.wait_for()
        assert names(page) == found
        assert page.get_by_label(re.compile("^PNG")).first.is_checked()
        page = ready(visit.go("/search?like=/etc/passwd"))
        page.get_by_role("alert").filter(has_text="cannot be read").wait_for()


def test_a_part_of_the_picture_is_searched_for_and_an_upload_has_a_link(
    browser: Browser, served: Served, re_encoded: Path
) -> None:
    with visiting(browser, served) as visit:
        page = ready(visit.go("/search"))
        search(page, re_encoded)
        box = page.locator(".crop-shot").bounding_box()
        assert box is not None
        page.mouse.move(box["x"] + 0.2 * box["width"], box["y"] + 0.2 * box["height"])
        page.mouse.down()
        page.mouse.move(box["x"] + 0.8 * box["width"], box["y"] + 0.9 * box["height"], steps=4)
        page.mouse.up()
        page.wait_for_url(re.compile("crop=0.2"))
        assert names(page)[0].startswith("fundus")
        page.goto(page.url)
        page.get_by_role("button", name="Search for the whole picture").wait_for()
        page.get_by_role("button", name="Search for the whole picture").click()
        page.get_by_role("button", name="Search for a part").wait_for()
        page.get_by_role("heading", name="3 pictures").wait_for()


def test_results_are_walked_rated_selected_compared_and_saved(
    browser: Browser, served: Served, sample: SampleWorkspace, re_encoded: Path
) -> None:
    with visiting(browser, served) as visit:
        page = ready(visit.go("/search"))
        search(page, re_encoded)
        # More like an indexed one: then a verdict is a label on the pair.
        page.locator("[data-card]").nth(1).focus()
        page.keyboard.press("m")
        page.get_by_text("This very file is indexed.").wait_for()
        page.locator("[data-card]").first.focus()
        page.keyboard.press("ArrowRight")
        assert page.evaluate(FOCUSED).startswith("DIV  2. fundus")
        page.keyboard.press("s")
        page.get_by_role("button", name=re.compile("^Same: fundus"), pressed=True).wait_for()
        assert page.evaluate(FOCUSED).startswith("DIV  2. fundus"), "the card that was rated keeps the focus"
        page.keyboard.press("Space")
        page.get_by_text("1 picture in 1 file").wait_for()
        page.locator("[data-card]").first.focus()
        page.keyboard.press("Space")
        page.get_by_text("2 pictures in 2 files").wait_for()
        with page.expect_download() as download:
            page.get_by_role("button", name="Save as JSON").click()
        saved = json.loads(Path(download.value.path()).read_text(encoding="utf-8"))
        assert [len(row["places"]) for row in saved["results"]] == [1, 1]
        page.get_by_role("button", name="Compare the two").click()
        page.get_by_role("button", name="Blink").click()
        page.get_by_role("button", name="Back to the results").click()
        page.get_by_placeholder("Name this search").fill("retina")
        page.get_by_role("button", name="Save", exact=True).click()
        page.get_by_text("Saved as 'retina'.").wait_for()
        page.get_by_role("button", name="Start over").click()
        page.get_by_role("link", name=re.compile("^retina")).click()
        page.get_by_text("This very file is indexed.").wait_for()
    with Workspace.open(sample.workspace) as workspace:
        assert workspace.ledger.labels()["verdict"].to_list() == ["same"]
        assert [item.name for item in workspace.ledger.saved_searches()] == ["retina"]
        assert workspace.ledger.search_history()


def test_more_like_it_searches_for_a_result(browser: Browser, served: Served, re_encoded: Path) -> None:
    with visiting(browser, served) as visit:
        page = ready(visit.go("/search"))
        search(page, re_encoded)
        page.get_by_role("button", name="More like it: fundus_700.jpg").click()
        page.get_by_text("This very file is indexed.").wait_for()
        first = page.locator(".results > li").first
        assert first.locator("h4").inner_text() == "fundus_700.jpg"
        assert first.locator(".chip").first.inner_text() == "bytes"
        assert first.locator(".score").inner_text().strip() == "1.000"


def test_a_link_into_this_machine_is_refused(browser: Browser, served: Served) -> None:
    with visiting(browser, served) as visit:
        page = ready(visit.go("/search"))
        link = page.get_by_label("Words, or a link to a picture")
        link.fill(f"{served.url}/favicon.ico")
        link.press("Enter")
        alert = page.get_by_role("alert")
        alert.wait_for()
        assert "127.0.0.1" in alert.inner_text()
        assert "private" in alert.inner_text() or "public" in alert.inner_text()


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [("story.jpg", b"no picture at all" * 100, "story.jpg"), ("empty.png", b"", "empty.png is empty")],
)
def test_an_upload_that_cannot_be_read_says_so_and_the_next_one_works(
    browser: Browser, served: Served, re_encoded: Path, tmp_path: Path, name: str, content: bytes, says: str
) -> None:
    (tmp_path / name).write_bytes(content)
    with visiting(browser, served) as visit:
        page = ready(visit.go("/search"))
        page.set_input_files(FILE, tmp_path / name)
        alert = page.get_by_role("alert")
        alert.wait_for()
        assert says in alert.inner_text()
        assert "Traceback" not in alert.inner_text()
        search(page, re_encoded)
        assert names(page)[0] == "fundus.jpg"


def test_two_hundred_megabytes_are_refused_at_once_and_the_next_upload_works(
    browser: Browser, served: Served, re_encoded: Path, tmp_path: Path
) -> None:
    large = tmp_path / "large.tif"
    with large.open("wb") as stream:
        stream.truncate(200 * 1000**2)
    with visiting(browser, served) as visit:
        page = ready(visit.go("/search"))
        started = time.monotonic()
        page.set_input_files(FILE, large)
        alert = page.get_by_role("alert")
        alert.wait_for()
        assert time.monotonic() - started < REFUSED_SECONDS
        assert "large.tif has 200 MB; up to 100 MB can be uploaded" in alert.inner_text()
        assert "deeplens search --image" in alert.inner_text()
        search(page, re_encoded)
        assert names(page)[0] == "fundus.jpg"


def test_a_picture_of_many_pieces_arrives_whole(browser: Browser, served: Served, tmp_path: Path) -> None:
    """Three megabytes are four messages."""
    from PIL import Image

    noise = Image.effect_noise((1100, 1000), 90).convert("RGB")
    noise.save(tmp_path / "noise.bmp")
    assert (tmp_path / "noise.bmp").stat().st_size > 3 * 2**20
    with visiting(browser, served) as visit:
        page = ready(visit.go("/search"))
        page.set_input_files(FILE, tmp_path / "noise.bmp")
        page.locator(".asked").wait_for()
        assert "1,100 × 1,000 px, BMP, 3.30 MB" in page.locator(".asked").inner_text()


def test_the_whole_way_by_keyboard(browser: Browser, served: Served, re_encoded: Path) -> None:
    with visiting(browser, served) as visit:
        # From the beginning: Chromium takes a moment until it hands over its dialogue, and Enter would come before.
        visit.page.on("filechooser", lambda _: None)
        page = ready(visit.go("/search"))
        reached = []
        while not any(" file " in text for text in reached):
            page.keyboard.press("Tab")
            reached.append(f"{page.evaluate(FOCUSED)} ")
            assert len(reached) < MOST_TABS, reached
        assert "Skip to the main part" in reached[0]
        assert "You and how this looks" in reached[-2]
        outline = "getComputedStyle(document.querySelector('.drop') || node.closest('.drop')).outlineStyle"
        assert page.locator(FILE).evaluate(f"node => {outline}") == "solid"
        with page.expect_file_chooser() as chooser:
            page.keyboard.press("Enter")
        chooser.value.set_files(re_encoded)
        page.get_by_text(re.compile("compared in")).wait_for()
        assert "3 pictures" in page.evaluate(FOCUSED)
        tabs = 0
        while not page.evaluate(FOCUSED).startswith("DIV  1. fundus.jpg"):
            page.keyboard.press("Tab")
            tabs += 1
            assert tabs < MOST_TABS
        page.keyboard.press("g")
        page.get_by_role("button", name="Back to the results").wait_for()
        assert "Back to the results" in page.evaluate(FOCUSED)
        page.keyboard.press("Enter")
        page.get_by_role("heading", name="3 pictures").wait_for()


def test_an_empty_workspace_says_what_to_do(browser: Browser, served_empty: Served, re_encoded: Path) -> None:
    with visiting(browser, served_empty) as visit:
        page = ready(visit.go("/search"))
        page.get_by_text("Nothing indexed yet").wait_for()
        page.set_input_files(FILE, re_encoded)
        page.locator(".asked").wait_for()
        page.locator(".message").last.get_by_text("Nothing indexed yet").wait_for()
        page = visit.go("/duplicates")
        page.get_by_text("Nothing indexed yet").wait_for()


def test_a_workspace_of_failures_says_that_nothing_could_be_analysed(browser: Browser, served_failures: Served) -> None:
    with visiting(browser, served_failures) as visit:
        page = ready(visit.go("/search"))
        page.get_by_text("Nothing indexed yet").wait_for()
        assert "deeplens failures" in page.locator(".message").last.inner_text()
        page = visit.go("/duplicates")
        page.get_by_text("Nothing could be analysed").wait_for()
        assert "2 files were found" in page.locator(".message").last.inner_text()
