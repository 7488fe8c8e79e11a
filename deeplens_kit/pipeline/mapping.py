"""The map of a workspace: where each picture lies, beside what is known of it.

Takes an open workspace and the name of a feature, gives places and facts; writes the cache of layouts and nothing
else. Groups come from pairs by a rule: nothing here or in the map decides on a distance between two places.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from deeplens_kit.errors import UnknownNameError
from deeplens_kit.explore import NEIGHBOURS
from deeplens_kit.features import vector_names
from deeplens_kit.matching import Rule
from deeplens_kit.pipeline.file_listing import active_files
from deeplens_kit.pipeline.findings import list_groups
from deeplens_kit.pipeline.map_cache import LayoutKey
from deeplens_kit.pipeline.map_places import PlaceFinder
from deeplens_kit.pipeline.progress import ProgressListener, ProgressMeter
from deeplens_kit.pipeline.workspace import Workspace
from deeplens_kit.schemas import MAP_POINTS, FeatureSpec, Outcome, Tier

__all__ = ["PictureMap", "best_places", "has_feature", "map_pictures", "spec_of"]

_PICTURE_COLUMNS = ["digest", "size_bytes", "width_px", "height_px", "format", "dated_at", "features"]
_STRENGTH = {str(tier): number for number, tier in enumerate(Tier)}


@dataclass(frozen=True, slots=True)
class PictureMap:
    """Pictures on a map. Distances on it are no evidence.

    Attributes:
        points: MAP_POINTS, by digest.
        feature: The feature by which alike pictures lie together.
        pictures: Pictures in the workspace.
        without_vector: Those that have no vector of the feature and are not on the map.
        seconds: What making it took.
        cached: The places were computed before.
        placed_later: Pictures that came after the map was laid out and were put among those that are most like them.
        unread: Files that could not be analysed, so that nothing of them is on the map.
    """

    points: pl.DataFrame
    feature: str
    pictures: int
    without_vector: int
    seconds: float
    cached: bool
    placed_later: int = 0
    unread: int = 0


def map_pictures(
    workspace: Workspace,
    feature: str = "sscd_small",
    *,
    seed: int = 0,
    neighbours: int = NEIGHBOURS,
    rule: Rule | None = None,
    refit: bool = False,
    progress: ProgressListener | None = None,
) -> PictureMap:
    """Lay out the pictures of a workspace by one of its vector features.

    A map stays as people know it while its pictures nearly stay (`REUSED_SHARE`): those that went leave it, and new
    ones are put among those that are most like them. The same map and the same new pictures give the same places.

    Args:
        workspace: An open workspace.
        feature: A vector feature, for example "sscd_small" (alike as copies) or "efficientnet_lite0" (by what they
            show). Where no picture has it yet the map is empty and says how many pictures lack it.
        seed: 0..2^32 - 1; the same seed gives the same map.
        neighbours: Neighbours that each picture is held to, at least 2.
        rule: For the groups that the points tell of; the places do not depend on it. None for the rule in use.
        refit: Lay all pictures out together, also where a few came or went since the last time.
        progress: Told how many pictures have their place.

    Raises:
        UnknownNameError: There is no such vector feature; names those that pictures have.
        SettingsError: A value out of range.
        ExtraMissingError: umap-learn is not installed.
    """
    began = time.perf_counter()
    # 1. The pictures that files hold now, and those of them that have the feature.
    listed = active_files(workspace).drop("place").filter(pl.col("outcome") != Outcome.GONE)
    files = listed.filter(pl.col("outcome") == Outcome.INDEXED)
    pictures = workspace.catalog.pictures(columns=_PICTURE_COLUMNS).join(files, on="digest", how="semi").sort("digest")
    spec = spec_of(workspace, feature, pictures)
    having = pictures.filter(has_feature(spec))["digest"].to_list() if spec else []
    # 2. Their places, from the cache or made.
    meter = ProgressMeter(progress, "", "map", len(having))
    key = LayoutKey.of(having, spec.key if spec else "", seed, neighbours)
    placed = PlaceFinder(workspace, spec, key, lambda done: meter.advance(done - meter.done)).found(refit=refit)
    meter.advance(len(having) - meter.done)
    meter.finish()
    # 3. What is known of each.
    points = _points(having, placed.places, pictures, files, list_groups(workspace, rule=rule).groups)
    return PictureMap(
        points=points,
        feature=feature,
        pictures=pictures.height,
        without_vector=pictures.height - points.height,
        seconds=time.perf_counter() - began,
        cached=placed.cached,
        placed_later=placed.later,
        unread=listed.height - files.height,
    )


def spec_of(workspace: Workspace, feature: str, pictures: pl.DataFrame) -> FeatureSpec | None:
    """The stored feature of this name that most pictures have; None where no picture has one."""
    # A region's vector is no picture's.
    stored = [spec for spec in workspace.catalog.vector_specs() if spec.kind == "vector"]
    named = [spec for spec in stored if spec.name == feature]
    if not named and feature not in (vectors := vector_names(workspace.settings.features)):
        raise UnknownNameError("feature with vectors", feature, {spec.name for spec in stored} or vectors)
    held = [(pictures.filter(has_feature(spec)).height, spec.key, spec) for spec in named]
    best = max(held, key=lambda item: item[:2], default=None)
    return best[2] if best and best[0] else None


def has_feature(spec: FeatureSpec) -> pl.Expr:
    """Whether a picture has a feature, by its column `features`."""
    return pl.col("features").str.split(",").list.contains(spec.key)


def _points(
    digests: list[str], places: NDArray[np.float32], pictures: pl.DataFrame, files: pl.DataFrame, groups: pl.DataFrame
) -> pl.DataFrame:
    points = pl.DataFrame(
        {
            "digest": pl.Series(digests, dtype=pl.String),
            "x": pl.Series(places[:, 0], dtype=pl.Float32),
            "y": pl.Series(places[:, 1], dtype=pl.Float32),
        }
    ).filter(pl.col("x").is_finite() & pl.col("y").is_finite())
    joined = (
        points.join(pictures.drop("features"), on="digest", how="left")
        .join(best_places(files, groups), on="digest", how="left")
        .join(_standing(groups), on="digest", how="left")
        .join(_oldest(files), on="digest", how="left")
        .with_columns(
            pl.col("dated_at").fill_null(pl.col("written_at")),
            pl.col("tier", "group_id").fill_null(""),
            pl.col("is_keeper").fill_null(False),
            pl.col("reclaimable_bytes").fill_null(0),
        )
    )
    return MAP_POINTS.check(joined.select(MAP_POINTS.names).sort("digest"))


def _oldest(files: pl.DataFrame) -> pl.DataFrame:
    """By digest: when the oldest of its files was written, UTC without saying so."""
    return files.group_by("digest").agg(written_at=pl.col("modified_at").min().dt.replace_time_zone(None))


def best_places(files: pl.DataFrame, groups: pl.DataFrame) -> pl.DataFrame:
    """By digest: the place of the object that stays, else the first by name, and how many objects there are."""
    stays = groups.filter("is_keeper").select("object_id").unique()
    return (
        files.select("digest", "location", "path", "object_id")
        .with_columns(later=~pl.col("object_id").is_in(stays["object_id"].implode()))
        .sort("digest", "later", "location", "path")
        .group_by("digest", maintain_order=True)
        .agg(pl.col("location").first(), pl.col("path").first(), objects=pl.len().cast(pl.Int64))
    )


def _standing(groups: pl.DataFrame) -> pl.DataFrame:
    """By digest: the strongest tier proposed in its groups, that group, whether it stays, and what its objects free."""
    strength = pl.col("tier").replace_strict(_STRENGTH, return_dtype=pl.Int8)
    proposed = groups.filter(~pl.col("is_keeper")).with_columns(strength=strength)
    strongest = (
        proposed.sort("strength").group_by("group_id", maintain_order=True).agg(pl.col("tier", "strength").first())
    )
    return (
        groups.drop("tier")
        .join(strongest, on="group_id")
        .sort("digest", "strength", "group_id")
        .group_by("digest", maintain_order=True)
        .agg(
            pl.col("tier", "group_id").first(),
            is_keeper=pl.col("is_keeper").any(),
            reclaimable_bytes=pl.col("frees_bytes").sum(),
        )
    )
