"""From files that a rule names to steps: what is removed has a keeper of equal bytes, and a last copy is left out.

Takes files with what speaks against acting on each, and a request; gives PLAN_STEPS and what was left out. Must not
choose the files, or open a location. A hold, a protected place and a person's "never propose" win over every
rule. What is moved or put into another storage class keeps its bytes and needs no keeper.
"""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from deeplens_kit.actions.left_out import LeftOut
from deeplens_kit.actions.plan_checks import check_plan, decided_against
from deeplens_kit.actions.plan_money import PlanPrices, with_money
from deeplens_kit.actions.plan_places import PlanPlace, place_flag
from deeplens_kit.actions.plan_proof import with_proof_bytes
from deeplens_kit.actions.plan_refusals import first_of, refusals_of_action, unwritable
from deeplens_kit.actions.plan_request import PlanRequest
from deeplens_kit.actions.plan_settling import settled, with_freed_bytes
from deeplens_kit.actions.plan_steps import PlanDraft, left_out_of, ordered_steps, target_of
from deeplens_kit.schemas import PLAN_STEPS, ActionKind, Relation, Tier

__all__ = ["retention_steps"]

_VICTIM = {
    "victim_location_id": "location_id",
    "victim_path": "path",
    "victim_digest": "digest",
    "victim_basis": "identity_basis",
    "victim_token": "change_token",
    "victim_size_bytes": "size_bytes",
    "victim_modified_at": "modified_at",
    "victim_link_id": "link_id",
    "victim_link_count": "link_count",
    "victim_storage_class": "storage_class",
}
_KEEPER = {
    "keeper_location_id": "location_id",
    "keeper_path": "path",
    "keeper_digest": "digest",
    "keeper_basis": "identity_basis",
    "keeper_token": "change_token",
    "keeper_size_bytes": "size_bytes",
    "keeper_link_id": "link_id",
}


def retention_steps(
    files: pl.DataFrame,
    request: PlanRequest,
    places: Mapping[str, PlanPlace],
    *,
    families: pl.DataFrame,
    keepers: pl.DataFrame,
    decisions: pl.DataFrame | None = None,
    prices: PlanPrices | None = None,
    dropped: pl.Series | None = None,
) -> PlanDraft:
    """Make the steps of a plan of a rule.

    Args:
        files: OBJECTS that the rule names, with `reason` (why, in a sentence), `protected` and `held` (Boolean).
        request: What becomes of each file; where they are removed, its tiers must have `bytes`.
        places: What the locations can do, by id.
        families: FAMILIES of all files: a family goes as a whole or not at all.
        keepers: OBJECTS that can stay for others, those of `files` among them, in the order in which they should: of
            the equal files that are no step the first is the keeper, and where all would go the first stays.
        decisions: DECISIONS; None for none.
        prices: For `money_per_month`; None for no price.
        dropped: Ids of objects that a person dropped from an earlier plan.
    """
    removes = request.action == ActionKind.REMOVE
    victims = files.select("object_id", "reason", "protected", "held", **_VICTIM_EXPR).join(
        families.select("object_id", together="family_id"), on="object_id", how="left"
    )
    missing = [column for column in PLAN_STEPS.columns if column.name not in {*victims.columns, *_MADE_HERE}]
    victims = victims.with_columns(
        *(pl.lit(None, column.dtype).alias(column.name) for column in missing),
        action=pl.lit(str(request.action)),
        rule=pl.lit(request.rule),
        target_location_id=pl.lit(request.target_location_id, pl.String),
        target=target_of(request, places),
    )
    gone = pl.Series([], dtype=pl.String) if dropped is None else dropped
    victims = victims.with_columns(decided=decided_against(victims, decisions))
    judged = victims.with_columns(
        code=first_of(
            [
                (pl.col("held").fill_null(False), LeftOut.HELD),
                (pl.col("protected").fill_null(False), LeftOut.PROTECTED),
                (pl.col("decided"), LeftOut.DECIDED),
                (pl.col("object_id").is_in(gone.implode()), LeftOut.DROPPED),
                (pl.lit(removes and Tier.BYTES not in request.tiers), LeftOut.TIER),
                (pl.col("victim_digest").is_null() | pl.col("victim_token").is_null(), LeftOut.UNKNOWN),
                (unwritable(places), LeftOut.READ_ONLY),
                (~place_flag("victim_location_id", places, "may_change"), LeftOut.CLOSED),
                (place_flag("victim_location_id", places, "immutable"), LeftOut.IMMUTABLE),
                *refusals_of_action(request, places, pl.lit(False)),
            ]
        )
    )
    left = [judged.filter(pl.col("code").is_not_null())]
    free = judged.filter(pl.col("code").is_null()).drop("code")
    sizes = dict(families.group_by("family_id").len().iter_rows())
    kept, out = settled(free, sizes)
    left.append(out)
    if removes:
        kept, more = _with_keepers(kept, keepers, sizes)
        left += more
    steps = with_money(with_freed_bytes(ordered_steps(kept)), prices)
    steps = with_proof_bytes(steps, places, read_all=request.proof == "read")
    steps = PLAN_STEPS.check(steps.select(PLAN_STEPS.names))
    check_plan(steps)
    return PlanDraft(steps, left_out_of(left, kept["object_id"]))


def _with_keepers(
    steps: pl.DataFrame, keepers: pl.DataFrame, family_sizes: Mapping[str, int]
) -> tuple[pl.DataFrame, list[pl.DataFrame]]:
    """Steps, each with an equal file that is no step and stays, and those that have none, with `code`."""
    keepers = keepers.drop_nulls(["digest", "change_token"])
    ranks = keepers.select("object_id").with_row_index("rank")
    left: list[pl.DataFrame] = []
    while True:
        staying = keepers.filter(~pl.col("object_id").is_in(steps["object_id"].implode()))
        first = staying.unique("digest", keep="first", maintain_order=True).select(**_KEEPER_EXPR)
        found = steps.drop(*_KEEPER).join(
            first, left_on="victim_digest", right_on="keeper_digest", how="left", coalesce=False, maintain_order="left"
        )
        alone = found.filter(pl.col("keeper_path").is_null()).join(ranks, on="object_id", how="left")
        # Of a picture of which all files would go one stays, and the others may still go.
        last = alone.sort("rank", "object_id", nulls_last=True).unique("victim_digest", keep="first")["object_id"]
        # Another name of one file is no copy of it.
        same = (pl.col("keeper_link_id") == pl.col("victim_link_id")).fill_null(False)
        judged = steps.with_columns(
            code=first_of(
                [
                    (pl.col("object_id").is_in(last.implode()), LeftOut.LAST_COPY),
                    (pl.col("object_id").is_in(found.filter(same)["object_id"].implode()), LeftOut.SAME_FILE),
                ]
            )
        )
        out = judged.filter(pl.col("code").is_not_null())
        if out.is_empty():
            facts = {"tier": pl.lit(str(Tier.BYTES)), "relation": pl.lit(str(Relation.WHOLE))}
            kept = found.with_columns(**facts, score=pl.lit(1.0, pl.Float32))
            return kept, left
        left.append(out)
        steps, along = settled(judged.filter(pl.col("code").is_null()).drop("code"), family_sizes)
        left.append(along)


_VICTIM_EXPR = {name: pl.col(column) for name, column in _VICTIM.items()}
_KEEPER_EXPR = {name: pl.col(column) for name, column in _KEEPER.items()}
_MADE_HERE = ("step", "action", "rule", "target_location_id", "target", "frees_bytes", "money_per_month", "proof_bytes")
