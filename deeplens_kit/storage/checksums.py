"""Digests of a content.

Takes bytes in memory and gives the digests that `pictures` keeps; must not read files. SHA-256 is the identity;
MD5 and CRC32C are kept only to recognise the checksums that storages list.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import google_crc32c

__all__ = ["ContentDigests", "digest_content"]


@dataclass(frozen=True, slots=True)
class ContentDigests:
    """Digests of one content, lower-case hexadecimal.

    Attributes:
        sha256: 64 digits: the identity of a picture (FIPS 180-4).
        md5: 32 digits (RFC 1321); never an identity.
        crc32c: 8 digits, big-endian, Castagnoli polynomial (RFC 3720, B.4); never an identity.
    """

    sha256: str
    md5: str
    crc32c: str


def digest_content(data: bytes) -> ContentDigests:
    """Compute all digests of `data`; SHA-256 and MD5 release the GIL."""
    return ContentDigests(
        sha256=hashlib.sha256(data).hexdigest(),
        # not for security: systems in FIPS mode refuse MD5 without this
        md5=hashlib.md5(data, usedforsecurity=False).hexdigest(),
        crc32c=f"{google_crc32c.value(data):08x}",
    )
