"""The texts of pictures: what people say of their objects, the paths of these, and what files say of themselves.

Takes a library and texts of metadata, gives documents and fingerprints of what they are made of; must not read a store
or see what is private.
"""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from deeplens_kit.search.library import Library
from deeplens_kit.search.text_words import PART_END
from deeplens_kit.search.vectors.digests import digest_bytes, rows_of

__all__ = ["documents_of", "text_fingerprints"]

_CONTROLS = r"[\x00-\x1f]"
_LONGEST_METADATA = 4_000  # characters of a picture
_SEEDS = {"path": 1, "note": 2, "metadata": 3}
_SAID = ("collection", "description", "category", "source")


def text_fingerprints(library: Library, metadata: pl.DataFrame) -> NDArray[np.uint64]:
    """By position, a number that changes with the texts of a picture; of one version of polars.

    Args:
        library: Gives paths and notes.
        metadata: Columns digest and run_id: when what the files say was written, which stands for what they say.
    """
    totals = np.zeros(len(library), np.uint64)
    if len(library):
        paths = library.places["path"].hash(_SEEDS["path"]).to_numpy()
        # Sums, so that the order of places does not count; they may run over.
        totals = np.add.reduceat(paths, library.starts[:-1])
    positions = rows_of(library.packed, digest_bytes(metadata["digest"]))
    known = np.flatnonzero(positions >= 0)
    np.add.at(totals, positions[known], metadata["run_id"].hash(_SEEDS["metadata"]).to_numpy()[known])
    notes = library.note_facts
    if notes.notes.height:
        texts = notes.notes.select(pl.concat_str([_said()], separator=PART_END)).to_series()
        np.add.at(totals, notes.pictures, texts.hash(_SEEDS["note"]).to_numpy())
    return totals


def documents_of(library: Library, positions: NDArray[np.int64], metadata: pl.Series) -> pl.DataFrame:
    """Columns said, names and metadata of pictures, as `SegmentBuilder.add` takes them.

    Args:
        library: The library.
        positions: Of the pictures.
        metadata: What their files say that is not private, in the same order.
    """
    starts = library.starts
    rows = library.places_of(positions)
    number = np.repeat(np.arange(len(positions)), starts[positions + 1] - starts[positions])
    names = _joined(pl.DataFrame({"number": number, "text": library.places["path"].gather(rows)}))
    notes = library.note_facts
    at = np.searchsorted(notes.pictures, positions) if len(notes.pictures) else np.zeros(0, np.int64)
    ends = np.searchsorted(notes.pictures, positions, side="right") if len(notes.pictures) else at
    said = pl.DataFrame({"number": np.zeros(0, np.int64), "text": pl.Series([], dtype=pl.String)})
    if len(at) and (ends > at).any():
        chosen = np.concatenate([np.arange(first, last) for first, last in zip(at, ends, strict=True) if last > first])
        texts = notes.notes[chosen].select(_said()).to_series()
        said = pl.DataFrame({"number": np.repeat(np.arange(len(positions)), ends - at), "text": texts})
    numbered = pl.DataFrame({"number": np.arange(len(positions))})
    return (
        numbered.join(_joined(said).rename({"text": "said"}), on="number", how="left", maintain_order="left")
        .join(names.rename({"text": "names"}), on="number", how="left", maintain_order="left")
        .select(
            pl.col("said", "names").fill_null(""),
            metadata=_clean(pl.lit(metadata)).str.head(_LONGEST_METADATA),
        )
    )


def _said() -> pl.Expr:
    """Everything that a note says, PART_END between its parts."""
    tags = pl.col("tags").list.eval(_clean(pl.element())).list.join(PART_END)
    return pl.concat_str([tags, *(_clean(pl.col(name)) for name in _SAID)], separator=PART_END)


def _clean(text: pl.Expr) -> pl.Expr:
    """Text without what parts texts."""
    return text.str.replace_all(_CONTROLS, " ")


def _joined(texts: pl.DataFrame) -> pl.DataFrame:
    """The texts of each number as one."""
    cleaned = texts.with_columns(_clean(pl.col("text")))
    return cleaned.group_by("number", maintain_order=True).agg(pl.col("text").str.join(PART_END))
