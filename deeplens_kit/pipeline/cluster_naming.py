"""Words for clusters: from a model that puts words beside pictures, else from what people and files say of them.

Takes an open workspace and clusters, gives words; reads the catalog and the ledger, and writes caches alone. What is
private is in none of these texts: they are those that a search by words looks at.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from deeplens_kit.explore.cluster_words import words_said, words_shown
from deeplens_kit.explore.plain_words import PLAIN_WORDS, phrase_of
from deeplens_kit.features import Purpose, TextExtractor, models
from deeplens_kit.pipeline.cluster_cache import ClusterCache
from deeplens_kit.pipeline.file_listing import indexed_places
from deeplens_kit.pipeline.query_tools import ExtractorShelf
from deeplens_kit.pipeline.search_notes import notes_of_places
from deeplens_kit.pipeline.text_search import TextSearch
from deeplens_kit.pipeline.workspace import Workspace
from deeplens_kit.schemas import FeatureSpec
from deeplens_kit.search import Library
from deeplens_kit.search.library import PLACE_COLUMNS
from deeplens_kit.search.text_index import TextIndex
from deeplens_kit.telemetry import get_logger, span

__all__ = ["ClusterNames", "name_clusters"]

_log = get_logger(__name__)

# Phrases embedded at a time.
_BATCH = 64


@dataclass(frozen=True, slots=True)
class ClusterNames:
    """Words by cluster.

    Attributes:
        words: For each cluster, the most telling first; may be none.
        made_by: The feature whose model chose them, "texts" for what is said of the pictures, empty without clusters.
    """

    words: Sequence[Sequence[str]]
    made_by: str


def name_clusters(
    workspace: Workspace,
    digests: pl.Series,
    copies_of: NDArray[np.int64],
    labels: NDArray[np.int32],
    words: Sequence[str] = PLAIN_WORDS,
) -> ClusterNames:
    """Find words for clusters.

    Args:
        workspace: An open workspace.
        digests: Of the pictures that were looked at.
        copies_of: (n,) position of the picture that each is counted with.
        labels: (n,) cluster of each from 0, -1 for none.
        words: For a model to choose from.
    """
    clusters = int(labels.max(initial=-1)) + 1
    if not clusters:
        return ClusterNames((), "")
    with span("clusters.words"):
        for spec in _word_specs(workspace):
            embedded = _embedded(workspace, spec, words)
            if embedded is not None:
                sums, rest = _sums(workspace, spec, digests, copies_of, labels, clusters)
                if sums.any():
                    return ClusterNames(words_shown(sums, rest, words, embedded), spec.name)
        said = _said(workspace, digests, copies_of, labels)
    own = copies_of == np.arange(len(copies_of))
    sizes = np.bincount(labels[own & (labels >= 0)], minlength=clusters)
    return ClusterNames(words_said(said, sizes, int((own & (labels < 0)).sum())), "texts")


def _word_specs(workspace: Workspace) -> list[FeatureSpec]:
    """The stored vectors beside which words can be put, by name."""
    known = models(workspace.settings.features).models
    names = {model.name for model in known if Purpose.WORDS in model.purposes}
    specs = [spec for spec in workspace.catalog.vector_specs() if spec.kind == "vector" and spec.name in names]
    return sorted(specs, key=lambda spec: spec.key)


def _embedded(workspace: Workspace, spec: FeatureSpec, words: Sequence[str]) -> NDArray[np.float16] | None:
    """The words in the space of a feature; None where its model does not run here."""
    cache, phrases = ClusterCache(Path(workspace.settings.cache_dir)), [phrase_of(word) for word in words]
    kept = cache.words(spec.key, phrases, spec.size)
    if kept is not None:
        return kept
    model = ExtractorShelf(workspace).of(spec.name, spec.key)
    if not isinstance(model, TextExtractor):
        _log.info("no words by the model", feature=spec.name, reason=model if isinstance(model, str) else "no words")
        return None
    parts = [model.embed_texts(phrases[first : first + _BATCH]) for first in range(0, len(phrases), _BATCH)]
    embedded = np.concatenate(parts)
    cache.put_words(spec.key, phrases, embedded)
    return embedded


def _sums(
    workspace: Workspace,
    spec: FeatureSpec,
    digests: pl.Series,
    copies_of: NDArray[np.int64],
    labels: NDArray[np.int32],
    clusters: int,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """By cluster the sum of the vectors of its different pictures, and that of those in none."""
    own = np.flatnonzero(copies_of == np.arange(len(copies_of)))
    numbered = pl.DataFrame({"digest": digests.gather(own), "cluster": labels[own].astype(np.int64)})
    sums = np.zeros((clusters + 1, spec.size))
    for names, block in workspace.catalog.vector_blocks(spec, numbered["digest"].to_list())[1]:
        found = names.to_frame("digest").join(numbered, on="digest", how="left", maintain_order="left")["cluster"]
        np.add.at(sums, found.to_numpy(), block.astype(np.float64))
    return sums[:-1], sums[-1]


def _said(
    workspace: Workspace, digests: pl.Series, copies_of: NDArray[np.int64], labels: NDArray[np.int32]
) -> pl.DataFrame:
    """Of how many pictures of each cluster, and of none, each word is said: word, cluster, pictures."""
    places = indexed_places(workspace, PLACE_COLUMNS)
    pictures = workspace.catalog.pictures(columns=["digest"])
    library = Library.of(pictures, places, {}, notes=notes_of_places(workspace, places))
    numbered = pl.DataFrame({"digest": digests, "at": np.arange(len(digests))})
    at = library.pictures.select("digest").join(numbered, on="digest", how="left", maintain_order="left")["at"]
    # A word that is said of a picture or of one of its copies is said once.
    counted = np.append(copies_of, -1)[at.fill_null(len(copies_of)).to_numpy()]
    return _counted(TextSearch(workspace).index(library), counted, labels)


def _counted(index: TextIndex, counted: NDArray[np.int64], labels: NDArray[np.int32]) -> pl.DataFrame:
    parts = [pl.DataFrame(schema={"word": pl.String, "cluster": pl.Int64, "pictures": pl.Int64})]
    for segment, owners in zip(index.segments, index.positions, strict=True):
        word = np.repeat(np.arange(len(segment.word_starts) - 1), np.diff(segment.document_starts))
        position = owners[segment.documents]
        picture = np.where(position >= 0, counted[position], -1)
        # One number of word and picture; each of them once.
        known = picture >= 0
        pairs = np.unique(word[known] * len(labels) + picture[known])
        number, picture = np.divmod(pairs, len(labels))
        cluster = labels[picture].astype(np.int64)
        frame = pl.DataFrame({"number": number, "cluster": cluster}).group_by("number", "cluster").len("pictures")
        words = pl.DataFrame({"number": np.arange(len(segment.words)), "word": segment.words})
        parts.append(frame.join(words, on="number").select("word", "cluster", pl.col("pictures").cast(pl.Int64)))
    return pl.concat(parts).group_by("word", "cluster").agg(pl.col("pictures").sum())
