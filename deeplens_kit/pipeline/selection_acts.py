"""What can be done with pictures that a person selected: label the pairs among them, keep them, plan for their groups.

Takes an open workspace and digests, writes labels, decisions and plans to the ledger by the functions that everybody
uses for them; must not touch a file.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import polars as pl

from deeplens_kit.errors import PlanError, SettingsError
from deeplens_kit.ledger import DecisionAct, PlanRecord
from deeplens_kit.matching import Rule
from deeplens_kit.pipeline.findings import list_groups
from deeplens_kit.pipeline.plan_editing import refuse_plan, trim_plan
from deeplens_kit.pipeline.planning import draft_plan, load_steps, make_plan, plan_choice
from deeplens_kit.pipeline.verdicts import settled
from deeplens_kit.pipeline.workspace import Workspace
from deeplens_kit.schemas import ActionKind, DecisionKind, Tier

__all__ = ["keep_pictures", "pairs_among", "plan_of_object", "plan_of_pictures"]

_PAIR_COLUMNS = ["digest_a", "digest_b", "score", "tier", "relation"]


def pairs_among(workspace: Workspace, digests: Iterable[str]) -> pl.DataFrame:
    """The stored pairs of which both pictures are among some, those without a label first, then the strongest.

    Args:
        workspace: An open workspace.
        digests: The pictures.

    Returns:
        Columns digest_a, digest_b, score (0..1), tier, relation, and verdict: what the labels come to, null for none.
    """
    chosen = pl.Series("digest", list(digests), pl.String).unique().implode()
    both = pl.col("digest_a").is_in(chosen) & pl.col("digest_b").is_in(chosen)
    parts = [part.filter(both) for part in workspace.catalog.pair_parts(_PAIR_COLUMNS)]
    labelled = settled(workspace.ledger.labels()).select("digest_a", "digest_b", "verdict")
    found = pl.concat(parts) if parts else workspace.catalog.pairs(_PAIR_COLUMNS).clear()
    return (
        found.join(labelled, on=["digest_a", "digest_b"], how="left")
        .with_columns(has_label=pl.col("verdict").is_not_null())
        .sort("has_label", "score", "digest_a", "digest_b", descending=[False, True, False, False])
        .drop("has_label")
    )


def keep_pictures(workspace: Workspace, digests: Iterable[str], why: str = "") -> DecisionAct:
    """Decide that none of some pictures is ever proposed for removal; one act, which can be withdrawn as a whole.

    Args:
        workspace: An open workspace.
        digests: The pictures.
        why: In words.

    Raises:
        SettingsError: There is none, or one is no digest.
    """
    rows = pl.DataFrame({"member_digest": list(dict.fromkeys(digests))}, schema={"member_digest": pl.String})
    if rows.is_empty():
        raise SettingsError("No picture is selected, so there is none to keep; select some first.")
    return workspace.ledger.record_decisions(
        rows.with_columns(kind=pl.lit(str(DecisionKind.NEVER_PROPOSE)), why=pl.lit(why))
    )


def plan_of_pictures(
    workspace: Workspace,
    digests: Iterable[str],
    *,
    tiers: Sequence[Tier | str] | None = None,
    action: ActionKind | str = ActionKind.REMOVE,
    rule: Rule | None = None,
) -> PlanRecord:
    """Make a plan, a draft, of the groups alone in which one of some pictures is; nothing is done.

    Args:
        workspace: An open workspace.
        digests: The pictures.
        tiers: As for `make_plan`, and so are `action` and `rule`.

    Raises:
        PlanError: There is nothing that it could do.
        SettingsError: A value is not allowed.
    """
    # 1. Whether it would have a step at all, before anything is written.
    choice = plan_choice(workspace, tiers=tiers, action=action, rule=rule)
    groups = list_groups(workspace, choice.tiers, rule=choice.rule, policy=choice.policy).groups
    chosen = groups.filter(pl.col("digest").is_in(pl.Series(list(digests), dtype=pl.String).implode()))["group_id"]
    if not _steps_of(draft_plan(workspace, choice).steps, chosen):
        raise PlanError(
            "There is nothing to plan for what is selected: by this evidence no copy in its groups may go, or none "
            "at a location that is opened for changes; `deeplens plan make` says what is left out and why."
        )
    # 2. The whole plan, and of it the steps of these groups: made anew, it leaves the others out again.
    whole = make_plan(workspace, tiers=tiers, action=action, rule=rule)
    kept = _steps_of(load_steps(workspace, whole), chosen)
    if len(kept) == whole.steps:
        return whole
    try:
        return trim_plan(workspace, whole.plan_id, keep=kept)
    except PlanError:
        refuse_plan(workspace, whole.plan_id, "It was made for a selection, of which no step was left.")
        raise


def plan_of_object(workspace: Workspace, location_id: str, path: str) -> PlanRecord:
    """Make a plan, a draft, that moves one file alone to quarantine; nothing is done.

    Args:
        workspace: An open workspace.
        location_id: Where it lies.
        path: Encoded.

    Raises:
        PlanError: It may not go: it is the last copy of its picture or the one that stays, nothing says that it is a
            copy, or its location is not opened for changes.
    """
    location = next(item for item in workspace.ledger.locations(inactive=True) if item.location_id == location_id)
    tiers = workspace.settings.actions.tiers
    choice = plan_choice(workspace, tiers=tiers, locations=[location.name])
    itself = (pl.col("victim_location_id") == location_id) & (pl.col("victim_path") == path)
    if draft_plan(workspace, choice).steps.filter(itself).is_empty():
        raise PlanError(
            f"{location.name}:{path} cannot be moved to quarantine: it is the last copy of its picture or the one that "
            f"stays, no evidence that this workspace acts on ({', '.join(tiers) or 'none'}) says that it is a copy, or "
            "its location is not opened for changes (option 'permissions')."
        )
    whole = make_plan(workspace, tiers=tiers, locations=[location.name])
    kept = load_steps(workspace, whole).filter(itself)["step"].to_list()
    if len(kept) == whole.steps:
        return whole
    try:
        return trim_plan(workspace, whole.plan_id, keep=kept)
    except PlanError:
        refuse_plan(workspace, whole.plan_id, "It was made for one file, of which no step was left.")
        raise


def _steps_of(steps: pl.DataFrame, group_ids: pl.Series) -> list[int]:
    """Numbers of the steps of some groups."""
    return steps.filter(pl.col("group_id").is_in(group_ids.unique().implode()))["step"].to_list()
