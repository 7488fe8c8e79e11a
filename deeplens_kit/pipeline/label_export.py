"""Labels for elsewhere: a file of labels, or a benchmark folder's manifest made of them.

Takes an open workspace, gives frames; must not write a file or touch a picture. A manifest knows sources, not pairs:
pictures that labels call the same, one by one or by way of others, are of one source; two sources are to be ignored
where the label is unsure, or where they are candidates that nobody labelled; all others count as different.
"""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from deeplens_kit.errors import SettingsError
from deeplens_kit.pipeline.file_listing import active_files
from deeplens_kit.pipeline.label_population import population_of
from deeplens_kit.pipeline.label_sampling import sample_ladder
from deeplens_kit.pipeline.labelling import list_labels
from deeplens_kit.pipeline.verdicts import settled
from deeplens_kit.pipeline.workspace import Workspace
from deeplens_kit.schemas import Verdict

__all__ = ["Manifest", "label_rows", "manifest_of"]

_PAIR = ["digest_a", "digest_b"]
_IMAGES = "images/"


@dataclass(frozen=True, slots=True)
class Manifest:
    """Labels in the form of a benchmark folder.

    Attributes:
        manifest: path, source_id, family, strength, sha256, role, kind, category, scene_group, width, height, bytes,
            origin (location:path): one row for each file of a labelled picture; what is not known is empty.
        ignore: source_a, source_b, reason.
        sources: Distinct sources.
    """

    manifest: pl.DataFrame
    ignore: pl.DataFrame
    sources: int


def label_rows(workspace: Workspace) -> pl.DataFrame:
    """Every label as a file of labels has it: digest_a, digest_b, verdict, who, labelled_at, note, place_a, place_b."""
    names = [*_PAIR, "verdict", "who", "labelled_at", "note", "place_a", "place_b"]
    return list_labels(workspace).select(names).sort(*_PAIR, "who")


def manifest_of(workspace: Workspace) -> Manifest:
    """The labels as a manifest.

    Raises:
        SettingsError: There are no labels of indexed pictures, or they contradict each other: two pictures are
            different, and the same by way of others.
    """
    # 1. What the labels of pictures that are still there come to.
    files = active_files(workspace).filter(pl.col("digest").is_not_null()).sort("location", "path")
    verdicts = settled(workspace.ledger.labels())
    for end in _PAIR:
        verdicts = verdicts.filter(pl.col(end).is_in(files["digest"].unique().implode()))
    if not verdicts.height:
        raise SettingsError("There are no labels of indexed pictures to export; `deeplens label next` asks for one.")
    digests = pl.concat([verdicts["digest_a"], verdicts["digest_b"]]).unique().sort().to_list()
    # 2. Sources: what is the same, one by one or by way of others.
    source = _sources(digests, verdicts.filter(verdict=str(Verdict.SAME)))
    _refuse_contradictions(verdicts.filter(verdict=str(Verdict.DIFFERENT)), source)
    # 3. The rows.
    candidates = population_of(workspace, ladder=sample_ladder(workspace))[0].candidates.select(_PAIR)
    unlabelled = candidates.join(verdicts, on=_PAIR, how="anti")
    unsure = verdicts.filter(verdict=str(Verdict.UNSURE))
    ignore = _ignored([(unsure, "unsure"), (unlabelled, "not labelled")], source)
    return Manifest(_rows(workspace, files, source), ignore, len(set(source.values())))


def _sources(digests: list[str], same: pl.DataFrame) -> dict[str, str]:
    """The source of each digest, named by the order of the smallest digest in it."""
    parent = {digest: digest for digest in digests}

    def root(digest: str) -> str:
        while parent[digest] != digest:
            parent[digest] = parent[parent[digest]]
            digest = parent[digest]
        return digest

    for first, second in same.select(_PAIR).iter_rows():
        low, high = sorted((root(first), root(second)))
        parent[high] = low
    roots = {digest: root(digest) for digest in digests}
    names = {digest: f"s{number:06d}" for number, digest in enumerate(sorted(set(roots.values())))}
    return {digest: names[found] for digest, found in roots.items()}


def _refuse_contradictions(different: pl.DataFrame, source: dict[str, str]) -> None:
    for first, second in different.select(_PAIR).iter_rows():
        if source[first] == source[second]:
            raise SettingsError(
                f"The labels contradict each other: {first[:16]}… and {second[:16]}… are labelled different, and are "
                "the same by way of other pictures; look at them again with `deeplens label list`, or export a file of "
                "labels, which holds each as it is."
            )


def _ignored(parts: list[tuple[pl.DataFrame, str]], source: dict[str, str]) -> pl.DataFrame:
    found: dict[tuple[str, str], str] = {}
    for pairs, reason in parts:
        for ends in pairs.select(_PAIR).iter_rows():
            named = [source.get(end) for end in ends]
            if None not in named and named[0] != named[1]:
                found.setdefault(tuple(sorted(map(str, named))), reason)  # type: ignore[arg-type]
    rows = [(*pair, reason) for pair, reason in sorted(found.items())]
    return pl.DataFrame(rows, schema=dict.fromkeys(("source_a", "source_b", "reason"), pl.String), orient="row")


def _rows(workspace: Workspace, files: pl.DataFrame, source: dict[str, str]) -> pl.DataFrame:
    sized = workspace.catalog.pictures(sorted(source), ["digest", "width_px", "height_px"])
    origin = pl.format("{}:{}", "location", "path")
    # A path is understood by what follows its last "images/", as scores of benchmarks do.
    short = pl.format("{}/{}", "location", "path").str.split(_IMAGES).list.last()
    listed = files.join(sized, on="digest").with_columns(short=short)
    twice = pl.len().over("short") > 1
    listed = listed.with_columns(
        short=pl.when(twice).then(pl.format("{}/{}", pl.col("digest").str.head(16), "short")).otherwise("short")
    )
    empty = pl.lit("")
    return (
        listed.with_columns(source_id=pl.col("digest").replace_strict(source, return_dtype=pl.String))
        .select(
            path=pl.lit(_IMAGES) + pl.col("short"),
            source_id="source_id",
            family=empty,
            strength=empty,
            sha256="digest",
            role=pl.when(pl.col("source_id").is_first_distinct()).then(pl.lit("reference")).otherwise(pl.lit("query")),
            kind=empty,
            category=empty,
            scene_group=empty,
            width="width_px",
            height="height_px",
            bytes="size_bytes",
            origin=origin,
        )
        .sort("source_id", "path")
    )
