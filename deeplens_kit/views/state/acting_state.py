"""What pages that act have in common: what is told and asked, and the jobs that are watched.

Takes what acts came to, holds it for a viewer; must not import Panel, or ask a store.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import param

from deeplens_kit.errors import DeepLensError
from deeplens_kit.views.state.job_lines import JobLine
from deeplens_kit.views.state.told import Question, Told

__all__ = ["ActingState"]


class ActingState(param.Parameterized):
    """What is told, asked and watched.

    Attributes:
        told: What came of the last act.
        question: What is asked before one; None for nothing.
        jobs: Those that this page began or found at work, the latest first.
        busy: Something is under way that this page waits for.
        revision: Goes up when what is shown has to be read anew.
        shown: What was read for what is looked at; None until it is.
    """

    told: Any = param.ClassSelector(class_=Told, default=Told())
    question: Any = param.ClassSelector(class_=Question, default=None, allow_None=True)
    jobs: Any = param.Parameter(default=())
    busy = param.Boolean(default=False)
    revision = param.Integer(default=0)
    shown: Any = param.Parameter(default=None)

    def __init__(self, **params: Any) -> None:
        super().__init__(**params)  # type: ignore[no-untyped-call]

    def tell(self, heading: str, text: str = "") -> None:
        """Tell what came of an act."""
        self.param.update(told=Told(heading, text), question=None)

    def fail(self, error: DeepLensError, heading: str = "That did not work") -> None:
        """Tell that an act did not happen, and why."""
        self.param.update(told=Told(heading, str(error), failed=True), question=None)

    def ask(self, question: Question) -> None:
        """Ask before an act."""
        self.param.update(told=Told(), question=question)

    def leave(self) -> None:
        """Take back what was told or asked."""
        self.param.update(told=Told(), question=None)

    def reread(self) -> None:
        """Have what is shown read anew."""
        self.revision += 1

    @property
    def waits(self) -> bool:
        """Whether a job is watched that has not ended."""
        return any(not line.ended for line in self.jobs)

    def watch(self, line: JobLine) -> None:
        """Watch a job from now on."""
        self.jobs = (line, *(other for other in self.jobs if other.job_id != line.job_id))

    def dismiss(self, job_id: str) -> None:
        """Watch a job that has ended no more."""
        self.jobs = tuple(line for line in self.jobs if line.job_id != job_id or not line.ended)

    def unfinished(self) -> tuple[str, ...]:
        """Ids of jobs to be asked about."""
        return tuple(line.job_id for line in self.jobs if not line.ended)

    def saw(self, lines: Sequence[JobLine], ended: Callable[[JobLine], None]) -> None:
        """Take what jobs have come to.

        Args:
            lines: As they stand now.
            ended: Told of each that has ended since.
        """
        now = {line.job_id: line for line in lines}
        over = [
            now[line.job_id] for line in self.jobs if not line.ended and line.job_id in now and now[line.job_id].ended
        ]
        # What is done is told, and needs no panel of its own; what failed stays until somebody has seen it.
        jobs = tuple(now.get(line.job_id, line) for line in self.jobs)
        jobs = tuple(line for line in jobs if line.state != "done")
        if jobs != self.jobs:
            self.jobs = jobs
        for line in over:
            ended(line)
