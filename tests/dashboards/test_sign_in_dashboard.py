"""Signing in, in a real browser: by a single-use link, by a real OpenID provider, and what a viewer is refused."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from dashboard_server import Served, serving, visiting
from test_every_page import findings

from deeplens_kit.pipeline import Workspace
from deeplens_kit.service.access.accounts import invite
from tests.servers import oidc as oidc_server
from tests.servers.server import HOST, free_ports

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = pytest.mark.browser

PASSWORD = "four plain words here"
_SETTINGS = """
[service]
access = "on"

[sign_in.providers.company]
label = "Company account"
issuer = "{issuer}"
client_id = "deeplens"
client_secret = "${{DEEPLENS_TEST_SECRET}}"
scopes = ["openid", "profile", "groups"]
algorithms = ["ES256"]
roles = {{ staff = "viewer", lens-admins = "admin" }}
"""


@dataclass(frozen=True)
class Guarded:
    """A server at which one has to sign in, and a link for somebody new."""

    served: Served
    link: str


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    folder = tmp_path_factory.mktemp("guarded")
    (port,) = free_ports(1)
    back = f"http://{HOST}:{port}/sign-in/with/company/return"
    with oidc_server.running(folder / "provider", [back]) as provider, pytest.MonkeyPatch.context() as patch:
        patch.setenv("DEEPLENS_TEST_SECRET", provider.secret)
        with Workspace.create(folder / "workspace") as workspace:
            link = invite(workspace.ledger, workspace.settings.sign_in, "root", "admin").path
        with (folder / "workspace" / "workspace.toml").open("a") as file:
            file.write(_SETTINGS.format(issuer=provider.issuer))
        with serving(folder / "workspace", folder, port) as served:
            yield Guarded(served, link)


def test_by_a_link_and_out_again(browser: Browser, guarded: Guarded) -> None:
    with visiting(browser, guarded.served, 390, 844, color_scheme="dark") as visit:
        page = visit.go("/plans")
        page.get_by_role("heading", name="Sign in").wait_for()
        assert findings(page) == []
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        page = visit.go(guarded.link)
        page.get_by_label("New password").fill(PASSWORD)
        page.get_by_label("The same again").fill(PASSWORD)
        assert findings(page) == []
        page.get_by_role("button", name="Set password and sign in").click()
        page.wait_for_url("**/search")
        # What says who somebody is is nowhere that a script could read it.
        assert "HttpOnly" not in page.evaluate("document.cookie")
        session = next(kept for kept in page.context.cookies() if kept.get("httpOnly"))
        assert session["value"] not in page.content() + page.evaluate("document.cookie")
        page.locator(".person > summary").click()
        page.get_by_role("button", name="Sign out").click()
        page.get_by_role("heading", name="Sign in").wait_for()
        page.get_by_label("Name").fill("root")
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Sign in").click()
        page.wait_for_url("**/search")


def test_by_a_provider_and_only_what_the_role_may(browser: Browser, guarded: Guarded) -> None:
    for name, may in (("ana", True), ("bo", False)):
        with visiting(browser, guarded.served) as visit:
            # The provider's own pages are not ours to judge.
            aside = visit.page.context.new_page()
            aside.route("**/fonts.googleapis.com/**", lambda route: route.abort())
            aside.goto(f"{guarded.served.url}/locations")
            aside.get_by_role("link", name="Continue with Company account").click()
            aside.locator("[name=login]").fill(name)
            aside.locator("[name=password]").fill("any")
            aside.locator("[type=submit]").click()
            aside.get_by_role("button", name="Continue").click()
            aside.wait_for_url("**/locations")
            aside.close()
            page = visit.go("/locations")
            page.locator(".person > summary").click()
            page.locator(".sheet").get_by_text(name, exact=True).wait_for()
            page.keyboard.press("Escape")
            page.locator("#main .board >> visible=true").first.wait_for()
            page.wait_for_load_state("networkidle")
            assert page.get_by_role("button", name="Add a location").count() == int(may)
            refused = page.request.get(f"{guarded.served.url}/api/v1/users")
            assert refused.status == (200 if may else 403)
