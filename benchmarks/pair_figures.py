"""The figures of copies as every table and file of results names them; must not compute any."""

from __future__ import annotations

from benchmarks.copy_scores import PRECISIONS, PairScores, RemovalScores

__all__ = ["pair_figures", "removal_figures"]


def pair_figures(scores: PairScores) -> dict[str, object]:
    """Figures of a ranking of pairs."""
    recall = {f"recall_at_precision_{level}": scores.recall_at[level] for level in PRECISIONS}
    return {
        "pairs_listed": scores.listed,
        "positives": scores.positives,
        "recall_of_all_listed": scores.recall,
        "precision_of_all_listed": scores.precision,
        "micro_ap": scores.micro_ap,
        **recall,
    }


def removal_figures(scores: RemovalScores) -> dict[str, object]:
    """Figures of proposed removals."""
    return {
        "proposed": scores.proposed,
        "precision": scores.precision,
        "recall": scores.recall,
        "proposed_twice": scores.proposed_twice,
        "wrong": [list(pair) for pair in scores.wrong],
        "originals_removed": scores.originals_removed,
        "originals_kept": scores.originals_kept,
        "original_keepers": dict(scores.original_keepers),
    }
