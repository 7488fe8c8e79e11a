"""What a model is: what it tells, which files it is made of, where they come from, under which licence.

Takes nothing, gives frozen descriptors; must not look for a file or import a library. A model is everything that turns
a picture into a vector, those included that are computed by rule and need no weights.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

__all__ = ["Model", "ModelFile", "ModelKind", "Need", "Purpose"]


class Purpose(StrEnum):
    """What a vector can tell. Only `COPY` is evidence: what is alike need not be made from one another."""

    COPY = "copy"
    LIKENESS = "likeness"
    WORDS = "words"


ModelKind = Literal["onnx", "torchscript", "torch", "open_clip", "timm", "rule"]
"""What runs it; "rule" is computed from the picture without weights."""


@dataclass(frozen=True, slots=True)
class ModelFile:
    """A file of weights.

    Attributes:
        name: Its name in `features.model_dir`.
        size_bytes: Its size; 0 where it is not known before the file is there.
        sha256: Of its content, lower-case hexadecimal; empty where nobody published it.
        url: Where it can be fetched; empty where it cannot.
        package: Distribution that ships it; empty where none does.
        packaged_as: Its name in that distribution, where it is another.
        extra: Extra of DeepLens that brings the distribution.
        endings: Endings of its name of which any will do; empty: only its own.
        by_library: The library that runs the model knows where it can be fetched.
    """

    name: str
    size_bytes: int = 0
    sha256: str = ""
    url: str = ""
    package: str = ""
    packaged_as: str = ""
    extra: str = ""
    endings: tuple[str, ...] = ()
    by_library: bool = False

    @property
    def can_be_fetched(self) -> bool:
        """Whether `deeplens models pull` may get it."""
        return bool(self.url) or self.by_library


@dataclass(frozen=True, slots=True)
class Need:
    """A module that a model cannot run without, and the words for how it gets installed."""

    module: str
    install: str


@dataclass(frozen=True, slots=True)
class Model:
    """One model, as `deeplens models list` tells of it.

    Attributes:
        name: Name of the feature, for `features.enabled`.
        kind: What runs it.
        purposes: What its vectors can tell, the foremost first.
        dimensions: Numbers of a vector; 0 where only the loaded model knows.
        input_px: Height and width of what the model sees, or of what a rule looks at.
        licence: Of the weights, as an SPDX identifier or in words; what we could not find out is said so.
        source: Paper or package that defines it.
        files: Files of weights; none for a rule.
        needs: Modules that run it.
        thumbnail_px: Least shorter side of a stored thumbnail that its vector can be computed from, inclusive;
            0: only from the picture itself.
        custom: The user's own, by a descriptor in `features.model_dir`.
    """

    name: str
    kind: ModelKind
    purposes: tuple[Purpose, ...]
    dimensions: int
    input_px: tuple[int, int]
    licence: str
    source: str
    files: tuple[ModelFile, ...] = ()
    needs: tuple[Need, ...] = ()
    thumbnail_px: int = 0
    custom: bool = False

    @property
    def size_bytes(self) -> int:
        """Bytes of all its files, as far as they are known beforehand."""
        return sum(file.size_bytes for file in self.files)
