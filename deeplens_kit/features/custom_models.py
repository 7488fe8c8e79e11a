"""The user's own models: a file `NAME.toml` in `features.model_dir` makes the feature NAME.

Takes a folder and gives descriptors; must not load a model. A key that does not exist, one that is missing or a value
that is not allowed is an error that names the file and what is allowed.
"""

from __future__ import annotations

import math
import re
import tomllib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from deeplens_kit.errors import SettingsError, UnknownNameError
from deeplens_kit.features.model_descriptor import Model, ModelFile, Need, Purpose
from deeplens_kit.features.onnx_descriptor import OnnxDescriptor

__all__ = [
    "CHECKPOINT_ENDINGS",
    "ONNX_NEED",
    "OPEN_CLIP_NEED",
    "TIMM_NEED",
    "CustomModel",
    "TorchDescriptor",
    "custom_names",
    "read_custom",
]

NAME = re.compile(r"[a-z][a-z0-9_]*")
"""What a feature may be called: it becomes part of a table's name."""

ONNX_NEED = Need("onnxruntime", "the extra `cpu` (or `gpu`)")
OPEN_CLIP_NEED = Need("open_clip", "the extra `semantic`")
TIMM_NEED = Need("timm", "the extra `semantic`")

CHECKPOINT_ENDINGS = (".safetensors", ".bin", ".pt", ".pth")
"""Of a file of weights of open_clip or timm: any of them will do."""

MOST_PX = 4096
MOST_DIMENSIONS = 16_384

_COMMON = ("kind", "licence", "source", "purposes", "thumbnail_px")
_KEYS = {
    "onnx": (
        *("file", "dimensions", "input_px", "input_name", "output_name", "layout"),
        *("scale", "mean", "std", "resize", "resample", "metric"),
    ),
    "open_clip": ("model", "pretrained", "checkpoint"),
    "timm": ("model", "checkpoint"),
}
_WORDS: Mapping[str, tuple[str, ...]] = {
    "layout": ("nchw", "nhwc"),
    "resize": ("crop", "squash", "pad"),
    "resample": ("bilinear", "bicubic"),
    # Vectors are kept with length 1, where the Euclidean distance ranks as the cosine does.
    "metric": ("cosine",),
}


@dataclass(frozen=True, slots=True)
class TorchDescriptor:
    """A model of open_clip or timm, as the user named it.

    Attributes:
        name: Name of the feature.
        kind: "open_clip" or "timm".
        model: Name of the architecture in that library; empty where a JSON file beside the checkpoint describes it.
        pretrained: Tag of weights, which says how pictures are prepared; empty for weights of one's own.
        checkpoint: File of weights in `features.model_dir` or the model cache; empty: the library says which.
    """

    name: str
    kind: str
    model: str
    pretrained: str = ""
    checkpoint: str = ""


@dataclass(frozen=True, slots=True)
class CustomModel:
    """What the list of models tells, and what loads it."""

    model: Model
    descriptor: OnnxDescriptor | TorchDescriptor


def descriptor_names(model_dir: str) -> tuple[str, ...]:
    """Names of the descriptors in a folder, sorted, those included that no feature may have; none are opened."""
    return tuple(sorted(path.stem for path in Path(model_dir).glob("*.toml"))) if model_dir else ()


def custom_names(model_dir: str) -> tuple[str, ...]:
    """Names of the features that the descriptors in a folder make, sorted."""
    return tuple(name for name in descriptor_names(model_dir) if NAME.fullmatch(name))


def read_custom(name: str, model_dir: str, taken: Collection[str] = ()) -> CustomModel:
    """Read the descriptor `NAME.toml`.

    Args:
        name: Name of the feature.
        model_dir: The folder of the descriptor.
        taken: Names of the features that come with DeepLens.

    Raises:
        SettingsError: The file cannot be read, is no TOML, lacks a key, or a value or its name is not allowed.
        UnknownNameError: A key that does not exist; the nearest is suggested.
    """
    path = Path(model_dir) / f"{name}.toml"
    if not NAME.fullmatch(name):
        raise SettingsError(
            f"{str(path)!r} would make a feature named {name!r}; a name begins with a letter a-z and holds letters "
            "a-z, digits and _: rename the file."
        )
    if name in taken:
        raise SettingsError(
            f"{str(path)!r} has the name of the feature {name!r}, which comes with DeepLens; rename the file."
        )
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"Cannot read {str(path)!r}: {error.strerror or error}.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{str(path)!r} is not valid TOML: {error}; mend the file.") from error
    read = _Reader(str(path), table)
    kind = read.word("kind", tuple(_KEYS))
    allowed = (*_COMMON, *_KEYS[kind])
    for key in table:
        if key not in allowed:
            raise UnknownNameError(f"key in {str(path)!r}", key, allowed)
    return _onnx(name, read) if kind == "onnx" else _torch(name, kind, read)


