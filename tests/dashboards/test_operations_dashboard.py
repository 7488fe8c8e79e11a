"""The pages of plans and locations in a real browser, by people who signed in; files move on a disk, and come back.

One server for all of it, and a worker: `ana` makes plans and applies them, `ben` approves, `root` looks after
locations, `vera` only looks.
"""

from __future__ import annotations

import io
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import skimage.data
from dashboard_server import Served, Visit, environment, serving, visiting
from PIL import Image
from test_every_page import findings
from test_search_dashboard import CONTRAST

from deeplens_kit.ledger import Role
from deeplens_kit.pipeline import Workspace, add_location, index
from deeplens_kit.service.access.passwords import hash_password
from tests.servers.s3 import S3Server

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.browser

PASSWORD = "four plain words here"
PEOPLE = {"ana": Role.APPROVER, "ben": Role.APPROVER, "root": Role.ADMIN, "vera": Role.VIEWER}
SETTINGS = '\n[service]\naccess = "on"\njob_workers = 0\n\n[actions]\nother_approver = true\n'
SIZES = [(1440, 900, "light"), (390, 844, "dark")]


@dataclass(frozen=True)
class Operated:
    """A server, and the folder of pictures that its plans act on."""

    served: Served
    pictures: Path


@pytest.fixture(scope="module")
def operated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Operated]:
    """A workspace with a picture twice, a damaged file, and people who sign in; and a worker for its jobs."""
    folder = tmp_path_factory.mktemp("operated")
    pictures = folder / "pictures"
    pictures.mkdir()
    Image.fromarray(skimage.data.chelsea()).resize((240, 160)).save(pictures / "cat.png")
    (pictures / "cat again.png").write_bytes((pictures / "cat.png").read_bytes())
    (pictures / "broken.jpg").write_bytes(b"\xff\xd8\xff no picture")
    with Workspace.create(folder / "workspace") as workspace:
        add_location(workspace, "desk", str(pictures), {"permissions": "change"})
        index(workspace)
        hashed = hash_password(PASSWORD)
        for name, role in PEOPLE.items():
            workspace.ledger.set_password_hash(workspace.ledger.add_user(name, role).user_id, hashed, quiet=True)
    with (folder / "workspace" / "workspace.toml").open("a", encoding="utf-8") as stream:
        stream.write(SETTINGS)
    with working(folder / "workspace", folder / "worker.log"), serving(folder / "workspace", folder) as served:
        yield Operated(served, pictures)


@contextmanager
def working(workspace: Path, log: Path) -> Iterator[None]:
    """A worker of jobs, until the block ends; SIGTERM has to end it well, and its log holds no traceback."""
    words = [sys.executable, "-m", "deeplens_kit.service.jobs.worker_process", "--workspace", str(workspace)]
    with log.open("w", encoding="utf-8") as stream:
        process = subprocess.Popen(words, env=environment(), stdout=subprocess.PIPE, stderr=stream, text=True)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n", log.read_text(encoding="utf-8")
        yield
        process.terminate()
        assert process.wait(30) == 0, log.read_text(encoding="utf-8")
        assert "Traceback" not in log.read_text(encoding="utf-8")
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
        if process.stdout is not None:
            process.stdout.close()


@contextmanager
def visit_of(browser: Browser, operated: Operated, name: str, path: str, *size: Any) -> Iterator[Page]:
    """A page in the browser of somebody who signs in first."""
    width, height, scheme = size or SIZES[0]
    with visiting(browser, operated.served, width, height, color_scheme=scheme) as visit:
        yield sign_in(visit, name, path)


def sign_in(visit: Visit, name: str, path: str) -> Page:
    """Ask for a page, and sign in on the way to it."""
    page = visit.go(path)
    page.get_by_label("Name").fill(name)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.wait_for_url(f"**{path}")
    return page


def confirm(page: Page, heading: str) -> None:
    """Say yes to what is asked; its heading tells the numbers."""
    asked = page.get_by_role("alertdialog")
    asked.wait_for()
    assert heading in asked.inner_text()
    asked.locator("button[type=submit]").click()


def names(pictures: Path) -> list[str]:
    return sorted(path.name for path in pictures.iterdir() if path.is_file())


def test_a_plan_is_made_approved_by_another_applied_and_undone(browser: Browser, operated: Operated) -> None:
    before = {name: (operated.pictures / name).read_bytes() for name in names(operated.pictures)}
    with visit_of(browser, operated, "ana", "/plans") as page:
        page.get_by_text("There is no plan yet").wait_for()
        page.get_by_role("button", name="Make a plan").first.click()
        page.get_by_role("button", name="Make the plan").click()
        page.get_by_role("heading", name="The plan is made").wait_for()
        plan_id = page.locator("section.plan h3").inner_text().removeprefix("Plan ")
        assert page.get_by_role("button", name="Approve").is_disabled()
        page.get_by_text("asks for the approval of somebody else").wait_for()
        assert page.url.endswith(f"/plans?plan={plan_id}")
        assert findings(page) == []
        assert page.evaluate(CONTRAST) == []

    with visit_of(browser, operated, "ben", f"/plans?plan={plan_id}") as page:
        page.get_by_role("button", name="Approve").click()
        confirm(page, "1 step")
        page.get_by_role("heading", name="The plan is approved").wait_for()

    with visit_of(browser, operated, "ana", f"/plans?plan={plan_id}") as page:
        page.get_by_text("Approved by ben").wait_for()
        page.get_by_role("button", name="Apply it").click()
        assert "moves 1 file" in page.get_by_role("alertdialog").inner_text()
        confirm(page, f"Apply plan {plan_id}?")
        page.locator("section.application").wait_for()
        (gone,) = set(before) - set(names(operated.pictures))
        page.get_by_role("button", name="Certificate", exact=True).click()
        page.get_by_text("1 of 1 step stand").wait_for()
        page.get_by_role("button", name="Quarantine").click()
        page.get_by_text("Nothing here is gone").wait_for()
        assert findings(page) == []
        page.get_by_text("Files", exact=True).click()
        page.get_by_text(f"desk: {gone}").wait_for()
        page.get_by_role("button", name="Plans", exact=True).click()
        page.get_by_role("button", name=plan_id).click()
        page.get_by_role("button", name="Undo").click()
        confirm(page, "1 done")
        page.locator("section.plan .state", has_text="undone").wait_for()
        assert {name: (operated.pictures / name).read_bytes() for name in names(operated.pictures)} == before


