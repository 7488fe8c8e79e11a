"""Sessions of pages: who sees one, what they may do on it, and what happens when it fails.

Takes the request for a page and the session that came of it, gives what its script works with; must not let an act pass
by somebody who may not do it, nor a fault unseen: Panel keeps the page alive, and without this it would be alive and
silent, or blank. Who asks is read anew at each act, so that who was disabled a moment ago loses their open pages.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import partial, wraps
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar
from urllib.parse import urlencode
from uuid import uuid4

from deeplens_kit.errors import AccessDeniedError, AccessError, DeepLensError, NotAuthenticatedError
from deeplens_kit.ledger.access_values import Principal, PrincipalKind, Scope, local_principal
from deeplens_kit.ledger.holder import acting_as
from deeplens_kit.service.access.paths import SESSION_HEADER, SIGN_IN, SIGN_OUT
from deeplens_kit.service.access.refusals import tell_refusal
from deeplens_kit.service.access.sealing import csrf_cookie_name, gate_of, unseal
from deeplens_kit.service.desk import Desk, shared_desk
from deeplens_kit.service.development import refuse_strangers
from deeplens_kit.telemetry import bound_context
from deeplens_kit.views.state.search_state import UNEXPECTED

if TYPE_CHECKING:
    from panel.viewable import Viewable

    from deeplens_kit.views.page import Frame

__all__ = [
    "PAGES",
    "SESSION_HEADER",
    "Page",
    "PageSession",
    "asked_address",
    "made_ahead",
    "open_session",
    "report_fault",
    "served_pages",
]

_LOG = logging.getLogger(__name__)
_LOST = "This page has lost its server, which stopped or cannot be reached, or you are signed out. Reload this page."
_NO_PAGE = "Something went wrong on our side. The details are in the log of `deeplens serve`."

_Args = ParamSpec("_Args")
_Result = TypeVar("_Result")


@dataclass(frozen=True, slots=True)
class Page:
    """A page of the dashboard; its script is `dashboards/NAME.py`.

    Attributes:
        name: In its path.
        label: In the navigation.
        scope: What somebody needs in order to see it.
        in_navigation: It is listed there; else the menu of the person leads to it.
    """

    name: str
    label: str
    scope: Scope
    in_navigation: bool = True


PAGES: tuple[Page, ...] = (
    Page("search", "Search", Scope.SEARCH_READ),
    Page("duplicates", "Duplicates", Scope.IMAGES_READ),
    Page("map", "Map", Scope.IMAGES_READ),
    Page("tune", "Tune", Scope.IMAGES_READ),
    Page("plans", "Plans", Scope.IMAGES_READ),
    Page("locations", "Locations", Scope.IMAGES_READ),
    Page("reports", "Reports", Scope.IMAGES_READ),
    Page("activity", "Activity", Scope.IMAGES_READ),
    Page("users", "Users", Scope.ADMIN),
    Page("profile", "Profile", Scope.SEARCH_READ, in_navigation=False),
)
"""Every page, in the order of the navigation."""


def served_pages() -> tuple[Page, ...]:
    """The pages whose scripts came with this installation."""
    from deeplens_kit.reporting.bundled import bundled

    folder = bundled("dashboards")
    return tuple(page for page in PAGES if (folder / f"{page.name}.py").is_file())


class PageSession:
    """Somebody's visit to a page.

    Args:
        page: Which one.
        caller: Gives who that is, as of now.
        tell: Has it on record that they may not do what they asked for; None where no server keeps such a record.

    Attributes:
        page: Which one.
        acts: What can be done on the page, by name: the scope that it takes and the function that asks for it.
    """

    def __init__(
        self,
        page: Page,
        caller: Callable[[], Principal],
        tell: Callable[[Principal, AccessDeniedError], None] | None = None,
    ) -> None:
        self.page = page
        self.acts: dict[str, tuple[Scope, Callable[..., Any]]] = {}
        self._caller, self._tell = caller, tell

    @property
    def caller(self) -> Principal:
        """Who visits, and what they may do now."""
        return self._caller()

    @property
    def desk(self) -> Desk:
        """What all sessions work with.

        Raises:
            AccessError: Whoever visits may not see this page.
        """
        with self._telling(self.caller):
            self.caller.require(self.page.scope)
        return shared_desk()

    def may(self, scope: Scope | str) -> bool:
        """Whether who visits may do this now."""
        return self.caller.may(scope)

    @contextmanager
    def act(self, scope: Scope | str) -> Iterator[Principal]:
        """Do something for who visits: what the block does is done by them, under a correlation id of its own.

        Args:
            scope: What it takes.

        Raises:
            AccessError: They may not do it, or no more.
        """
        caller = self.caller
        with self._telling(caller):
            caller.require(scope)
            with acting_as(caller.name), bound_context(correlation_id=uuid4().hex):
                yield caller

    def doing(self, scope: Scope, function: Callable[_Args, _Result], *, name: str = "") -> Callable[_Args, _Result]:
        """A function that acts, for a view: each call of it runs in `act`, on whatever thread.

        Args:
            scope: What it takes.
            function: Not a coroutine function: what acts is called off the event loop.
            name: To list it by in `acts`; by default its own.
        """

        @wraps(function)
        def acting(*args: _Args.args, **kwargs: _Args.kwargs) -> _Result:
            with self.act(scope):
                return function(*args, **kwargs)

        self.acts[name or getattr(function, "__qualname__", type(function).__name__)] = (scope, acting)
        return acting

    def show(self, parts: Mapping[str, Viewable], *, heading: str = "", about: str = "") -> None:
        """Serve the page with these parts; see `deeplens_kit.views.page.served_page`."""
        from deeplens_kit.views.page import served_page

        self.caller.require(self.page.scope)
        served_page(self._frame(self.desk.name), parts, heading=heading, about=about).servable()

    @contextmanager
    def _telling(self, caller: Principal) -> Iterator[None]:
        """Have it on record where the block refuses somebody what they asked for."""
        try:
            yield
        except AccessDeniedError as error:
            if self._tell is not None:
                self._tell(caller, error)
            raise

    def _frame(self, workspace: str) -> Frame:
        from deeplens_kit.views.page import Frame

        caller, there = self.caller, served_pages()
        nobody, has_session = caller.kind is PrincipalKind.NOBODY, caller.kind is PrincipalKind.USER
        return Frame(
            self.page.name,
            self.page.label,
            tuple((page.name, page.label) for page in there if page.in_navigation and caller.may(page.scope)),
            workspace=workspace,
            person="" if nobody else caller.name,
            role=str(caller.role) if caller.role and has_session else "",
            profile="/profile" if has_session and any(page.name == "profile" for page in there) else "",
            sign_in=SIGN_IN if nobody else "",
            sign_out=SIGN_OUT if has_session else "",
            csrf_cookie=csrf_cookie_name(),
        )


@contextmanager
def open_session(panel: Any, name: str) -> Iterator[PageSession]:
    """Set up a session of a page: its faults are logged and told, and so is the end of the server.

    What the block lets out, for example because the workspace is gone or who asks may not see the page, is told in
    place of the page.

    Args:
        panel: The module, which a page has imported.
        name: Of the page: one of `PAGES`.

    Yields:
        The session.
    """
    # Signatures of every class of Panel are for who writes code with them, and take a twentieth of a page's time.
    panel.extension(notifications=True, disconnect_notification=_LOST, apply_signatures=False)
    panel.config.exception_handler = report_fault
    page = next(page for page in PAGES if page.name == name)
    session = PageSession(page, *_visitor_of_request(page))
    try:
        refuse_strangers()
        yield session
    except Exception as error:  # noqa: BLE001 - the edge: what is not told here leaves a blank page
        from deeplens_kit.views.board import Board
        from deeplens_kit.views.cards import message
        from deeplens_kit.views.page import served_page

        said = message(_heading(error), _logged(error) or _NO_PAGE, kind="problem")
        served_page(session._frame(""), {"main": Board(html=said)}).servable()


def asked_address(arguments: Mapping[str, Sequence[bytes]]) -> str:
    """What stands behind the question mark of the link by which a page was opened.

    Args:
        arguments: `panel.state.session_args`.
    """
    return urlencode([(name, value[0].decode("utf-8", "replace")) for name, value in arguments.items() if value])


def report_fault(exception: BaseException) -> None:
    """Log an exception and tell the user of the session, if there is one.

    Args:
        exception: What a callback raised; one of our own says in its message what is wrong.
    """
    from deeplens_kit.views.notices import notice

    notice(_logged(exception) or UNEXPECTED, kind="problem")


_AHEAD: ContextVar[bool] = ContextVar("deeplens_page_ahead", default=False)


@contextmanager
def made_ahead() -> Iterator[None]:
    """Make pages in the block before anybody asks for one; they are served to nobody."""
    token = _AHEAD.set(True)
    try:
        yield
    finally:
        _AHEAD.reset(token)


def _visitor_of_request(
    page: Page,
) -> tuple[Callable[[], Principal], Callable[[Principal, AccessDeniedError], None] | None]:
    """Who asked for the page that is being made, to be asked again later, and what keeps a record of refusals."""
    if _AHEAD.get():
        return local_principal, None
    from panel.io.state import state

    headers = {name.lower(): value for name, value in state.headers.items()}
    sealed = str(headers.get(SESSION_HEADER, ""))
    gate = gate_of(sealed)
    tell = partial(tell_refusal, gate, path=f"/{page.name}", method="act") if gate is not None else None
    return partial(unseal, sealed), tell


def _heading(error: Exception) -> str:
    if isinstance(error, NotAuthenticatedError):
        return "Sign in to see this page"
    if isinstance(error, AccessDeniedError):
        return "This page is not for you"
    return "This page cannot be shown"


def _logged(exception: BaseException) -> str:
    """Log an exception; what an error of our own says, empty for a defect."""
    if isinstance(exception, AccessError):
        # Nothing failed: somebody is not signed in, or asked for what is not theirs.
        _LOG.info("a page was refused: %s", exception)
        return str(exception)
    expected = isinstance(exception, DeepLensError)
    _LOG.error("a page failed: %s", exception, exc_info=None if expected else exception)
    return str(exception) if expected else ""
