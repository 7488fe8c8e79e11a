"""The command that says why: why files are a group, and what stands between a file and all others.

Takes a group or an indexed file, gives each match with its evidence term by term; reads the workspace alone.
"""

from __future__ import annotations

from typing import Annotated

import typer

from deeplens_kit.cli.answers import Answer, Csv, Json, check_outputs, give
from deeplens_kit.cli.choices import INCLUDABLE, PROPOSED_TIERS, Include, ProposedTier, RuleName, chosen
from deeplens_kit.cli.invocation import opened
from deeplens_kit.cli.policy_command import Policy
from deeplens_kit.cli.standing import say_notes
from deeplens_kit.cli.tables import print_lines

__all__ = ["explain"]

_TOLD_MATCHES = 20


def explain(
    context: typer.Context,
    what: Annotated[
        str,
        typer.Argument(
            metavar="WHAT",
            help="The id of a group or how it begins, location:path of an indexed file, or its path.",
            show_default=False,
        ),
    ],
    tier: ProposedTier = None,
    include: Include = None,
    policy: Policy = None,
    rule: RuleName = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Matches at most that are told of; by default 20.")] = None,
    as_json: Json = False,
    csv: Csv = None,
) -> None:
    """Explain a group or an indexed file: why it stays or could go, and what each score is made of. Reads no file."""
    check_outputs(csv)
    with opened(context, csv) as workspace:
        from deeplens_kit import pipeline
        from deeplens_kit.reporting.explanation_summary import ExplanationSummary
        from deeplens_kit.reporting.policy_words import policy_notes

        widened = chosen("relation", include, INCLUDABLE) or []
        tiers = chosen("tier", tier, PROPOSED_TIERS)
        judged = pipeline.chosen_rule(workspace, rule)
        keep = pipeline.chosen_policy(workspace, policy)
        found = pipeline.explain(workspace, what, tiers=tiers, rule=judged, include=widened, policy=keep)
        notes = [*pipeline.caveats(workspace, current=found.current), *policy_notes(keep)]
    told = ExplanationSummary(found, limit or _TOLD_MATCHES)
    summary: dict[str, object] = {"kind": "file" if found.group_id is None else "group", "group_id": found.group_id}
    summary |= {"file": found.file, "groups": told.groups, "matches": told.counts, "frees_bytes": told.frees_bytes}
    summary |= {"rule": found.rule.name, "rule_version": found.rule.version, "pictures": found.pictures}
    summary |= {"policy": keep.name, "included": sorted(set(widened)), "current": found.current, "notes": notes}
    say_notes(notes)
    if not as_json and csv is None:
        print_lines(told.lines)
    lists = {"evidence": told.evidence, "waiting": found.waiting}
    give(Answer("explain", told.matches, None, summary, (), lists), as_json=as_json, csv=csv)
