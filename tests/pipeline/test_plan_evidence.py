"""What a plan says of the labels behind its copies."""

from __future__ import annotations

import pytest

from deeplens_kit.pipeline.plan_evidence import evidence_sentence


@pytest.mark.parametrize(
    ("lower", "recommended", "says"),
    [
        (0.98765, 0.97, "98.7 % is one at least; for 99% they support a likelihood from 0.97 on."),
        (0.99999, None, "99.9 % is one at least; they support no threshold at 99%."),
        (1.0, 0.9, "100.0 % is one at least"),
    ],
)
def test_what_labels_show_is_rounded_down(lower: float, recommended: float | None, says: str) -> None:
    evidence = {
        "labels": 400, "precision": 1.0, "lower": lower, "confidence": 0.95, "recommended": recommended,
        "recommended_precision": 0.99,
    }  # fmt: skip
    assert says in evidence_sentence(evidence)
    assert evidence_sentence(evidence).startswith("400 labelled pairs show, with confidence 95%")


def test_without_labels_that_is_said() -> None:
    said = evidence_sentence({"labels": 0, "missing": "There is no sample to judge by yet."})
    assert said == "Copies rest on the rule alone, no label supports them: There is no sample to judge by yet."
