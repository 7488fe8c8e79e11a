"""Words of texts, and what a person asks of them.

Takes texts and gives their words, spelt one way: lower case, without accents, parted at everything that is neither
letter nor digit and where small letters meet a capital one. A script without spaces gives a word for each letter. What
is asked is read here too; no word of it is ever a command to anything. Must not look anything up.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import polars as pl

from deeplens_kit.errors import QueryError

__all__ = ["FIELD_END", "PART_END", "WordQuery", "WordTerm", "compounds_of", "word_query", "words_of"]

PART_END, FIELD_END = "\n", "\x1f"
"""What parts texts of one field, so that no phrase runs from one path into the next, and what ends a field. As words
they come before all others."""

_MOST_TERMS = 32
_LONGEST_QUERY = 1_000  # characters

_UNSPACED = r"\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}"
_WORD = rf"[\n\x1f]|[{_UNSPACED}]\p{{M}}*|[\p{{L}}\p{{N}}\p{{M}}--[{_UNSPACED}]]+"
_SMALL_THEN_CAPITAL = r"(\p{Ll})(\p{Lu})"
_CAPITALS_THEN_WORD = r"(\p{Lu})(\p{Lu}\p{Ll})"
# A name that is written with capitals within, which somebody may ask for without them: iPhone.
_COMPOUND = r"[\p{L}\p{N}]*\p{Ll}\p{Lu}[\p{L}\p{N}]*"
_ACCENTS = "[\u0300-\u036f]"
_ASKED = re.compile(r'(-?)(?:"([^"]*)"?|(\S+))')
_OR = "OR"
# What parts texts, and surrogates, which are no text.
_UNASKED = re.compile("[\x00-\x1f\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class WordTerm:
    """Words that stand beside each other.

    Attributes:
        words: As `words_of` spells them.
        is_prefix: The last of them may go on.
    """

    words: tuple[str, ...]
    is_prefix: bool = False


@dataclass(frozen=True, slots=True)
class WordQuery:
    """What is asked of a text.

    Attributes:
        clauses: All must be met, each by any of its terms.
        excluded: None may be met.
    """

    clauses: tuple[tuple[WordTerm, ...], ...]
    excluded: tuple[WordTerm, ...]


def words_of(texts: pl.Series) -> pl.Series:
    """The words of each text in order, a list of texts; PART_END and FIELD_END stay as words of their own."""
    parted = _unaccented(texts).str.replace_all(_SMALL_THEN_CAPITAL, "$1 $2")
    return parted.str.replace_all(_CAPITALS_THEN_WORD, "$1 $2").str.to_lowercase().str.extract_all(_WORD)


def compounds_of(texts: pl.Series) -> pl.Series:
    """The names with capitals within of each text, unparted, PART_END between them."""
    found = _unaccented(texts).str.extract_all(_COMPOUND).list.unique(maintain_order=True)
    return found.list.join(PART_END).str.to_lowercase()


def word_query(asked: str) -> WordQuery:
    """Read words, "phrases", prefix*, -excluded and OR between alternatives.

    Raises:
        QueryError: There is no word in it, or too much.
    """
    if len(asked) > _LONGEST_QUERY:
        raise QueryError(f"The words have {len(asked):,} characters; at most {_LONGEST_QUERY:,} are read.")
    clauses: list[list[WordTerm]] = []
    excluded: list[WordTerm] = []
    joined = False
    for minus, phrase, word in _ASKED.findall(asked):
        if word == _OR and not minus:
            joined = bool(clauses)
            continue
        term = _term(phrase or word, is_prefix=word.endswith("*"))
        if term is None:
            continue
        if minus:
            excluded.append(term)
        elif joined:
            clauses[-1].append(term)
        else:
            clauses.append([term])
        joined = False
    if not clauses and not excluded:
        raise QueryError(f"There is no word in {asked[:80]!r}; give letters or digits to look for.")
    if sum(map(len, clauses)) + len(excluded) > _MOST_TERMS:
        raise QueryError(f"More than {_MOST_TERMS} words and phrases are asked for; leave some out.")
    return WordQuery(tuple(map(tuple, clauses)), tuple(excluded))


def _term(text: str, *, is_prefix: bool) -> WordTerm | None:
    words = words_of(pl.Series([_UNASKED.sub(" ", text)], dtype=pl.String))[0].to_list()
    return WordTerm(tuple(words), is_prefix) if words else None


def _unaccented(texts: pl.Series) -> pl.Series:
    # Composed again: marks that are no accents, as in Japanese, belong to their letters.
    return texts.str.normalize("NFKD").str.replace_all(_ACCENTS, "").str.normalize("NFKC")
