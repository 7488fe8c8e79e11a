"""Whether the steps of a plan contradict each other, or what people decided; asked of every plan before it is used.

Takes steps, raises where they could cost a picture; must not look at storage: that is asked again when a step is done.
"""

from __future__ import annotations

import polars as pl

from deeplens_kit.errors import PlanError
from deeplens_kit.schemas import PLAN_STEPS, ActionKind, DecisionKind, Tier
from deeplens_kit.storage.paths import display_path

__all__ = ["check_plan", "decided_against"]

_VICTIM = ["victim_location_id", "victim_path"]
_KEEPER = ["keeper_location_id", "keeper_path"]
# What leaves the file where it is, or makes a new one.
_HARMLESS = (str(ActionKind.STORAGE_CLASS), str(ActionKind.CREATE))
# What keeps the bytes by itself: where they are, at another location, or in the journal with what was rewritten.
_KEEPING = (*_HARMLESS, *(str(action) for action in (ActionKind.MOVE, ActionKind.REWRITE, ActionKind.RELINK)))
_AGAINST = (str(DecisionKind.KEEP_BOTH), str(DecisionKind.ALTERNATES))


def check_plan(steps: pl.DataFrame) -> None:
    """Refuse steps that contradict each other.

    Args:
        steps: PLAN_STEPS.

    Raises:
        PlanError: A file is acted on twice, or is the keeper of a step and acted on by another, or is its own keeper
            by path or link; a step is for a scene; a picture would have no copy left, whatever the kind of the plan.
    """
    PLAN_STEPS.check(steps)
    acting = steps.filter(pl.col("action") != ActionKind.CREATE)
    _refuse(acting.filter(pl.struct(_VICTIM).is_duplicated()), "is acted on by more than one step")
    _refuse(steps.filter(pl.col("tier") == Tier.SCENE), "is another picture of an alike thing (tier scene)")
    itself = (pl.col("victim_location_id") == pl.col("keeper_location_id")) & (
        pl.col("victim_path") == pl.col("keeper_path")
    )
    linked = (pl.col("victim_link_id") == pl.col("keeper_link_id")) & (
        pl.col("victim_digest") == pl.col("keeper_digest")
    )
    _refuse(acting.filter(itself.fill_null(False) | linked.fill_null(False)), "is its own keeper under another name")
    taking = steps.filter(~pl.col("action").is_in(_HARMLESS))
    kept = steps.filter(pl.col("keeper_path").is_not_null()).select(_KEEPER).unique()
    both = taking.join(kept, left_on=_VICTIM, right_on=_KEEPER, how="semi")
    _refuse(both, "is acted on, and is the keeper of another file")
    half = pl.col("keeper_path").is_not_null() & (
        pl.col("keeper_location_id").is_null() | pl.col("keeper_digest").is_null() | pl.col("keeper_token").is_null()
    )
    _refuse(steps.filter(half), "has a keeper of which location, digest or token is not known")
    alone = ~pl.col("action").is_in(_KEEPING) & pl.col("keeper_path").is_null()
    _refuse(steps.filter(alone), "has no keeper, and the last copy of a picture is never removed")


def decided_against(steps: pl.DataFrame, decisions: pl.DataFrame | None) -> pl.Series:
    """Whether a decision of a person speaks against each step, Boolean.

    Args:
        steps: Columns victim_digest and keeper_digest.
        decisions: DECISIONS; those that were withdrawn do not count. None for none.
    """
    if decisions is None:
        return pl.Series("decided", [False]).new_from_index(0, steps.height)
    held = decisions.filter(pl.col("withdrawn_at").is_null())
    # Said of equal files it holds for a picture and itself.
    pair = held.filter(pl.col("kind").is_in(_AGAINST)).with_columns(pl.col("keeper_digest").fill_null(""))
    ends = pl.concat(
        [
            pair.select(victim_digest="member_digest", keeper_digest="keeper_digest"),
            pair.select(victim_digest="keeper_digest", keeper_digest="member_digest"),
        ]
    ).unique()
    kept_both = ends.with_columns(both=pl.lit(True))
    never = held.filter(pl.col("kind") == DecisionKind.NEVER_PROPOSE)["member_digest"]
    alone = pair.filter(pl.col("keeper_digest").is_in(("",)) | (pl.col("keeper_digest") == pl.col("member_digest")))
    alone_digests = pl.concat([never, alone["member_digest"]])
    marked = steps.select("victim_digest", "keeper_digest").join(
        kept_both, on=["victim_digest", "keeper_digest"], how="left", maintain_order="left"
    )
    against = pl.col("both").fill_null(False) | pl.col("victim_digest").is_in(alone_digests.implode()).fill_null(False)
    return marked.select(decided=against).to_series()


def _refuse(rows: pl.DataFrame, why: str) -> None:
    if rows.is_empty():
        return
    first = rows.sort("step").row(0, named=True)
    more = f" ({rows.height:,} such steps)" if rows.height > 1 else ""
    raise PlanError(
        f"The plan contradicts itself at step {first['step']}: {display_path(first['victim_path'])!r} {why}{more}. "
        "Nothing was touched; make the plan anew with `deeplens plan make`."
    )
