"""What the workbench does with labels: what to look at next, what was said, and what that proves.

Takes an open workspace, gives frames and frozen values; must not compute anything itself.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from deeplens_kit import pipeline
from deeplens_kit.pipeline.rule_in_use import chosen_rule
from deeplens_kit.workbench.searches import WorkbenchSearches

if TYPE_CHECKING:
    import polars as pl

    from deeplens_kit.pipeline.evaluating import Evaluation, RecommendedThreshold
    from deeplens_kit.pipeline.label_import import LabelImport
    from deeplens_kit.pipeline.label_sampling import DrawnSample
    from deeplens_kit.pipeline.labelling import LabelProgress, PairToLabel
    from deeplens_kit.pipeline.pair_pictures import PairLooks
    from deeplens_kit.pipeline.rule_in_use import RuleLike
    from deeplens_kit.schemas import Verdict


__all__ = ["WorkbenchLabels"]


class WorkbenchLabels(WorkbenchSearches):
    """The part of the workbench that is about labels."""

    def draw_label_sample(
        self, budget: int, *, near_threshold: float | None = None, strictest: float | None = None
    ) -> DrawnSample:
        """Draw pairs to be labelled, and keep the draw.

        Args:
            budget: Pairs of the sample, in all: a larger one holds the smaller, and labels that there are stay.
            near_threshold: None for a sample for estimates. A likelihood for the unlabelled pairs nearest to it, which
                no estimate counts.
            strictest: The strictest threshold to judge, .5 to 1; None for that of the last sample, or .98.

        Raises:
            SettingsError: A value is not allowed, or there is no pair to label.

        Example:
            >>> drawn = workbench.draw_label_sample(20)
            >>> drawn.sample.items == drawn.strata["drawn"].sum()
            True
        """
        return pipeline.draw_sample(self.workspace, budget, near_threshold=near_threshold, strictest=strictest)

    def next_pair_to_label(self) -> PairToLabel | None:
        """The next pair of the latest sample that waits for a label; None where none does.

        Example:
            >>> _ = workbench.draw_label_sample(20)
            >>> pair = workbench.next_pair_to_label()
            >>> pair.digest_a < pair.digest_b
            True
        """
        return pipeline.next_pair(self.workspace)

    def label(self, first: str, second: str, verdict: Verdict | str, note: str = "") -> tuple[str, str]:
        """Say of two pictures whether they are the same; saying it again changes it. Nothing is removed by it.

        Args:
            first: A digest or how it begins, "location:path" of an indexed file, or its path.
            second: The same.
            verdict: "same", "different" or "unsure".
            note: In your words.

        Returns:
            The two digests, the smaller first.

        Raises:
            UnknownNameError: There is no such picture or verdict.
            SettingsError: The two are one picture.

        Example:
            >>> _ = workbench.draw_label_sample(20)
            >>> pair = workbench.next_pair_to_label()
            >>> workbench.label(pair.digest_a, pair.digest_b, "same") == (pair.digest_a, pair.digest_b)
            True
        """
        return pipeline.label_pair(self.workspace, first, second, verdict, note).pair

    def pair_looks(self, digest_a: str, digest_b: str) -> PairLooks:
        """Both pictures of a pair, one laid on the other, and where they differ, as `PairView` shows them.

        Args:
            digest_a: A picture; the other is laid on it.
            digest_b: The other one.

        Example:
            >>> pair = workbench.pairs(["copy"]).row(0, named=True)
            >>> workbench.pair_looks(pair["digest_a"], pair["digest_b"]).unlike < 0.2
            True
        """
        return pipeline.pair_looks(self.workspace, digest_a, digest_b)

    def withdraw_label(self, first: str, second: str, who: str | None = None) -> pl.DataFrame:
        """Take a label back: no estimate counts it any more, and `labels(withdrawn=True)` lists it.

        Args:
            first: As for `label`.
            second: The same.
            who: Whose label; None for your own.

        Raises:
            SettingsError: There is no such label.

        Example:
            >>> _ = workbench.draw_label_sample(20)
            >>> pair = workbench.next_pair_to_label()
            >>> _ = workbench.label(pair.digest_a, pair.digest_b, "unsure")
            >>> workbench.withdraw_label(pair.digest_a, pair.digest_b)["verdict"].to_list()
            ['unsure']
        """
        return pipeline.withdraw_label(self.workspace, first, second, who)

    def labels(self, *, withdrawn: bool = False) -> pl.DataFrame:
        """Every label, the latest first: the pair, verdict, who, when, note, and a place of either picture.

        Args:
            withdrawn: Also those that were withdrawn, with who did it and when.

        Example:
            >>> workbench.labels().columns[:4]
            ['digest_a', 'digest_b', 'verdict', 'who']
        """
        return pipeline.list_labels(self.workspace, withdrawn=withdrawn)

    def label_progress(self) -> list[LabelProgress]:
        """How far the labelling of each sample is, the latest first.

        Example:
            >>> _ = workbench.draw_label_sample(20)
            >>> progress = workbench.label_progress()[0]
            >>> progress.labelled + progress.left + progress.gone == progress.sample.items
            True
        """
        return pipeline.label_progress(self.workspace)

    def import_labels(self, path: Path | str) -> LabelImport:
        """Read labels from a CSV file, all of them or none; or let the truth of a benchmark folder stand for a person.

        Args:
            path: A CSV file as `labels().write_csv` makes it, with columns digest_a, digest_b or place_a, place_b, and
                verdict; or a folder with manifest.csv, which labels the latest sample, or every stored pair where
                none was drawn.

        Raises:
            SettingsError: It cannot be read or a line is wrong.

        Example:
            >>> file = folder / "labels.csv"
            >>> workbench.labels().write_csv(file)
            >>> workbench.import_labels(file).labels == workbench.labels().height
            True
        """
        source = Path(path)
        if not source.is_dir():
            return pipeline.import_labels(self.workspace, source)
        samples = self.workspace.ledger.label_samples()
        return pipeline.import_benchmark(self.workspace, source, samples[0].sample_id if samples else None)

    def evaluate(self, rule: RuleLike = None, *, confidence: float = 0.95) -> Evaluation:
        """How good the proposals of a rule are, by the labels: precision and recall with their intervals.

        Args:
            rule: A Rule, Thresholds, a name, or None for the rule in use.
            confidence: Of the intervals.

        Raises:
            TooFewLabelsError: No sample was drawn, or nothing of it is labelled.

        Example:
            >>> _ = workbench.draw_label_sample(20)
            >>> pair = workbench.next_pair_to_label()
            >>> if pair is not None:
            ...     _ = workbench.label(pair.digest_a, pair.digest_b, "same")
            >>> evaluation = workbench.evaluate()
            >>> evaluation.precision.low <= evaluation.precision.high
            True
        """
        return pipeline.evaluate(self.workspace, chosen_rule(self.workspace, rule), confidence=confidence)

    def recommend(self, precision: float = 0.99, *, confidence: float = 0.95) -> RecommendedThreshold:
        """The loosest threshold at which the labels show this precision, or what they do show.

        Args:
            precision: Least share of the copies proposed that are to be right.
            confidence: How sure to be of that.

        Raises:
            TooFewLabelsError: As `evaluate`.

        Example:
            >>> _ = workbench.draw_label_sample(20)
            >>> pair = workbench.next_pair_to_label()
            >>> if pair is not None:
            ...     _ = workbench.label(pair.digest_a, pair.digest_b, "same")
            >>> workbench.recommend().found.said.endswith(".")
            True
        """
        return pipeline.recommend(self.workspace, precision, confidence=confidence)
