"""The picture behind a link, fetched so that a link cannot be used to reach what only this machine can reach.

Takes a link that a person gave, gives bytes that begin as a picture does. Every hop is checked anew: http or https
only, all addresses of the host public, and the connection goes to the very address that was checked, so that a name
that changes its address between the check and the connection gains nothing. Size and time are bounded while it is
read. Proxies of the environment are not used, nothing is kept, no cookie or credential is sent.
"""

from __future__ import annotations

import contextlib
import http.client
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from urllib.parse import SplitResult, quote, unquote, urljoin, urlsplit

from deeplens_kit.decode import FORMATS, describe, sniff
from deeplens_kit.errors import LinkRefusedError, QueryError
from deeplens_kit.search.addresses import Address, is_public, resolved
from deeplens_kit.search.connection import Deadline, asked, said

__all__ = ["LinkLimits", "LinkPicture", "fetch", "is_link", "shown_link"]

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_PORTS = {"http": 80, "https": 443}
_CHUNK_BYTES = 64 * 2**10
# Enough for `sniff`; the rest is not loaded where these are of no picture.
_HEAD_BYTES = 512
_LONGEST_LINK = 8192
_HEADERS = {
    "User-Agent": "deeplens",
    "Accept": "image/*",
    # As it is: nothing is to grow while it is unpacked.
    "Accept-Encoding": "identity",
    "Connection": "close",
}
# Left as it is in a path or query; the rest is written as %NN.
_KEPT = "/%:=&?~#+!$,;'@()*[]"


@dataclass(frozen=True, slots=True)
class LinkLimits:
    """How far a link is followed.

    Attributes:
        max_bytes: Most bytes of the picture, inclusive.
        max_redirects: Most hops after the first.
        seconds: For all of it together.
        allow_private: Whether addresses that are not public may be reached; never for links of strangers.
    """

    max_bytes: int
    max_redirects: int = 5
    seconds: float = 20.0
    allow_private: bool = False


@dataclass(frozen=True, slots=True)
class LinkPicture:
    """Bytes that begin as a picture, and the name that its link ends with."""

    data: bytes
    name: str


def is_link(text: str) -> bool:
    """Whether a text says how it is to be fetched: "https://...", or another scheme, which is then refused."""
    scheme, separator, _ = text.partition("://")
    return bool(separator) and scheme.isascii() and scheme.replace("+", "").replace("-", "").isalnum()


def shown_link(link: str) -> str:
    """A link as it may be kept and shown: without user, password and query, which may hold a key."""
    try:
        url = urlsplit(link.strip())
        text = f"{url.scheme}://{url.netloc.rpartition('@')[2]}{url.path}"
    except ValueError:
        text = link.partition("://")[0] + "://…"
    shown = text[:_LONGEST_LINK]
    return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in shown)


def fetch(
    link: str,
    limits: LinkLimits,
    *,
    resolve: Callable[[str, int, float], Sequence[Address]] = resolved,
    allowed: Callable[[Address], bool] = is_public,
) -> LinkPicture:
    """Load the picture that a link leads to.

    Args:
        link: http or https.
        limits: Bounds.
        resolve: Addresses of a host and port, within so many seconds; by default the system's.
        allowed: Which addresses may be connected to, where `limits` does not allow all.

    Raises:
        LinkRefusedError: The link or one that it redirects to is not followed, or leads to no picture.
        QueryError: The host cannot be found or reached, or does not answer as it should.
    """
    deadline = Deadline(limits.seconds)
    at = link.strip()
    for _ in range(limits.max_redirects + 1):
        url = _checked(at)
        host, port = _host(url), url.port or _PORTS[url.scheme]
        addresses = resolve(host, port, deadline.left())
        if not limits.allow_private:
            _require_allowed(host, addresses, allowed)
        headers = {**_HEADERS, "Host": _host_header(host, url)}
        with asked(url.scheme, host, port, _target(url), headers, addresses, deadline) as answer:
            forward = answer.getheader("Location") if answer.status in _REDIRECTS else None
            if forward is None:
                return LinkPicture(_picture(answer, _shown(url), limits.max_bytes, deadline), _name(url))
        at = _next(at, forward)
    raise LinkRefusedError(
        f"The link redirects more than {limits.max_redirects} times; give the link that a browser ends with."
    )


def _next(at: str, header: str) -> str:
    """Where a redirect leads to, from where it was found."""
    # Servers write it in UTF-8, and it was read as Latin-1.
    with contextlib.suppress(UnicodeError):
        header = header.encode("latin-1").decode("utf-8")
    try:
        return urljoin(at, header)
    except ValueError as error:
        raise _no_address(error) from error


