"""A desk at which pairs are labelled one after the other: which pair is looked at, what was said, and the way back.

Takes pairs and the calls that write labels, holds what is chosen and said; must not import Panel or judge a pair. What
is said shows at once, and is written apart: `say` and `undo` give what is to be written, `write` does it on any thread,
`written` takes what came of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import param

from deeplens_kit.errors import DeepLensError

if TYPE_CHECKING:
    import polars as pl

    from deeplens_kit.views.state.lab_acts import LabActs

__all__ = ["SOURCES", "DeskAct", "DeskState", "Pair"]

Pair = tuple[str, str]

SOURCES = {"bounds": "Near the bounds", "sample": "From the sample"}
"""Where pairs come from. Only those of the sample, which chance drew, count in precision and recall."""

_SAID = {"same": "the same picture", "different": "different pictures", "unsure": "left open"}


@dataclass(frozen=True, slots=True)
class DeskAct:
    """A label to be written.

    Attributes:
        pair: The two digests.
        verdict: same, different or unsure; None to take the label back.
        before: What this person had said until then; None for nothing.
    """

    pair: Pair
    verdict: str | None
    before: str | None


class DeskState(param.Parameterized):
    """Pairs to be labelled.

    Args:
        acts: Writes labels; None where the lab stands alone, which then cannot be labelled.

    Attributes:
        source: One of `SOURCES`.
        pairs: Digests of the pairs, in the order in which they are asked.
        at: The number of the one that is looked at; -1 where there is none.
        verdicts: What this person said, by pair.
        said: What came of the last act, in words.
        failed: The last act could not be written.
    """

    source: Any = param.Selector(default="bounds", objects=list(SOURCES))
    pairs: Any = param.Parameter(default=())
    at = param.Integer(default=-1)
    verdicts: Any = param.Parameter(default={})
    said = param.String(default="")
    failed = param.Boolean(default=False)

    def __init__(self, acts: LabActs | None = None) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._acts = acts
        self._done: list[DeskAct] = []

    @property
    def can_label(self) -> bool:
        """Whether labels can be written."""
        return self._acts is not None

    @property
    def can_undo(self) -> bool:
        """Whether there is a label of this desk to take back."""
        return bool(self._done)

    @property
    def pair(self) -> Pair | None:
        """The pair that is looked at."""
        return self.pairs[self.at] if 0 <= self.at < len(self.pairs) else None

    def show(self, pairs: Sequence[Pair], *, first: bool = False) -> None:
        """Put pairs on the desk; the one that is looked at stays so while it is among them.

        Args:
            pairs: The pairs.
            first: Where it is not among them, look at the first; else at none, for a look reads two files.
        """
        now = self.pair
        found = tuple(pairs)
        at = found.index(now) if now in found else (0 if found and first else -1)
        self.param.update(pairs=found, at=at)

    def turn_to(self, source: str) -> None:
        """Take pairs from elsewhere: until they are there none is looked at, so that no key says anything of the last.

        Args:
            source: One of `SOURCES`.
        """
        said = "Looking for the next pair of the sample …" if source == "sample" else ""
        self.param.update(source=source, pairs=(), at=-1, said=said, failed=False)

    def know(self, labels: pl.DataFrame) -> None:
        """Take what this person said by now.

        Args:
            labels: digest_a, digest_b and mine.
        """
        said = labels.filter(labels["mine"].is_not_null())
        self.verdicts = {(a, b): verdict for a, b, verdict in said.select("digest_a", "digest_b", "mine").iter_rows()}

    def choose(self, pair: Pair) -> None:
        """Look at a pair of the desk; one that is not on it is passed over."""
        if pair in self.pairs:
            self.at = self.pairs.index(pair)

    def move(self, steps: int) -> None:
        """Look at a pair further on, or back; at either end it stays."""
        if self.pairs:
            self.at = min(max(self.at + steps, 0), len(self.pairs) - 1)

    def say(self, verdict: str) -> DeskAct | None:
        """Say what the pair is, and go on to the next that nothing was said of; None where no pair is looked at.

        Args:
            verdict: same, different or unsure.
        """
        pair = self.pair
        if pair is None or self._acts is None:
            return None
        act = DeskAct(pair, verdict, self.verdicts.get(pair))
        self._done.append(act)
        self._mark(pair, verdict, f"Said: {_SAID[verdict]}.")
        if self.source == "sample":
            # The next one is asked for once this one is written.
            self.param.update(pairs=(), at=-1)
            return act
        later = [at for at in range(len(self.pairs)) if self.pairs[at] not in self.verdicts]
        self.at = next((at for at in later if at > self.at), later[0] if later else self.at)
        return act

    def undo(self) -> DeskAct | None:
        """Take back what was said last, and look at its pair again; None where nothing was said."""
        if not self._done:
            return None
        last = self._done.pop()
        back = DeskAct(last.pair, last.before, last.verdict)
        self._mark(last.pair, last.before, "Taken back." if last.before is None else f"Again: {_SAID[last.before]}.")
        if last.pair not in self.pairs:
            self.pairs = (last.pair, *self.pairs)
        self.choose(last.pair)
        return back

    def write(self, act: DeskAct) -> str:
        """Write a label; touches no parameter, so that it may run on any thread.

        Returns:
            Why it could not be written; empty where it was.
        """
        if self._acts is None:
            return "This lab stands alone: there is no workspace to label in."
        try:
            if act.verdict is None:
                self._acts.withdraw_label(*act.pair)
            else:
                self._acts.label(*act.pair, act.verdict)
        except DeepLensError as error:
            return str(error)
        return ""

    def next_of_sample(self) -> tuple[Pair | None, str]:
        """The next pair of the sample, or why there is none; touches no parameter."""
        if self._acts is None:
            return None, "This lab stands alone: there is no workspace to label in."
        try:
            found = self._acts.next_pair_to_label()
        except DeepLensError as error:
            return None, str(error)
        if found is None:
            return None, "Every pair of the samples that can be looked at has a label."
        return (found.digest_a, found.digest_b), ""

    def written(self, act: DeskAct, problem: str) -> None:
        """Take what came of an act.

        Args:
            act: That was written, or was to be.
            problem: From `write`.
        """
        if problem:
            self._done = [done for done in self._done if done is not act]
            self._mark(act.pair, act.before, f"Not written: {problem}", failed=True)

    def _mark(self, pair: Pair, verdict: str | None, said: str, *, failed: bool = False) -> None:
        verdicts = {key: value for key, value in self.verdicts.items() if key != pair}
        if verdict is not None:
            verdicts[pair] = verdict
        self.param.update(verdicts=verdicts, said=said, failed=failed)
