"""What one process serves with: the workspace, what its pages and routes share, and what its health is asked about.

Takes an open workspace and settings, gives the one object that everything in a server finds these by; must not hold
anything of a request or a session.
"""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated

from fastapi import Depends
from starlette.requests import HTTPConnection

from deeplens_kit.pipeline.plan_pages import KeptDiffs
from deeplens_kit.pipeline.workspace import default_workers
from deeplens_kit.service.access.gate import Gate, make_gate
from deeplens_kit.service.settings import ServiceSettings

if TYPE_CHECKING:
    from deeplens_kit.pipeline import Workspace
    from deeplens_kit.service.desk import Desk

__all__ = ["Check", "Held", "Service", "service_of"]

_KEY_BYTES = 32

Check = Callable[[], str]
"""Gives a few words about something that works, and raises where it does not."""


@dataclass(slots=True)
class Service:
    """What one process serves with.

    Attributes:
        workspace: An open workspace; whoever opened it closes it.
        desk: What all pages and routes share: the searcher, what was found, thumbnails.
        settings: How it is served.
        key: Signs the sessions of pages, which live in one process; another one after each start.
        hosts: What a request may name as its host; empty for anything.
        origins: Whose pages may open a websocket or change something, as "https://pictures.example.org".
        checks: What `/health/ready` asks, by name, beside the ledger and the catalog.
        gate: Judges who asks.
        streams: How many streams of jobs each user reads now.
        diffs: What tells plans apart, for those who leaf through it.
    """

    workspace: Workspace
    desk: Desk
    settings: ServiceSettings = field(default_factory=ServiceSettings)
    key: bytes = field(default_factory=lambda: secrets.token_bytes(_KEY_BYTES), repr=False)
    hosts: frozenset[str] = frozenset()
    origins: frozenset[str] = frozenset()
    checks: dict[str, Check] = field(default_factory=dict)
    gate: Gate = field(init=False, repr=False)
    streams: Counter[str] = field(default_factory=Counter)
    diffs: KeptDiffs = field(default_factory=KeptDiffs, repr=False)

    def __post_init__(self) -> None:
        settings = self.settings
        # A proxy that is named speaks HTTPS for us: the settings refuse one that need not be named.
        secure = settings.has_tls or bool(settings.behind_proxy)
        self.gate = make_gate(self.workspace, enabled=settings.needs_sign_in, secure=secure)

    @property
    def costly_at_once(self) -> int:
        """Searches and uploads worked on at the same time by this process.

        More than keep its cores busy only wait for each other: ten searches at once in a process take nearly twice the
        processor time of ten after another, so each process has its share of the cores.
        """
        cores = default_workers(0) / max(1, self.settings.workers)
        return self.settings.costly_at_once or max(2, round(2 * cores))


def service_of(connection: HTTPConnection) -> Service:
    """What the process serves with that a request or websocket has come to."""
    service: Service = connection.app.state.service
    return service


async def _held(connection: HTTPConnection) -> Service:
    # On the loop itself: FastAPI hands whatever is not `async` to a thread, which costs more than it does.
    return service_of(connection)


Held = Annotated[Service, Depends(_held)]
"""Of a route: what its process serves with."""
