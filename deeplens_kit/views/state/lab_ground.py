"""What a lab stands on: the pairs of a workspace, loaded once, and what the labels say of them, looked up once.

Takes a workspace, holds the lab; must not hold anything of who looks. Of a million pictures it weighs a gigabyte, so
those who use it at the same time share one. It may be used from any thread.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from deeplens_kit.pipeline import Workspace
    from deeplens_kit.pipeline.lab_evidence import LabEvidence
    from deeplens_kit.pipeline.thresholds import ThresholdLab

__all__ = ["LabGround"]


class LabGround:
    """A lab and its evidence.

    Args:
        workspace: An open workspace.

    Attributes:
        lab: Answers for thresholds.
    """

    def __init__(self, workspace: Workspace) -> None:
        from deeplens_kit.pipeline import ThresholdLab

        self.lab: ThresholdLab = ThresholdLab(workspace)
        self._workspace = workspace
        self._evidence: LabEvidence | None = None
        self._one_at_a_time = threading.Lock()

    def evidence(self) -> LabEvidence:
        """What the labels say now, with those of whoever asks told apart; only labels are read a second time."""
        from deeplens_kit.pipeline import LabEvidence

        with self._one_at_a_time:
            self._evidence = LabEvidence.of(self._workspace, self.lab, self._evidence)
            return self._evidence
