"""The page of reports: what can be made, what was made, and schedules.

Takes the state of the page and what reads and acts for it, gives Panel components; must not make a report by itself.
"""

from __future__ import annotations

from typing import Any

import panel as pn

from deeplens_kit.views.acting_view import ActingView
from deeplens_kit.views.cards import message
from deeplens_kit.views.form_board import Fields
from deeplens_kit.views.form_parts import tabs
from deeplens_kit.views.report_cards import PARAMETER, made_html, schedules_html
from deeplens_kit.views.state.job_lines import JobLine, came_to
from deeplens_kit.views.state.reports_state import ReportActing, ReportsState
from deeplens_kit.views.state.told import Question

__all__ = ["ReportsView"]

_TABS = (("made", "Reports"), ("schedules", "Schedules"))


class ReportsView(ActingView):
    """Reports and what is done with them.

    Args:
        state: What is looked at.
        acts: Reads and acts.
    """

    def __init__(self, state: ReportsState, acts: ReportActing) -> None:
        super().__init__(state, acts)
        self._state, self._acts = state, acts
        state.param.watch(lambda *_: self._read(), ["revision"])
        state.param.watch(lambda *_: self._show(), ["shown", "asking", "typed"])
        state.param.watch(lambda *_: self._show_head(), ["part"])
        for line in acts.jobs_at_work():
            state.watch(line)
        self._show_head()
        self._show()
        pn.state.onload(self._read)

    def _above(self) -> str:
        return tabs(self._state.part, _TABS, label="Reports and schedules")

    def _read(self) -> None:
        state, acts = self._state, self._acts
        asked, part = state.revision, state.part

        def take(shown: Any) -> None:
            if state.revision == asked:
                state.shown = (part, shown)

        self._work(acts.made if part == "made" else acts.schedules, take, failed="It cannot be shown", shown=True)

    def _act(self, act: str, value: str, fields: Fields) -> None:
        state, acts = self._state, self._acts
        if act == "tab":
            state.look_at(value)
        elif act == "ask":
            state.ask_for(value)
        elif act == "run" and value == state.asking:
            # Kept while it is asked for, so that nothing has to be typed twice where a value is not allowed.
            state.typed = {name: values[0] for name, values in fields.items() if values}
            given = {
                name.removeprefix(PARAMETER): text.strip()
                for name, text in state.typed.items()
                if name.startswith(PARAMETER)
            }
            pdf = state.typed.get("pdf") == "true"
            self._begin_report(value, given, pdf=pdf)
        elif act == "run-schedule":
            self._begin(lambda: acts.run_schedule(value))
        elif act == "workflow-ask":
            text = "It makes plans and may apply them, by what the workflow says. It stops where its guards say so."
            state.ask(Question("run-workflow", value, f"Run the workflow of {value} now?", text, "Run it"))
        elif act == "run-workflow" and state.question is not None and state.question.value == value:
            self._begin(lambda: acts.run_workflow(value))

    def _begin_report(self, name: str, given: dict[str, str], *, pdf: bool) -> None:
        def watch(line: JobLine) -> None:
            self._state.ask_for("")
            self._state.watch(line)

        self._work(lambda: self._acts.run(name, given, pdf=pdf), watch, failed="It was not begun")

    def _ended(self, line: JobLine) -> None:
        if line.state == "done":
            self._state.tell(f"{line.title}: done", came_to(line))
        self._state.reread()

    def _show(self) -> None:
        state, may = self._state, self._acts.may
        if state.shown is None or state.shown[0] != state.part:
            self.body.html = message("Loading…", kind="busy")
        elif state.part == "made":
            self.body.html = made_html(state.shown[1], asking=state.asking, typed=state.typed, may=may)
        else:
            self.body.html = schedules_html(state.shown[1], may=may)
