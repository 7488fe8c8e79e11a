"""What the page of plans reads and does.

Takes an open workspace and the session of the page, gives described values; every act asks first whether whoever is
there may do it. What takes long is a job, and what a job does is done by who asked for it.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

from deeplens_kit import pipeline
from deeplens_kit.actions import PLAN_ACTIONS
from deeplens_kit.errors import SettingsError
from deeplens_kit.ledger import QuarantineState, Scope
from deeplens_kit.ledger.holder import current_person
from deeplens_kit.pipeline.plan_facts import plan_places
from deeplens_kit.reporting.plan_list import PlanDetail, PlanLine, describe_plan_detail, describe_plans
from deeplens_kit.reporting.plan_words import action_words
from deeplens_kit.reporting.standing_lines import HeldLine, WorkflowLine, describe_quarantine, describe_workflows
from deeplens_kit.reporting.words import format_bytes, plural, tier_words
from deeplens_kit.service.page_acts.guarded import guarded
from deeplens_kit.service.page_acts.job_acts import JobbingActs
from deeplens_kit.storage.paths import display_path
from deeplens_kit.views.state.job_lines import JobLine
from deeplens_kit.views.state.plans_state import PlanOffer, PlanWanted

if TYPE_CHECKING:
    from deeplens_kit.pipeline.quarantining import Restored

__all__ = ["PlanActs"]

_MOST_TROUBLES = 5


class PlanActs(JobbingActs):
    """Plans, what is done by them, the quarantine and the workflows; implements `views.state.PlanActing`."""

    job_kinds = ("plan", "apply", "undo", "workflow")

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
    def plans(self, *, superseded: bool = False) -> tuple[PlanLine, ...]:
        """Plans, the latest first."""
        return describe_plans(self._workspace, superseded=superseded)

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
        return PlanOffer(
            actions=tuple((str(action), action_words(str(action)).capitalize()) for action in PLAN_ACTIONS),
            tiers=tuple((tier, f"{tier}: {tier_words(tier)}") for tier in workspace.settings.actions.tiers),
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
        limit = wanted.limit.replace(",", "")
        if limit and not (limit.isdecimal() and int(limit) > 0):
            raise SettingsError(
                f"{wanted.limit!r} steps at most is not allowed; give a number above 0, or none for all."
            )
        if not wanted.tiers:
            raise SettingsError("No evidence is ticked; tick at least one, such as bytes.")
        to = f"{wanted.to}/{wanted.folder.strip('/')}".rstrip("/") if wanted.to else ""
        choice = pipeline.plan_choice(
            self._workspace,
            tiers=wanted.tiers,
            action=wanted.action,
            policy=wanted.policy or None,
            locations=wanted.locations,
            limit=int(limit) if limit else None,
            to=to,
            storage_class=wanted.storage_class,
            merge_metadata=wanted.merge_metadata,
        )
        return self._submit("plan", {"choice": choice.to_json()})

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
        return self._submit("apply", {"plan_id": whole}, key=f"apply {whole}")

    @guarded(Scope.IMAGES_DELETE)
    def go_on(self, application_id: str) -> JobLine:
        """Go on with an application that was paused, halted or whose process ended."""
        whole = self._workspace.ledger.application(application_id).application_id
        return self._submit("apply", {"application_id": whole}, key=f"go on {whole}")

    @guarded(Scope.IMAGES_DELETE)
    def pause(self, application_id: str) -> None:
        """Have an application stop after the step that it is at."""
        from deeplens_kit.pipeline.applying import pause

        pause(self._workspace, application_id)

    @guarded(Scope.IMAGES_DELETE)
    def undo(self, application_id: str) -> JobLine:
        """Begin to make all that an application did as it was."""
        whole = self._workspace.ledger.application(application_id).application_id
        return self._submit("undo", {"application_id": whole}, key=f"undo {whole}")

    # --- The quarantine -----------------------------------------------------------------------------------------------

    @guarded(Scope.IMAGES_DELETE)
    def restore(self, item_ids: Sequence[str]) -> tuple[int, tuple[str, ...]]:
        """Move files back from quarantine; how many came, and what could not."""
        from deeplens_kit.pipeline.quarantining import restore_quarantined

        return _came_back(restore_quarantined(self._workspace, item_ids))

    @guarded(Scope.IMAGES_DELETE)
    def restore_application(self, application_id: str) -> tuple[int, tuple[str, ...]]:
        """Move all that an application has in quarantine back."""
        from deeplens_kit.pipeline.quarantining import restore_quarantined

        held = self._workspace.ledger.quarantined(
            application_id=self._workspace.ledger.application(application_id).application_id,
            states=(QuarantineState.HELD, QuarantineState.MISSING),
        )
        return _came_back(restore_quarantined(self._workspace, [item.item_id for item in held]))

    @guarded(Scope.IMAGES_DELETE)
    def empty(self, application_id: str, *, expired_only: bool) -> tuple[int, int]:
        """Remove files of an application from quarantine for good; how many, and the bytes that are free."""
        from deeplens_kit.pipeline.quarantining import chosen_items, empty_quarantine

        chosen = chosen_items(self._workspace, application_id=application_id, expired_only=expired_only)
        report = empty_quarantine(self._workspace, chosen)
        return report.removed, report.freed_bytes

    # --- Workflows ----------------------------------------------------------------------------------------------------

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
        return self._submit("workflow", {"name": whole, "index_first": False}, key=f"workflow {whole}")

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


def _came_back(came: Restored) -> tuple[int, tuple[str, ...]]:
    troubles = [trouble.message for trouble in came.troubles]
    left = len(troubles) - _MOST_TROUBLES
    told = troubles[:_MOST_TROUBLES] + ([f"And {left:,} more could not."] if left > 0 else [])
    if came.left_to_index:
        told.append(f"Index again: {plural(came.left_to_index, 'picture')} left the catalog meanwhile.")
    return len(came.undone), tuple(told)
