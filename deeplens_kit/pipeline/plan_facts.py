"""What planning has to know besides groups: what locations can do, and what speaks against acting on a file.

Takes an open workspace, gives frozen values and frames; must not choose what to do, or touch a file.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime

import polars as pl

from deeplens_kit.actions import PlanPlace, PlanPrices, covered_by_holds
from deeplens_kit.ledger import Location
from deeplens_kit.matching import DEFAULT_POLICY, KeepPolicy
from deeplens_kit.pipeline.file_listing import file_names
from deeplens_kit.pipeline.keep_facts import by_any_name, with_keep_facts
from deeplens_kit.pipeline.price_file import workspace_prices
from deeplens_kit.pipeline.workspace import Workspace

__all__ = ["files_acted_on", "location_names", "plan_places", "plan_prices", "with_objections"]


def plan_places(workspace: Workspace, *, links: bool = False) -> dict[str, PlanPlace]:
    """What each active location is opened for and can do, by its id.

    Args:
        workspace: An open workspace.
        links: Also which links it can make, which the storage itself has to be asked for.

    Raises:
        CredentialMissingError: The credentials of one are not where they should be.
        LocationUnavailableError: One that is asked cannot be reached.
    """
    return {item.location_id: _place(workspace, item, links) for item in workspace.ledger.locations()}


def _place(workspace: Workspace, location: Location, links: bool) -> PlanPlace:
    kind = workspace.kind_of(location)
    try:
        return PlanPlace(
            location.location_id,
            location.name,
            takes_writing=kind.takes_writing,
            may_change=kind.may_change,
            may_create=kind.may_create,
            immutable=bool(location.options.get("immutable", False)),
            proves_by_token=kind.proves_by_token,
            links=frozenset(str(form) for form in kind.can_link) if links else frozenset(),
            sets_storage_class=kind.can_set_storage_class,
            local=location.url.startswith("file://"),
        )
    finally:
        kind.close()


def location_names(workspace: Workspace) -> dict[str, str]:
    """Names of all locations by id, those that are left out too."""
    return {item.location_id: item.name for item in workspace.ledger.locations(inactive=True)}


def plan_prices(workspace: Workspace, now: datetime | None = None) -> PlanPrices | None:
    """What storing costs by the workspace's price book; None where it has none.

    Raises:
        SettingsError: The price book cannot be read, or says what is not allowed.
    """
    book = workspace_prices(workspace)
    return None if book is None else PlanPrices(book, location_names(workspace), now or datetime.now(UTC))


def with_objections(workspace: Workspace, files: pl.DataFrame, *policies: KeepPolicy) -> pl.DataFrame:
    """Files with `protected` (by any of the policies) and `held` (a hold covers it), by any name that a file has.

    Args:
        workspace: An open workspace.
        files: Columns location, place, path, link_id and digest.
        policies: Keep policies.

    Raises:
        SettingsError: A glob of one cannot be read.
    """
    protected = pl.Series([False], dtype=pl.Boolean).new_from_index(0, files.height)
    for policy in policies:
        if policy.protects:
            protected |= with_keep_facts(workspace, files, _protecting(policy))["protected"]
    return files.with_columns(protected=protected, held=_held(workspace, files))


def files_acted_on(workspace: Workspace, steps: pl.DataFrame) -> pl.DataFrame:
    """The files of steps: location, path and, where the catalog has them, place, link_id and digest.

    Not as `active_files`: of a file that overlapping locations list, the name that a step has may not be the one that
    stands for it there.
    """
    victims = steps.select(
        location=pl.col("victim_location_id").replace_strict(
            location_names(workspace), default=None, return_dtype=pl.String
        ),
        path="victim_path",
    )
    return file_names(workspace).join(victims.unique(), on=["location", "path"], how="right")


def _held(workspace: Workspace, files: pl.DataFrame) -> pl.Series:
    holds = workspace.ledger.holds()
    if not holds:
        return pl.Series([False], dtype=pl.Boolean).new_from_index(0, files.height)
    collections = _collections(workspace) if any(hold.collection for hold in holds) else {}
    ids = {name: location_id for location_id, name in location_names(workspace).items()}
    names = file_names(workspace).with_columns(
        location_id=pl.col("location").replace_strict(ids, default=None, return_dtype=pl.String)
    )
    by_name = by_any_name(files, names.filter(covered_by_holds(names, holds, collections)))
    # A file that the catalog does not know has no other name.
    direct = files.select(
        "path", "digest", location_id=pl.col("location").replace_strict(ids, default=None, return_dtype=pl.String)
    )
    return by_name | covered_by_holds(direct, holds, collections)


def _protecting(policy: KeepPolicy) -> KeepPolicy:
    """What a policy protects and nothing else, so that nothing else is asked of the files."""
    return replace(
        DEFAULT_POLICY,
        name=policy.name,
        protected_locations=policy.protected_locations,
        protected_paths=policy.protected_paths,
    )


def _collections(workspace: Workspace) -> Mapping[str, set[str]]:
    found: defaultdict[str, set[str]] = defaultdict(set)
    for note in workspace.ledger.notes():
        if note.collection:
            found[note.collection].add(note.digest)
    return found
