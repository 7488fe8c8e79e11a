"""What is proposed, and what is done with users' files: the only package that removes, moves or overwrites them.

Plans are made here from frames and are data. Acting takes the steps of an approved plan, opened locations and a
journal, and gives what became of each step. Whatever is done is written to the journal before and after, goes to
quarantine first, and is undone by the same journal. Any doubt: the step is skipped, and why is told.
"""

from deeplens_kit.actions.act_values import ActStep, ApplyOptions, FileAt, Outcome, SkipCode, StepResult, steps_of
from deeplens_kit.actions.acting import Acting, Came
from deeplens_kit.actions.carrying import Unsettled
from deeplens_kit.actions.ground import Ground, JournalUnwritable, no_boundary, no_content, nothing_protected
from deeplens_kit.actions.history import StepHistory, history_of
from deeplens_kit.actions.left_out import LEFT_OUT, LEFT_OUT_WORDS, LeftOut
from deeplens_kit.actions.merge_steps import Sidecar, sidecar_path, telling_steps, with_sidecars
from deeplens_kit.actions.plan_checks import check_plan, decided_against
from deeplens_kit.actions.plan_diff import PLAN_DIFF, diff_steps
from deeplens_kit.actions.plan_digest import steps_digest, steps_from_parts, steps_to_parts
from deeplens_kit.actions.plan_files import (
    CheckedManifest,
    checked_manifest,
    manifest_pieces,
    rows_of_csv,
    steps_as_csv,
    steps_as_parquet,
    steps_from_csv,
    steps_from_parquet,
)
from deeplens_kit.actions.plan_holds import covered_by_holds
from deeplens_kit.actions.plan_money import PlanPrices, plan_totals
from deeplens_kit.actions.plan_places import PlanPlace
from deeplens_kit.actions.plan_proof import proof_by_location
from deeplens_kit.actions.plan_request import LINK_ACTIONS, PLAN_ACTIONS, PlanRequest
from deeplens_kit.actions.plan_steps import PlanDraft, ordered_steps, plan_steps
from deeplens_kit.actions.plan_trim import chosen_steps, steps_of_rows, trimmed
from deeplens_kit.actions.quarantine import Emptied, empty_items
from deeplens_kit.actions.recovery import settle_open
from deeplens_kit.actions.reference_links import ReferringLink, relinked
from deeplens_kit.actions.reference_names import Redirect, ReferenceNames
from deeplens_kit.actions.reference_steps import REFERENCES, ReferringFile, reference_steps
from deeplens_kit.actions.reference_table import rewrite_table
from deeplens_kit.actions.reference_text import LeftReference, ReferenceChange, Rewritten, TextRewriter
from deeplens_kit.actions.told_metadata import Told, merged, told_by
from deeplens_kit.actions.undoing import UndoReport, UndoTrouble, undo_steps
from deeplens_kit.actions.xmp_sidecar import new_sidecar, sidecar_tells, sidecar_with

__all__ = [
    "LEFT_OUT",
    "LEFT_OUT_WORDS",
    "LINK_ACTIONS",
    "PLAN_ACTIONS",
    "PLAN_DIFF",
    "REFERENCES",
    "ActStep",
    "Acting",
    "ApplyOptions",
    "Came",
    "CheckedManifest",
    "Emptied",
    "FileAt",
    "Ground",
    "JournalUnwritable",
    "LeftOut",
    "LeftReference",
    "Outcome",
    "PlanDraft",
    "PlanPlace",
    "PlanPrices",
    "PlanRequest",
    "Redirect",
    "ReferenceChange",
    "ReferenceNames",
    "ReferringFile",
    "ReferringLink",
    "Rewritten",
    "Sidecar",
    "SkipCode",
    "StepHistory",
    "StepResult",
    "TextRewriter",
    "Told",
    "UndoReport",
    "UndoTrouble",
    "Unsettled",
    "check_plan",
    "checked_manifest",
    "chosen_steps",
    "covered_by_holds",
    "decided_against",
    "diff_steps",
    "empty_items",
    "history_of",
    "manifest_pieces",
    "merged",
    "new_sidecar",
    "no_boundary",
    "no_content",
    "nothing_protected",
    "ordered_steps",
    "plan_steps",
    "plan_totals",
    "proof_by_location",
    "reference_steps",
    "relinked",
    "rewrite_table",
    "rows_of_csv",
    "settle_open",
    "sidecar_path",
    "sidecar_tells",
    "sidecar_with",
    "steps_as_csv",
    "steps_as_parquet",
    "steps_digest",
    "steps_from_csv",
    "steps_from_parquet",
    "steps_from_parts",
    "steps_of",
    "steps_of_rows",
    "steps_to_parts",
    "telling_steps",
    "told_by",
    "trimmed",
    "undo_steps",
    "with_sidecars",
]
