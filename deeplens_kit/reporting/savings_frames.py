"""What the savings report is made of, asked of an open workspace once.

Takes an open workspace, tiers and a rule, gives frames and the report described from them; must not open a store, draw
or write. The sums come from the same functions as those of `deeplens savings`.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

import polars as pl

from deeplens_kit.errors import SettingsError, UnknownNameError
from deeplens_kit.matching import KeepPolicy, Rule, Thresholds
from deeplens_kit.reporting.duplicates_view import ranked_groups
from deeplens_kit.reporting.policy_words import policy_notes
from deeplens_kit.reporting.rule_words import rule_notes
from deeplens_kit.reporting.savings_details import ReportAsked, catalog_versions, with_details
from deeplens_kit.reporting.savings_report import MAX_GROUPS, SavingsFrames, SavingsReport, describe_savings
from deeplens_kit.schemas import Tier
from deeplens_kit.storage.paths import display_path

if TYPE_CHECKING:
    from deeplens_kit.pipeline import Workspace

__all__ = ["gather_savings", "report_savings", "require_asked"]

_PROPOSED = (Tier.BYTES, Tier.PIXELS, Tier.COPY)
# Inclusive. Their pictures are within the page, some 50 kB a group: no browser likes more.
_MOST_GROUPS = 1000
_FACTS = ["digest", "format", "width_px", "height_px", "jpeg_quality"]
_RUNS: dict[str, pl.DataType] = {
    "kind": pl.String(),
    "location": pl.String(),
    "run_id": pl.String(),
    "state": pl.String(),
    "started_at": pl.Datetime("us", "UTC"),
    "finished_at": pl.Datetime("us", "UTC"),
}


def report_savings(
    workspace: Workspace,
    *,
    tiers: Sequence[str] = (),
    rule: Rule | Thresholds | str | None = None,
    max_groups: int = MAX_GROUPS,
    policy: KeepPolicy | str | None = None,
    parameters: Mapping[str, str] | None = None,
    now: datetime | None = None,
    report_name: str = "savings",
) -> SavingsReport:
    """The savings of a workspace as they are now, described.

    Args:
        workspace: An open workspace.
        tiers: Tiers to count: bytes, pixels, copy; none for those of the rule.
        rule: When a pair is a copy, by itself, by bounds or by its name; None or an empty text for the rule in use.
        max_groups: Groups that are shown with their pictures, 0..1,000.
        policy: Which copy stays, by itself, by its name or a file; None or an empty text for the policy in use.
        parameters: Those of the run in the ledger that this report is made by: it is compared with the last finished
            run that had just these; None for the last one, whatever it had.
        now: When that is, with a zone; None for now.
        report_name: What the ledger calls the runs that it is compared with.

    Raises:
        SettingsError: `max_groups` is out of its range, or the policy cannot be read.
        UnknownNameError: A tier that does not exist, or that is never proposed; or there is no such policy.
    """
    from deeplens_kit.pipeline import caveats, chosen_policy, chosen_rule

    require_asked(tiers, max_groups)
    keep, judged = chosen_policy(workspace, policy or None), chosen_rule(workspace, rule or None)
    made_at = now or datetime.now().astimezone()
    asked = ReportAsked(judged, keep, tuple(tiers), made_at, parameters, catalog_versions(workspace), report_name)
    frames = gather_savings(workspace, tiers=tiers, rule=judged, policy=keep, max_groups=max_groups)
    report = describe_savings(
        frames,
        workspace=display_path(workspace.directory.name),
        made_at=made_at,
        version=_version(),
        rule=judged,
        notes=[*rule_notes(judged), *policy_notes(keep), *caveats(workspace, current=frames.current)],
        max_groups=max_groups,
    )
    return with_details(workspace, report, frames.groups, asked)


def require_asked(tiers: Sequence[str], max_groups: int) -> None:
    """Refuse what a report cannot be asked for.

    Raises:
        SettingsError: `max_groups` is out of its range.
        UnknownNameError: A tier that does not exist, or that is never proposed.
    """
    if not 0 <= max_groups <= _MOST_GROUPS:
        raise SettingsError(f"max_groups is {max_groups}; it must be from 0 to {_MOST_GROUPS:,}.")
    for tier in tiers:
        if tier not in _PROPOSED:
            raise UnknownNameError("tier", tier, map(str, _PROPOSED))


def gather_savings(
    workspace: Workspace,
    *,
    tiers: Sequence[str] = (),
    rule: Rule | None = None,
    policy: KeepPolicy | None = None,
    max_groups: int = MAX_GROUPS,
) -> SavingsFrames:
    """The frames of a report on savings.

    Args:
        workspace: An open workspace.
        tiers: Tiers to count; none for those of the rule.
        rule: When a pair is a copy; None for the rule in use.
        policy: Which copy stays; None for the policy in use.
        max_groups: Groups that are shown: pairs and facts of pictures are read of these alone.

    Raises:
        UnknownNameError: A tier that does not exist, or that is never proposed.
    """
    from deeplens_kit.pipeline import coverage, list_failures, list_groups, of_active_locations, savings_of_groups

    require_asked(tiers, max_groups)
    view = list_groups(workspace, list(tiers) or None, rule=rule, policy=policy)
    named = _shown(view.groups, max_groups)
    return SavingsFrames(
        groups=view.groups,
        withheld=view.withheld,
        pairs=_pairs_among(workspace, named),
        pictures=workspace.catalog.pictures(digests=named.to_list(), columns=_FACTS),
        coverage=of_active_locations(workspace, coverage(workspace)),
        failures=of_active_locations(workspace, list_failures(workspace)),
        savings=savings_of_groups(workspace, view.groups),
        runs=_runs(workspace),
        features=_features(workspace),
        current=view.current,
    )


def _shown(groups: pl.DataFrame, max_groups: int) -> pl.Series:
    """Digests of the groups that are shown."""
    shown = ranked_groups(groups).head(max_groups).select("group_id")
    return groups.join(shown, on="group_id", how="semi")["digest"].unique()


def _pairs_among(workspace: Workspace, digests: pl.Series) -> pl.DataFrame:
    """The stored pairs of which both ends are among some, a part in memory at a time."""
    from deeplens_kit.schemas import PAIRS

    few = digests.implode()
    both = pl.col("digest_a").is_in(few) & pl.col("digest_b").is_in(few)
    parts = (part.filter(both) for part in workspace.catalog.pair_parts())
    return pl.concat([PAIRS.empty(), *parts])


def _version() -> str:
    # The package is loaded, or this would not run; to import it from here would import all that it names.
    return str(sys.modules[__name__.partition(".")[0]].__version__)


def _runs(workspace: Workspace) -> pl.DataFrame:
    """The runs that the answer rests on: the last index run at each location, and the last matching."""
    from deeplens_kit.pipeline import last_runs

    names = {item.location_id: item.name for item in workspace.ledger.locations()}
    indexed = last_runs(workspace)
    matched = [run for run in workspace.ledger.runs() if run.kind == "match" and run.state == "finished"]
    last = [indexed[key] for key in names if key in indexed]
    last += sorted(matched, key=lambda run: run.started_at)[-1:]
    rows = [
        (run.kind, names.get(run.location_id or "", ""), run.run_id, str(run.state), run.started_at, run.finished_at)
        for run in last
    ]
    return pl.DataFrame(rows, schema=pl.Schema(_RUNS), orient="row").sort("started_at", "run_id")


def _features(workspace: Workspace) -> tuple[str, ...]:
    lists = workspace.catalog.pictures(columns=["features"])["features"].unique()
    return tuple(sorted({key for text in lists for key in text.split(",") if key}))
