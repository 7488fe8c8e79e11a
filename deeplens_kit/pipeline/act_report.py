"""What applying a plan came to: each step with its outcome, counts, and sentences.

Takes steps and results, gives frozen values and frames; must not touch a store.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from deeplens_kit.actions import Outcome, StepResult
from deeplens_kit.ledger import Application, PlanRecord

__all__ = ["ApplyReport", "figures_of", "results_frame"]

_RESULTS = pl.Schema(
    {
        "step": pl.Int64(),
        "outcome": pl.String(),
        "code": pl.String(),
        "message": pl.String(),
        "frees_bytes": pl.Int64(),
        "read_bytes": pl.Int64(),
    }
)


@dataclass(frozen=True, slots=True)
class ApplyReport:
    """What applying a plan came to, or would come to.

    Attributes:
        plan: The plan.
        application: The application as it stands now; None after a rehearsal.
        results: PLAN_STEPS' step, action, victim and keeper with outcome, code, message, frees_bytes and read_bytes: of
            the steps that were tried this time.
        figures: Counts and bytes of the whole application, or of the rehearsal.
        stopped: Whether somebody asked it to stop before its end.
        halted: Why it stopped before its end by itself; empty where it did not.
    """

    plan: PlanRecord
    application: Application | None
    results: pl.DataFrame
    figures: Mapping[str, Any]
    stopped: bool = False
    halted: str = ""

    @property
    def dry_run(self) -> bool:
        """Whether nothing was done."""
        return self.application is None


def results_frame(steps: pl.DataFrame, results: Sequence[StepResult]) -> pl.DataFrame:
    """Results with the files that they are of, in the order of the plan."""
    rows = [
        (item.step, str(item.outcome), item.code, item.message, item.frees_bytes, item.read_bytes) for item in results
    ]
    told = pl.DataFrame(rows, schema=_RESULTS, orient="row")
    files = steps.select(
        "step", "action", "victim_location_id", "victim_path", "keeper_location_id", "keeper_path", "tier"
    )
    return files.join(told, on="step", how="inner").sort("step")


def figures_of(results: Iterable[StepResult], steps: int) -> dict[str, Any]:
    """Counts and bytes of results.

    Args:
        results: The last of each step.
        steps: Of the plan.
    """
    counts: Counter[str] = Counter()
    codes: Counter[str] = Counter()
    frees = read = 0
    for item in results:
        counts[str(item.outcome)] += 1
        read += item.read_bytes
        if item.outcome in (Outcome.DONE, Outcome.POSSIBLE):
            frees += item.frees_bytes
        else:
            codes[item.code] += 1
    return {
        "steps": steps,
        **{str(outcome): counts[str(outcome)] for outcome in Outcome},
        "not_tried": steps - counts.total(),
        "codes": dict(codes.most_common()),
        "frees_bytes": frees,
        "read_bytes": read,
    }
