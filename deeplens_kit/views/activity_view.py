"""The page of activity: jobs that are at work with their progress, those that were, and the audit trail.

Takes the state of the page and what reads and acts for it, gives Panel components; must not do a job by itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import panel as pn

from deeplens_kit.errors import AccessError, DeepLensError
from deeplens_kit.views.acting_view import ActingView
from deeplens_kit.views.activity_cards import audit_html, job_detail_html, jobs_html
from deeplens_kit.views.cards import message
from deeplens_kit.views.form_board import Fields
from deeplens_kit.views.form_parts import tabs
from deeplens_kit.views.state.activity_state import ACTIVITY_TABS, ActivityActing, ActivityState

if TYPE_CHECKING:
    from deeplens_kit.views.state.job_lines import JobLine

__all__ = ["ActivityView"]

# Between two looks for jobs that others began.
_LOOK_MILLISECONDS = 2_000


class ActivityView(ActingView):
    """Jobs and the audit trail.

    Args:
        state: What is looked at.
        acts: Reads and acts.
    """

    def __init__(self, state: ActivityState, acts: ActivityActing) -> None:
        super().__init__(state, acts)
        self._state, self._acts = state, acts
        self._looking: Any = None
        self._unseen = False
        self._there: frozenset[tuple[str, str]] | None = None
        state.param.watch(lambda *_: self._read(), ["revision"])
        state.param.watch(lambda *_: self._show(), ["shown"])
        state.param.watch(lambda *_: self._show_part(), ["part"])
        self._show_head()
        self._show()
        # Once the page stands: what comes before its websocket is there may not reach it.
        pn.state.onload(self._read)
        if pn.state.curdoc is not None:
            self._looking = pn.state.add_periodic_callback(cast(Any, self._look), period=_LOOK_MILLISECONDS)

    # --- Reading ------------------------------------------------------------------------------------------------------

    def _read(self) -> None:
        state, acts = self._state, self._acts
        asked, part = state.revision, state.part

        def read() -> Any:
            if part == "audit":
                return acts.audit_page(state.audit_wanted)
            return acts.job(state.job_id) if part == "job" else acts.jobs_page(state.jobs_wanted)

        def take(shown: Any) -> None:
            if state.revision == asked:
                state.shown = (part, shown)

        self._work(read, take, failed="It cannot be shown", shown=True)

    async def _look(self) -> None:
        """Look for jobs that were begun elsewhere."""
        import asyncio

        try:
            found = await asyncio.to_thread(self._acts.jobs_at_work)
        except AccessError as error:
            # Whoever was here was sent away.
            self._looking.stop()
            self._state.fail(error)
            return
        except DeepLensError as error:
            # Said once; a ledger that is busy answers again.
            if not self._unseen:
                self._state.fail(error)
            self._unseen = True
            return
        self._unseen, state = False, self._state
        known = {line.job_id for line in state.jobs}
        for line in reversed(found):
            # Of those that wait there may be thousands; they are in the list.
            if line.state == "running" and line.job_id not in known:
                state.watch(line)
        there = frozenset((line.job_id, line.state) for line in found)
        if there != self._there and state.part == "jobs" and self._there is not None:
            state.reread()
        self._there = there

    # --- What the person does -----------------------------------------------------------------------------------------

    def _act(self, act: str, value: str, fields: Fields) -> None:
        state = self._state
        if act == "tab" and value in dict(ACTIVITY_TABS) and (value == "jobs" or self._acts.may("audit_page")):
            state.look_at(value)
        elif act == "open":
            state.look_at("job", value)
        elif act == "list":
            state.look_at("jobs")
        elif act in ("older", "newer"):
            state.turn(older=act == "older")
        elif act == "retry":
            self._work(lambda: self._acts.retry_job(value), self._retried, failed="It is not tried again")
        elif act == "filter" and state.part == "jobs":
            state.want_jobs(_one(fields, "states"), _one(fields, "kind"))
        elif act == "filter" and state.part == "audit":
            state.want_audit(_one(fields, "who"), _one(fields, "action"))

    def _retried(self, line: JobLine) -> None:
        self._state.tell("It is tried again", f"{line.title} is in the list of jobs again, as one that waits.")
        self._state.reread()

    def _ended(self, line: JobLine) -> None:
        """One that ended is in the list from now on."""
        if not line.failed:
            self._state.dismiss(line.job_id)
        if self._state.part != "audit":
            self._state.reread()

    # --- What the person sees -----------------------------------------------------------------------------------------

    def _show_part(self) -> None:
        self._show_head()
        self.jobs.visible = self._state.part == "jobs"

    def _above(self) -> str:
        offered = [tab for tab in ACTIVITY_TABS if tab[0] == "jobs" or self._acts.may("audit_page")]
        present = "jobs" if self._state.part == "job" else self._state.part
        return tabs(present, offered, label="Parts of the page") if len(offered) > 1 else ""

    def _show(self) -> None:
        state = self._state
        if state.shown is None:
            self.body.html = message("Loading…", kind="busy")
            return
        part, shown = state.shown
        if part == "audit":
            self.body.html = audit_html(shown, state.audit_wanted)
        elif part == "job":
            self.body.html = job_detail_html(shown)
        else:
            self.body.html = jobs_html(shown, state.jobs_wanted, self._acts.kinds())


def _one(fields: Fields, name: str) -> str:
    return next(iter(fields.get(name, ())), "").strip()
