"""What a review of duplicates works with: the groups of a workspace, and where what is said of them goes.

Takes an open workspace, gives findings and acts; must not group or record by itself.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from deeplens_kit.pipeline.reviewing import DuplicateActs
from deeplens_kit.reporting.duplicates_frames import read_duplicates
from deeplens_kit.views.state.duplicates_state import Findings

if TYPE_CHECKING:
    from deeplens_kit.matching import KeepPolicy, Rule
    from deeplens_kit.pipeline import Workspace

__all__ = ["ReviewDesk"]


class ReviewDesk:
    """The source of a `ReviewState`.

    Args:
        workspace: An open workspace; it has to stay open.
        rule: When a pair is a copy; None for the rule in use.
        policy: Which copy stays; None for the policy in use.
    """

    def __init__(
        self, workspace: Workspace, *, rule: Rule | None = None, policy: KeepPolicy | str | Path | None = None
    ) -> None:
        self._workspace, self._rule, self._policy = workspace, rule, policy
        self._acts = DuplicateActs(workspace)

    @property
    def acts(self) -> DuplicateActs:
        """Records labels and decisions, and takes them back."""
        return self._acts

    def findings(self) -> Findings:
        """The groups as they are now."""
        return Findings.of(*read_duplicates(self._workspace, rule=self._rule, policy=self._policy))
