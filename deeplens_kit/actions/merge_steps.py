"""Steps that keep, in a sidecar beside the keeper, what only the files that go tell.

Takes steps of a plan and sidecars, gives the steps with those that write the sidecars, each done all or none with the
steps of the files that it speaks for, and before them. Must not read or write a file, nor touch a picture's own bytes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from deeplens_kit.actions.left_out import LEFT_OUT, LeftOut, with_messages
from deeplens_kit.actions.plan_checks import check_plan
from deeplens_kit.actions.plan_money import PlanPrices
from deeplens_kit.actions.plan_steps import PlanDraft, ordered_steps
from deeplens_kit.actions.plan_trim import trimmed
from deeplens_kit.schemas import PLAN_STEPS, ActionKind
from deeplens_kit.storage import ObjectStat

__all__ = ["METADATA", "Sidecar", "sidecar_path", "telling_steps", "with_sidecars"]

METADATA = "metadata"
"""The rule of the steps that write sidecars."""

_TAKING = [str(action) for action in (
    ActionKind.REMOVE, ActionKind.HARDLINK, ActionKind.SYMLINK, ActionKind.REFLINK, ActionKind.REDIRECT,
)]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Sidecar:
    """A sidecar that is to be written.

    Attributes:
        location_id: Of the keeper and of the sidecar.
        path: Of the sidecar, encoded.
        data: What it is to hold.
        gained: What it tells that the keeper does not.
        steps: Numbers of the steps whose files tell it.
        state: Of the sidecar that is there; None where there is none.
        digest: SHA-256 of that; None where there is none.
    """

    location_id: str
    path: str
    data: bytes
    gained: tuple[str, ...]
    steps: tuple[int, ...]
    state: ObjectStat | None = None
    digest: str | None = None


def sidecar_path(keeper_path: str) -> str:
    """The path of the sidecar of a picture: its whole name, so that no other picture's is met."""
    return f"{keeper_path}.xmp"


def telling_steps(steps: pl.DataFrame) -> pl.DataFrame:
    """The steps whose files may tell what their keepers do not, in an order that stays when steps are taken out.

    Args:
        steps: PLAN_STEPS.
    """
    other = pl.col("victim_digest") != pl.col("keeper_digest")
    return steps.filter(pl.col("action").is_in(_TAKING) & other).sort("victim_location_id", "victim_path")


def with_sidecars(
    draft: PlanDraft, sidecars: Sequence[Sidecar], without: Collection[int], prices: PlanPrices | None
) -> PlanDraft:
    """A draft with steps that write sidecars.

    Args:
        draft: Of a plan.
        sidecars: Of keepers, each path once.
        without: Steps whose files tell what cannot be kept: they are left out, with what belongs to them.
        prices: As the plan was made with.

    Raises:
        PlanError: The steps would contradict each other.
    """
    names = _together(draft.steps, sidecars)
    joined = draft.steps.with_columns(
        together=pl.col("step").replace_strict(names, default=pl.col("together"), return_dtype=pl.String)
    )
    numbered = [{"step": joined.height + at, **_row(sidecar, joined)} for at, sidecar in enumerate(sidecars)]
    schema = {column.name: column.dtype for column in PLAN_STEPS.columns}
    whole = pl.concat([joined, pl.DataFrame(numbered, schema=schema, orient="row")])
    if without:
        steps = trimmed(whole, whole.filter(~pl.col("step").is_in(list(without))), prices)
    else:
        steps = PLAN_STEPS.check(ordered_steps(whole).select(PLAN_STEPS.names))
        check_plan(steps)
    file = ["victim_location_id", "victim_path"]
    gone = draft.steps.join(steps, on=file, how="anti").select(
        location_id="victim_location_id",
        path="victim_path",
        size_bytes="victim_size_bytes",
        tier="tier",
        object_id=pl.concat_str("victim_location_id", pl.lit("/"), "victim_path"),
        code=pl.when(pl.col("step").is_in(list(without)))
        .then(pl.lit(str(LeftOut.METADATA)))
        .otherwise(pl.lit(str(LeftOut.TOGETHER))),
    )
    left = pl.concat([draft.left_out, with_messages(gone).select(LEFT_OUT.names)]).sort("location_id", "path")
    return PlanDraft(steps, LEFT_OUT.check(left))


def _together(steps: pl.DataFrame, sidecars: Iterable[Sidecar]) -> dict[int, str]:
    """By step the name under which it is done: families and sidecars that share a file are one."""
    above: dict[str, str] = {}

    def top(name: str) -> str:
        while (over := above.get(name, name)) != name:
            name = over
        return name

    own = dict(steps.select("step", "together").iter_rows())
    for sidecar in sidecars:
        name = _name(sidecar)
        for step in sidecar.steps:
            own[step] = own[step] or name
            one, other = sorted((top(name), top(str(own[step]))))
            above[other] = one
    return {step: top(name) for step, name in own.items() if name is not None}


def _row(sidecar: Sidecar, steps: pl.DataFrame) -> dict[str, object]:
    first = steps.filter(pl.col("step").is_in(sidecar.steps)).sort("step").row(0, named=True)
    digest = hashlib.sha256(sidecar.data).hexdigest()
    files = len(sidecar.steps)
    told = ", ".join(name.partition(":")[2] for name in sidecar.gained)
    row: dict[str, object] = {
        "group_id": first["group_id"],
        "victim_location_id": sidecar.location_id,
        "victim_path": sidecar.path,
        "victim_link_count": 1,
        "rule": METADATA,
        "reason": f"keeps what {files:,} file{'s' if files != 1 else ''} that go{'es' * (files == 1)} tell: {told}",
        "frees_bytes": 0,
        "together": first["together"],
    }
    if sidecar.state is None:
        made: Mapping[str, object] = {
            "action": str(ActionKind.CREATE),
            "victim_digest": digest,
            "victim_token": "",
            "victim_size_bytes": len(sidecar.data),
            "proof_bytes": 0,
            "target_location_id": sidecar.location_id,
            "target": sidecar.path,
        }
        return {**row, **made}
    state = sidecar.state
    return {
        **row,
        "action": str(ActionKind.REWRITE),
        "victim_digest": sidecar.digest,
        "victim_basis": "read",
        "victim_token": state.change_token,
        "victim_size_bytes": state.size_bytes,
        "victim_modified_at": state.modified_at,
        "victim_link_id": state.link_id,
        "victim_link_count": state.link_count,
        "victim_storage_class": state.storage_class,
        "proof_bytes": state.size_bytes,
        "target": digest,
    }


def _name(sidecar: Sidecar) -> str:
    return f"{sidecar.location_id}/{sidecar.path}"
