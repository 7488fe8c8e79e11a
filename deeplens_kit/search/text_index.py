"""Full text over the pictures of a library.

Takes segments of documents and the words of a person, gives positions of pictures with their relevance; must not read
a store. What is found never depends on how the documents are parted into segments.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from deeplens_kit.search.text_segment import TextSegment
from deeplens_kit.search.text_words import WordTerm, word_query

__all__ = ["TextIndex"]

# Okapi BM25 (Robertson and Zaragoza 2009). Length counts for less than is customary for prose (0.75): what people say
# beside a name is no padding: a picture that is tagged with a word is not to rank behind one that is merely named so.
_K1, _B = 1.2, 0.3


@dataclass(frozen=True, eq=False)
class TextIndex:
    """Words of pictures.

    Attributes:
        segments: Documents.
        positions: For each segment, int64 by document: the picture, or -1 where the document is no longer true.
        count: Pictures of the library.
    """

    segments: tuple[TextSegment, ...]
    positions: tuple[NDArray[np.int64], ...]
    count: int

    def search(
        self, words: str, wanted: NDArray[np.bool_] | None = None
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Pictures that meet what is asked, by position.

        Args:
            words: Words that must all be there, in any order and case; "words in a row"; a beginning*; -not; a OR b.
            wanted: bool (n,) by position, pictures that may be found; None for all.

        Returns:
            int64 positions, rising, and float32 relevance, 0..1: rare words, and words that stand in names or in what
            people say, count for more. 0 where there are only words that must not be there.

        Raises:
            QueryError: There is no word in it, or too much.
        """
        query = word_query(words)
        terms = list(dict.fromkeys(term for clause in query.clauses for term in clause))
        found = {term: self._found(term) for term in dict.fromkeys([*terms, *query.excluded])}
        met = np.zeros(self.count, np.uint8)
        for clause in query.clauses:
            if len(clause) == 1:
                met[found[clause[0]][0]] += 1
            else:
                any_of = np.zeros(self.count, np.uint8)
                for term in clause:
                    any_of[found[term][0]] = 1
                met += any_of
        mask = met == len(query.clauses)
        for term in query.excluded:
            mask[found[term][0]] = False
        if wanted is not None:
            mask &= wanted
        positions = np.flatnonzero(mask)
        relevance = self._relevance([found[term] for term in terms], mask, positions)
        return positions, relevance

    def _found(self, term: WordTerm) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Positions that hold a term, each once, and how often they do."""
        positions, frequencies = [np.zeros(0, np.int64)], [np.zeros(0, np.float32)]
        for segment, owners in zip(self.segments, self.positions, strict=True):
            documents, counts = segment.found(term)
            at = owners[documents]
            if not self._is_whole:
                live = at >= 0
                at, counts = at[live], counts[live]
            positions.append(at)
            frequencies.append(counts)
        return np.concatenate(positions), np.concatenate(frequencies)

    def _relevance(
        self,
        found: Sequence[tuple[NDArray[np.int64], NDArray[np.float32]]],
        mask: NDArray[np.bool_],
        positions: NDArray[np.int64],
    ) -> NDArray[np.float32]:
        total, best = np.zeros(self.count, np.float32), 0.0
        for at, frequencies in found:
            if not len(at):
                continue
            weight = np.float32(np.log1p((self.count - len(at) + 0.5) / (len(at) + 0.5)))
            best += float(weight)
            here = mask[at]
            if not here.all():
                at, frequencies = at[here], frequencies[here]
            # Without its constant factor each term is less than its weight, so that the sum is a share.
            total[at] += weight * frequencies / (frequencies + self._dampers[at])
        return np.minimum(total[positions] / np.float32(best), np.float32(1)) if best else total[positions]

    @cached_property
    def _is_whole(self) -> bool:
        return all(bool((owners >= 0).all()) for owners in self.positions)

    @cached_property
    def _dampers(self) -> NDArray[np.float32]:
        """By position: how much the length of a text takes from what it repeats."""
        lengths = np.zeros(self.count, np.float32)
        for segment, owners in zip(self.segments, self.positions, strict=True):
            live = owners >= 0
            lengths[owners[live]] = segment.lengths[live]
        mean = float(lengths.mean()) if self.count else 0.0
        return (_K1 * (1 - _B + _B * lengths / max(mean, 1.0))).astype(np.float32)
