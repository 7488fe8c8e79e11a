"""Wall and CPU seconds of each stage of an index run, as its progress tells them.

Takes the snapshots of a run, gives seconds per stage; must not change the run. What passes between stages, judging and
storing, is a stage of its own. CPU seconds are those of the whole process and its decoders: threads of libraries are in
them.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from benchmarks import processes
from deeplens_kit.pipeline import ProgressSnapshot

__all__ = ["BETWEEN", "StageCosts"]

BETWEEN = "judging and storing"
"""What no stage reports: choosing what to look at next, tiers, scores, writing of pairs."""


@dataclass
class StageCosts:
    """A progress listener that keeps what each stage costs.

    Attributes:
        wall_seconds: By stage.
        cpu_seconds: By stage.
    """

    wall_seconds: dict[str, float] = field(default_factory=dict)
    cpu_seconds: dict[str, float] = field(default_factory=dict)
    wall_clock: Callable[[], float] = time.perf_counter
    cpu_clock: Callable[[], float] = processes.cpu_seconds

    def __post_init__(self) -> None:
        self._open = ""
        self._wall, self._cpu = self.wall_clock(), self.cpu_clock()

    def update(self, snapshot: ProgressSnapshot) -> None:
        """Add what passed since the last snapshot to the stage that it belongs to."""
        self._add(snapshot.stage if snapshot.stage == self._open else BETWEEN)
        done = snapshot.total is not None and snapshot.done >= snapshot.total
        self._open = "" if done else snapshot.stage

    def finish(self) -> None:
        """Add what passed since the last snapshot; call it when the run has ended."""
        self._add(BETWEEN)

    def _add(self, stage: str) -> None:
        wall, cpu = self.wall_clock(), self.cpu_clock()
        self.wall_seconds[stage] = self.wall_seconds.get(stage, 0.0) + wall - self._wall
        self.cpu_seconds[stage] = self.cpu_seconds.get(stage, 0.0) + cpu - self._cpu
        self._wall, self._cpu = wall, cpu
