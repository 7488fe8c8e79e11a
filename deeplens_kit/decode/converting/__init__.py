"""One picture to another format, with what that costs.

Takes the bytes of one file and what is wanted, gives the bytes of a converted copy and what was lost, measured on
the copy itself; must not read or write a file. Values in, values out: it runs in a process of its own as well.
"""

from __future__ import annotations

from deeplens_kit.decode.converting.base import TARGETS, ConversionTarget, Converted
from deeplens_kit.decode.converting.convert import convert_picture

__all__ = ["TARGETS", "ConversionTarget", "Converted", "convert_picture"]
