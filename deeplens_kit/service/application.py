"""The one application: the API, the pages, and what stands before both.

Takes what a process serves with, gives a FastAPI application; must not open a socket or a store.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial

from anyio import CapacityLimiter
from fastapi import APIRouter, FastAPI
from fastapi.responses import RedirectResponse
from starlette.routing import BaseRoute

from deeplens_kit import __version__
from deeplens_kit.service import health
from deeplens_kit.service.access import key_routes, session_routes, sign_in_routes, user_routes
from deeplens_kit.service.access.dependencies import public
from deeplens_kit.service.access.middleware import AccessMiddleware
from deeplens_kit.service.access.rule_book import every_route
from deeplens_kit.service.api import (
    applications,
    collections,
    features,
    images,
    index,
    ingest,
    job_stream,
    jobs,
    labels,
    models,
    plans,
    reports,
    rules,
    search,
    stats,
    storage,
    thumbnails,
)
from deeplens_kit.service.api.document import open_api
from deeplens_kit.service.context import Service
from deeplens_kit.service.correlation import CorrelationMiddleware
from deeplens_kit.service.forwarded import ForwardedMiddleware
from deeplens_kit.service.hosts import HeadersMiddleware, HostsMiddleware
from deeplens_kit.service.limits import ARRIVING, BodyLimitMiddleware, Turnstile
from deeplens_kit.service.page_thumbnails import router as page_thumbnails
from deeplens_kit.service.problems import add_problem_handlers

__all__ = ["FIRST_PAGE", "ROUTERS", "all_routes", "described_application", "make_application"]

FIRST_PAGE = "/search"

ROUTERS: tuple[APIRouter, ...] = (
    # First what is asked for most: routes are tried one after another.
    search.router,
    thumbnails.router,
    images.router,
    health.router,
    applications.router,
    collections.router,
    features.router,
    index.router,
    ingest.router,
    # Before `jobs`, to which its path would be the id of a job.
    job_stream.router,
    jobs.router,
    labels.router,
    models.router,
    plans.router,
    reports.router,
    rules.router,
    stats.router,
    storage.router,
    key_routes.router,
    session_routes.router,
    user_routes.router,
)
"""What every process answers; one for each resource. Add yours on a line of its own, sorted but for the first."""

PAGE_ROUTERS = tuple(router for router in ROUTERS if set(router.tags) & {"health", "session", "keys", "users"})
"""What the dashboards need of it where another process has the API: who is signed in, and whether it is well."""

_DESCRIPTION = "Find the pictures an organisation keeps many times over, and clean up without losing one original."


def make_application(service: Service, *, pages: bool = True, api: bool = True) -> FastAPI:
    """Put together what a process answers.

    Args:
        service: What it serves with.
        pages: The dashboards too; of a server only one process may have them, for a session lives in it.
        api: The API too; without it, what the pages need of it.

    Raises:
        ExtraMissingError: Pages are wanted, and Panel is not installed.
    """
    page_server = None
    if pages:
        from deeplens_kit.service.page_server import PageServer

        page_server = PageServer(service)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        settings = service.settings
        waiting = settings.costly_waiting, settings.costly_wait_seconds
        app.state.turnstile = Turnstile(service.costly_at_once, *waiting)
        app.state.arrivals = Turnstile(ARRIVING * service.costly_at_once, *waiting)
        app.state.fetching = CapacityLimiter(ARRIVING * service.costly_at_once)
        if page_server is None:
            yield
            return
        async with page_server.running():
            yield

    app = described_application(lifespan, ROUTERS if api else PAGE_ROUTERS)
    app.state.service = service
    if page_server is not None:
        app.include_router(page_thumbnails)
        app.include_router(sign_in_routes.router)
        app.add_api_route("/", _to_first_page, dependencies=[public()], include_in_schema=False)
        page_server.add_to(app)
    # The last is the outermost.
    app.add_middleware(BodyLimitMiddleware, service=service)
    app.add_middleware(AccessMiddleware, service=service)
    app.add_middleware(HostsMiddleware, service=service)
    app.add_middleware(CorrelationMiddleware)
    app.add_middleware(HeadersMiddleware, service=service)
    app.add_middleware(ForwardedMiddleware, service=service)
    return app


def described_application(
    lifespan: Callable[[FastAPI], AbstractAsyncContextManager[None]] | None = None,
    routers: Sequence[APIRouter] = ROUTERS,
) -> FastAPI:
    """The API as its OpenAPI document describes it, with nothing before it and nothing to answer with.

    Args:
        lifespan: What is there while it runs.
        routers: The resources.
    """
    app = FastAPI(
        title="DeepLens",
        description=_DESCRIPTION,
        version=__version__,
        openapi_url="/api/v1/openapi.json",
        # Both would load scripts from another host.
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
    )
    app.openapi = partial(open_api, app)  # type: ignore[method-assign]
    add_problem_handlers(app)
    for router in routers:
        app.include_router(router)
    return app


def all_routes(app: FastAPI) -> Iterator[BaseRoute]:
    """Every route of an application, also those that FastAPI keeps within the routers that were added to it."""
    return every_route(app)


def _to_first_page() -> RedirectResponse:
    return RedirectResponse(FIRST_PAGE, status_code=302)
