"""A server in this process: an empty workspace, users of every role, and clients that ask as each of them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from fastapi.testclient import TestClient

from deeplens_kit.ledger import Role, User
from deeplens_kit.pipeline import Workspace
from deeplens_kit.service.access import sign_in_routes
from deeplens_kit.service.access.gate import Gate
from deeplens_kit.service.access.passwords import hash_password
from deeplens_kit.service.access.signing_in import BrowserSession, Visit, begin_visit
from deeplens_kit.service.application import make_application
from deeplens_kit.service.context import Service
from deeplens_kit.service.desk import Desk
from deeplens_kit.settings import ServiceSettings, SignInSettings

ORIGIN = "https://deeplens.test"
PASSWORD = "four plain words here"


@dataclass
class Served:
    """A server and what tests need of it."""

    app: FastAPI
    service: Service
    users: dict[Role, User]

    @property
    def gate(self) -> Gate:
        return self.service.gate

    def client(self, **headers: str) -> TestClient:
        return TestClient(self.app, base_url=ORIGIN, headers=headers, follow_redirects=False)

    def bearing(self, credential: str) -> TestClient:
        return self.client(Authorization=f"Bearer {credential}")

    def session(self, user: User) -> BrowserSession:
        return begin_visit(self.gate, user, Visit("192.0.2.7", "a test"))

    def browser(self, user: User, *, forged: bool = False) -> TestClient:
        """A browser in which somebody has signed in; a forged request lacks the token of our pages."""
        session = self.session(user)
        client = self.client(origin=ORIGIN) if forged else self.client(origin=ORIGIN, **csrf(session))
        client.cookies.set(self.gate.cookie_name, session.cookie)
        client.cookies.set(self.gate.csrf_cookie_name, session.csrf_token)
        return client

    def actions(self) -> list[tuple[str, str]]:
        """Who did what, by the audit trail."""
        return [(line.who, line.action) for line in self.service.workspace.ledger.audit_trail()]


@cache
def _hashed() -> str:
    return hash_password(PASSWORD)


def csrf(session: BrowserSession) -> dict[str, str]:
    return {"x-csrf-token": session.csrf_token}


def serve(folder: Path, sign_in: dict[str, Any] | None = None, *, pages: bool = False, access: str = "on") -> Served:
    """A server over a new workspace, with one user of each role."""
    workspace = Workspace.create(folder)
    object.__setattr__(workspace.settings, "sign_in", SignInSettings(**(sign_in or {})))
    service = Service(workspace, Desk(workspace, has_thumbnail_route=True), ServiceSettings(access=access))
    service.origins = frozenset({ORIGIN})
    app = make_application(service, pages=pages)
    if not pages:
        # The sign-in alone: pages take a second to load.
        app.include_router(sign_in_routes.router)
    users = {}
    for role in reversed(Role):
        user = workspace.ledger.add_user(f"the {role}", role)
        users[role] = workspace.ledger.set_password_hash(user.user_id, _hashed(), quiet=True)
    return Served(app, service, users)