@pytest.mark.holds_credentials
def test_a_bucket_is_added_tested_indexed_and_seen(
    browser: Browser, operated: Operated, moto: S3Server, tmp_path: Path
) -> None:
    stream = io.BytesIO()
    Image.fromarray(skimage.data.coffee()).resize((150, 100)).save(stream, "PNG")
    moto.client().put_object(Bucket=moto.bucket, Key="operated/cup.png", Body=stream.getvalue())
    secrets = tmp_path / "secrets.toml"
    secrets.write_text(f'id = "{moto.access_key}"\nkey = "{moto.secret_key}"\n')
    secrets.chmod(0o600)
    with visit_of(browser, operated, "root", "/locations") as page:
        page.get_by_role("button", name="Add a location").click()
        page.get_by_label("Kind").select_option("s3")
        page.get_by_text("A role is safer than a key").wait_for()
        assert findings(page) == []
        assert page.evaluate(CONTRAST) == []
        for label, value in {"Name": "bucket", "Address": f"s3://{moto.bucket}/operated", "endpoint": moto.endpoint,
                             "region": moto.region, "secret_key": moto.secret_key}.items():  # fmt: skip
            page.get_by_label(label, exact=True).fill(value)
        page.get_by_label("access_key").fill(f"${{file:{secrets}#id}}")
        page.get_by_label("addressing").select_option("path")
        page.get_by_role("button", name="Test the connection").click()
        page.get_by_role("heading", name="It was not reached").wait_for()
        assert "in clear" in page.get_by_role("alert").first.inner_text()
        assert page.get_by_label("secret_key").input_value() == "", "what stood in clear is not sent back"
        page.get_by_label("secret_key").fill(f"${{file:{secrets}#key}}")
        page.get_by_role("button", name="Test the connection").click()
        page.get_by_role("heading", name="bucket was reached").wait_for()
        page.get_by_role("button", name="Save it", exact=True).click()
        page.get_by_role("heading", name="The location is saved").wait_for()
        page.get_by_role("button", name="Index now").click()
        confirm(page, "read 1 file")
        page.get_by_text("1 of 1 file analysed (100 %)").wait_for()
        assert moto.secret_key not in page.content()
    kept = [file for file in operated.served.log_file.parent.rglob("*") if file.is_file()]
    assert [file for file in kept if moto.secret_key.encode() in file.read_bytes()] == []


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}-{size[2]}")
def test_a_viewer_sees_and_does_nothing_and_all_can_be_read(browser: Browser, operated: Operated, size: Any) -> None:
    with visit_of(browser, operated, "vera", "/locations?location=desk", *size) as page:
        page.get_by_text("2 of 3 files analysed").wait_for()
        page.get_by_text("damaged: the decoder gave up").wait_for()
        for path, awaited in (("/locations?location=desk", "Last runs"), ("/plans", "")):
            page.goto(f"{operated.served.url}{path}")
            (page.get_by_text(awaited) if awaited else page.locator(".panel, .message").first).wait_for()
            acts = {button.get_attribute("data-act") for button in page.locator("button[data-act]").all()}
            assert acts <= {"tab", "list", "open", "superseded"}, acts
            assert page.evaluate("document.documentElement.scrollWidth") <= size[0]
            assert page.evaluate(CONTRAST) == []


def test_somebody_is_invited_sets_a_password_and_makes_a_key(browser: Browser, operated: Operated) -> None:
    with visit_of(browser, operated, "root", "/users") as page:
        page.get_by_label("Name").fill("nina")
        page.get_by_label("Role").select_option("viewer")
        page.get_by_role("button", name="Make the link").click()
        link = page.locator("#handed").inner_text()
        assert link.startswith(f"{operated.served.url}/")
        page.get_by_role("button", name="Done").click()
        page.get_by_text("invited, no password yet").wait_for()
        assert link not in page.content()
    with visiting(browser, operated.served, *SIZES[0][:2]) as visit:
        page = visit.go(link.removeprefix(operated.served.url))
        for box in page.locator("input[type=password]").all():
            box.fill(PASSWORD)
        page.locator("form button[type=submit], form button:not([type])").last.click()
        page.wait_for_url(lambda url: "/link" not in url)
        # What is left while it is being made cannot be told from what fails.
        page.locator(".board:visible").first.wait_for()
        page.wait_for_load_state("networkidle")
        page = visit.go("/profile")
        page.get_by_label("What it is for").fill("a program")
        page.get_by_role("button", name="Make the key").click()
        assert page.locator("#handed").inner_text().startswith("dlk_")
        assert page.evaluate(CONTRAST) == []
        page.goto(f"{operated.served.url}/reports")
        page.get_by_text("No report was made yet").wait_for()
        assert page.get_by_role("button", name="Make it").count() == 0
        assert page.get_by_role("link", name="Users").count() == 0
