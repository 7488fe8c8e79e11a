"""What pages that act show in common: tabs, what is told and asked, jobs with their progress, and work off the loop.

Takes the state of such a page and what asks for jobs, gives Panel components; must not act by itself, nor hold up the
pages of others: whatever asks a store is done on another thread.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Protocol, TypeVar, cast

import panel as pn

from deeplens_kit.errors import AccessError, DeepLensError
from deeplens_kit.views.address import Address
from deeplens_kit.views.form_board import Fields, FormBoard
from deeplens_kit.views.form_parts import job_html, question_html, told_html
from deeplens_kit.views.state.acting_state import ActingState
from deeplens_kit.views.state.job_lines import JobLine

__all__ = ["ActingView", "JobActs"]

_Answer = TypeVar("_Answer")
_POLL_MILLISECONDS = 500


class JobActs(Protocol):
    """What asks about jobs."""

    def may(self, name: str) -> bool:
        """Whether whoever is there may do an act of this name."""

    def look_at_jobs(self, job_ids: Sequence[str]) -> tuple[JobLine, ...]:
        """How jobs stand now."""

    def stop_job(self, job_id: str) -> JobLine:
        """Ask a job to stop."""


class ActingView:
    """Tabs, what is told and asked, and jobs; the body of a page is added by whoever derives from it.

    Args:
        state: Of the page.
        acts: What asks for jobs.

    Attributes:
        head: Tabs, what is told and asked.
        jobs: What is at work.
        body: What is looked at.
        address: Of the page.
    """

    def __init__(self, state: ActingState, acts: JobActs) -> None:
        self._acting, self._job_acts = state, acts
        self._polling: Any = None
        self._unheard = False
        self._at_work = 0
        self.address = Address(self._go_to, text=self._where())
        self.head = FormBoard(self._pressed)
        self.jobs = FormBoard(self._pressed)
        self.body = FormBoard(self._pressed, margin=(10, 0, 0, 0))
        state.param.watch(lambda *_: self._show_head(), ["told", "question"])
        state.param.watch(lambda *_: self._show_jobs(), ["jobs"])
        state.param.watch(lambda *_: self._rest(), ["busy"])

    def __panel__(self) -> pn.viewable.Viewable:
        return pn.Column(self.head, self.jobs, self.body, self.address, sizing_mode="stretch_width")

    def _moved(self) -> None:
        """Write what is looked at into the address, as a step that "back" takes back."""
        self.address.push(self._where())

    # --- What derives says --------------------------------------------------------------------------------------------

    def _where(self) -> str:
        """What is looked at, as it stands in the address of the page."""
        return ""

    def _go_to(self, text: str) -> None:
        """Look at what an address says."""

    def _above(self) -> str:
        """What stands over all else: tabs."""
        return ""

    def _act(self, act: str, value: str, fields: Fields) -> None:
        """Do what was pressed; a page can send anything."""

    def _ended(self, line: JobLine) -> None:
        """A job that was watched has ended."""

    # --- What the person does -----------------------------------------------------------------------------------------

    def _pressed(self, act: str, value: str, fields: Fields) -> None:
        if act == "back":
            self._acting.leave()
        elif act == "dismiss":
            self._acting.dismiss(value)
        elif act == "stop-job" and value in self._acting.unfinished():
            self._work(lambda: self._job_acts.stop_job(value), self._acting.watch)
        else:
            self._act(act, value, fields)

    def _work(
        self,
        work: Callable[[], _Answer],
        then: Callable[[_Answer], None] = lambda _answer: None,
        *,
        failed: str = "That did not work",
        shown: bool = False,
    ) -> None:
        """Do what asks a store on another thread; what it raises of our own is told on the page.

        Args:
            work: Done on the thread.
            then: Told what came of it, on the event loop.
            failed: What is said when nothing did.
            shown: It reads what the page shows, so that nothing is left to wait for where it fails.
        """

        pn.state.execute(partial(self._worked, work, then, failed, shown))

    async def _worked(
        self, work: Callable[[], _Answer], then: Callable[[_Answer], None], failed: str, shown: bool
    ) -> None:
        self._at_work += 1
        self._acting.busy = True
        try:
            answer = await asyncio.to_thread(work)
        except Exception as error:
            # What was read before stays: it is still true, or nearly.
            if shown and self._acting.shown is None:
                self.body.html = ""
            if not isinstance(error, DeepLensError):
                raise
            self._acting.fail(error, failed)
            return
        finally:
            self._at_work -= 1
            self._acting.busy = self._at_work > 0
        then(answer)

    def _begin(self, work: Callable[[], JobLine], *, failed: str = "It was not begun") -> None:
        """Begin a job and watch it."""

        def watch(line: JobLine) -> None:
            self._acting.leave()
            self._acting.watch(line)

        self._work(work, watch, failed=failed)

    # --- What the person sees -----------------------------------------------------------------------------------------

    def _show_head(self) -> None:
        state = self._acting
        self.head.html = self._above() + told_html(state.told) + question_html(state.question)

    def _show_jobs(self) -> None:
        may_stop = self._job_acts.may("stop_job")
        self.jobs.html = "".join(job_html(line, may_stop=may_stop) for line in self._acting.jobs)
        if self._acting.waits and self._polling is None:
            self._polling = pn.state.add_periodic_callback(cast(Any, self._poll), period=_POLL_MILLISECONDS)
        elif not self._acting.waits:
            self._stop_polling()

    async def _poll(self) -> None:
        asked = self._acting.unfinished()
        if not asked:
            return
        try:
            lines = await asyncio.to_thread(self._job_acts.look_at_jobs, asked)
        except AccessError as error:
            # Whoever was here was sent away.
            self._stop_polling()
            self._acting.fail(error)
            return
        except DeepLensError as error:
            # Said once, and not twice a second; a ledger that is busy answers again.
            if not self._unheard:
                self._acting.fail(error)
            self._unheard = True
            return
        self._unheard = False
        self._acting.saw(lines, self._ended)

    def _stop_polling(self) -> None:
        if self._polling is not None:
            self._polling.stop()
            self._polling = None

    def _rest(self) -> None:
        self.head.busy = self.body.busy = self._acting.busy
