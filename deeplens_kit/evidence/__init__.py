"""Evidence: from labels to the threshold that can be defended.

Takes candidate pairs, what each threshold proposes, and people's verdicts; gives what to label next, precision and
recall with exact intervals, the curve of bytes against precision, and the threshold that keeps a promise. Must not open
a store or a file, or count a label that no sample drew.
"""

from deeplens_kit.evidence.calibration import Calibration, calibrate
from deeplens_kit.evidence.curve import RemovalCurve, removal_curve
from deeplens_kit.evidence.intervals import Interval, precision, recall
from deeplens_kit.evidence.recommending import MOST_LABELS, Recommendation, recommend
from deeplens_kit.evidence.sampling import draw_boundary, draw_stratified
from deeplens_kit.evidence.strata import Strata, strata_of
from deeplens_kit.evidence.survey import Survey
from deeplens_kit.evidence.tables import CANDIDATES, CURVE, PROPOSALS, SAMPLE, VERDICTS

__all__ = [
    "CANDIDATES",
    "CURVE",
    "MOST_LABELS",
    "PROPOSALS",
    "SAMPLE",
    "VERDICTS",
    "Calibration",
    "Interval",
    "Recommendation",
    "RemovalCurve",
    "Strata",
    "Survey",
    "calibrate",
    "draw_boundary",
    "draw_stratified",
    "precision",
    "recall",
    "recommend",
    "removal_curve",
    "strata_of",
]
