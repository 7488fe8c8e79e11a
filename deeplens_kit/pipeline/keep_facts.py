"""What a keep policy asks of files and no listing says: whether they are protected, and what their place is worth.

Takes an open workspace, its files and a policy, gives the files with the columns of `matching.KEEP_FACTS` that the
policy looks at; must not order or choose.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

import polars as pl

from deeplens_kit.ledger import Location
from deeplens_kit.matching import KEEP_FACTS, KeepCriterion, KeepPolicy
from deeplens_kit.pipeline.file_listing import file_names
from deeplens_kit.pipeline.price_file import PRICES_FILE, workspace_prices
from deeplens_kit.pipeline.workspace import Workspace
from deeplens_kit.savings import LocationPrices
from deeplens_kit.search.path_globs import matches_of

__all__ = ["by_any_name", "path_classes", "policy_state", "with_keep_facts"]

_GB = 10**9
_FILE = ["link_id", "digest"]


def with_keep_facts(
    workspace: Workspace, files: pl.DataFrame, policy: KeepPolicy, names: pl.DataFrame | None = None
) -> pl.DataFrame:
    """The files with what the policy looks at.

    Args:
        workspace: An open workspace.
        files: As `active_files` has them.
        policy: Whose columns are wanted.
        names: As `file_names` has them, by any of which a file is protected; None for those of the workspace.

    Raises:
        SettingsError: A glob or the price book cannot be read.
    """
    facts: dict[str, pl.Series] = {}
    if policy.protects:
        facts["protected"] = _protected(files, file_names(workspace) if names is None else names, policy)
    if KeepCriterion.PATH in policy.criteria:
        facts["path_class"] = path_classes(files["path"], policy)
    if KeepCriterion.REFERENCES in policy.criteria:
        facts["notes"] = _notes(workspace, files["digest"])
    placed = {KeepCriterion.CHEAPER, KeepCriterion.REPLICATED, KeepCriterion.IMMUTABLE}.intersection(policy.criteria)
    if placed:
        facts |= _places(workspace, files)
    return files.with_columns(series.cast(KEEP_FACTS[name]).alias(name) for name, series in facts.items())


def policy_state(workspace: Workspace, policy: KeepPolicy) -> str:
    """Everything that groups depend on for the policy, besides the catalog and the names of locations.

    Args:
        workspace: An open workspace.
        policy: In use.
    """
    depends: list[object] = [policy.to_json()]
    criteria = set(policy.criteria)
    if criteria & {KeepCriterion.CHEAPER, KeepCriterion.REPLICATED, KeepCriterion.IMMUTABLE}:
        book = workspace.directory / PRICES_FILE
        depends.append(book.read_text(encoding="utf-8", errors="replace") if book.is_file() else "")
        depends += [[item.location_id, *_options(item)] for item in workspace.ledger.locations()]
    if KeepCriterion.REFERENCES in criteria:
        depends.append(list(workspace.ledger.notes_version()))
    return json.dumps(depends)


def _protected(files: pl.DataFrame, names: pl.DataFrame, policy: KeepPolicy) -> pl.Series:
    """Whether a file is protected by any of its names."""
    chosen = names["location"].is_in(list(policy.protected_locations)).fill_null(False)
    if policy.protected_paths:
        chosen |= pl.Series(matches_of(names["path"], policy.protected_paths))
    return by_any_name(files, names.filter(chosen)).alias("protected")


def by_any_name(files: pl.DataFrame, kept: pl.DataFrame) -> pl.Series:
    """Whether any name of each file is among some: where locations overlap one of its names stands for it in `files`.

    Args:
        files: Columns place, path, link_id and digest.
        kept: The same columns, of names.

    Returns:
        Boolean, for each of the files.
    """
    place = pl.col("place") + pl.col("path")
    linked = kept.filter(pl.col("link_id").is_not_null()).select(*_FILE, by_link=pl.lit(True)).unique()
    marked = files.select(*_FILE, by_name=place.is_in(kept.select(place).to_series().implode()).fill_null(False)).join(
        linked, on=_FILE, how="left", maintain_order="left"
    )
    return marked.select(pl.col("by_name") | pl.col("by_link").fill_null(False)).to_series()


def path_classes(paths: pl.Series, policy: KeepPolicy) -> pl.Series:
    """Of each path the place of the first glob that prefers it, counted from the end; -1 where it is avoided."""
    classes = pl.Series(matches_of(paths, policy.avoided_paths) if policy.avoided_paths else [False] * len(paths))
    found = classes.cast(pl.Int32) * -1
    for number, glob in enumerate(reversed(policy.preferred_paths), start=1):
        preferred = pl.Series(matches_of(paths, [glob]))
        found = found.zip_with(~preferred, pl.Series([number], dtype=pl.Int32).new_from_index(0, len(paths)))
    return found


def _notes(workspace: Workspace, digests: pl.Series) -> pl.Series:
    """How much people said of each picture: its tags, its collection, and each text."""
    counts: dict[str, int] = {}
    for note in workspace.ledger.notes():
        said = len(note.tags) + sum(map(bool, (note.collection, note.description, note.category, note.source)))
        counts[note.digest] = counts.get(note.digest, 0) + said
    return (
        digests.replace_strict(counts, default=0, return_dtype=pl.Int32)
        if counts
        else pl.zeros(len(digests), pl.Int32, eager=True)
    )


def _places(workspace: Workspace, files: pl.DataFrame) -> dict[str, pl.Series]:
    """place_cost, place_copies and place_immutable, which are one for each location and storage class."""
    book = workspace_prices(workspace)
    locations = {item.location_id: item for item in workspace.ledger.locations()}
    kinds = files.select("location_id", "storage_class").unique()
    rows = []
    for location_id, storage_class in kinds.iter_rows():
        # A file that is held against others need not lie in a location.
        location = locations.get(location_id)
        prices = book.of(location.name) if book is not None and location is not None else None
        copies, immutable = _options(location)
        rows.append((location_id, storage_class, *_priced(prices, storage_class, copies), immutable))
    columns = ("place_cost", "place_copies", "place_immutable")
    schema = {"location_id": pl.String(), "storage_class": pl.String(), **{name: KEEP_FACTS[name] for name in columns}}
    known = pl.DataFrame(rows, schema=schema, orient="row")
    joined = files.select("location_id", "storage_class").join(
        known, on=["location_id", "storage_class"], how="left", nulls_equal=True, maintain_order="left"
    )
    return {name: joined[name] for name in columns}


def _options(location: Location | None) -> tuple[int, bool]:
    options: Mapping[str, object] = location.options if location is not None else {}
    return int(str(options.get("redundancy", 1))), bool(options.get("immutable", False))


def _priced(prices: LocationPrices | None, storage_class: str | None, copies: int) -> tuple[float | None, int]:
    """What 1,000,000,000 bytes cost a month with all copies that are paid for, and how many copies there are."""
    of_class = prices.of_class(storage_class) if prices is not None else None
    if prices is None or of_class is None:
        return None, copies
    paid = int(of_class.replication_factor)
    if of_class.storage_per_gb_month is None:
        return None, max(copies, paid)
    cost = of_class.storage_per_gb_month * of_class.replication_factor * _GB / prices.gb_bytes
    return float(cost), max(copies, paid)
