"""What a person gives to search for, as a picture with its features.

Takes bytes, a file, a link, a data URI, base64, a digest or the place of an indexed object; gives the picture's
features, out of the library where it has them, else computed now. Must not write: a picture that is searched for is
not indexed. Whatever cannot be searched for is a QueryError that says what it is.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from deeplens_kit.errors import DeepLensError, ObjectError, QueryError
from deeplens_kit.pipeline.analysis import Toolbox, analyse
from deeplens_kit.pipeline.query_text import file_of_text
from deeplens_kit.pipeline.reading import Content
from deeplens_kit.search import Library, QueryPicture
from deeplens_kit.search.link import LinkLimits, LinkPicture, fetch, is_link
from deeplens_kit.settings import DecodeSettings
from deeplens_kit.storage import digest_content, encode_path, open_location
from deeplens_kit.storage.paths import ESCAPE

__all__ = ["Asked", "Sought", "facts_said", "features_of", "sought"]

_DIGEST = re.compile(r"[0-9a-f]{64}", re.IGNORECASE)
_SHOWN_DIGITS = 12
_LONGEST_SHOWN = 200  # characters of a name in a message
# A picture for a web page is far smaller; whoever has larger ones downloads them first.
_LINK_BYTES = 64 * 2**20
_FACTS = ("digest", "width_px", "height_px", "format", "size_bytes")


@dataclass(frozen=True, slots=True)
class Sought:
    """What was asked for, before its features are known.

    Attributes:
        name: How it is called in the answer.
        content: Its bytes; None where only its place in the library is known.
        position: Its place in the library; None where the library does not have it.
        digest: SHA-256 of its bytes.
    """

    name: str
    content: Content | None
    position: int | None
    digest: str


@dataclass(frozen=True, slots=True)
class Asked:
    """A picture to search for.

    Attributes:
        picture: Its features.
        facts: name, digest, width_px, height_px, format, size_bytes, is_indexed.
    """

    picture: QueryPicture
    facts: Mapping[str, object]


def followed(link: str, decode: DecodeSettings, *, allow_private: bool = False) -> LinkPicture:
    """The picture that a link leads to; takes as long as its server does, up to twenty seconds.

    Raises:
        QueryError: It cannot be had; LinkRefusedError for a link that is not followed.
    """
    return fetch(link, LinkLimits(max_bytes=min(decode.max_bytes, _LINK_BYTES), allow_private=allow_private))


def sought(
    image: bytes | Path | str,
    library: Library,
    decode: DecodeSettings,
    *,
    name: str | None = None,
    allow_private: bool = False,
) -> Sought:
    """Recognise what was given: bytes, a file, else a text.

    A text is, in this order, a link, a data URI or base64 of a file, a digest, "location:path" or a file.

    Raises:
        QueryError: It is none of these, or cannot be read; LinkRefusedError for a link that is not followed.
    """
    if isinstance(image, bytes | bytearray | memoryview):
        return _of_bytes(bytes(image), name or "picture", library, decode)
    if isinstance(image, Path):
        return _of_file(image, name, library, decode)
    if not isinstance(image, str):
        raise QueryError(
            f"A picture of type {type(image).__name__!r} cannot be searched for; give the bytes of a picture file, a "
            "Path, or a text."
        )
    text = image.strip()
    if not text:
        raise QueryError("There is nothing to search for; give a file, a link, base64, a digest or location:path.")
    if is_link(text):
        found = followed(text, decode, allow_private=allow_private)
        return _of_bytes(found.data, name or found.name, library, decode)
    written = file_of_text(text, decode.max_bytes)
    if written is not None:
        return _of_bytes(written, name or "picture", library, decode)
    if _DIGEST.fullmatch(text):
        position = library.position(text.lower())
        if position is not None:
            return Sought(name or f"picture {text[:_SHOWN_DIGITS].lower()}", None, position, text.lower())
    elif ":" in text:
        found_object = _of_object(text, name, library)
        if found_object is not None:
            return found_object
    return _of_file(Path(text), name, library, decode)


def features_of(asked: Sought, library: Library, toolbox: Toolbox) -> Asked:
    """The features of what was sought: those of the library where it has all, else computed.

    Raises:
        QueryError: It cannot be decoded.
    """
    if asked.position is not None:
        facts = library.pictures.row(asked.position, named=True)
        known = {item.name: item.of(asked.position) for item in library.vectors}
        vectors = {name: vector for name, vector in known.items() if vector is not None}
        if asked.content is None or len(vectors) == len(known):
            return _asked(asked.name, facts, vectors, is_indexed=True)
    assert asked.content is not None, "what is not in the library has bytes"
    analysed = analyse([asked.content], toolbox)
    for failure in analysed.failures:
        raise QueryError(f"{asked.name!r} cannot be searched for: {failure.message}")
    (row,) = analysed.pictures
    computed = {spec.name: matrix[0] for spec, (_, matrix) in analysed.vectors.items()}
    return _asked(asked.name, row, computed, is_indexed=asked.position is not None)


def _asked(
    name: str, facts: Mapping[str, object], vectors: Mapping[str, NDArray[np.floating]], *, is_indexed: bool
) -> Asked:
    digest = str(facts["digest"])
    return Asked(QueryPicture(digest, facts, vectors), facts_said(name, facts, is_indexed=is_indexed))


def facts_said(name: str, facts: Mapping[str, object], *, is_indexed: bool) -> dict[str, object]:
    """`Asked.facts` of a row of `pictures`; what it lacks is null."""
    return {"name": name, **{fact: facts.get(fact) for fact in _FACTS}, "is_indexed": is_indexed}


def _of_bytes(data: bytes, name: str, library: Library, decode: DecodeSettings) -> Sought:
    if not data:
        raise QueryError(f"{name!r} is empty (0 bytes); give a picture.")
    if len(data) > decode.max_bytes:
        raise _too_large(name, len(data), decode.max_bytes)
    content = Content(data, digest_content(data))
    digest = content.digests.sha256
    return Sought(name, content, library.position(digest), digest)


def _of_file(path: Path, name: str | None, library: Library, decode: DecodeSettings) -> Sought:
    given = _shortened(str(path))
    try:
        path = path.expanduser().absolute()
        if not path.is_file():
            what = "is a folder" if path.is_dir() else "is no regular file" if path.exists() else "is not there"
            raise QueryError(
                f"{given!r} {what}; give a picture file, a link (http or https), the digest of an indexed picture, or "
                "location:path of an indexed file."
            )
        resolved = path.resolve()
        size_bytes = resolved.stat().st_size
        if size_bytes > decode.max_bytes:
            raise _too_large(given, size_bytes, decode.max_bytes)
        # Through the same door as indexing, so that no device or pipe is read.
        folder = open_location("", "searched", str(resolved.parent), {})
        data = folder.read(encode_path(resolved.name), expected=None, max_bytes=decode.max_bytes)
    except QueryError:
        raise
    except (OSError, ValueError, RuntimeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise QueryError(f"{given!r} cannot be read: {reason}; give another file.") from error
    except DeepLensError as error:
        raise QueryError(f"{given!r} cannot be searched for: {error}") from error
    return _of_bytes(data, name or encode_path(path.name), library, decode)


def _shortened(text: str) -> str:
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}…"


def _too_large(name: str, size_bytes: int, allowed: int) -> QueryError:
    return QueryError(
        f"{name!r} has {size_bytes:,} bytes; decode.max_bytes allows {allowed:,}: raise it if you trust the file."
    )


def _of_object(text: str, name: str | None, library: Library) -> Sought | None:
    """The picture of the object "location:path"; None where no location has that name.

    Raises:
        QueryError: There is such a location, but no indexed picture at that path.
    """
    known = False
    # A name may hold colons too.
    for at, letter in enumerate(text):
        if letter != ":" or text[:at] not in library.locations:
            continue
        known = True
        try:
            spelt = encode_path(text[at + 1 :])
        except ObjectError:
            continue  # no file has such a name
        paths = library.places.filter(library.places["location"] == text[:at])
        # As the file system has it, or as an answer has it, where it is encoded already.
        for path in dict.fromkeys((spelt, spelt.replace(f"{ESCAPE}00", ESCAPE))):
            digests = paths.filter(paths["path"] == path)["digest"]
            if len(digests):
                return Sought(name or f"{text[:at]}:{path}", None, library.position(digests[0]), digests[0])
    if known and not os.path.exists(text):  # noqa: PTH110 - says no to what is no path at all
        raise QueryError(
            f"No indexed picture is at {_shortened(text)!r}; `deeplens status` says what is indexed, "
            "`deeplens failures` what could not be analysed."
        )
    return None