def _checked(link: str) -> SplitResult:
    """The parts of a link that may be followed as far as can be told without its addresses."""
    if len(link) > _LONGEST_LINK:
        raise LinkRefusedError(f"The link has {len(link):,} characters; at most {_LONGEST_LINK:,} are followed.")
    try:
        link.encode()  # a command line may hold bytes that are no text
        url = urlsplit(link)
        port = url.port
    except ValueError as error:
        raise _no_address(error) from error
    if url.scheme not in _PORTS:
        raise LinkRefusedError(f"A link with {url.scheme + '://'!r} is not followed; only http:// and https:// are.")
    if not url.hostname or port == 0:
        raise LinkRefusedError("The link names no host; copy it again from a browser.")
    if url.username is not None or url.password is not None:
        raise LinkRefusedError(
            f"The link to {url.hostname!r} holds a user name or password, which is not sent; download the picture "
            "and give the file."
        )
    return url


def _no_address(error: ValueError) -> LinkRefusedError:
    why = "it holds what is no text" if isinstance(error, UnicodeError) else error
    return LinkRefusedError(f"The link is no valid address: {why}; copy it again from a browser.")


def _host(url: SplitResult) -> str:
    """The host in ASCII, as it is looked up, certified and asked for."""
    host = str(url.hostname)
    if host.isascii():
        return host
    try:
        return host.encode("idna").decode("ascii")
    except UnicodeError as error:
        raise LinkRefusedError(f"The link's host {host!r} is no valid name; copy it again from a browser.") from error


def _require_allowed(host: str, addresses: Sequence[Address], allowed: Callable[[Address], bool]) -> None:
    # All of them: a name with one public and one private address is a way in.
    for address in addresses:
        if not allowed(address):
            raise LinkRefusedError(
                f"The link leads to {host!r}, whose address {address} is not on the public internet; it is not "
                "followed. Download the picture and give the file."
            )


def _host_header(host: str, url: SplitResult) -> str:
    named = f"[{host}]" if ":" in host else host
    return named if url.port in (None, _PORTS[url.scheme]) else f"{named}:{url.port}"


def _target(url: SplitResult) -> str:
    path = quote(url.path or "/", safe=_KEPT)
    return f"{path}?{quote(url.query, safe=_KEPT)}" if url.query else path


def _picture(answer: http.client.HTTPResponse, shown: str, max_bytes: int, deadline: Deadline) -> bytes:
    """The bytes of an answer, as long as they may be a picture of allowed size."""
    if answer.status != http.client.OK:
        raise QueryError(f"{shown} answers {answer.status} {said(answer.reason)}; there is no picture.")
    announced = answer.getheader("Content-Length", "")
    if announced.isdecimal() and int(announced) > max_bytes:
        raise _too_large(shown, max_bytes)
    data = bytearray()
    checked = False
    while chunk := answer.read1(_CHUNK_BYTES):
        deadline.left()
        data += chunk
        if len(data) > max_bytes:
            raise _too_large(shown, max_bytes)
        if not checked and len(data) >= _HEAD_BYTES:
            checked = _require_picture(bytes(data[:_HEAD_BYTES]), shown)
    # At the deadline the connection is ended, which looks like the end of the picture.
    deadline.left()
    if announced.isdecimal() and len(data) < int(announced):
        raise QueryError(f"{shown} broke off after {len(data):,} of {int(announced):,} bytes; try again.")
    if not checked:
        _require_picture(bytes(data), shown)
    return bytes(data)


def _require_picture(head: bytes, shown: str) -> bool:
    # What the server says of the content is not looked at.
    if sniff(head) is None:
        raise LinkRefusedError(
            f"{shown} leads to no picture but to this: {describe(head)}. Give the link of the picture itself; "
            f"read are {', '.join(FORMATS)}."
        )
    return True


def _too_large(shown: str, max_bytes: int) -> LinkRefusedError:
    return LinkRefusedError(
        f"{shown} has over {max_bytes:,} bytes, more than is loaded from a link; download it and give the file."
    )


def _shown(url: SplitResult) -> str:
    """A link for messages: without the query, which may hold a key."""
    return said(f"{url.scheme}://{url.netloc}{url.path}")


def _name(url: SplitResult) -> str:
    return unquote(url.path.rpartition("/")[2]) or str(url.hostname)
