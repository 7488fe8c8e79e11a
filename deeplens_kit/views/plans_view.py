"""The page of plans: the list, one with its steps, the form of a new one, the quarantine, the workflows.

Takes the state of the page and what reads and acts for it, gives Panel components; must not plan or act by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import panel as pn

from deeplens_kit.errors import DeepLensError
from deeplens_kit.views.acting_view import ActingView
from deeplens_kit.views.cards import message
from deeplens_kit.views.file_saver import FileSaver
from deeplens_kit.views.form_board import Fields, FormBoard
from deeplens_kit.views.form_parts import said_html, tabs
from deeplens_kit.views.plan_cards import plan_html, plans_html, words_html
from deeplens_kit.views.plan_forms import make_html, workflow_form_html
from deeplens_kit.views.standing_cards import quarantine_html, workflows_html
from deeplens_kit.views.state.job_lines import JobLine, came_to
from deeplens_kit.views.state.plans_state import (
    PLAN_TABS,
    PlanActing,
    PlanOffer,
    PlansState,
    PlanWanted,
    WorkflowWanted,
)

__all__ = ["PlansView"]

_OWN = "You made this plan; the workspace asks for the approval of somebody else."


class PlansView(ActingView):
    """Plans and what is done by them.

    Args:
        state: What is looked at.
        acts: Reads and acts.
        src: Gives the address of a thumbnail for a digest and a side in pixels.
    """

    def __init__(self, state: PlansState, acts: PlanActing, src: Callable[[str, int], str]) -> None:
        self._state, self._acts, self._src = state, acts, src
        super().__init__(state, acts)
        self._files, self.form, self._added = FileSaver(), FormBoard(self._pressed), 0
        state.param.watch(lambda *_: self._read(), ["revision"])
        state.param.watch(lambda *_: self._show(), ["shown", "words", "faults"])
        for line in acts.jobs_at_work():
            state.watch(line)
        self._show_head()
        self._show()
        # Once the page stands: what comes before its websocket is there may not reach it.
        pn.state.onload(self._read)

    def __panel__(self) -> pn.viewable.Viewable:
        return pn.Column(
            self.head, self.jobs, self.body, self.form, self._files, self.address, sizing_mode="stretch_width"
        )

    def _rest(self) -> None:
        super()._rest()
        self.form.busy = self._state.busy

    def _where(self) -> str:
        return self._state.where

    def _go_to(self, text: str) -> None:
        self._state.go_to(text)
        self._show_head()

    # --- Reading ------------------------------------------------------------------------------------------------------

    def _read(self) -> None:
        """Read what is looked at, off the event loop; what was asked for meanwhile is read then."""
        state, acts = self._state, self._acts
        asked = state.revision
        tab, plan_id, superseded, page = state.tab, state.plan_id, state.superseded, state.page

        def read() -> Any:
            if tab == "make":
                return acts.offer()
            if tab == "quarantine":
                return acts.quarantine()
            if tab == "workflows":
                return acts.workflows(), _offered(acts) if acts.may("add_workflow") else None
            return acts.plan(plan_id) if plan_id else acts.plans(superseded=superseded, page=page)

        def take(shown: Any) -> None:
            if state.revision == asked:
                state.shown = (tab, plan_id, shown)

        self._work(read, take, failed="It cannot be shown", shown=True)

    @property
    def _detail(self) -> Any:
        """The plan that is looked at; None where there is none."""
        shown = self._state.shown
        return shown[2] if shown and shown[0] == "plans" and shown[1] else None

    def _lines(self, tab: str) -> tuple[Any, ...]:
        """What is listed in the quarantine, or of the workflows."""
        shown = self._state.shown
        if not shown or shown[0] != tab or shown[1]:
            return ()
        listed: tuple[Any, ...] = shown[2][0] if tab == "workflows" else shown[2]
        return listed

    # --- What the person does -----------------------------------------------------------------------------------------

    def _act(self, act: str, value: str, fields: Fields) -> None:
        state = self._state
        if act == "tab":
            state.turn_to(value)
            self._moved()
        elif act == "open":
            state.open_plan(value)
            self._moved()
        elif act == "list":
            state.open_plan("")
            self._moved()
        elif act == "superseded":
            state.superseded = value == "true"
            state.turn_page(1)
            self._moved()
        elif act == "page" and value.isdecimal():
            state.turn_page(int(value))
            self._moved()
        elif act == "make":
            self._make(fields)
        elif state.tab == "quarantine":
            self._act_on_held(act, value, _one(fields, "word"))
        elif state.tab == "workflows":
            if act == "add-workflow":
                self._add_workflow(fields)
            else:
                self._act_on_workflow(act, value, _one(fields, "note"))
        else:
            self._act_on_plan(act, value, fields)

    def _make(self, fields: Fields) -> None:
        wanted = self._state.wanted = _plan_wanted(fields)
        self._begin(lambda: self._acts.make(wanted), failed="No plan was made")

    def _add_workflow(self, fields: Fields) -> None:
        names = ("name", "every", "timezone", "objects", "gigabytes", "share", "precision", "drift")
        given = {name: _one(fields, name) for name in names}
        wanted = WorkflowWanted(**given, notify=_one(fields, "notify"), plan=_plan_wanted(fields))

        def take(faults: Mapping[str, str]) -> None:
            # What may be a credential in clear is not sent back to the page.
            state, kept = self._state, replace(wanted, notify="") if "notify" in faults else wanted
            state.leave()
            self._added += not faults
            state.param.update(workflow=kept if faults else WorkflowWanted(), faults=dict(faults))
            if not faults:
                self._changed(f"{wanted.name} is added", "Ask what it would plan now, or run it, below.")

        self._work(lambda: self._acts.add_workflow(wanted), take, failed="The workflow was not added")

    def _act_on_plan(self, act: str, value: str, fields: Fields) -> None:
        state, acts, detail = self._state, self._acts, self._detail
        if detail is None:
            return
        plan_id, asked = detail.record.plan_id, state.question
        said = asked is not None and asked.act == act and asked.value == value
        if act in ("approve", "refuse", "apply", "refresh") and not said:
            state.ask_about_plan(act, detail)
        elif act == "approve":
            note = _one(fields, "note")
            self._work(lambda: acts.approve(plan_id, note), lambda _: self._changed("The plan is approved"))
        elif act == "refuse":
            why = _one(fields, "note")
            self._work(lambda: acts.refuse(plan_id, why), lambda _: self._changed("The plan is refused"))
        elif act == "apply":
            self._begin(lambda: acts.apply(plan_id))
        elif act == "refresh":
            self._work(lambda: acts.refresh(plan_id), self._replaced)
        elif act == "trim" and value.isdecimal():
            self._work(lambda: acts.trim(plan_id, [int(value)]), self._replaced)
        elif act == "look":
            self._work(lambda: acts.look(plan_id), self._say("What it would do now"))
        elif act == "file":
            kind, _, named = value.partition(" ")
            self._work(lambda: acts.file(kind, named or plan_id), lambda file: self._files.hand_over(*file))
        else:
            self._act_on_application(act, value, said=said)

    def _act_on_application(self, act: str, value: str, *, said: bool) -> None:
        state, acts, detail = self._state, self._acts, self._detail
        line = next((item for item in detail.applications if item.application_id == value), None)
        if line is None:
            return
        if act == "certificate":
            self._work(lambda: acts.certificate(value), self._say("Certificate"))
        elif act == "undo-ask":
            state.ask_about_undo(line, detail)
        elif act == "undo" and said:
            self._begin(lambda: acts.undo(value))
        elif act == "go-on":
            self._begin(lambda: acts.go_on(value))
        elif act == "pause":
            self._work(lambda: acts.pause(value), lambda _: self._changed("It stops after the step that it is at"))

    def _act_on_held(self, act: str, value: str, word: str) -> None:
        state, acts, asked = self._state, self._acts, self._state.question
        if act == "restore":
            self._begin(lambda: acts.restore([value]))
            return
        line = next((item for item in self._lines("quarantine") if item.application_id == value), None)
        if line is None or act not in ("restore-all", "empty-expired", "empty-all"):
            return
        if asked is None or asked.act != act or asked.value != value:
            state.ask_about_held(act, line)
        elif act == "restore-all":
            self._begin(lambda: acts.restore_application(value))
        elif word != asked.word:
            state.tell("Nothing was removed", f"{word!r} was typed, and {asked.word!r} was asked for.")
        else:
            self._begin(lambda: acts.empty(value, expired_only=act == "empty-expired"))

    def _act_on_workflow(self, act: str, value: str, note: str) -> None:
        state, acts, asked = self._state, self._acts, self._state.question
        line = next((item for item in self._lines("workflows") if item.name == value), None)
        if line is None:
            return
        if act == "preview-workflow":
            self._work(lambda: acts.preview_workflow(value), self._say(f"What {value} would plan now"))
        elif asked is None or asked.act != act or asked.value != value:
            state.ask_about_workflow(act, line)
        elif act == "pause-workflow":
            self._work(lambda: acts.pause_workflow(value, note), lambda _: self._changed(f"{value} is paused"))
        elif act == "resume-workflow":
            self._work(lambda: acts.resume_workflow(value, note), lambda _: self._changed(f"{value} runs again"))
        elif act == "run-workflow":
            self._begin(lambda: acts.run_workflow(value))

    # --- What came of it ----------------------------------------------------------------------------------------------

    def _changed(self, heading: str, text: str = "") -> None:
        self._state.tell(heading, text)
        self._state.words = ()
        self._state.reread()

    def _replaced(self, plan_id: str) -> None:
        self._state.open_plan(plan_id)
        self._moved()
        self._state.tell(f"Plan {plan_id} took its place", "It is a draft and has to be approved anew.")

    def _say(self, heading: str) -> Callable[[tuple[str, ...]], None]:
        def say(lines: tuple[str, ...]) -> None:
            self._state.leave()
            self._state.words = (heading, lines)

        return say

    def _ended(self, line: JobLine) -> None:
        if line.state == "done" and line.kind == "plan" and line.result.get("plan_id"):
            self._state.open_plan(str(line.result["plan_id"]))
            self._moved()
            self._state.tell("The plan is made", "It is a draft: look at it, then somebody approves or refuses it.")
            return
        if line.state == "done":
            self._state.tell(f"{line.title}: done", came_to(line))
        self._state.words = ()
        self._state.reread()

    # --- What the person sees -----------------------------------------------------------------------------------------

    def _moved(self) -> None:
        super()._moved()
        self._show_head()

    def _above(self) -> str:
        shown = [item for item in PLAN_TABS if item[0] != "make" or self._acts.may("make")]
        return tabs(self._state.tab, shown, label="Parts of this page")

    def _show(self) -> None:
        state, may, form = self._state, self._acts.may, ""
        if state.shown is None:
            self.body.html, self.form.html = message("Loading…", kind="busy"), ""
            return
        tab, plan_id, shown = state.shown
        if tab == "make":
            self.body.html = make_html(shown, state.wanted)
        elif tab == "quarantine":
            self.body.html = quarantine_html(shown, self._src, may=may)
        elif tab == "workflows":
            lines, offer = shown
            form = "" if offer is None else self._workflow_form(offer, is_first=not lines)
            self.body.html = words_html(state.words) + workflows_html(lines, may=may)
        elif plan_id:
            own = self._acts.other_approver() and shown.record.author == self._acts.whose()
            self.body.html = words_html(state.words) + plan_html(
                shown, self._src, may=may, waits_for_other=_OWN if own else ""
            )
        else:
            self.body.html = plans_html(shown, superseded=state.superseded, may_make=may("make"))
        # By itself, so that what is typed stays when a run ends; the same is not drawn again.
        self.form.html = form

    def _workflow_form(self, offer: PlanOffer | str, *, is_first: bool) -> str:
        if isinstance(offer, str):
            return said_html("No workflow can be added now", offer, problem=True)
        state, may_notify = self._state, self._acts.may("have_others_told")
        form = workflow_form_html(offer, state.workflow, state.faults, may_notify=may_notify, is_first=is_first)
        # After one was added the empty form is another one, though it says the same.
        return f'<div data-turn="{self._added}">{form}</div>'


def _offered(acts: PlanActing) -> PlanOffer | str:
    """What plans can be made from, or why that cannot be told: what stands already can be looked at and paused."""
    try:
        return acts.offer()
    except DeepLensError as error:
        return str(error)


def _plan_wanted(fields: Fields) -> PlanWanted:
    return PlanWanted(
        action=_one(fields, "action"),
        tiers=tuple(fields.get("tiers", ())),
        rule=_one(fields, "rule"),
        policy=_one(fields, "policy"),
        locations=tuple(fields.get("locations", ())),
        limit=_one(fields, "limit"),
        to=_one(fields, "to"),
        folder=_one(fields, "folder"),
        storage_class=_one(fields, "storage_class"),
        merge_metadata=bool(fields.get("merge_metadata")),
    )


def _one(fields: Fields, name: str) -> str:
    """A field of one value."""
    return next(iter(fields.get(name, ())), "").strip()
