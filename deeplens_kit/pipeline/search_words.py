"""Which pictures the words of a query let through, and how much they say of each.

Takes a library and words, gives pictures with their relevance; must not rank by anything else.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deeplens_kit.pipeline.text_search import TextSearch
from deeplens_kit.search import Library

__all__ = ["WordsFound", "words_found"]


@dataclass(frozen=True, slots=True, eq=False)
class WordsFound:
    """The pictures that words let through.

    Attributes:
        mask: bool (n,), by position.
        relevance: float32 (n,), 0..1, the greater the more the words say of the picture; 0 where not in the mask.
    """

    mask: NDArray[np.bool_]
    relevance: NDArray[np.float32]


def words_found(texts: TextSearch, library: Library, words: str) -> WordsFound:
    """Find the pictures of a library that words are said of.

    Raises:
        QueryError: There is no word in it, or too much.
    """
    positions, found = texts.index(library).search(words)
    mask, relevance = np.zeros(len(library), bool), np.zeros(len(library), np.float32)
    mask[positions], relevance[positions] = True, found
    return WordsFound(mask, relevance)
