"""What the lab asks of a workspace besides its figures: labels, what they say, and rules under a name.

Names the calls, which a `Workbench` has; must not make them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import polars as pl

    from deeplens_kit.ledger import SavedRule
    from deeplens_kit.matching import Rule
    from deeplens_kit.pipeline.lab_evidence import LabEvidence
    from deeplens_kit.pipeline.labelling import PairToLabel
    from deeplens_kit.pipeline.thresholds import ThresholdLab

__all__ = ["LabActs"]


class LabActs(Protocol):
    """A workspace that is open while the lab is used; called from any thread, see `Workbench` for each of them."""

    def lab_evidence(self, lab: ThresholdLab, before: LabEvidence | None = None) -> LabEvidence:
        """What the labels say at any bound."""
        ...

    def next_pair_to_label(self) -> PairToLabel | None:
        """The next pair of the sample."""
        ...

    def label(self, first: str, second: str, verdict: str, note: str = "") -> tuple[str, str]:
        """Say of two pictures whether they are the same."""
        ...

    def withdraw_label(self, first: str, second: str, who: str | None = None) -> pl.DataFrame:
        """Take a label back."""
        ...

    def rules(self, *, retired: bool = False, versions: bool = False) -> pl.DataFrame:
        """Saved rules by name."""
        ...

    def rule(self, name: str) -> Rule:
        """The rule of a name."""
        ...

    def save_rule(self, name: str, rule: Rule, note: str = "") -> SavedRule:
        """Save a rule under a name."""
        ...

    def use_rule(self, name: str = "strict") -> Rule:
        """Judge by a rule from now on."""
        ...