def _onnx(name: str, read: _Reader) -> CustomModel:
    read.word("metric", _WORDS["metric"], default="cosine")
    descriptor = OnnxDescriptor(
        name=name,
        file=read.text("file"),
        input_px=read.sides("input_px"),
        dimensions=read.whole("dimensions", MOST_DIMENSIONS),
        input_name=read.text("input_name", default=""),
        output_name=read.text("output_name", default=""),
        layout=read.word("layout", _WORDS["layout"], default="nchw"),
        scale=read.above_zero("scale", default=255.0),
        mean=read.channels("mean", default=(0.0, 0.0, 0.0)),
        std=read.channels("std", default=(1.0, 1.0, 1.0), above_zero=True),
        resize=read.word("resize", _WORDS["resize"], default="crop"),
        resample=read.word("resample", _WORDS["resample"], default="bilinear"),
        source=read.text("source", default=""),
    )
    return CustomModel(
        Model(
            name=name,
            kind="onnx",
            dimensions=descriptor.dimensions,
            input_px=descriptor.input_px,
            files=(ModelFile(descriptor.file),),
            needs=(ONNX_NEED,),
            **_told(read),
        ),
        descriptor,
    )


def _torch(name: str, kind: Any, read: _Reader) -> CustomModel:
    descriptor = TorchDescriptor(
        name,
        kind,
        read.text("model", default="" if kind == "open_clip" else None),
        read.text("pretrained", default=""),
        read.text("checkpoint", default=""),
    )
    if kind == "open_clip" and not (descriptor.checkpoint or (descriptor.model and descriptor.pretrained)):
        raise SettingsError(
            f"{read.path!r} must set `model` and `pretrained`, which open_clip knows, or `checkpoint`, a file of "
            "weights; add them."
        )
    return CustomModel(
        Model(
            name=name,
            kind=kind,
            dimensions=0,
            input_px=(0, 0),
            needs=(OPEN_CLIP_NEED if kind == "open_clip" else TIMM_NEED,),
            **_told(read, words=kind == "open_clip"),
        ),
        descriptor,
    )


def _told(read: _Reader, *, words: bool = False) -> dict[str, Any]:
    usual = (Purpose.LIKENESS, Purpose.WORDS) if words else (Purpose.LIKENESS,)
    return {
        "purposes": read.purposes("purposes", usual),
        "licence": read.text("licence", default="not stated"),
        "thumbnail_px": read.whole("thumbnail_px", MOST_PX, least=0, default=0),
        "source": read.text("source", default="the user's own"),
        "custom": True,
    }


class _Reader:
    """Typed values of one descriptor.

    Args:
        path: The file, for errors.
        table: What it holds.
    """

    def __init__(self, path: str, table: Mapping[str, Any]) -> None:
        self.path, self._table = path, table

    def text(self, key: str, *, default: str | None = None) -> str:
        value = self._value(key, default)
        if not isinstance(value, str):
            self._refuse(key, value, "a text")
        return value

    def word(self, key: str, allowed: Sequence[str], *, default: str | None = None) -> Any:
        value = self._value(key, default)
        if value not in allowed:
            self._refuse(key, value, " or ".join(map(repr, allowed)))
        return value

    def whole(self, key: str, most: int, *, least: int = 1, default: int | None = None) -> int:
        value = self._value(key, default)
        if not _whole(value, most, least):
            self._refuse(key, value, f"a whole number from {least} to {most}")
        return int(value)

    def sides(self, key: str) -> tuple[int, int]:
        value = self._value(key, None)
        sides = value if isinstance(value, list) else [value, value]
        if len(sides) != 2 or not all(_whole(side, MOST_PX) for side in sides):
            self._refuse(key, value, f"a side from 1 to {MOST_PX} px, or [height, width]")
        return int(sides[0]), int(sides[1])

    def above_zero(self, key: str, *, default: float) -> float:
        value = self._value(key, default)
        if not _number(value) or value <= 0:
            self._refuse(key, value, "a number above 0")
        return float(value)

    def channels(
        self, key: str, *, default: tuple[float, float, float], above_zero: bool = False
    ) -> tuple[float, float, float]:
        value = self._value(key, list(default))
        fits = isinstance(value, list) and len(value) == 3 and all(map(_number, value))
        if not fits or (above_zero and min(value) <= 0):
            self._refuse(key, value, "three numbers, by channel" + (", each above 0" if above_zero else ""))
        return float(value[0]), float(value[1]), float(value[2])

    def purposes(self, key: str, default: Sequence[Purpose]) -> tuple[Purpose, ...]:
        # "copy" is not for a custom model: matching has no column for it.
        allowed = [str(Purpose.LIKENESS), str(Purpose.WORDS)]
        value = self._value(key, [str(item) for item in default])
        if not isinstance(value, list) or not value or not all(item in allowed for item in value):
            self._refuse(key, value, f"a list of {' and '.join(map(repr, allowed))}")
        return tuple(Purpose(item) for item in value)

    def _value(self, key: str, default: Any) -> Any:
        if key not in self._table and default is None:
            raise SettingsError(f"{self.path!r} must set {key!r}; add it.")
        return self._table.get(key, default)

    def _refuse(self, key: str, value: object, allowed: str) -> NoReturn:
        raise SettingsError(f"In {self.path!r}: {key!r} is {value!r}; it must be {allowed}.")


def _number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _whole(value: object, most: int, least: int = 1) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and least <= value <= most
