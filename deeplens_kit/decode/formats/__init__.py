"""One reader per picture format: bytes to a header without pixels, then to pixels."""

from deeplens_kit.decode.formats.base import Header, Reader
from deeplens_kit.decode.formats.registry import reader_for

__all__ = ["Header", "Reader", "reader_for"]
