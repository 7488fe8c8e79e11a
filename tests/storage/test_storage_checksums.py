from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deeplens_kit.storage import digest_content


@pytest.mark.parametrize(
    ("data", "sha256", "md5", "crc32c"),
    [
        (
            b"",
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
            "d41d8cd98f00b204e9800998ecf8427e",
            "00000000",
        ),
        # FIPS 180-4 example, RFC 1321 A.5 and the check value of CRC-32C.
        (
            b"abc",
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
            "900150983cd24fb0d6963f7d28e17f72",
            "364b3fb7",
        ),
        (
            b"123456789",
            "15e2b0d3c33891ebb0f1ef609ec419420c20e320ce94c65fbc8c3312448eb225",
            "25f9e794323b453885f5181f1b624d0b",
            "e3069283",
        ),
        # RFC 3720 B.4: 32 bytes of zeroes.
        (
            bytes(32),
            "66687aadf862bd776c8fc18b8e9f8e20089714856ee233b3902a591d0d5f2925",
            "70bc8f4b72a86921468bf8e8441dce51",
            "8a9136aa",
        ),
    ],
)
def test_published_vectors(data: bytes, sha256: str, md5: str, crc32c: str) -> None:
    digests = digest_content(data)
    assert (digests.sha256, digests.md5, digests.crc32c) == (sha256, md5, crc32c)


@given(st.binary(max_size=200))
def test_crc32c_agrees_with_its_definition(data: bytes) -> None:
    remainder = 0xFFFFFFFF
    for byte in data:
        remainder ^= byte
        for _ in range(8):
            remainder = (remainder >> 1) ^ (0x82F63B78 if remainder & 1 else 0)
    assert digest_content(data).crc32c == f"{remainder ^ 0xFFFFFFFF:08x}"
