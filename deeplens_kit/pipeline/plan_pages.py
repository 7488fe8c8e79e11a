"""Pages of long plans: some steps of one, and what tells two apart, without making all of it for each page.

Takes an open workspace and a plan, gives PLAN_STEPS and PLAN_DIFF; must not write. A page is not held against the
digest of all steps: approving and applying do that, and refuse steps that are not those that were saved.
"""

from __future__ import annotations

import threading
from collections import OrderedDict

import polars as pl

from deeplens_kit.actions import diff_steps, steps_from_parts
from deeplens_kit.actions.plan_digest import PART_STEPS
from deeplens_kit.ledger import PlanRecord
from deeplens_kit.pipeline.plan_editing import compared_plans
from deeplens_kit.pipeline.planning import load_steps
from deeplens_kit.pipeline.workspace import Workspace

__all__ = ["KeptDiffs", "steps_within"]

_MOST_KEPT = 4
_MOST_BYTES = 2**26


def steps_within(workspace: Workspace, record: PlanRecord, first: int, count: int) -> pl.DataFrame:
    """Some steps of a plan, in the order of acting: PLAN_STEPS.

    Args:
        workspace: An open workspace.
        record: The plan.
        first: Steps left out before them.
        count: How many at most.

    Raises:
        PlanError: They cannot be read.
    """
    end = min(first + count, record.steps)
    numbers = range(first // PART_STEPS, -(-end // PART_STEPS))
    if first >= end:
        return steps_from_parts(())
    parts = [steps_from_parts([workspace.ledger.plan_part(record.plan_id, number)]) for number in numbers]
    for number, part in zip(numbers, parts, strict=True):
        if part.height != min(PART_STEPS, record.steps - number * PART_STEPS):
            # Saved by a release that cut the steps elsewhere.
            return load_steps(workspace, record).slice(first, end - first)
    return pl.concat(parts).slice(first - numbers.start * PART_STEPS, end - first)


class KeptDiffs:
    """What tells plans apart, kept while somebody leafs through it; safe to share between threads.

    Steps never change, so that what is kept never becomes wrong: it is named by the digests of both.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: OrderedDict[tuple[str, str], pl.DataFrame] = OrderedDict()

    def of(self, workspace: Workspace, old: str | None, new: str) -> pl.DataFrame:
        """What tells two plans apart; takes, gives and raises as `diff_plans`."""
        before, after = compared_plans(workspace, old, new)
        key = before.steps_digest, after.steps_digest
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
        found = diff_steps(load_steps(workspace, before), load_steps(workspace, after))
        # Of millions of differences each page is made anew: memory is for those who search.
        if found.estimated_size() <= _MOST_BYTES:
            with self._lock:
                self._kept[key] = found
                while len(self._kept) > _MOST_KEPT:
                    self._kept.popitem(last=False)
        return found
