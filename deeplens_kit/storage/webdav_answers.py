"""What servers of WebDAV say about files and folders: multistatus documents (RFC 4918, 13).

Takes the bytes of an answer and gives its resources; must not ask a server. A document type is refused, so that no
entity of a hostile answer is ever expanded.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import NamedTuple
from xml.etree import ElementTree

from deeplens_kit.storage.base import ListingProblem
from deeplens_kit.storage.paths import encode_path

__all__ = ["PROPERTIES", "QUOTAS", "AnswerUnreadableError", "Resource", "parse_multistatus", "parse_time", "untold"]

_PROPERTIES = ("resourcetype", "getcontentlength", "getetag", "getlastmodified")
_QUOTAS = ("quota-available-bytes", "quota-used-bytes")
_STATUS = re.compile(r"\S+ (\d{3})\b")
_ORIGIN = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^/]*")


def _request_for(*names: str) -> bytes:
    """The body of a PROPFIND."""
    wanted = "".join(f"<{name}/>" for name in names)
    return f'<?xml version="1.0" encoding="utf-8"?><propfind xmlns="DAV:"><prop>{wanted}</prop></propfind>'.encode()


PROPERTIES = _request_for(*_PROPERTIES)
QUOTAS = _request_for(*_QUOTAS, "resourcetype")


class AnswerUnreadableError(Exception):
    """An answer that is no multistatus document."""


class Resource(NamedTuple):
    """A file or a folder.

    Attributes:
        path: As it stands in a URL, from the server's root.
        is_folder: Whether it is a collection.
        size_bytes: None where the server does not tell.
        etag: Without quotation marks; None where there is none.
        is_weak: The ETag may stay when the content changes.
        modified_at: Aware.
        available_bytes: That may still be stored in a folder.
        used_bytes: By a folder.
        status: Of HTTP, of what the server says of the resource; another than 200 leaves the rest unknown. 0 where it
            says nothing.
    """

    path: str
    is_folder: bool
    size_bytes: int | None
    etag: str | None
    is_weak: bool
    modified_at: datetime | None
    available_bytes: int | None
    used_bytes: int | None
    status: int = 200


def parse_multistatus(body: bytes) -> Iterator[Resource]:
    """Read a multistatus document.

    Raises:
        AnswerUnreadableError: It is none.
    """
    # A document in UTF-16, in which the declaration would not be seen, holds zero bytes.
    if b"<!DOCTYPE" in body or b"\0" in body:
        raise AnswerUnreadableError("it has a document type")
    try:
        root = None
        for event, element in ElementTree.iterparse(io.BytesIO(body), ("start", "end")):
            if root is None:
                root = element
                if element.tag != "{DAV:}multistatus":
                    raise AnswerUnreadableError(f"it starts with {element.tag}")
            elif event == "end" and element.tag == "{DAV:}response":
                yield _resource(element)
                root.clear()
    except ElementTree.ParseError as error:
        raise AnswerUnreadableError(str(error)) from error


def parse_time(text: str | None) -> datetime | None:
    """A time of HTTP; None where it is none."""
    try:
        moment = parsedate_to_datetime(text) if text else None
    except ValueError:
        return None
    if moment is None:
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def untold(path: str, resource: Resource) -> list[ListingProblem]:
    """What is said of an entry of which the server does not say what it is."""
    if resource.status in (404, 410):  # it went while the folder was listed
        return []
    code = "permission" if resource.status in (401, 403) else "io"
    said = f"the server answers {resource.status}" if resource.status else "the server says nothing of it"
    message = f"It cannot be told whether this is a file or a folder: {said}."
    name = encode_path(path)
    # Nothing beneath may be taken for gone, and neither may a file of this name.
    names = [f"{name}/"] if resource.path.endswith("/") else [name, f"{name}/"]
    return [ListingProblem(one, code, message) for one in names]


def _resource(response: ElementTree.Element) -> Resource:
    texts: dict[str, str] = {}
    is_folder = False
    status = _status(response)
    for found in response.iterfind("{DAV:}propstat"):
        found_status = _status(found)
        if found_status != 200:
            # 404 is said of properties that the resource has not got; anything else hides what it is.
            if found_status != 404 and found.find("{DAV:}prop/{DAV:}resourcetype") is not None:
                status = found_status
            continue
        status = status or 200
        for one in found.iterfind("{DAV:}prop/*"):
            texts[one.tag.removeprefix("{DAV:}")] = (one.text or "").strip()
            is_folder = is_folder or one.find("{DAV:}collection") is not None
    etag = texts.get("getetag", "")
    href = (response.findtext("{DAV:}href") or "").strip()
    return Resource(
        _ORIGIN.sub("", href, count=1) or "/",
        is_folder,
        _number(texts.get("getcontentlength")),
        etag.removeprefix("W/").strip('"') or None,
        etag.startswith("W/"),
        parse_time(texts.get("getlastmodified")),
        _number(texts.get("quota-available-bytes")),
        _number(texts.get("quota-used-bytes")),
        status,
    )


def _status(element: ElementTree.Element) -> int:
    """Of a line like "HTTP/1.1 200 OK"; 0 where there is none."""
    match = _STATUS.match((element.findtext("{DAV:}status") or "").strip())
    return int(match[1]) if match else 0


def _number(text: str | None) -> int | None:
    # Some say "unlimited" by a negative one.
    return int(text) if text and text.isdecimal() else None
