"""Plans of retention: what becomes of pictures whose time is over.

Takes an open workspace and a rule, gives a plan, a draft; touches no file. No plan removes the last copy of a picture:
of each file that goes an equal one stays and is its keeper, and the others are left out. A legal hold wins: what it
covers is left out here, makes an approved plan stale, and is asked for again at the moment of acting.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl

from deeplens_kit.actions import PlanRequest
from deeplens_kit.actions.retention_steps import retention_steps
from deeplens_kit.errors import PlanError, SettingsError
from deeplens_kit.ledger import PlanRecord
from deeplens_kit.matching import find_families, keeper_order
from deeplens_kit.matching.keep_order import is_protected
from deeplens_kit.matching.traits import picture_traits
from deeplens_kit.pipeline.file_listing import active_files
from deeplens_kit.pipeline.keep_facts import with_keep_facts
from deeplens_kit.pipeline.keep_policies import chosen_policy
from deeplens_kit.pipeline.plan_facts import location_names, plan_places, plan_prices, with_objections
from deeplens_kit.pipeline.plan_left_out import left_out_lines
from deeplens_kit.pipeline.plan_summary import totals_of
from deeplens_kit.pipeline.planning import goal_of_move, save_steps
from deeplens_kit.pipeline.retention_rules import RetentionRule, known_rules, remove_rule, rule_of_name, save_rule
from deeplens_kit.pipeline.workspace import Workspace
from deeplens_kit.schemas import ActionKind, Outcome, Tier
from deeplens_kit.search.path_globs import matches_of

__all__ = [
    "RETENTION",
    "add_retention",
    "known_retention",
    "plan_retention",
    "remove_retention",
    "retention_anew",
]

RETENTION = "retention"
"""The kind of the plans that are made here."""

_DOCUMENT = 1


def add_retention(workspace: Workspace, rule: RetentionRule) -> RetentionRule:
    """Keep a rule in the workspace; nothing is done by it until a plan of it is made, approved and applied.

    Raises:
        UnknownNameError: It names a location or collection that there is none of.
        SettingsError: There is a rule of this name already.
    """
    for name in (*rule.locations, *([rule.to.partition("/")[0]] if rule.to else [])):
        workspace.ledger.location(name)
    collections = [item.name for item in workspace.ledger.collections()]
    for name in rule.collections:
        if name not in collections:
            raise SettingsError(f"There is no collection {name!r}; known: {', '.join(collections) or 'none yet'}.")
    save_rule(workspace.directory, rule)
    workspace.ledger.record_audit("retention.added", rule.to_json())
    return rule


def known_retention(workspace: Workspace) -> Mapping[str, RetentionRule]:
    """The rules of a workspace, by name."""
    return known_rules(workspace.directory)


def remove_retention(workspace: Workspace, name: str) -> RetentionRule:
    """Take a rule away; UnknownNameError where there is none."""
    rule = remove_rule(workspace.directory, name)
    workspace.ledger.record_audit("retention.removed", rule.to_json())
    return rule


def plan_retention(workspace: Workspace, name: str, *, now: datetime | None = None) -> PlanRecord:
    """Make a plan of what has to go by a rule, and save it as a draft.

    Args:
        workspace: An open workspace.
        name: Of the rule.
        now: From which ages count, UTC.

    Raises:
        UnknownNameError: There is no such rule.
        PlanError: Nothing has to go, or all of it is left out.
    """
    return _planned(workspace, rule_of_name(workspace.directory, name), now=now)


def retention_anew(
    workspace: Workspace, old: PlanRecord, dropped: pl.Series, *, now: datetime | None = None
) -> PlanRecord:
    """Make a plan by the rule that another was made by, as the rule was then, in the place of that plan.

    Args:
        workspace: An open workspace.
        old: The other plan, of kind `RETENTION`.
        dropped: Ids of objects that stay out.
        now: From which ages count, UTC.

    Raises:
        PlanError: Nothing has to go, or all of it is left out.
        PlanStateError: The other one is being applied.
    """
    return _planned(workspace, RetentionRule.of(old.document["retention"]), now=now, replaced=old, dropped=dropped)


def _planned(
    workspace: Workspace,
    rule: RetentionRule,
    *,
    now: datetime | None,
    replaced: PlanRecord | None = None,
    dropped: pl.Series | None = None,
) -> PlanRecord:
    files = active_files(workspace)
    named = files.filter(pl.col("outcome") == Outcome.INDEXED).filter(_named_by(workspace, rule, files, now))
    reason = _reason(rule)
    if named.is_empty():
        raise PlanError("There is nothing to plan: no picture at an active location answers to it.")
    places, prices, names = plan_places(workspace), plan_prices(workspace), location_names(workspace)
    request = _request(workspace, rule, places)
    judged = with_objections(workspace, named, chosen_policy(workspace)).with_columns(reason=pl.lit(reason))
    draft = retention_steps(
        judged,
        request,
        places,
        families=find_families(files),
        keepers=_in_order_of_staying(workspace, files.filter(pl.col("digest").is_in(named["digest"].implode()))),
        decisions=workspace.ledger.decisions(),
        prices=prices,
        dropped=dropped,
    )
    left = left_out_lines(draft.left_out, names)
    if draft.steps.is_empty():
        most = left[0]
        raise PlanError(
            f"There is nothing to plan: all {named.height:,} pictures are left out, {most['objects']:,} of them at "
            f"{most['location']!r} because {most['message']}."
        )
    notes = [f"By the retention rule {rule.name!r}, whatever groups say."]
    if (kept := known_rules(workspace.directory).get(rule.name)) != rule:
        was = "taken away" if kept is None else "changed"
        notes.append(f"The rule was {was} since; this plan goes by it as it was.")
    if rule.action == ActionKind.REMOVE:
        notes.append("Of each file that goes an equal one stays; a last copy is left out.")
    document: dict[str, Any] = {
        "document": _DOCUMENT,
        "retention": rule.to_json(),
        "action": str(rule.action),
        "why": reason,
        "proof": request.proof,
        "totals": totals_of(draft.steps, places, names, prices, request.proof),
        "left_out": left,
        "notes": notes,
        "made_by": "make" if replaced is None else "refresh",
    }
    replaces = "" if replaced is None else replaced.plan_id
    return save_steps(workspace, draft.steps, document, kind=RETENTION, replaces=replaces)


def _request(workspace: Workspace, rule: RetentionRule, places: Mapping[str, Any]) -> PlanRequest:
    target_id, folder = goal_of_move(workspace, rule.to, places)
    return PlanRequest(
        rule.action,
        tuple(map(Tier, workspace.settings.actions.tiers)) if rule.action == ActionKind.REMOVE else (Tier.BYTES,),
        f"retention:{rule.name}",
        None,
        target_id,
        rule.storage_class or folder,
        workspace.settings.actions.proof,
    )


def _named_by(workspace: Workspace, rule: RetentionRule, files: pl.DataFrame, now: datetime | None) -> pl.Expr:
    parts = [pl.lit(True)]
    if rule.older_than_days is not None:
        since = (now or datetime.now(UTC)) - timedelta(days=rule.older_than_days)
        parts.append((pl.col("modified_at") <= since).fill_null(False))
    if rule.locations:
        parts.append(pl.col("location").is_in([workspace.ledger.location(name).name for name in rule.locations]))
    if rule.globs:
        covered = files.filter(pl.Series(matches_of(files["path"], list(rule.globs)), dtype=pl.Boolean))
        parts.append(pl.col("object_id").is_in(covered["object_id"].implode()))
    if rule.collections:
        digests = [note.digest for note in workspace.ledger.notes() if note.collection in rule.collections]
        parts.append(pl.col("digest").is_in(digests).fill_null(False))
    return pl.all_horizontal(parts)


def _reason(rule: RetentionRule) -> str:
    parts = [
        f"last modified at least {rule.older_than_days:g} days ago" if rule.older_than_days is not None else "",
        f"at {', '.join(rule.locations)}" if rule.locations else "",
        f"path answers to {', '.join(rule.globs)}" if rule.globs else "",
        f"in collection {', '.join(rule.collections)}" if rule.collections else "",
    ]
    return f"retention {rule.name}: {'; '.join(part for part in parts if part)}"


def _in_order_of_staying(workspace: Workspace, files: pl.DataFrame) -> pl.DataFrame:
    """Indexed files in the order of the keep policy in use, the one that should stay first."""
    policy = chosen_policy(workspace)
    files = files.filter(pl.col("outcome") == Outcome.INDEXED)
    traits = picture_traits(workspace.catalog.pictures(digests=files["digest"].unique().to_list()))
    held = with_keep_facts(workspace, files, policy).drop("size_bytes").join(traits, on="digest", how="left")
    ordered = keeper_order(held.with_columns(protected=is_protected(held.columns)), policy)["object_id"]
    return pl.DataFrame({"object_id": ordered}).join(files, on="object_id", how="left", maintain_order="left")
