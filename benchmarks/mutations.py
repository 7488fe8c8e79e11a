"""Ways in which files get damaged, and in which somebody would damage one to bring a decoder down.

Takes the bytes of whole files and a seed, gives mutated bytes: the same for the same seed. Must not write.
"""

from __future__ import annotations

import random
import struct
from collections.abc import Callable, Mapping, Sequence

__all__ = ["MUTATIONS", "mutated"]

_EXTREMES = (0, 1, 0x7F, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFE, 0xFFFFFFFF)
_HEAD_BYTES = 512  # where formats keep sizes, counts and offsets


def _flip(data: bytearray, chance: random.Random, _other: bytes) -> bytearray:
    for _ in range(chance.choice((1, 1, 2, 8, 64))):
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    return data


def _flip_in_head(data: bytearray, chance: random.Random, _other: bytes) -> bytearray:
    for _ in range(chance.choice((1, 2, 4, 16))):
        data[chance.randrange(min(len(data), _HEAD_BYTES))] = chance.randrange(256)
    return data


def _extreme(data: bytearray, chance: random.Random, _other: bytes) -> bytearray:
    """A number of two or four bytes, somewhere in the head or anywhere, becomes one that nobody expects."""
    for _ in range(chance.choice((1, 1, 2, 4))):
        code = chance.choice(("<H", ">H", "<I", ">I"))
        size = struct.calcsize(code)
        reach = chance.choice((len(data), _HEAD_BYTES))
        at = chance.randrange(max(1, min(len(data), reach) - size))
        value = chance.choice(_EXTREMES) & (2 ** (8 * size) - 1)
        data[at : at + size] = struct.pack(code, value)
    return data


def _truncate(data: bytearray, chance: random.Random, _other: bytes) -> bytearray:
    return data[: chance.randrange(1, len(data))]


def _blank(data: bytearray, chance: random.Random, _other: bytes) -> bytearray:
    """A run of zeros, of ones or of noise, as a bad sector leaves."""
    length = min(len(data), chance.choice((16, 256, 512, 4096)))
    at = chance.randrange(len(data) - length + 1)
    fill = chance.choice((b"\x00" * length, b"\xff" * length, chance.randbytes(length)))
    data[at : at + length] = fill
    return data


def _remove(data: bytearray, chance: random.Random, _other: bytes) -> bytearray:
    at = chance.randrange(len(data))
    del data[at : at + chance.choice((1, 2, 4, 64, 1024))]
    return data


def _repeat(data: bytearray, chance: random.Random, _other: bytes) -> bytearray:
    at = chance.randrange(len(data))
    piece = data[at : at + chance.choice((1, 4, 64, 1024))]
    data[at:at] = bytes(piece) * chance.choice((1, 2, 50))
    return data


def _splice(data: bytearray, chance: random.Random, other: bytes) -> bytearray:
    """The head of one file and the rest of another."""
    return data[: chance.randrange(1, len(data))] + bytearray(other[chance.randrange(len(other)) :])


MUTATIONS: Mapping[str, Callable[[bytearray, random.Random, bytes], bytearray]] = {
    "flip": _flip,
    "flip in head": _flip_in_head,
    "extreme number": _extreme,
    "truncate": _truncate,
    "blank": _blank,
    "remove": _remove,
    "repeat": _repeat,
    "splice": _splice,
}


def mutated(samples: Sequence[bytes], number: int, seed: int) -> tuple[str, bytes]:
    """The `number`-th mutation of some files of one format: its name and the bytes.

    Args:
        samples: Whole files; not empty.
        number: Any number from 0.
        seed: With the same seed come the same bytes.
    """
    chance = random.Random(f"{seed}-{number}")
    name = chance.choice(sorted(MUTATIONS))
    data = bytearray(samples[number % len(samples)])
    found = MUTATIONS[name](data, chance, chance.choice(samples))
    if chance.random() < 0.25:
        second = chance.choice(sorted(MUTATIONS))
        name, found = f"{name}, {second}", MUTATIONS[second](found or bytearray(b"\x00"), chance, samples[0])
    return name, bytes(found)
