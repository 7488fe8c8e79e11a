"""Whether this process lives, and whether it can answer: what a load balancer or a cluster asks.

Takes nothing from who asks, gives a few words for each thing that a server needs; must not tell a secret, an address or
a path, for nobody has to sign in to ask.
"""

from __future__ import annotations

import logging
import tempfile
import time
from collections.abc import Mapping
from typing import Literal

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field

from deeplens_kit import __version__
from deeplens_kit.errors import DeepLensError
from deeplens_kit.service.access.dependencies import public
from deeplens_kit.service.access.jwks import discover
from deeplens_kit.service.context import Check, Held, Service
from deeplens_kit.settings.sign_in import ProviderSettings

__all__ = ["Health", "Live", "router"]

router = APIRouter(prefix="/health", tags=["health"])

_LOG = logging.getLogger(__name__)


class Live(BaseModel):
    """This process answers."""

    status: Literal["live"] = "live"
    version: str = __version__


class CheckResult(BaseModel):
    """One thing that the server needs."""

    ok: bool
    needed: bool = Field(default=True, description="Whether the server is not ready without it.")
    detail: str
    milliseconds: float


class Health(BaseModel):
    """Whether this process can answer what it is asked."""

    status: Literal["ready", "not_ready"]
    version: str = __version__
    checks: dict[str, CheckResult] = Field(description="By what was looked at.")


@router.get("/live", dependencies=[public()])
def live() -> Live:
    """Say that this process answers; nothing else is looked at."""
    return Live()


@router.get("/ready", dependencies=[public()], responses={503: {"model": Health, "description": "Not ready"}})
def ready(service: Held, response: Response) -> Health:
    """Look at what the server needs: the ledger, the catalog, the cache, the searcher, and what else it has."""
    response.headers["Cache-Control"] = "no-store"
    results = {name: _result(name, check) for name, check in _checks(service).items()}
    results |= {f"provider {one.name}": _provider(one) for one in service.gate.settings.providers if one.issuer}
    whole = all(result.ok or not result.needed for result in results.values())
    response.status_code = 200 if whole else 503
    return Health(status="ready" if whole else "not_ready", checks=results)


def _checks(service: Service) -> Mapping[str, Check]:
    workspace, searcher = service.workspace, service.desk.searcher

    def ledger() -> str:
        workspace.ledger.locations()
        return "answers"

    def catalog() -> str:
        workspace.catalog.versions()
        return "answers"

    def cache() -> str:
        with tempfile.TemporaryFile(dir=workspace.settings.cache_dir):
            return "can be written"

    def loaded() -> str:
        return "loaded" if searcher.is_warm else "loads when it is first used"

    return {"ledger": ledger, "catalog": catalog, "cache": cache, "searcher": loaded, **service.checks}


_PROVIDER_SECONDS = 60.0
_looked_at: dict[str, tuple[float, CheckResult]] = {}


def _provider(settings: ProviderSettings) -> CheckResult:
    """Whether a provider of sign-ins answers; asked once a minute, for it is another's.

    Who is signed in already goes on without it, so that it keeps no server from being ready.
    """
    kept = _looked_at.get(settings.issuer)
    if kept is None or time.monotonic() - kept[0] > _PROVIDER_SECONDS:

        def answers() -> str:
            discover(settings.issuer)
            return "answers"

        result = _result(f"provider {settings.name}", answers)
        kept = _looked_at[settings.issuer] = (time.monotonic(), result.model_copy(update={"needed": False}))
    return kept[1]


def _result(name: str, check: Check) -> CheckResult:
    start = time.perf_counter()
    try:
        detail, ok = check(), True
    except Exception as error:  # noqa: BLE001 - the edge: whatever is wrong, the answer is that it is
        _LOG.warning("not ready: %s: %s", name, error)
        detail, ok = (error.code if isinstance(error, DeepLensError) else "does not work; the log has why"), False
    return CheckResult(ok=ok, detail=detail, milliseconds=round((time.perf_counter() - start) * 1000, 1))
