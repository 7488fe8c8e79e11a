"""The figures of `benchmarks.copies` as tables for people.

Takes a report as it is kept, prints it; must not compute a figure.
"""

from __future__ import annotations

from typing import Any

from benchmarks.rivals import print_rivals

__all__ = ["print_tables"]

_KEYS = {
    "micro_ap": "micro-AP",
    "recall_at_precision_0.99": "R@P0.99",
    "recall_at_precision_0.999": "R@P0.999",
    "recall_of_all_listed": "all listed",
}
_FACTS = (
    *("date", "seed", "machine", "pictures", "index_seconds", "stages_cpu_seconds", "not_analysed", "missing_features"),
    *("pairs_stored", "pairs_per_picture", "verification", "same"),
)


def print_tables(report: dict[str, Any]) -> None:
    """Print a report of `benchmarks.copies`."""
    for key in _FACTS:
        print(f"{key.replace('_', ' ')}: {report[key]}")
    _print_pairs(report["rows"])
    for key in ("removals", "removals_with_composites"):
        _print_removals(key.replace("_", " "), report[key])
    _print_families(report["families"], report["relations"])
    if "rivals" in report:
        print_rivals(report["rivals"])


def _print_pairs(rows: list[dict[str, Any]]) -> None:
    for view in [key for key in rows[0] if key != "signal"]:
        print(f"\n{'query-reference pairs, ' + view:<44}" + "".join(f"{head:>12}" for head in _KEYS.values()))
        for row in rows:
            print(f"{row['signal']:<44}" + "".join(f"{row[view][key]:>12.3f}" for key in _KEYS))


def _print_removals(title: str, removals: dict[str, Any]) -> None:
    heads = ("proposed", "precision", "recall", "wrong", "twice", "originals", "kept")
    print(f"\n{title:<28}" + "".join(f"{head:>11}" for head in heads))
    for view, of in removals.items():
        figures = f"{of['proposed']:>11}{of['precision']:>11.4f}{of['recall']:>11.4f}{len(of['wrong']):>11}"
        kept = f"{of['proposed_twice']:>11}{of['originals_removed']:>11}{of['originals_kept']:>11}"
        print(f"{view:<28}{figures}{kept}")
    stand_ins = ", ".join(f"{family} {count}" for family, count in removals["full"]["original_keepers"].items())
    print(f"  originals give way to: {stand_ins or 'nothing'}")
    for keeper, removed in removals["full"]["wrong"]:
        print(f"  wrong: {removed} for {keeper}")


def _print_families(families: dict[str, Any], relations: dict[str, Any]) -> None:
    heads = ("pictures", "removed", "kept", "wrong", "left", "removed_with_composites")
    names = list(next(iter(families.values()))["pair_recall_of_single_signals"]) if families else []
    recalls = ("", *(f" {name}" for name in names))
    shown_heads = "".join(f"{head.replace('removed_with_composites', '+composites'):>12}" for head in heads)
    print(f"\n{'family':<16}{shown_heads}" + "".join(f"{'R@P.99' + name:>20}" for name in recalls) + "  relations")
    for family, of in families.items():
        cells = [of["pair_recall_at_precision_0.99"], *of["pair_recall_of_single_signals"].values()]
        shown = "".join(f"{'-' if cell is None else f'{cell:.3f}':>20}" for cell in cells)
        counts = ", ".join(f"{name} {count}" for name, count in relations.get(family, {}).items())
        print(f"{family:<16}" + "".join(f"{of[head]:>12}" for head in heads) + shown + f"  {counts}")
    for family in relations.keys() - families.keys():
        print(f"{family:<16}  " + ", ".join(f"{name} {count}" for name, count in relations[family].items()))
