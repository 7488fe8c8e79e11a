"""What is done with the pictures that are selected: labelled pair by pair, kept for good, planned for.

Takes the shared selection and what a workbench does with digests, holds what is under way and what came of it; must not
import Panel. Nothing here touches a file: labels, decisions and plans are records, and each can be taken back.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import param
import polars as pl

from deeplens_kit.errors import DeepLensError
from deeplens_kit.reporting.words import format_bytes, plural
from deeplens_kit.views.state.selection import SelectionState

if TYPE_CHECKING:
    from deeplens_kit.ledger import DecisionAct, PlanRecord

__all__ = ["Outcome", "SelectionActs", "SelectionDesk"]

EQUAL_TIERS, COPY_TIERS = ("bytes", "pixels"), ("bytes", "pixels", "copy")


class SelectionActs(Protocol):
    """What a workbench does with selected pictures."""

    def pairs_among(self, digests: Iterable[str]) -> pl.DataFrame:
        """Pairs of which both pictures are among these, with their labels."""

    def label(self, first: str, second: str, verdict: str, note: str = "") -> Any:
        """Label a pair "same", "different" or "unsure"."""

    def keep_pictures(self, digests: Iterable[str], why: str = "") -> DecisionAct:
        """Never propose them for removal."""

    def withdraw_decisions(self, *which: str | int) -> list[int]:
        """Take the decisions of an act back."""

    def plan_of(self, digests: Iterable[str], *, tiers: Sequence[str] | None = None) -> PlanRecord:
        """Make a plan for the groups in which they are."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of an act, in words.

    Attributes:
        heading: In a few words; empty for none.
        text: What it means, and what to do next.
        failed: It did not happen.
        undo: The act by which it can be taken back; empty where it cannot be here.
    """

    heading: str = ""
    text: str = ""
    failed: bool = False
    undo: str = ""


class SelectionDesk(param.Parameterized):
    """The acts on a selection.

    Attributes:
        outcome: What came of the last act.
        pair: The pair that is being labelled: digest_a, digest_b, score, tier, verdict; empty for none.
        left: Pairs that wait behind it.
        busy: An act is under way.
    """

    outcome: Any = param.ClassSelector(class_=Outcome, default=Outcome())
    pair = param.Dict(default={})
    left = param.Integer(default=0)
    busy = param.Boolean(default=False)

    def __init__(self, selection: SelectionState, acts: SelectionActs) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._selection, self._acts = selection, acts
        self._waiting: list[dict[str, Any]] = []
        self._labelled = 0
        self._asked = 0
        selection.param.watch(lambda _: self._selected_anew(), ["digests"])

    @property
    def asked(self) -> int:
        """Goes up with every other selection: what was asked for before says nothing of it."""
        return self._asked

    def _selected_anew(self) -> None:
        self._asked += 1
        self.stop_labelling(Outcome())

    def find_pairs(self) -> pl.DataFrame:
        """The pairs among what is selected; may take seconds, and changes no parameter."""
        return self._acts.pairs_among(self._selection.digests)

    def start_labelling(self, pairs: pl.DataFrame | None = None) -> None:
        """Ask about the pairs among what is selected that have no label, the strongest first.

        Args:
            pairs: As `find_pairs` gave them; None to find them now.
        """
        pairs = self.find_pairs() if pairs is None else pairs
        self._waiting = pairs.filter(pl.col("verdict").is_null()).to_dicts()
        self._labelled = 0
        if self._waiting:
            self.outcome = Outcome()
            self._next()
            return
        said = "Each pair of them has a label." if pairs.height else "No two of them were found to be alike enough."
        self.stop_labelling(Outcome("No pair to label", said))

    def answer(self, verdict: str) -> None:
        """Label the pair, "same", "different" or "unsure", or pass over it with an empty text; then the next one."""
        if not self.pair:
            return
        if verdict:
            try:
                self._acts.label(self.pair["digest_a"], self.pair["digest_b"], verdict)
            except DeepLensError as error:
                self.fail(error)
                return
            self._labelled += 1
        self._next()

    def stop_labelling(self, outcome: Outcome | None = None) -> None:
        """Ask no further."""
        was_open = bool(self.pair)
        self._waiting = []
        told = Outcome(f"{plural(self._labelled, 'pair')} labelled", "Evaluate a rule by them: `workbench.evaluate()`.")
        self.param.update(pair={}, left=0, outcome=outcome or (told if was_open else self.outcome))

    def keep(self) -> None:
        """Decide that none of what is selected is ever proposed for removal."""
        try:
            act = self._acts.keep_pictures(self._selection.digests, "selected on the map")
        except DeepLensError as error:
            self.fail(error)
            return
        self.stop_labelling(
            Outcome(
                f"{plural(act.added, 'picture')} will never be proposed for removal",
                "Groups follow at once; what is shown here is as it was before. "
                + (f"{plural(act.standing, 'picture')} had the decision already." if act.standing else ""),
                undo=act.act_id,
            )
        )

    def undo(self) -> None:
        """Take the decisions back that the last act made."""
        if not self.outcome.undo:
            return
        try:
            taken = self._acts.withdraw_decisions(self.outcome.undo)
        except DeepLensError as error:
            self.fail(error)
        else:
            self.outcome = Outcome(f"{plural(len(taken), 'decision')} taken back")

    def fail(self, error: DeepLensError) -> None:
        """Tell that an act did not happen, and why."""
        self.outcome = _failure(error)

    def plan(self, tiers: Sequence[str] = EQUAL_TIERS) -> Outcome:
        """Make a plan for the groups of what is selected; may take seconds, and changes no parameter."""
        try:
            record = self._acts.plan_of(self._selection.digests, tiers=tiers)
        except DeepLensError as error:
            return Outcome("No plan was made", str(error), failed=True)
        frees = int(record.document["totals"]["frees_bytes"])
        return Outcome(
            f"Plan {record.plan_id}: {plural(record.steps, 'step')}, {format_bytes(frees)}",
            f"It is a draft, and nothing is done. Look at it with `workbench.plan_steps('{record.plan_id}')`; it is "
            "applied only after somebody approved it.",
        )

    def _next(self) -> None:
        if not self._waiting:
            self.stop_labelling()
            return
        self.param.update(pair=self._waiting.pop(0), left=len(self._waiting))


def _failure(error: DeepLensError) -> Outcome:
    return Outcome("That did not work", str(error), failed=True)
