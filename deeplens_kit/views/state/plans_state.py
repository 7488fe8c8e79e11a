"""The page of plans: which part is looked at, what was read for it, and what is asked before an act.

Takes what acts read and do, holds it for a viewer; must not import Panel. Whatever changes something is asked first
with its numbers.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import parse_qsl, urlencode

import param

from deeplens_kit.reporting.words import format_bytes, plural
from deeplens_kit.views.state.acting_state import ActingState
from deeplens_kit.views.state.told import Question

if TYPE_CHECKING:
    from deeplens_kit.reporting.plan_list import ApplicationLine, PlanDetail, PlanPage
    from deeplens_kit.reporting.standing_lines import HeldLine, WorkflowLine
    from deeplens_kit.views.state.job_lines import JobLine

__all__ = ["PLAN_TABS", "PlanActing", "PlanOffer", "PlanWanted", "PlansState", "WorkflowWanted"]

PLAN_TABS = (
    ("plans", "Plans"),
    ("make", "Make a plan"),
    ("quarantine", "Quarantine"),
    ("workflows", "Workflows"),
)
"""The parts of the page, with what they are called."""

_PAGE_DIGITS = 8


@dataclass(frozen=True, slots=True)
class PlanOffer:
    """What a plan can be made from, each with what it is called.

    Attributes:
        actions: What becomes of each copy.
        tiers: Evidence that the workspace acts on.
        rules: When a pair is a copy.
        rule: The rule in use.
        policies: Which copy stays.
        policy: The policy in use.
        locations: Those that are active.
        opened: Of them those that are opened for changes.
        targets: Of them those to which files can be moved.
    """

    actions: tuple[tuple[str, str], ...]
    tiers: tuple[tuple[str, str], ...]
    rules: tuple[tuple[str, str], ...]
    rule: str
    policies: tuple[tuple[str, str], ...]
    policy: str
    locations: tuple[tuple[str, str], ...]
    opened: tuple[str, ...]
    targets: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class PlanWanted:
    """What somebody wants of a plan, as it was filled in."""

    action: str = "remove"
    tiers: tuple[str, ...] = ("bytes", "pixels")
    rule: str = ""
    policy: str = ""
    locations: tuple[str, ...] = ()
    limit: str = ""
    to: str = ""
    folder: str = ""
    storage_class: str = ""
    merge_metadata: bool = False


@dataclass(frozen=True, slots=True)
class WorkflowWanted:
    """A workflow as it was filled in.

    Attributes:
        name: What it is called.
        every: When, as cron says it.
        timezone: Of these times; empty for that of the server.
        plan: What its plans are made from.
        objects: Files of a plan at most that needs no person.
        gigabytes: Of these files at most.
        share: Of a location's files at most, percent.
        precision: Of copies at least, percent.
        drift: A plan of so many times the usual one waits for a person.
        notify: Who is told, a line each.
    """

    name: str = ""
    every: str = ""
    timezone: str = ""
    plan: PlanWanted = PlanWanted()
    objects: str = ""
    gigabytes: str = ""
    share: str = ""
    precision: str = ""
    drift: str = "5"
    notify: str = ""


class PlanActing(Protocol):
    """What is read and done on the page of plans; each asks whether whoever is there may."""

    def may(self, name: str) -> bool:
        """Whether whoever is there may do an act of this name."""

    def whose(self) -> str:
        """Who is there."""

    def other_approver(self) -> bool:
        """Whether a plan needs the approval of somebody else than who made it."""

    def plans(self, *, superseded: bool = False, page: int = 1) -> PlanPage:
        """A page of plans, the latest first."""

    def plan(self, plan_id: str) -> PlanDetail:
        """A plan with what is around it."""

    def offer(self) -> PlanOffer:
        """What a plan can be made from."""

    def quarantine(self) -> tuple[HeldLine, ...]:
        """What lies in quarantine."""

    def workflows(self) -> tuple[WorkflowLine, ...]:
        """Workflows with their last runs."""

    def certificate(self, application_id: str) -> tuple[str, ...]:
        """What an application did, in sentences."""

    def file(self, kind: str, named: str) -> tuple[str, bytes]:
        """A file to save: a plan as ".csv", ".parquet" or ".json", a certificate as "certificate"; its name first."""

    def make(self, wanted: PlanWanted) -> JobLine:
        """Begin to make a plan."""

    def trim(self, plan_id: str, steps: Collection[int]) -> str:
        """Take steps out of a plan; the id of the one that takes its place."""

    def refresh(self, plan_id: str) -> str:
        """Make a plan anew; the id of the one that takes its place."""

    def approve(self, plan_id: str, note: str) -> None:
        """Approve a plan as it stands."""

    def refuse(self, plan_id: str, why: str) -> None:
        """Refuse a plan."""

    def look(self, plan_id: str) -> tuple[str, ...]:
        """What applying would come to now, in sentences; no file is read, and nothing changed."""

    def apply(self, plan_id: str) -> JobLine:
        """Begin to apply a plan."""

    def go_on(self, application_id: str) -> JobLine:
        """Go on with an application that was paused, halted or whose process ended."""

    def pause(self, application_id: str) -> None:
        """Have an application stop after the step that it is at."""

    def undo(self, application_id: str) -> JobLine:
        """Begin to make all that an application did as it was."""

    def restore(self, item_ids: Sequence[str]) -> JobLine:
        """Begin to move files back from quarantine."""

    def restore_application(self, application_id: str) -> JobLine:
        """Begin to move all that an application has in quarantine back."""

    def empty(self, application_id: str, *, expired_only: bool) -> JobLine:
        """Begin to remove files of an application from quarantine for good."""

    def add_workflow(self, wanted: WorkflowWanted) -> Mapping[str, str]:
        """Add a workflow; what is wrong, by field, where it was not added."""

    def pause_workflow(self, name: str, why: str) -> None:
        """Pause a workflow."""

    def resume_workflow(self, name: str, note: str) -> None:
        """Let a paused workflow run again."""

    def run_workflow(self, name: str) -> JobLine:
        """Begin to run a workflow once."""

    def preview_workflow(self, name: str) -> tuple[str, ...]:
        """What a workflow would plan now, in sentences."""

    def jobs_at_work(self) -> tuple[JobLine, ...]:
        """Jobs of this page that have not ended."""

    def look_at_jobs(self, job_ids: Sequence[str]) -> tuple[JobLine, ...]:
        """How jobs stand now."""

    def stop_job(self, job_id: str) -> JobLine:
        """Ask a job to stop."""


class PlansState(ActingState):
    """What the page of plans looks at.

    Attributes:
        tab: Its part.
        plan_id: The plan that is looked at; empty for the list.
        superseded: Plans that others replaced are listed too.
        page: Of the list, from 1.
        shown: What was read for what is looked at; None while it is being read.
        wanted: What was filled in for a plan.
        workflow: What was filled in for a workflow.
        faults: What is wrong with that, by field.
        words: What somebody asked for, its heading and its sentences: a rehearsal, a certificate, a preview.
    """

    tab: Any = param.Selector(default="plans", objects=[name for name, _ in PLAN_TABS])
    plan_id = param.String(default="")
    superseded = param.Boolean(default=False)
    page = param.Integer(default=1, bounds=(1, None))
    wanted: Any = param.ClassSelector(class_=PlanWanted, default=PlanWanted())
    workflow: Any = param.ClassSelector(class_=WorkflowWanted, default=WorkflowWanted())
    faults: Any = param.Dict(default={})
    words: Any = param.Parameter(default=())

    @property
    def where(self) -> str:
        """What is looked at, as it stands in the address of the page."""
        if self.plan_id:
            return urlencode({"plan": self.plan_id})
        if self.tab == "plans":
            return "" if self.page == 1 else urlencode({"page": self.page})
        return urlencode({"part": self.tab})

    def go_to(self, text: str) -> None:
        """Look at what an address says; what it says amiss is passed over."""
        asked = dict(parse_qsl(text))
        if asked.get("part", "plans") != "plans":
            self.turn_to(asked["part"])
        else:
            page = asked.get("page", "")
            self.page = max(1, int(page)) if page.isdecimal() and len(page) < _PAGE_DIGITS else 1
            self.open_plan(asked.get("plan", ""))

    def turn_to(self, tab: str) -> None:
        """Look at another part."""
        if tab in self.param.tab.objects:
            self.leave()
            self.param.update(tab=tab, plan_id="", shown=None, words=(), revision=self.revision + 1)

    def open_plan(self, plan_id: str) -> None:
        """Look at a plan; with an empty id at the list."""
        self.leave()
        self.param.update(tab="plans", plan_id=plan_id, shown=None, words=(), revision=self.revision + 1)

    def turn_page(self, page: int) -> None:
        """Look at another page of the list."""
        self.leave()
        self.param.update(page=max(1, page), shown=None, revision=self.revision + 1)

    def ask_about_plan(self, act: str, detail: PlanDetail) -> None:
        """Ask before an act on a plan, with its numbers."""
        plan_id, size = detail.record.plan_id, format_bytes(detail.view.size_bytes)
        steps = plural(detail.record.steps, "step")
        if act == "approve":
            self.ask(
                Question(
                    act,
                    plan_id,
                    f"Approve plan {plan_id}: {steps}, {size}?",
                    f"Applying it {detail.effect}. Your approval counts for the plan exactly as it stands now.",
                    f"Approve {steps}",
                    note="A note to it, if you like",
                )
            )
        elif act == "refuse":
            text = f"Its {steps} on {size} will not be applied any more. Nothing happens to the files."
            self.ask(Question(act, plan_id, f"Refuse plan {plan_id}?", text, "Refuse it", note="Why, if you like"))
        elif act == "apply":
            text = (
                f"This {detail.effect}. Every file is looked at again first; what is in doubt is skipped and told. "
                "Undoing takes all of it back until the quarantine is emptied."
            )
            self.ask(Question(act, plan_id, f"Apply plan {plan_id}?", text, f"Apply {steps}, {size}"))
        elif act == "refresh":
            text = (
                "It is made again from what is known now, and takes the place of this one. It has to be approved anew."
            )
            self.ask(Question(act, plan_id, f"Make plan {plan_id} anew?", text, "Make it anew"))

    def ask_about_undo(self, line: ApplicationLine, detail: PlanDetail) -> None:
        """Ask before undoing, with what was done."""
        self.ask(
            Question(
                "undo",
                line.application_id,
                f"Undo application {line.application_id}: {line.says}?",
                f"Files come back to their places, with their bytes, and with their times where the storage can set "
                f"them: {plural(detail.record.steps, 'step')} on {format_bytes(detail.view.size_bytes)} at most.",
                "Undo it",
            )
        )

    def ask_about_held(self, act: str, line: HeldLine) -> None:
        """Ask before files leave the quarantine."""
        files, size = plural(line.files, "file"), format_bytes(line.size_bytes)
        if act == "restore-all":
            text = "Each goes back to its place, with what belongs to it. The copy that stays is not touched."
            self.ask(Question(act, line.application_id, f"Move {files}, {size}, back?", text, f"Move {files} back"))
        elif act in ("empty-expired", "empty-all"):
            count = plural(line.expired, "file") if act == "empty-expired" else files
            heading = f"Remove {count} that expired for good?"
            if act == "empty-all":
                heading = f"Remove {files}, {size}, for good?"
            text = (
                "This cannot be undone. Before each file the copy that stays is read; where that is not as it was, the "
                "file stays in quarantine."
            )
            self.ask(
                Question(
                    act,
                    line.application_id,
                    heading,
                    text,
                    f"Remove {count} for good",
                    word=line.application_id,
                    danger=True,
                )
            )

    def ask_about_workflow(self, act: str, line: WorkflowLine) -> None:
        """Ask before a workflow is paused, resumed or run."""
        if act == "pause-workflow":
            self.ask(Question(act, line.name, f"Pause {line.name}?", "It does nothing until somebody resumes it.",
                              "Pause it", note="Why"))  # fmt: skip
        elif act == "resume-workflow":
            because = f" It was paused because: {line.reason}" if line.reason else ""
            self.ask(Question(act, line.name, f"Let {line.name} run again?", f"It runs when it is due next.{because}",
                              "Resume it", note="A note, if you like"))  # fmt: skip
        elif act == "run-workflow":
            self.ask(
                Question(
                    act,
                    line.name,
                    f"Run {line.name} now?",
                    f"It makes its plan now. {line.bounds} What it removes goes to quarantine.",
                    "Run it once",
                )
            )
