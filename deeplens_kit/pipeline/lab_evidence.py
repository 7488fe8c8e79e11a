"""What labels say at any bound: precision and recall by a lookup, and the labelled pairs with their scores.

Takes an open workspace and a threshold lab, looks up once where each candidate and each label stands, and answers for
any rule from memory; must not draw, label or write. The intervals are those of `evaluate`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
from numpy.typing import NDArray

from deeplens_kit.errors import TooFewLabelsError
from deeplens_kit.ledger.holder import current_person
from deeplens_kit.matching import Regrouper, Rule
from deeplens_kit.matching.regrouping import EVIDENCE_COLUMNS, SITUATIONS
from deeplens_kit.pipeline.evaluating import labelled_sample
from deeplens_kit.pipeline.label_population import population_of
from deeplens_kit.pipeline.label_sampling import sample_ladder
from deeplens_kit.pipeline.thresholds import ThresholdLab
from deeplens_kit.pipeline.verdicts import settled
from deeplens_kit.pipeline.workspace import Workspace

if TYPE_CHECKING:
    from deeplens_kit.evidence import Interval, Survey

__all__ = ["LabEstimate", "LabEvidence"]

_PAIR = ["digest_a", "digest_b"]
_CONFIDENCE = 0.95
_LIKELIHOOD, _PDQ = (EVIDENCE_COLUMNS.index(name) for name in ("likelihood", "pdq_distance"))


@dataclass(frozen=True, slots=True)
class LabEstimate:
    """What the labels say of the proposals of a rule.

    Attributes:
        precision: Of the proposals of tier `copy`; None where nothing can be said.
        recall: Among the candidates; None likewise.
        beyond: Proposed pairs that no sample could have drawn: in the intervals they may all be wrong, or none.
        why_not: Why nothing can be said, and what to do; empty where something can.
    """

    precision: Interval | None
    recall: Interval | None
    beyond: int
    why_not: str

    @property
    def table(self) -> pl.DataFrame:
        """Columns what, estimate, low, high, lower, pairs, labelled, wrong, unsure; no row where nothing is known."""
        names = ("estimate", "low", "high", "lower", "pairs", "labelled", "wrong", "unsure")
        schema = {"what": pl.String, **dict.fromkeys(names[:4], pl.Float64), **dict.fromkeys(names[4:], pl.Int64)}
        told = (("precision", self.precision), ("recall", self.recall))
        rows = [(what, *(getattr(share, name) for name in names)) for what, share in told if share is not None]
        return pl.DataFrame(rows, schema=schema, orient="row")


@dataclass(frozen=True, slots=True, eq=False)
class _Looked:
    """The candidates by the edges of a regrouper that knows no decision."""

    regrouper: Regrouper
    survey: Survey
    candidate: NDArray[np.int32]


@dataclass(frozen=True, slots=True, eq=False)
class LabEvidence:
    """Labels and samples of a workspace, for a lab; made by `of`.

    Attributes:
        labels: digest_a, digest_b, verdict, disputed of every labelled pair, and `mine`, what this person said (null
            for nothing).
        drawn: Pairs that samples for estimates hold.
        left: Of these, without a label.
        why_not: Why nothing can be estimated; empty where something can.
    """

    labels: pl.DataFrame
    drawn: int
    left: int
    why_not: str
    _lab: ThresholdLab
    _edges: NDArray[np.int64]
    _looked: _Looked | None

    @classmethod
    def of(cls, workspace: Workspace, lab: ThresholdLab, before: LabEvidence | None = None) -> LabEvidence:
        """What the labels of now say.

        Args:
            workspace: An open workspace.
            lab: Made of it.
            before: What was made for the same lab when there were other labels: then only these are read. A sample
                that was drawn since for other thresholds needs a new one.
        """
        said = workspace.ledger.labels()
        mine = said.filter(who=current_person()).select(*_PAIR, mine="verdict")
        labels = settled(said).select(*_PAIR, "verdict", "disputed").join(mine, on=_PAIR, how="left")
        edges = _edges_of(lab.regrouper, labels)
        try:
            seed, drawn, verdicts = labelled_sample(workspace)
        except TooFewLabelsError as error:
            return cls(labels, 0, 0, str(error), lab, edges, None)
        looked = None if before is None else before._looked
        ladder = sample_ladder(workspace)
        told = verdicts.select(*_PAIR, "verdict")
        if looked is None or looked.survey.levels != ladder:
            looked = _look(workspace, lab, ladder, told, drawn, seed)
        else:
            looked = replace(looked, survey=looked.survey.told(told, drawn))
        left = drawn.join(labels, on=_PAIR, how="anti").height
        return cls(labels, drawn.height, left, "", lab, edges, looked)

    def estimate(self, rule: Rule) -> LabEstimate:
        """Precision and recall of the proposals of a rule, each with its interval at 95 %.

        Args:
            rule: The bounds. What people decided does not count, as in `evaluate`.
        """
        from deeplens_kit.evidence.bounds import Cells
        from deeplens_kit.evidence.intervals import precision_of, recall_of

        if self._looked is None:
            return LabEstimate(None, None, 0, self.why_not)
        regrouper, survey = self._looked.regrouper, self._looked.survey
        keeper, link = regrouper.keepers(rule)
        taken = link[(keeper >= 0) & ~np.append(regrouper.edges.same, True)[link]]
        places = self._looked.candidate[taken]
        part = np.zeros(survey.candidates.height, np.bool_)
        part[places[places >= 0]] = True
        inside, outside = survey.split(part)
        beyond = int((places < 0).sum())
        if beyond:
            columns = (inside.pairs, inside.sizes, inside.drawn, inside.labelled, inside.wrong, inside.unsure)
            unknown = (beyond, beyond, 0, 0, 0, 0)
            inside = Cells(*(np.append(column, more) for column, more in zip(columns, unknown, strict=True)))
        return LabEstimate(precision_of(inside, _CONFIDENCE), recall_of(inside, outside, _CONFIDENCE), beyond, "")

    def marks(self, rule: Rule) -> pl.DataFrame:
        """The labelled pairs that are stored, with their scores.

        Args:
            rule: What it calls a page decides which bound applies.

        Returns:
            Of `labels`, and likelihood (Float32, null where nothing looked), pdq_distance
            (Int32, null where it has none), situation (of HISTOGRAM), other_shots, accepted.
        """
        known = self._edges >= 0
        at = self._edges[known]
        regrouper = self._lab.regrouper
        evidence = regrouper.evidence(rule)[at]
        names = np.array([*SITUATIONS, "low_information"])
        return self.labels.filter(pl.Series(known)).with_columns(
            likelihood=pl.Series(evidence[:, _LIKELIHOOD], dtype=pl.Float32, nan_to_null=True),
            pdq_distance=pl.Series(evidence[:, _PDQ], dtype=pl.Float32, nan_to_null=True).cast(pl.Int32),
            situation=pl.Series(names[regrouper.situations(rule)[at]].tolist(), dtype=pl.String),
            other_shots=pl.Series(regrouper.other_shots[at]),
            accepted=pl.Series(regrouper.margins(rule)[at] >= 0),
        )


def _look(
    workspace: Workspace,
    lab: ThresholdLab,
    ladder: tuple[float, ...],
    verdicts: pl.DataFrame,
    drawn: pl.DataFrame,
    seed: int,
) -> _Looked:
    """The survey, and which candidate each edge is."""
    from deeplens_kit import evidence

    # A rule is judged by itself: with nothing decided the lab at hand does just that.
    plain = ThresholdLab(workspace, decided=False) if workspace.ledger.decisions().height else lab
    population, _ = population_of(plain, ladder=ladder)
    survey = evidence.Survey.of(population.candidates, population.proposals, population.levels, verdicts, drawn, seed)
    edges = _edges_of(plain.regrouper, survey.candidates)
    candidate = np.full(len(plain.regrouper.edges.left), -1, np.int32)
    known = np.flatnonzero(edges >= 0)
    candidate[edges[known]] = known
    # What each level proposes is in the strata by now; of a million pictures it is the larger part.
    return _Looked(plain.regrouper, replace(survey, proposals=survey.proposals.clear()), candidate)


def _edges_of(regrouper: Regrouper, pairs: pl.DataFrame) -> NDArray[np.int64]:
    """int64 (rows,): the edge of each pair of digests, -1 where none is stored."""
    edges = regrouper.edges
    if not len(edges.left) or pairs.is_empty():
        return np.full(pairs.height, -1, np.int64)
    numbers = regrouper.best.select("digest").with_row_index("number")
    ends = [
        pairs.select(pl.col(end).alias("digest"))
        .join(numbers, on="digest", how="left", maintain_order="left")["number"]
        .cast(pl.Int64)
        .fill_null(-1)
        .to_numpy()
        for end in _PAIR
    ]
    low, high = np.minimum(*ends), np.maximum(*ends)
    keys = (edges.left.astype(np.int64) << 32) + edges.right
    wanted = (low << 32) + high
    at = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    found: NDArray[np.int64] = np.where((low >= 0) & (keys[at] == wanted), at, -1)
    return found
