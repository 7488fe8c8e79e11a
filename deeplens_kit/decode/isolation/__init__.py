"""Decoding of untrusted bytes in processes of its own, which can be replaced: a crash or a hang costs one picture.

Takes bytes, limits and what is wanted of them, gives what the functions of `decode` give; must not read files. What
goes between the processes is plain values and samples, never objects: nothing that a broken decoder writes is run here.
"""

from deeplens_kit.decode.isolation.decoder import IsolatedDecoder
from deeplens_kit.decode.isolation.shelf import close_decoders

__all__ = ["IsolatedDecoder", "close_decoders"]
