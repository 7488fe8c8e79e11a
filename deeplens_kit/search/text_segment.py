"""Documents with their words turned around: for each word the documents that hold it.

Takes the words of documents, gives arrays that can lie in files and be read from there without being loaded; must not
know what a document is of. A segment never changes.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, fields
from itertools import pairwise

import numpy as np
import polars as pl
from numpy.typing import NDArray

from deeplens_kit.search.text_words import FIELD_END, PART_END, WordTerm, compounds_of, words_of
from deeplens_kit.search.vectors.digests import DIGEST_BYTES

__all__ = ["FIELD_WEIGHTS", "SegmentBuilder", "TextSegment", "ranges_of"]

FIELD_WEIGHTS = (3, 2, 1, 1)
"""How often a word counts: in what people say, in names of files, in what files say, and unparted; 1..4."""

_FIRST_WORD = 2  # after PART_END and FIELD_END
_WEIGHT_BITS, _DOCUMENT_BITS = np.uint64(2), np.uint64(30)
# To gather a word of the stream takes so many times as long as to look at it.
_GATHERED = 24
# Words that are turned around at a time, besides their keys of eight bytes.
_AT_ONCE = 1 << 22


@dataclass(frozen=True, slots=True, eq=False)
class TextSegment:
    """Documents by number, words by number in the order of their bytes.

    Attributes:
        digests: uint8 (n, 32), the picture of each document.
        fingerprints: uint64 (n,), of the texts that a document was made of.
        letters: uint8, the words one after another, UTF-8.
        word_starts: int64 (w + 1,), where each begins there.
        stream: uint32, the words of the documents in their order.
        stream_starts: int64 (n + 1,), where each document begins there.
        documents: uint32, for each word the documents that hold it, rising.
        frequencies: uint8, how often, by field weight, at most 255.
        document_starts: int64 (w + 1,), where each word begins there.
    """

    digests: NDArray[np.uint8]
    fingerprints: NDArray[np.uint64]
    letters: NDArray[np.uint8]
    word_starts: NDArray[np.int64]
    stream: NDArray[np.uint32]
    stream_starts: NDArray[np.int64]
    documents: NDArray[np.uint32]
    frequencies: NDArray[np.uint8]
    document_starts: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.fingerprints)

    def to_arrays(self) -> dict[str, NDArray[np.generic]]:
        """The arrays by name."""
        return {item.name: getattr(self, item.name) for item in fields(self)}

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Words of each document, with what parts them."""
        return np.diff(self.stream_starts)

    @property
    def words(self) -> pl.Series:
        """The words by number."""
        letters, ends = self.letters.tobytes(), self.word_starts.tolist()
        return pl.Series([letters[a:b].decode() for a, b in pairwise(ends)], dtype=pl.String)

    def found(self, term: WordTerm) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Documents that hold a term, rising, each once, and how often they do."""
        spans = [self._span(word, is_prefix=False) for word in term.words[:-1]]
        spans.append(self._span(term.words[-1], is_prefix=term.is_prefix))
        if any(first >= last for first, last in spans):
            return np.zeros(0, np.int64), np.zeros(0, np.float32)
        if len(spans) == 1:
            return self._holding(*spans[0])
        return self._in_a_row(spans)

    def _span(self, word: str, *, is_prefix: bool) -> tuple[int, int]:
        """The numbers of the words that are meant."""
        spelt = word.encode()
        first = bisect_left(range(len(self.word_starts) - 1), spelt, key=self._letters_of)
        if is_prefix:
            # No byte of UTF-8 is 0xff.
            return first, bisect_left(range(len(self.word_starts) - 1), spelt + b"\xff", key=self._letters_of)
        known = first < len(self.word_starts) - 1 and self._letters_of(first) == spelt
        return first, first + known

    def _letters_of(self, number: int) -> bytes:
        return self.letters[int(self.word_starts[number]) : int(self.word_starts[number + 1])].tobytes()

    def _holding(self, first: int, last: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        span = slice(int(self.document_starts[first]), int(self.document_starts[last]))
        documents = self.documents[span].astype(np.int64)
        frequencies = self.frequencies[span].astype(np.float32)
        if last - first == 1:
            return documents, frequencies
        together = np.bincount(documents, weights=frequencies, minlength=len(self))
        held = np.flatnonzero(together)
        return held, together[held].astype(np.float32)

    def _in_a_row(self, spans: list[tuple[int, int]]) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        # 1. Documents that hold all of the words.
        met = np.zeros(len(self), np.uint8)
        for span in spans:
            met[self._holding(*span)[0]] += 1
        candidates = np.flatnonzero(met == len(spans))
        # 2. Of these, where the words follow each other; each document ends with what is no word.
        starts = np.asarray(self.stream_starts)
        if _GATHERED * int((starts[candidates + 1] - starts[candidates]).sum()) < len(self.stream):
            places = ranges_of(starts[candidates], starts[candidates + 1])
            stream = self.stream[places]
        else:
            places, stream = None, self.stream
        # The rarest of the words is looked for, then its neighbours.
        counts = [self.document_starts[last] - self.document_starts[first] for first, last in spans]
        rarest = int(np.argmin(counts))
        at = np.flatnonzero(_within(stream, spans[rarest])) - rarest
        at = at[(at >= 0) & (at <= len(stream) - len(spans))]
        for number, span in enumerate(spans):
            if number != rarest:
                at = at[_within(stream[at + number], span)]
        at = at if places is None else places[at]
        owners = np.searchsorted(starts, at, side="right") - 1
        begins = np.flatnonzero(np.concatenate([[True], owners[1:] != owners[:-1]])) if len(owners) else owners
        counted = np.diff(np.append(begins, len(owners)))
        return owners[begins].astype(np.int64), counted.astype(np.float32)


class SegmentBuilder:
    """Collects documents in batches of bounded size, and makes a segment of them."""

    def __init__(self) -> None:
        self._words: list[pl.Series] = []
        self._streams: list[NDArray[np.uint32]] = []
        self._lengths: list[NDArray[np.int64]] = []
        self._digests: list[NDArray[np.uint8]] = []
        self._fingerprints: list[NDArray[np.uint64]] = []

    def add(self, digests: NDArray[np.uint8], fingerprints: NDArray[np.uint64], documents: pl.DataFrame) -> None:
        """Add documents.

        Args:
            digests: uint8 (n, 32), of their pictures.
            fingerprints: Of their texts.
            documents: Columns said, names and metadata: texts, PART_END between the parts of each.
        """
        if documents.is_empty():
            return
        whole = documents.select(pl.concat_str(["said", "names", "metadata"], separator=FIELD_END) + FIELD_END)
        texts = whole.to_series()
        lists = words_of(texts + compounds_of(texts) + FIELD_END)
        flat = lists.explode()
        words = flat.unique().sort()
        self._words.append(words)
        self._streams.append(flat.cast(pl.Enum(words)).to_physical().cast(pl.UInt32).to_numpy())
        self._lengths.append(lists.list.len().cast(pl.Int64).to_numpy())
        self._digests.append(digests)
        self._fingerprints.append(fingerprints)

    def add_segment(self, segment: TextSegment, keep: NDArray[np.bool_]) -> None:
        """Add documents of another segment, bool by document."""
        chosen = np.flatnonzero(keep)
        starts = np.asarray(segment.stream_starts)
        self._words.append(segment.words)
        self._streams.append(segment.stream[ranges_of(starts[chosen], starts[chosen + 1])])
        self._lengths.append(segment.lengths[chosen])
        self._digests.append(segment.digests[chosen])
        self._fingerprints.append(segment.fingerprints[chosen])

    def segment(self) -> TextSegment:
        """The segment of everything that was added."""
        words, stream = self._numbered()
        lengths = np.concatenate([np.zeros(1, np.int64), *self._lengths])
        stream_starts = np.cumsum(lengths)
        letters = words.str.join("").item().encode() if len(words) else b""
        word_starts = np.concatenate([[0], np.cumsum(words.str.len_bytes().cast(pl.Int64).to_numpy())])
        documents, frequencies, document_starts = _turned(stream, lengths[1:], len(words))
        return TextSegment(
            np.concatenate([np.zeros((0, DIGEST_BYTES), np.uint8), *self._digests]),
            np.concatenate([np.zeros(0, np.uint64), *self._fingerprints]),
            np.frombuffer(letters, np.uint8),
            word_starts.astype(np.int64),
            stream,
            stream_starts,
            documents,
            frequencies,
            document_starts,
        )

    def _numbered(self) -> tuple[pl.Series, NDArray[np.uint32]]:
        """All words, and the documents by the numbers of them."""
        words = pl.concat([pl.Series([PART_END, FIELD_END]), *self._words]).unique().sort()
        numbered = pl.DataFrame({"word": words, "number": pl.int_range(len(words), dtype=pl.UInt32, eager=True)})
        streams = [np.zeros(0, np.uint32)]
        for known, stream in zip(self._words, self._streams, strict=True):
            laid = pl.DataFrame({"word": known}).join(numbered, on="word", how="left", maintain_order="left")
            streams.append(laid["number"].to_numpy()[stream])
        return words, np.concatenate(streams)


def ranges_of(starts: NDArray[np.int64], ends: NDArray[np.int64]) -> NDArray[np.int64]:
    """The numbers of several ranges, one range after another."""
    counts = ends - starts
    return np.repeat(starts - (np.cumsum(counts) - counts), counts) + np.arange(int(counts.sum()))


def _within(stream: NDArray[np.uint32], span: tuple[int, int]) -> NDArray[np.bool_]:
    first, last = span
    if last - first == 1:
        return np.asarray(stream == np.uint32(first))
    return np.asarray((stream >= np.uint32(first)) & (stream < np.uint32(last)))


def _turned(
    stream: NDArray[np.uint32], lengths: NDArray[np.int64], words: int
) -> tuple[NDArray[np.uint32], NDArray[np.uint8], NDArray[np.int64]]:
    """For each word the documents that hold it, how often, and where each word begins."""
    # One number of word, document and weight sorts faster than three columns do.
    keys = np.empty(int(np.count_nonzero(stream >= _FIRST_WORD)), np.uint64)
    weights = np.array(FIELD_WEIGHTS, np.uint8) - np.uint8(1)
    document, fields_ended, filled = np.repeat(np.arange(len(lengths), dtype=np.uint32), lengths), 0, 0
    for first in range(0, len(stream), _AT_ONCE):
        part = stream[first : first + _AT_ONCE]
        ends = part == 1
        field = (fields_ended + np.cumsum(ends, dtype=np.int64) - ends) % len(FIELD_WEIGHTS)
        fields_ended += int(ends.sum())
        key = part.astype(np.uint64) << _DOCUMENT_BITS
        key |= document[first : first + _AT_ONCE]
        key = (key << _WEIGHT_BITS) | weights[field]
        key = key[part >= _FIRST_WORD]
        keys[filled : filled + len(key)] = key
        filled += len(key)
    del document
    keys.sort()
    counted = (keys & np.uint64((1 << int(_WEIGHT_BITS)) - 1)).astype(np.uint32) + np.uint32(1)
    keys >>= _WEIGHT_BITS
    begins = np.ones(len(keys), bool)
    begins[1:] = keys[1:] != keys[:-1]
    at = np.flatnonzero(begins)
    frequencies = np.minimum(np.add.reduceat(counted, at), 255) if len(at) else counted
    keys = keys[at]
    documents = (keys & np.uint64((1 << int(_DOCUMENT_BITS)) - 1)).astype(np.uint32)
    keys >>= _DOCUMENT_BITS
    starts = np.searchsorted(keys, np.arange(words + 1, dtype=np.uint64))
    return documents, frequencies.astype(np.uint8), starts.astype(np.int64)
