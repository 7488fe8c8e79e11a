"""Queries as they may be remembered: without bytes and secrets in the history, whole under the name that a person gave.

Takes a query, gives one that may be kept; must not write it, or follow a link.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path

from deeplens_kit.errors import SettingsError
from deeplens_kit.search.link import is_link, shown_link
from deeplens_kit.search.query import ImageTerm, Query, Term
from deeplens_kit.search.query_words import picture_words
from deeplens_kit.storage import encode_path
from deeplens_kit.telemetry import redact

__all__ = ["query_for_history", "query_for_saving"]

_DIGEST_LETTERS = 64
_DATA_URI = "data:"
_UNKNOWN = "picture"


def query_for_history(query: Query, digests: Sequence[str | None], locations: Collection[str]) -> Query:
    """The query with its pictures by digest and name: no bytes, no path of this machine, no query of a link.

    Args:
        query: As it was asked.
        digests: Of each term its picture's digest, None for words.
        locations: Names of locations: what is at one stays as it was named.
    """

    def forgotten(term: Term, digest: str | None) -> Term:
        if not isinstance(term, ImageTerm):
            return term
        image = term.image.strip() if isinstance(term.image, str) else term.image
        if isinstance(image, str):
            if is_link(image):
                return replace(term, image=shown_link(image))
            if _is_indexed(image, locations):
                return term
        name = term.name or _name(image)
        if digest is None and not isinstance(image, Path | str):
            digest = hashlib.sha256(image).hexdigest()
        return replace(term, image=digest or name or _UNKNOWN, name=name)

    known = [*digests, *[None] * (len(query.terms) - len(digests))]
    return replace(
        query, terms=tuple(forgotten(term, digest) for term, digest in zip(query.terms, known, strict=False))
    )


def query_for_saving(query: Query, locations: Collection[str], most_picture_bytes: int) -> Query:
    """The query as it can be asked again, from another folder too.

    Args:
        query: As it was asked.
        locations: Names of locations.
        most_picture_bytes: Of a picture that is kept with it, inclusive.

    Raises:
        SettingsError: A picture is too large to be kept, or a link holds a credential.
    """

    def lasting(term: Term) -> Term:
        if not isinstance(term, ImageTerm):
            return term
        image = term.image.strip() if isinstance(term.image, str) else term.image
        if isinstance(image, Path):
            return replace(term, image=image.expanduser().absolute())
        if not isinstance(image, str):
            _require_small(term, len(image), most_picture_bytes)
            return term
        if is_link(image):
            if redact(image) != image:
                raise SettingsError(
                    f"The link {shown_link(image)!r} holds a credential, which is not kept; download the picture and "
                    "save the search with the file."
                )
            return term
        if _is_indexed(image, locations):
            return term
        if _is_embedded(image):
            _require_small(term, len(image) * 3 // 4, most_picture_bytes)
            return term
        return replace(term, image=Path(image).expanduser().absolute())

    return replace(query, terms=tuple(map(lasting, query.terms)))


def _is_indexed(text: str, locations: Collection[str]) -> bool:
    """Whether it names an indexed picture: a digest, or a path at a location."""
    is_digest = len(text) == _DIGEST_LETTERS and all(letter in "0123456789abcdefABCDEF" for letter in text)
    return is_digest or any(text.startswith(f"{name}:") for name in locations)


def _is_embedded(text: str) -> bool:
    """Whether it is a picture written as text: a data URI, or what is not there as a file and too long for a name."""
    if text[: len(_DATA_URI)].lower() == _DATA_URI:
        return True
    try:
        return not Path(text).expanduser().exists()
    except (OSError, ValueError, RuntimeError):
        return True


def _name(image: bytes | Path | str) -> str:
    if isinstance(image, Path):
        return encode_path(image.name)
    if isinstance(image, str) and not _is_embedded(image):
        return encode_path(Path(image).name)
    return ""


def _require_small(term: ImageTerm, size_bytes: int, most_bytes: int) -> None:
    if size_bytes > most_bytes:
        raise SettingsError(
            f"{picture_words(term)!r} has {size_bytes:,} bytes; a saved search keeps pictures of up to {most_bytes:,} "
            "(search.saved_picture_max_bytes): give a file, a link or an indexed picture instead."
        )
