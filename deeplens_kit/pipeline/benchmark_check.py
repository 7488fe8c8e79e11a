"""The proposals of a rule against the truth of a benchmark folder: what labels only estimate, counted.

Takes an open workspace in which the folder is indexed, gives counts; must not write, or open a picture. It counts as
scores of the folder do: by files, each against the keeper of its own group, pairs to be ignored as neither.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from deeplens_kit.matching import Rule
from deeplens_kit.pipeline.benchmark_folder import BenchmarkTruth, read_benchmark
from deeplens_kit.pipeline.findings import list_groups
from deeplens_kit.pipeline.workspace import Workspace
from deeplens_kit.schemas import Tier, Verdict

__all__ = ["TruthCheck", "check_against"]


@dataclass(frozen=True, slots=True)
class TruthCheck:
    """What is true of the proposals of a rule.

    Attributes:
        proposed: Files proposed for removal that the manifest knows, by all tiers.
        right: Of these, copies of the keeper that stays.
        wrong: Of these, pictures of another source.
        ignored: Of these, pairs that count as neither.
        unlisted: Files proposed for removal of which the manifest does not know the picture, or the keeper's.
        removable: Files of the manifest beyond the first of each source.
        copies: Pairs of pictures of tier `copy` among the proposals, that count one way or the other.
        right_copies: Of these, of one source.
    """

    proposed: int
    right: int
    wrong: int
    ignored: int
    unlisted: int
    removable: int
    copies: int
    right_copies: int

    @property
    def precision(self) -> float | None:
        """Share of the files proposed that are copies; None where none is."""
        return self.right / (self.right + self.wrong) if self.right + self.wrong else None

    @property
    def recall(self) -> float | None:
        """Share of the removable files that are proposed rightly; None where none is removable."""
        return self.right / self.removable if self.removable else None

    @property
    def copy_precision(self) -> float | None:
        """Share of the pairs of tier `copy` that are of one source: what the labels estimate; None where none is."""
        return self.right_copies / self.copies if self.copies else None


def check_against(workspace: Workspace, folder: Path, rule: Rule) -> TruthCheck:
    """Count what is right among the proposals of a rule.

    Args:
        workspace: An open workspace in which the folder is indexed.
        folder: As `read_benchmark` wants it.
        rule: The bounds.

    Raises:
        SettingsError: There is no manifest, or it is wrong.
    """
    truth = read_benchmark(folder)
    groups = list_groups(workspace, rule=rule).groups
    keepers = groups.filter("is_keeper").select("group_id", keeper_digest="digest")
    members = groups.filter(~pl.col("is_keeper")).join(keepers, on="group_id")
    ends = ["keeper_digest", "digest"]
    said = members.with_columns(
        verdict=pl.Series(list(truth.verdicts(members.select(ends).iter_rows())), dtype=pl.String)
    )
    counts = Counter(said["verdict"])
    pairs = said.filter(tier=str(Tier.COPY)).unique(ends)
    of_pairs = Counter(pairs["verdict"])
    right, wrong = of_pairs[str(Verdict.SAME)], of_pairs[str(Verdict.DIFFERENT)]
    return TruthCheck(
        said.height - counts[None],
        counts[str(Verdict.SAME)],
        counts[str(Verdict.DIFFERENT)],
        counts[str(Verdict.UNSURE)],
        counts[None],
        _removable(truth),
        right + wrong,
        right,
    )


def _removable(truth: BenchmarkTruth) -> int:
    return truth.files - len({name for sources in truth.sources.values() for name in sources})
