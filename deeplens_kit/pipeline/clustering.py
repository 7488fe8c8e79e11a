"""The clusters of a workspace: pictures that are alike and no copies of each other, with words for each.

Takes an open workspace and the name of a feature, gives clusters and their pictures; writes the cache of clusters and
words and nothing else. Groups come from pairs by a rule: nothing of a cluster is evidence, and none of its bytes a
saving.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from deeplens_kit.explore import LEAST_PICTURES, Clustering, cluster
from deeplens_kit.explore.plain_words import PLAIN_WORDS
from deeplens_kit.features import Model, Purpose, models
from deeplens_kit.pipeline.cluster_cache import ClusterCache, ClusterKey
from deeplens_kit.pipeline.cluster_naming import name_clusters
from deeplens_kit.pipeline.copy_families import counted_with
from deeplens_kit.pipeline.file_listing import indexed_files
from deeplens_kit.pipeline.findings import list_groups
from deeplens_kit.pipeline.mapping import best_places, has_feature, spec_of
from deeplens_kit.pipeline.progress import ProgressListener, ProgressMeter
from deeplens_kit.pipeline.workspace import Workspace
from deeplens_kit.schemas import CLUSTER_MEMBERS, CLUSTERS, FeatureSpec
from deeplens_kit.telemetry import span

__all__ = ["PictureClusters", "cluster_pictures"]

_PICTURE_COLUMNS = ["digest", "size_bytes", "width_px", "height_px", "format", "features"]


@dataclass(frozen=True, slots=True)
class PictureClusters:
    """Clusters of pictures. What lies in one is alike; that is no evidence for a copy.

    Attributes:
        clusters: CLUSTERS, that of the most different pictures first.
        members: CLUSTER_MEMBERS, by cluster, the surest first.
        feature: The feature by which they are alike; empty where no picture has a vector.
        least: Different pictures of a cluster at least.
        words_by: The feature whose model chose the words, "texts" for what is said of the pictures, empty for none.
        pictures: Pictures in the workspace.
        without_vector: Those that have no vector of the feature and are in no cluster.
        in_none: Those that have one and are in no cluster.
        seconds: What finding took.
        cached: The clusters were found before.
    """

    clusters: pl.DataFrame
    members: pl.DataFrame
    feature: str
    least: int
    words_by: str
    pictures: int
    without_vector: int
    in_none: int
    seconds: float
    cached: bool


def cluster_pictures(
    workspace: Workspace,
    feature: str = "",
    *,
    least: int = LEAST_PICTURES,
    words: Sequence[str] = PLAIN_WORDS,
    progress: ProgressListener | None = None,
) -> PictureClusters:
    """Find clusters among the pictures of a workspace by one of its vector features.

    Copies of a picture, as the rule in use groups them, are counted with it, so that many copies make no cluster.

    Args:
        workspace: An open workspace.
        feature: A vector feature; empty for the one that says most of what pictures show: of a model that knows words,
            then of another network, then of copies. Where no picture has it yet there are no clusters.
        least: Different pictures of a cluster at least, 2 or more.
        words: To choose from where a model of words and pictures runs here.
        progress: Told how many pictures have been looked at.

    Raises:
        UnknownNameError: There is no such vector feature; names those that pictures have.
        SettingsError: A value out of range.
        ExtraMissingError: scikit-learn is not installed.
    """
    began = time.perf_counter()
    # 1. The pictures that files hold now, and those of them that have the feature.
    files = indexed_files(workspace)
    pictures = workspace.catalog.pictures(columns=_PICTURE_COLUMNS).join(files, on="digest", how="semi").sort("digest")
    feature = feature or _telling_most(workspace, pictures)
    spec = spec_of(workspace, feature, pictures) if feature else None
    groups = list_groups(workspace).groups
    having, copies_of = _having(pictures, spec, groups)
    # 2. Their clusters, from the cache or found.
    meter = ProgressMeter(progress, "", "clusters", len(having))
    key = ClusterKey.of(having, copies_of, spec.key if spec else "", least)
    cache = ClusterCache(Path(workspace.settings.cache_dir))
    found = cache.get(key)
    cached = found is not None
    if found is None:
        with span("clusters"):
            found, whole = _found(workspace, spec, key, copies_of, meter)
        # What lacks a vector that the catalog says it has is not kept: the next run may bring it back.
        if len(having) and whole:
            cache.put(key, found)
    meter.advance(len(having) - meter.done)
    meter.finish()
    # 3. What is known of each, and words for it.
    names = name_clusters(workspace, having, copies_of, found.labels, words)
    members = _members(having, copies_of, found, pictures, best_places(files, groups))
    return PictureClusters(
        clusters=_clusters(members, names.words),
        members=CLUSTER_MEMBERS.check(members),
        feature=feature,
        least=least,
        words_by=names.made_by,
        pictures=pictures.height,
        without_vector=pictures.height - len(having),
        in_none=len(having) - members.height,
        seconds=time.perf_counter() - began,
        cached=cached,
    )


def _telling_most(workspace: Workspace, pictures: pl.DataFrame) -> str:
    """The stored feature that says most of what pictures show; of several alike the one that most pictures have."""
    known = {model.name: model for model in models(workspace.settings.features).models}
    stored = [spec for spec in workspace.catalog.vector_specs() if spec.kind == "vector"]
    ranked = [
        (_rank(known.get(spec.name)), -held, -spec.size, spec.name)
        for spec in stored
        if (held := pictures.filter(has_feature(spec)).height)
    ]
    return min(ranked)[-1] if ranked else ""


def _rank(model: Model | None) -> int:
    if model is None:
        return 4
    if Purpose.WORDS in model.purposes:
        return 0
    # What is computed by rule tells of colours and outlines, less than a network for copies does.
    if Purpose.LIKENESS in model.purposes:
        return 1 if model.kind != "rule" else 3
    return 2


def _having(
    pictures: pl.DataFrame, spec: FeatureSpec | None, groups: pl.DataFrame
) -> tuple[pl.Series, NDArray[np.int64]]:
    """Digests that have the feature, and for each the position among them of the picture that it is counted with."""
    has = pictures.select(has_feature(spec)).to_series().to_numpy() if spec else np.zeros(pictures.height, bool)
    # Among all pictures: two copies of one without a vector are copies of each other.
    stands = counted_with(pictures["digest"], has, groups)
    at = np.cumsum(has) - 1
    return pictures["digest"].filter(pl.Series(has)), at[stands[has]]


def _found(
    workspace: Workspace, spec: FeatureSpec | None, key: ClusterKey, copies_of: NDArray[np.int64], meter: ProgressMeter
) -> tuple[Clustering, bool]:
    """Clusters in the order of the key, and whether no vector is lost after all."""
    count = len(key.digests)
    digests, vectors = workspace.catalog.vectors(spec, key.digests) if spec else ([], np.empty((0, 1), np.float16))
    if len(digests) < count:
        row_of = {digest: row for row, digest in enumerate(key.digests)}
        # A lost vector is one that cannot be compared.
        whole = np.zeros((count, vectors.shape[1]), vectors.dtype)
        whole[[row_of[digest] for digest in digests]] = vectors
        vectors = whole
    clustering = cluster(
        vectors,
        stands_for=copies_of,
        least=key.least,
        progress=lambda done, _: meter.advance(done - meter.done),
    )
    return clustering, len(digests) == count


def _members(
    digests: pl.Series, copies_of: NDArray[np.int64], found: Clustering, pictures: pl.DataFrame, places: pl.DataFrame
) -> pl.DataFrame:
    medoid = np.zeros(len(digests), bool)
    medoid[found.medoids] = True
    return (
        pl.DataFrame(
            {
                "cluster": found.labels + np.int32(1),
                "digest": digests,
                "probability": found.probability,
                "is_medoid": medoid,
                "copy_of": digests.gather(copies_of),
            }
        )
        .filter(pl.col("cluster") > 0)
        .join(pictures.drop("features"), on="digest", how="left")
        .join(places, on="digest", how="left")
        .select(CLUSTER_MEMBERS.names)
        .sort("cluster", "probability", "is_medoid", "digest", descending=[False, True, True, False])
    )


def _clusters(members: pl.DataFrame, words: Sequence[Sequence[str]]) -> pl.DataFrame:
    told = pl.DataFrame(
        {
            "cluster": pl.Series(np.arange(1, len(words) + 1), dtype=pl.Int32),
            "words": pl.Series([list(of_one) for of_one in words], dtype=pl.List(pl.String)),
        }
    )
    counted = members.group_by("cluster").agg(
        different=(pl.col("copy_of") == pl.col("digest")).sum().cast(pl.Int64),
        pictures=pl.len().cast(pl.Int64),
        objects=pl.col("objects").sum(),
        bytes=(pl.col("objects") * pl.col("size_bytes")).sum(),
    )
    medoids = members.filter("is_medoid").select("cluster", "digest", "location", "path")
    return CLUSTERS.check(counted.join(told, on="cluster").join(medoids, on="cluster").sort("cluster"))
