"""What the page of plans reads and does.

Takes an open workspace and the session of the page, gives described values; every act asks first whether whoever is
there may do it. What takes long is a job, and what a job does is done by who asked for it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime

from deeplens_kit import pipeline
from deeplens_kit.actions import PLAN_ACTIONS
from deeplens_kit.errors import SettingsError
from deeplens_kit.ledger import Scope
from deeplens_kit.ledger.holder import current_person
from deeplens_kit.matching import STRICT
from deeplens_kit.pipeline.plan_facts import plan_places
from deeplens_kit.reporting.plan_list import PlanDetail, PlanPage, describe_plan_detail, describe_plans
from deeplens_kit.reporting.plan_words import action_words
from deeplens_kit.reporting.standing_lines import HeldLine, WorkflowLine, describe_quarantine, describe_workflows
from deeplens_kit.reporting.words import format_bytes, plural, tier_words
from deeplens_kit.service.jobs import asking
from deeplens_kit.service.page_acts.guarded import guarded
from deeplens_kit.service.page_acts.job_acts import JobbingActs
from deeplens_kit.service.page_acts.workflow_form import choice_of, read_workflow
from deeplens_kit.storage.paths import display_path
from deeplens_kit.views.state.job_lines import JobLine, describe_job
from deeplens_kit.views.state.plans_state import PlanOffer, PlanWanted, WorkflowWanted

__all__ = ["PlanActs"]


class PlanActs(JobbingActs):
    """Plans, what is done by them, the quarantine and the workflows; implements `views.state.PlanActing`."""

    job_kinds = ("plan", "apply", "undo", "empty", "restore", "workflow")

    # --- Reading ------------------------------------------------------------------------------------------------------

    @guarded(Scope.IMAGES_READ)
    def whose(self) -> str:
        """Who is there, as plans name their authors."""
        return current_person()

    @guarded(Scope.IMAGES_READ)
    def other_approver(self) -> bool:
        """Whether a plan needs the approval of somebody else than who made it."""
        return self._workspace.settings.actions.other_approver

    @guarded(Scope.IMAGES_READ)
    def plans(self, *, superseded: bool = False, page: int = 1) -> PlanPage:
        """A page of plans, the latest first."""
        return describe_plans(self._workspace, superseded=superseded, page=page)

    @guarded(Scope.IMAGES_READ)
    def plan(self, plan_id: str) -> PlanDetail:
        """A plan with what is around it."""
        return describe_plan_detail(self._workspace, plan_id)

    @guarded(Scope.IMAGES_READ)
    def offer(self) -> PlanOffer:
        """What a plan can be made from."""
        workspace = self._workspace
        places = plan_places(workspace)
        names = [item.name for item in workspace.ledger.locations()]
        used = workspace.chosen().rules.use
        return PlanOffer(
            actions=tuple((str(action), action_words(str(action)).capitalize()) for action in PLAN_ACTIONS),
            tiers=tuple((tier, f"{tier}: {tier_words(tier)}") for tier in workspace.settings.actions.tiers),
            # One version of a rule may be in use, by a name of its own.
            rules=_named(STRICT.name, *(item.name for item in workspace.ledger.rules()), used),
            rule=used,
            policies=tuple((name, name) for name in pipeline.known_policies(workspace)),
            policy=pipeline.chosen_policy(workspace).name,
            locations=tuple((name, display_path(name)) for name in names),
            opened=tuple(place.name for place in places.values() if place.may_change),
            targets=tuple((place.name, display_path(place.name)) for place in places.values() if place.may_create),
        )

    @guarded(Scope.IMAGES_READ)
    def quarantine(self) -> tuple[HeldLine, ...]:
        """What lies in quarantine, by application."""
        return describe_quarantine(self._workspace)

    @guarded(Scope.IMAGES_READ)
    def workflows(self) -> tuple[WorkflowLine, ...]:
        """Workflows with their last runs."""
        return describe_workflows(self._workspace)

    @guarded(Scope.IMAGES_READ)
    def certificate(self, application_id: str) -> tuple[str, ...]:
        """What an application did, in sentences."""
        from deeplens_kit.pipeline.certifying import certificate
        from deeplens_kit.reporting.certificate_words import certificate_lines

        return tuple(certificate_lines(certificate(self._workspace, application_id)))

    @guarded(Scope.IMAGES_READ)
    def file(self, kind: str, named: str) -> tuple[str, bytes]:
        """A file to save, its name first: a plan in a form of `PLAN_ENDINGS`, or the page of a certificate."""
        if kind == "certificate":
            from deeplens_kit.pipeline.certifying import certificate
            from deeplens_kit.reporting.certificate_page import render_certificate

            made = certificate(self._workspace, named)
            page = b"".join(render_certificate(made, display_path(self._workspace.directory.name)))
            return f"certificate-{made.application.application_id}.html", page
        if kind not in pipeline.PLAN_ENDINGS:
            raise SettingsError(f"{kind!r} is no form of a plan; known are {', '.join(pipeline.PLAN_ENDINGS)}.")
        record = self._workspace.ledger.plan(named)
        return f"plan-{record.plan_id}{kind}", b"".join(pipeline.export_plan(self._workspace, record.plan_id, kind))

    # --- Making and judging -------------------------------------------------------------------------------------------

    @guarded(Scope.IMAGES_WRITE)
    def make(self, wanted: PlanWanted) -> JobLine:
        """Begin to make a plan."""
        return self._submit("plan", {"choice": choice_of(self._workspace, wanted).to_json()})

    @guarded(Scope.IMAGES_WRITE)
    def trim(self, plan_id: str, steps: Collection[int]) -> str:
        """Take steps out of a plan; the id of the one that takes its place."""
        return pipeline.trim_plan(self._workspace, plan_id, drop=steps).plan_id

    @guarded(Scope.IMAGES_WRITE)
    def refresh(self, plan_id: str) -> str:
        """Make a plan anew; the id of the one that takes its place."""
        return pipeline.refresh_plan(self._workspace, plan_id)[0].plan_id

    @guarded(Scope.PLANS_APPROVE)
    def approve(self, plan_id: str, note: str) -> None:
        """Approve a plan as it stands."""
        pipeline.approve_plan(self._workspace, plan_id, note)

    @guarded(Scope.PLANS_APPROVE)
    def refuse(self, plan_id: str, why: str) -> None:
        """Refuse a plan."""
        pipeline.refuse_plan(self._workspace, plan_id, why)

    # --- Acting -------------------------------------------------------------------------------------------------------

    @guarded(Scope.IMAGES_WRITE)
    def look(self, plan_id: str) -> tuple[str, ...]:
        """What applying would come to now, in sentences; no file is read, and nothing changed."""
        from deeplens_kit.pipeline.applying import rehearse
        from deeplens_kit.reporting.plan_reading import rehearsal_words

        return tuple(rehearsal_words(rehearse(self._workspace, plan_id, quick=True)))

    @guarded(Scope.IMAGES_DELETE)
    def apply(self, plan_id: str) -> JobLine:
        """Begin to apply a plan."""
        whole = self._workspace.ledger.plan(plan_id).plan_id
        return describe_job(asking.apply_plan(self._workspace, whole))

    @guarded(Scope.IMAGES_DELETE)
    def go_on(self, application_id: str) -> JobLine:
        """Go on with an application that was paused, halted or whose process ended."""
        whole = self._workspace.ledger.application(application_id).application_id
        return describe_job(asking.go_on(self._workspace, whole))

    @guarded(Scope.IMAGES_DELETE)
    def pause(self, application_id: str) -> None:
        """Have an application stop after the step that it is at."""
        from deeplens_kit.pipeline.applying import pause

        pause(self._workspace, application_id)

    @guarded(Scope.IMAGES_DELETE)
    def undo(self, application_id: str) -> JobLine:
        """Begin to make all that an application did as it was."""
        whole = self._workspace.ledger.application(application_id).application_id
        return describe_job(asking.undo(self._workspace, whole))

    # --- The quarantine -----------------------------------------------------------------------------------------------

    @guarded(Scope.IMAGES_DELETE)
    def restore(self, item_ids: Sequence[str]) -> JobLine:
        """Begin to move files back from quarantine."""
        return describe_job(asking.restore(self._workspace, items=item_ids))

    @guarded(Scope.IMAGES_DELETE)
    def restore_application(self, application_id: str) -> JobLine:
        """Begin to move all that an application has in quarantine back."""
        whole = self._workspace.ledger.application(application_id).application_id
        return describe_job(asking.restore(self._workspace, whole))

    @guarded(Scope.IMAGES_DELETE)
    def empty(self, application_id: str, *, expired_only: bool) -> JobLine:
        """Begin to remove files of an application from quarantine for good."""
        whole = self._workspace.ledger.application(application_id).application_id
        before = datetime.now(UTC) if expired_only else None
        return describe_job(asking.empty(self._workspace, whole, expired_before=before))

    # --- Workflows ----------------------------------------------------------------------------------------------------

    @guarded(Scope.PLANS_APPROVE)
    def add_workflow(self, wanted: WorkflowWanted) -> Mapping[str, str]:
        """Add a workflow; what is wrong, by field, where it was not added."""
        from deeplens_kit.pipeline.workflows import add_workflow

        if wanted.notify and not self.may("have_others_told"):
            return {"notify": "Only an administrator says who else is told; leave it empty."}
        filled, faults = read_workflow(self._workspace, wanted)
        if filled is None:
            return faults
        try:
            add_workflow(
                self._workspace,
                wanted.name,
                filled.choice,
                every=filled.every,
                timezone=filled.timezone,
                notify=filled.notify,
                bounds=filled.bounds,
                drift_factor=filled.drift,
            )
        except SettingsError as error:
            # All else was read: the name is not allowed, or was taken meanwhile.
            return {"name": str(error)}
        return {}

    @guarded(Scope.ADMIN)
    def have_others_told(self) -> None:
        """Whether addresses may be given that this server tells, which may name its secrets; does nothing by itself."""

    @guarded(Scope.PLANS_APPROVE)
    def pause_workflow(self, name: str, why: str) -> None:
        """Pause a workflow."""
        self._workspace.ledger.pause_workflow(name, why or "a person paused it.")

    @guarded(Scope.PLANS_APPROVE)
    def resume_workflow(self, name: str, note: str) -> None:
        """Let a paused workflow run again."""
        self._workspace.ledger.resume_workflow(name, note)

    @guarded(Scope.IMAGES_DELETE)
    def run_workflow(self, name: str) -> JobLine:
        """Begin to run a workflow once."""
        whole = self._workspace.ledger.workflow(name).name
        return describe_job(asking.run_workflow(self._workspace, whole))

    @guarded(Scope.IMAGES_WRITE)
    def preview_workflow(self, name: str) -> tuple[str, ...]:
        """What a workflow would plan now, in sentences."""
        from deeplens_kit.pipeline.workflows import preview_workflow

        found = preview_workflow(self._workspace, name)
        if not found.size.objects:
            return (f"{display_path(name)} would find nothing to do now.",)
        waits = (
            f"It would wait for a person: {'; '.join(found.waits)}." if found.waits else "No person is needed for it."
        )
        size = format_bytes(found.size.size_bytes)
        return (f"{display_path(name)} would act on {plural(found.size.objects, 'file')}, {size}.", waits)


def _named(*names: str) -> tuple[tuple[str, str], ...]:
    return tuple((name, name) for name in dict.fromkeys(names))
