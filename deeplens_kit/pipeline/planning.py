"""Plans of a workspace: made of its groups, saved in its ledger, read back, and made anew.

Takes an open workspace and what is wanted, gives records and frames; writes plans to the ledger and nothing else. No
file is touched or read: what a plan says is asked again at the moment when a step is done.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import polars as pl

from deeplens_kit.actions import (
    LINK_ACTIONS,
    PLAN_ACTIONS,
    LeftOut,
    PlanDraft,
    PlanPlace,
    PlanRequest,
    plan_steps,
    steps_digest,
    steps_from_parts,
    steps_to_parts,
)
from deeplens_kit.errors import PlanError, SettingsError
from deeplens_kit.ledger import PlanRecord
from deeplens_kit.matching import (
    KeepPolicy,
    Rule,
    find_families,
)
from deeplens_kit.pipeline.file_listing import active_files
from deeplens_kit.pipeline.findings import list_groups
from deeplens_kit.pipeline.keep_policies import chosen_policy
from deeplens_kit.pipeline.metadata_merge import with_merged_metadata
from deeplens_kit.pipeline.plan_choices import PlanChoice
from deeplens_kit.pipeline.plan_evidence import copy_evidence, evidence_sentence
from deeplens_kit.pipeline.plan_facts import location_names, plan_places, plan_prices, with_objections
from deeplens_kit.pipeline.plan_left_out import left_out_lines
from deeplens_kit.pipeline.plan_proposal import PlanProposal, unsaved_plan
from deeplens_kit.pipeline.plan_summary import totals_of
from deeplens_kit.pipeline.rule_in_use import chosen_rule
from deeplens_kit.pipeline.standing import caveats
from deeplens_kit.pipeline.workspace import Workspace
from deeplens_kit.schemas import ActionKind, Tier
from deeplens_kit.storage.paths import encode_path

__all__ = [
    "DUPLICATES",
    "PLAN_TIERS",
    "check_choice",
    "draft_plan",
    "goal_of_move",
    "load_steps",
    "make_plan",
    "plan_anew",
    "plan_choice",
    "plan_of_choice",
    "propose_plan",
    "save_steps",
]

DUPLICATES = "duplicates"
"""The kind of the plans that are made here: what to do with copies."""

PLAN_TIERS = (Tier.BYTES, Tier.PIXELS)
"""Evidence that a plan acts on where nobody says otherwise: facts, not judgements."""

_DOCUMENT = 1


@dataclass(frozen=True, slots=True)
class _Made:
    """A draft with what it was made from."""

    draft: PlanDraft
    document: dict[str, Any]


def make_plan(
    workspace: Workspace,
    *,
    tiers: Iterable[Tier | str] | None = None,
    action: ActionKind | str = ActionKind.REMOVE,
    rule: Rule | None = None,
    policy: KeepPolicy | str | Path | None = None,
    locations: Sequence[str] = (),
    limit: int | None = None,
    to: str = "",
    storage_class: str = "",
    merge_metadata: bool = False,
) -> PlanRecord:
    """Make a plan of what is done with copies, and save it as a draft. Nothing is done, and no file is read.

    Args:
        workspace: An open workspace.
        tiers: Evidence that is strong enough; None for `PLAN_TIERS`. Never `scene`.
        action: What becomes of each copy.
        rule: When a pair is a copy; None for the rule in use.
        policy: Which copy stays, as for `chosen_policy`. What the policy in use protects stays besides.
        locations: Names of locations; files elsewhere are passed over. Empty for all.
        limit: Steps at most, those that free most first; None for all.
        to: With `move`: "LOCATION" or "LOCATION/folder".
        storage_class: With the action of that name.
        merge_metadata: Keep what only files that go tell (keywords, rating, description, position, date) in a sidecar
            beside the keeper; a sidecar that is there is read for that.

    Raises:
        PlanError: There is nothing that it could do.
        SettingsError: A value is not allowed, UnknownNameError for a name that there is none of.
    """
    choice = plan_choice(
        workspace,
        tiers=tiers,
        action=action,
        rule=rule,
        policy=policy,
        locations=locations,
        limit=limit,
        to=to,
        storage_class=storage_class,
        merge_metadata=merge_metadata,
    )
    made = _made(workspace, choice)
    return save_steps(workspace, made.draft.steps, {**made.document, "made_by": "make"})


def plan_of_choice(
    workspace: Workspace, choice: PlanChoice, more: Mapping[str, object], *, replaces: str = ""
) -> PlanRecord | None:
    """Make a plan of what was chosen before, and save it as a draft; None where there is nothing to do.

    Args:
        workspace: An open workspace.
        choice: What is wanted.
        more: Of its document: who or what made it.
        replaces: The plan that it takes the place of.

    Raises:
        SettingsError: Something of the choice does not go together, or the workspace does not allow it any more.
    """
    made = _made(workspace, choice, empty=True)
    if made.draft.steps.is_empty():
        return None
    return save_steps(workspace, made.draft.steps, {**made.document, **more}, replaces=replaces)


def check_choice(workspace: Workspace, choice: PlanChoice) -> None:
    """Refuse a choice that no plan could be made of.

    Raises:
        SettingsError: Something of it does not go together, or the workspace does not allow it.
    """
    _request(workspace, choice, plan_places(workspace, links=choice.action in LINK_ACTIONS))


def draft_plan(workspace: Workspace, choice: PlanChoice) -> PlanDraft:
    """The plan that would be saved, with every file that is left out; nothing is written.

    Args:
        workspace: An open workspace.
        choice: What is wanted, as `plan_choice` gives it.

    Raises:
        SettingsError: Something of it does not go together, or the workspace does not allow it.
    """
    return _made(workspace, choice, empty=True).draft


def propose_plan(workspace: Workspace, choice: PlanChoice) -> PlanProposal:
    """Make a plan and save it as a draft; or, where nothing can be acted on, tell what it would be.

    Args:
        workspace: An open workspace.
        choice: What is wanted, as `plan_choice` gives it.

    Raises:
        SettingsError: Something of it does not go together, or the workspace does not allow it.
    """
    made = _made(workspace, choice, empty=True)
    if made.draft.steps.height:
        record = save_steps(workspace, made.draft.steps, {**made.document, "made_by": "make"})
        return PlanProposal(record, made.draft.steps)
    closed = tuple(line["location"] for line in made.document["left_out"] if line["code"] == LeftOut.CLOSED)
    if closed:
        made = _made(workspace, choice, empty=True, opened=True)
    return PlanProposal(unsaved_plan(made.document, made.draft.steps), made.draft.steps, closed)


def load_steps(workspace: Workspace, record: PlanRecord) -> pl.DataFrame:
    """The steps of a plan: PLAN_STEPS.

    Raises:
        PlanError: They are not those that were saved.
    """
    steps = steps_from_parts(workspace.ledger.plan_parts(record.plan_id))
    if steps_digest(steps) != record.steps_digest:
        raise PlanError(
            f"The steps of plan {record.plan_id} are not those that were saved: the ledger was altered. Make the plan "
            "anew, and look into the ledger with `deeplens audit verify`."
        )
    return steps


def plan_anew(workspace: Workspace, old: PlanRecord, dropped: pl.Series) -> PlanRecord:
    """Make a plan from what another was made from, in its place.

    Args:
        workspace: An open workspace.
        old: The other plan, of kind `DUPLICATES`.
        dropped: Ids of objects that stay out.

    Raises:
        PlanError: Nothing is left to do.
        PlanStateError: The other one is being applied.
    """
    made = _made(workspace, PlanChoice.of(old.document["choice"]), dropped=dropped)
    return save_steps(workspace, made.draft.steps, {**made.document, "made_by": "refresh"}, replaces=old.plan_id)


def save_steps(
    workspace: Workspace,
    steps: pl.DataFrame,
    document: Mapping[str, object],
    *,
    kind: str = DUPLICATES,
    replaces: str = "",
) -> PlanRecord:
    """Save steps as a plan of the ledger, a draft.

    Args:
        workspace: An open workspace.
        steps: PLAN_STEPS, at least one.
        document: What they were made from, and their totals.
        kind: Of the plan.
        replaces: The plan that it takes the place of.

    Raises:
        PlanError: There are none.
    """
    if steps.is_empty():
        raise PlanError("The plan would have no step, so it is not saved; `deeplens plan make` says what is left out.")
    return workspace.ledger.save_plan(
        kind, document, steps_to_parts(steps), steps_digest(steps), steps.height, replaces=replaces
    )


def plan_choice(
    workspace: Workspace,
    *,
    tiers: Iterable[Tier | str] | None = None,
    action: ActionKind | str = ActionKind.REMOVE,
    rule: Rule | None = None,
    policy: KeepPolicy | str | Path | None = None,
    locations: Sequence[str] = (),
    limit: int | None = None,
    to: str = "",
    storage_class: str = "",
    merge_metadata: bool = False,
) -> PlanChoice:
    """What is wanted of a plan, from names; see `make_plan`.

    Raises:
        SettingsError: A value is not allowed, UnknownNameError for a name that there is none of.
    """
    try:
        wanted = {Tier(tier) for tier in (PLAN_TIERS if tiers is None else tiers)}
        acts = ActionKind(action)
    except ValueError as error:
        raise SettingsError(
            f"{error}: tiers are bytes, pixels and copy; actions are {', '.join(PLAN_ACTIONS)}."
        ) from error
    ordered = tuple(tier for tier in Tier if tier in wanted)
    named = tuple(workspace.ledger.location(name).name for name in locations)
    if merge_metadata and acts in (ActionKind.MOVE, ActionKind.STORAGE_CLASS):
        raise SettingsError(
            f"With the action {acts} no file goes, so there is no metadata to merge (--merge-metadata)."
        )
    policed, judged = chosen_policy(workspace, policy), chosen_rule(workspace, rule)
    return PlanChoice(acts, ordered, judged, policed, named, limit, to, storage_class, merge_metadata)


def _made(
    workspace: Workspace,
    choice: PlanChoice,
    *,
    dropped: pl.Series | None = None,
    empty: bool = False,
    opened: bool = False,
) -> _Made:
    """Make a plan without saving it; see `make_plan`. `opened`: as if every location were opened for changes."""
    # 1. What is asked, and what the locations can do.
    places = plan_places(workspace, links=choice.action in LINK_ACTIONS)
    if opened:
        places = {
            key: replace(place, may_change=place.takes_writing, may_create=place.takes_writing)
            for key, place in places.items()
        }
    prices = plan_prices(workspace)
    request = _request(workspace, choice, places)
    # 2. Groups, and what speaks against acting on their members.
    view = list_groups(workspace, choice.tiers, rule=choice.rule, policy=choice.policy)
    groups = view.groups
    if choice.locations:
        wanted = [place_id for place_id, place in places.items() if place.name in choice.locations]
        groups = groups.filter(pl.col("is_keeper") | pl.col("location_id").is_in(wanted))
    files = with_objections(workspace, active_files(workspace), choice.policy, chosen_policy(workspace))
    # 3. The steps.
    draft = plan_steps(
        groups,
        files,
        request,
        places,
        families=find_families(files),
        decisions=workspace.ledger.decisions(),
        dropped=dropped,
        prices=prices,
    )
    if choice.merge_metadata:
        draft = with_merged_metadata(workspace, draft, files, places, prices)
    left = left_out_lines(draft.left_out, location_names(workspace))
    if draft.steps.is_empty() and not empty:
        raise PlanError(_nothing(left, groups.is_empty()))
    # 4. What it was made from and comes to.
    evidence = copy_evidence(workspace, choice.rule) if Tier.COPY in choice.tiers else None
    notes = caveats(workspace, current=view.current)
    document = {
        "document": _DOCUMENT,
        "choice": choice.to_json(),
        "proof": request.proof,
        "totals": totals_of(draft.steps, places, location_names(workspace), prices, request.proof),
        "left_out": left,
        "withheld": view.withheld.height,
        "evidence": evidence,
        "notes": [*notes, *([evidence_sentence(evidence)] if evidence else [])],
    }
    return _Made(draft, document)


def _request(workspace: Workspace, choice: PlanChoice, places: Mapping[str, PlanPlace]) -> PlanRequest:
    permitted = workspace.settings.actions.tiers
    if refused := [tier for tier in choice.tiers if tier not in permitted]:
        raise SettingsError(
            f"The workspace acts on {', '.join(permitted) or 'no tier'} ([actions] tiers in workspace.toml), not on "
            f"{refused[0]}."
        )
    target_id, folder = goal_of_move(workspace, choice.to, places)
    if choice.storage_class and choice.action != ActionKind.STORAGE_CLASS:
        raise SettingsError("--storage-class goes with the action storage_class alone.")
    return PlanRequest(
        choice.action,
        choice.tiers,
        f"{choice.rule.name}@{choice.rule.version}",
        choice.limit,
        target_id,
        choice.storage_class or folder,
        workspace.settings.actions.proof,
    )


def goal_of_move(workspace: Workspace, to: str, places: Mapping[str, PlanPlace]) -> tuple[str | None, str]:
    """The id of a location and a folder there, encoded, from "LOCATION/folder"; None where that is empty.

    Raises:
        SettingsError: No new files can be made there, UnknownNameError where there is no such location.
    """
    name, _, folder = to.partition("/")
    target_id = workspace.ledger.location(name).location_id if to else None
    if target_id is not None and target_id in places and not places[target_id].takes_writing:
        raise SettingsError(f"Files cannot be moved to {name!r}: it is of a kind that can only be read.")
    if target_id is not None and (target_id not in places or not places[target_id].may_create):
        raise SettingsError(
            f"Files cannot be moved to {name!r}: it takes no new files; `deeplens locations set {name} --option "
            "permissions=create` opens it."
        )
    return target_id, encode_path(folder.strip("/"))


def _nothing(left: Sequence[Mapping[str, Any]], no_groups: bool) -> str:
    if not left or no_groups:
        return "There is nothing to plan: no group has a copy that could go; `deeplens duplicates` lists groups."
    most = max(left, key=lambda line: int(line["objects"]))
    total = sum(int(line["objects"]) for line in left)
    return (
        f"There is nothing to plan: all {total:,} copies are left out, {most['objects']:,} of them at "
        f"{most['location']!r} because {most['message']}."
    )
