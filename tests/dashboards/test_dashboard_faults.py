"""A defect of ours: the traceback is in the log, a calm sentence on the page, and the page lives on.

The pages are served one by one, as for development: `panel serve` with the workspace of DEEPLENS_WORKSPACE.
"""

from __future__ import annotations

import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from dashboard_server import ROOT, Served, environment, serving, visiting
from sample_workspace import SampleWorkspace

from deeplens_kit.pipeline import Workspace
from deeplens_kit.views.state.search_state import UNEXPECTED

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = pytest.mark.browser

_COUNTED = """
window.notices = []
new MutationObserver((changes) => {
  for (const change of changes) for (const added of change.addedNodes) {
    if (added.classList?.contains("notyf__toast")) window.notices.push(added.innerText)
  }
}).observe(document.body, {childList: true, subtree: true})
"""


@pytest.fixture(scope="module")
def developed(sample: SampleWorkspace, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """`panel serve` over both pages and a faulty one."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    pages = [ROOT / "dashboards" / "search.py", ROOT / "dashboards" / "duplicates.py"]
    pages.append(Path(__file__).with_name("faulty_page.py"))
    words = [sys.executable, "-m", "panel", "serve", *map(str, pages), "--address", "127.0.0.1", "--port", str(port)]
    words += ["--allow-websocket-origin", f"127.0.0.1:{port}"]
    log = tmp_path_factory.mktemp("developed") / "serve.log"
    with log.open("w", encoding="utf-8") as stream:
        process = subprocess.Popen(
            words, env=environment(DEEPLENS_WORKSPACE=str(sample.workspace)), stdout=stream, stderr=subprocess.STDOUT
        )
    try:
        while process.poll() is None:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
        assert process.poll() is None, log.read_text(encoding="utf-8")
        yield Served(f"http://127.0.0.1:{port}", log, process)  # type: ignore[arg-type]
    finally:
        process.terminate()
        process.wait()


def test_the_pages_work_one_by_one_with_the_pictures_within(
    browser: Browser, developed: Served, re_encoded: Path
) -> None:
    with visiting(browser, developed) as visit:
        page = visit.go("/search")
        page.set_input_files("input[type=file]", re_encoded)
        page.get_by_text(re.compile("compared in")).wait_for()
        assert page.locator(".results img").first.get_attribute("src").startswith("data:image/webp")  # type: ignore[union-attr]
        page = visit.go("/duplicates")
        page.locator(".group").first.wait_for()


def test_a_defect_is_told_calmly_and_logged_and_the_page_lives_on(
    browser: Browser, developed: Served, re_encoded: Path
) -> None:
    context = browser.new_context()
    page = context.new_page()
    page.goto(f"{developed.url}/faulty_page")
    page.set_input_files("input[type=file]", re_encoded)
    # What is a command is set as one.
    said_plainly = UNEXPECTED.replace("`", "")
    page.get_by_role("alert").filter(has_text=said_plainly).first.wait_for()
    assert "a defect" not in page.inner_text("body")
    # Notices go when their time is over, so they are counted as they come.
    page.evaluate(_COUNTED)
    for number, (button, said) in enumerate((("Raise at once", "a defect at once"), ("Raise later", "a defect later"))):
        page.get_by_role("button", name=button).click()
        end = time.monotonic() + 30
        while f"RuntimeError: {said}" not in developed.log and time.monotonic() < end:
            page.wait_for_timeout(50)
        assert f"RuntimeError: {said}" in developed.log
        page.wait_for_function(f"window.notices.length > {number}")
    assert all(said_plainly in text.replace("`", "") for text in page.evaluate("window.notices"))
    page.get_by_role("button", name="Start over").or_(page.get_by_label("Words, or a link")).first.wait_for()
    page.set_input_files("input[type=file]", re_encoded)
    page.get_by_role("alert").filter(has_text="This search did not work").wait_for()
    assert developed.log.count("RuntimeError: a defect of the search") == 2
    assert "Traceback" in developed.log
    context.close()


def test_a_page_that_cannot_be_made_says_why_and_comes_back(browser: Browser, tmp_path: Path) -> None:
    Workspace.create(tmp_path / "workspace").close()
    catalog = tmp_path / "workspace" / "catalog"
    with serving(tmp_path / "workspace", tmp_path) as served:
        context = browser.new_context()
        page = context.new_page()
        shutil.move(catalog, tmp_path / "away")
        for name in ("search", "duplicates"):
            page.goto(f"{served.url}/{name}")
            said = page.get_by_role("alert")
            said.filter(has_text="This page cannot be shown").wait_for()
            assert "Cannot read the catalog" in said.inner_text()
            assert page.get_by_role("link", name="Duplicates").is_visible()
        assert "a page failed" in served.log
        assert "Traceback" not in served.log
        shutil.move(tmp_path / "away", catalog)
        page.reload()
        page.get_by_text("Nothing indexed yet").wait_for()
        context.close()
