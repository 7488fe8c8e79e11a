"""What labels say of the copies that a plan acts on.

Takes an open workspace and the plan's rule, gives a document; must not label or choose a threshold. Equal bytes and
equal samples are facts and need no label; for copies the plan says what is shown, or that nothing is.
"""

from __future__ import annotations

import math
from typing import Any

from deeplens_kit.errors import TooFewLabelsError
from deeplens_kit.matching import Rule
from deeplens_kit.pipeline.evaluating import evaluate, recommend
from deeplens_kit.pipeline.workspace import Workspace

__all__ = ["copy_evidence", "evidence_sentence"]

_PRECISION = 0.99


def copy_evidence(workspace: Workspace, rule: Rule) -> dict[str, Any]:
    """What labels show of the tier `copy` by a rule, as JSON can hold it.

    Returns:
        labels (pairs of samples with a verdict), and where there are some: precision, lower (at least so much,
        one-sided), confidence, and recommended: the likelihood at which precision is shown to be at least 0.99, None
        where it is at none. `missing` says why there is nothing.
    """
    try:
        judged = evaluate(workspace, rule)
        found = recommend(workspace, _PRECISION)
    except TooFewLabelsError as error:
        return {"labels": 0, "missing": str(error)}
    share = judged.precision
    return {
        "labels": judged.labels.labelled,
        "precision": share.estimate,
        "lower": share.lower,
        "confidence": share.confidence,
        "recommended": found.found.threshold,
        "recommended_precision": _PRECISION,
    }


def evidence_sentence(evidence: dict[str, Any]) -> str:
    """The same for people."""
    if "missing" in evidence:
        return f"Copies rest on the rule alone, no label supports them: {evidence['missing']}"
    # Rounded down: never 100 % unless all of it.
    least = f"{math.floor(evidence['lower'] * 1000) / 10:.1f} %"
    said = (
        f"{evidence['labels']:,} labelled pairs show, with confidence {evidence['confidence']:.0%}, that of what the "
        f"rule calls a copy {least} is one at least"
    )
    asked = f"{evidence['recommended_precision']:.0%}"
    if evidence["recommended"] is None:
        return f"{said}; they support no threshold at {asked}."
    return f"{said}; for {asked} they support a likelihood from {evidence['recommended']} on."
