"""What the workbench does with decisions and rules: make, list, compare and take back.

Takes an open workspace, gives frames and frozen values; must not compute anything itself.
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING

from deeplens_kit import pipeline
from deeplens_kit.pipeline.rule_in_use import chosen_rule
from deeplens_kit.workbench.locations import WorkbenchLocations

if TYPE_CHECKING:
    import polars as pl

    from deeplens_kit.ledger import DecisionAct, SavedRule
    from deeplens_kit.matching import KeepPolicy, Rule
    from deeplens_kit.pipeline import Decided, RuleDifference
    from deeplens_kit.pipeline.rule_in_use import RuleLike
    from deeplens_kit.schemas import DecisionKind
    from deeplens_kit.views.review_desk import ReviewDesk


__all__ = ["WorkbenchDecisions"]


class WorkbenchDecisions(WorkbenchLocations):
    """The part of the workbench that is about decisions and rules."""

    def decide(
        self,
        kind: DecisionKind | str,
        what: str,
        other: str | None = None,
        *,
        why: str = "",
        crowd: bool = False,
        rule: RuleLike = None,
        include: Collection[str] = (),
    ) -> Decided:
        """Decide on a pair, a picture or a group; groups follow at once, and nothing is removed.

        Args:
            kind: "keep_both", "alternates", "approved" (`other` may go for `what`) or "never_propose".
            what: The id of a group or how it begins, "location:path", a path or a digest.
            other: The other one of the pair; None for a group, and for "never_propose".
            why: In words.
            crowd: With "approved": all copies that wait as a crowd for the picture `what` may go.
            rule: As the group was listed, and so is `include`.

        Raises:
            SettingsError: Nothing has this name (UnknownNameError), or it does not go with the kind.

        Example:
            >>> made = workbench.decide("never_propose", "laptop:export/astronaut_q85.jpg", why="printed")
            >>> made.act.added
            1
            >>> "laptop/export/astronaut_q85.jpg" in workbench.groups().filter(is_keeper=False)["path"]
            False
            >>> len(workbench.withdraw_decisions(made.act.act_id))
            1
        """
        judged = chosen_rule(self.workspace, rule)
        return pipeline.decide(self.workspace, kind, what, other, why=why, crowd=crowd, rule=judged, include=include)

    def review(self, rule: RuleLike = None, *, policy: KeepPolicy | str | Path | None = None) -> ReviewDesk:
        """The groups with all that is shown of them, for `ReviewState`; and where labels and decisions on them go.

        Args:
            rule: As for `groups`.
            policy: As for `groups`.

        Example:
            >>> workbench.review().findings().totals.groups == workbench.groups()["group_id"].n_unique()
            True
        """
        from deeplens_kit.views.review_desk import ReviewDesk

        return ReviewDesk(self.workspace, rule=chosen_rule(self.workspace, rule), policy=policy)

    def decisions(self, *, withdrawn: bool = False, kind: DecisionKind | str | None = None) -> pl.DataFrame:
        """Decisions, the latest first, with a file of each picture; also withdrawn ones, or of one kind alone.

        Example:
            >>> workbench.decisions().height
            0
        """
        return pipeline.list_decisions(self.workspace, withdrawn=withdrawn, kind=kind)

    def withdraw_decisions(self, *which: str | int) -> list[int]:
        """Withdraw decisions by their numbers, or all of an act; the numbers of those that held until now.

        Example:
            >>> master = "share:photos/portraits/astronaut.png"
            >>> made = workbench.decide("alternates", master, "laptop:scans/astronaut.tif")
            >>> len(workbench.withdraw_decisions(*workbench.decisions()["decision_id"]))
            1
        """
        return pipeline.withdraw_decisions(self.workspace, [str(item) for item in which])

    def import_decisions(self, decisions: pl.DataFrame) -> DecisionAct:
        """Take in decisions of another workspace, as `decisions` gave them there.

        Example:
            >>> workbench.import_decisions(workbench.decisions()).added
            0
        """
        return pipeline.import_decisions(self.workspace, decisions)

    def rules(self, *, retired: bool = False, versions: bool = False) -> pl.DataFrame:
        """Saved rules by name, and which is in use: also retired ones, or all versions.

        Example:
            >>> workbench.rules().columns[:3]
            ['rule', 'version', 'in_use']
        """
        return pipeline.list_rules(self.workspace, retired=retired, versions=versions)

    def rule(self, name: str) -> Rule:
        """The rule of a name: "strict", a saved one, or "NAME@VERSION". Wherever a rule is asked for the name does too.

        Example:
            >>> workbench.groups(workbench.rule("strict")).equals(workbench.groups("strict"))
            True
        """
        return pipeline.rule_named(self.workspace, name)

    def use_rule(self, name: str = "strict") -> Rule:
        """Judge by a rule from now on, here and in every command and report that names no other one.

        Args:
            name: As for `rule`; by a name alone its later versions count as soon as they are saved.

        Raises:
            SettingsError: There is no such rule (UnknownNameError), or it was retired.

        Example:
            >>> _ = workbench.save_rule("exact", Thresholds(likelihood_min=1))
            >>> _ = workbench.use_rule("exact")
            >>> workbench.groups().equals(workbench.groups("exact"))
            True
            >>> _ = workbench.use_rule(), workbench.retire_rule("exact")
        """
        return pipeline.use_rule(self.workspace, name)

    def save_rule(self, name: str, rule: RuleLike, note: str = "") -> SavedRule:
        """Save a rule under a name; where a bound changed it becomes the next version.

        Example:
            >>> workbench.save_rule("careful", Thresholds(likelihood_min=0.99)).version >= 1
            True
            >>> _ = workbench.retire_rule("careful")
        """
        return pipeline.save_rule(self.workspace, name, chosen_rule(self.workspace, rule), note)

    def diff_rules(self, first: RuleLike, second: RuleLike) -> RuleDifference:
        """What tells two rules apart: `bounds`, and `outcomes` in this workspace.

        Example:
            >>> workbench.diff_rules("strict", Thresholds(likelihood_min=0.99)).bounds["bound"].to_list()
            ['verified[0].likelihood_min']
        """
        return pipeline.diff_rules(
            self.workspace, chosen_rule(self.workspace, first), chosen_rule(self.workspace, second)
        )

    def retire_rule(self, name: str) -> SavedRule:
        """Retire a rule, which must not be the one in use; its versions can still be read.

        Example:
            >>> saved = workbench.save_rule("passing", Thresholds(likelihood_min=0.97))
            >>> workbench.retire_rule("passing").retired_at is not None
            True
        """
        return pipeline.retire_rule(self.workspace, name)
