"""What a query asks, in a line that a person reads.

Takes a query, gives words; must not show bytes, or more of a link than where it leads.
"""

from __future__ import annotations

from pathlib import Path

from deeplens_kit.search.filters import SearchFilters
from deeplens_kit.search.link import is_link, shown_link
from deeplens_kit.search.query import Box, ImageTerm, Query, Term, TextTerm, VectorTerm

__all__ = ["crop_words", "picture_words", "query_words", "term_words", "vector_words"]

_SHOWN_DIGITS = 12
_LONGEST_NAME = 120  # characters
_DIGEST_LETTERS = 64


def query_words(query: Query) -> str:
    """A query in a line: 'like cat.jpg × 0.7, "at night"; unlike "snow"; with the words holiday; format=JPEG'."""
    like = [_term(term) for term in query.terms if term.weight > 0]
    unlike = [_term(term) for term in query.terms if term.weight < 0]
    parts = [f"like {', '.join(like)}"] if like else []
    parts += [f"unlike {', '.join(unlike)}"] if unlike else []
    parts += [f"with the words {query.words}"] if query.words else []
    weights = [f"{name} × {weight:g}" for name, weight in dict(query.weights).items()]
    parts += [f"by {', '.join(weights)}"] if weights else []
    parts += [f"by {query.by}"] if query.by is not None and not weights else []
    if query.filters != SearchFilters():
        from deeplens_kit.search.where import text_of

        parts.append(text_of(query.filters))
    return "; ".join(parts)


def picture_words(term: ImageTerm) -> str:
    """What to call the picture of a term."""
    if term.name:
        return _short(term.name)
    image = term.image
    if isinstance(image, Path):
        return _short(image.name)
    if not isinstance(image, str):
        return f"a picture of {len(image):,} bytes"
    if is_link(image.strip()):
        return _short(shown_link(image.strip()))
    if len(image) == _DIGEST_LETTERS and image.isalnum():
        return f"picture {image[:_SHOWN_DIGITS].lower()}"
    return _short(image)


def crop_words(crop: Box) -> str:
    """A part of a picture: "10–60 % across, 0–50 % down"."""
    left, top, right, bottom = (f"{100 * side:.3g}" for side in crop)
    return f"{left}–{right} % across, {top}–{bottom} % down"


def term_words(term: Term) -> str:
    """What to call a term, without its weight and its crop."""
    if isinstance(term, TextTerm):
        return f'"{term.text}"'
    return vector_words(term) if isinstance(term, VectorTerm) else picture_words(term)


def vector_words(term: VectorTerm) -> str:
    """What to call a vector: "a vector of sscd_small"."""
    return f"a vector of {_short(term.feature)}"


def _term(term: Term) -> str:
    share = abs(term.weight)
    times = "" if share == 1.0 else f" × {share:g}"
    crop = f" ({crop_words(term.crop)})" if isinstance(term, ImageTerm) and term.crop is not None else ""
    return f"{term_words(term)}{crop}{times}"


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST_NAME else f"{text[: _LONGEST_NAME - 1]}…"
