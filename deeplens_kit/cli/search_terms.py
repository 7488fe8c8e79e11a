"""The pictures and words that a search names, in their order on the command line.

Takes what was given, gives the terms and weights of a query; must not read a picture. `--crop` and `--weight` are of
the picture or words before them: what stands together belongs together, whatever a file is called.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import typer
from typer.core import TyperCommand

from deeplens_kit.errors import SettingsError

if TYPE_CHECKING:
    from deeplens_kit.search import ImageTerm, TextTerm

__all__ = ["OrderedCommand", "terms_of", "weights_of"]

_ORDER = "deeplens_kit.search_options.order"
# Parameters that name a term, and what stands for it on the command line.
_TERMS = {
    "image": "--image",
    "like": "--like",
    "text": "--text",
    "unlike_image": "--unlike-image",
    "unlike_text": "--unlike-text",
}
_WORDED = ("text", "unlike_text")
_NEGATIVE = ("unlike_image", "unlike_text")
_DIGEST = re.compile(r"[0-9a-f]{64}", re.IGNORECASE)


class OrderedCommand(TyperCommand):
    """A command that remembers in which order its options were given."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse, and note the order."""
        _, _, order = self.make_parser(ctx).parse_args(args=list(args))
        ctx.meta[_ORDER] = [parameter.name for parameter in order]
        return super().parse_args(ctx, args)


@dataclass(slots=True)
class _Given:
    """A term as it stands on the command line."""

    option: str
    value: str
    weight: float | None = None
    crop: tuple[float, float, float, float] | None = None


def terms_of(context: typer.Context) -> tuple[ImageTerm | TextTerm, ...]:
    """The terms of a query, in the order in which they were given.

    Args:
        context: Of an `OrderedCommand`.

    Raises:
        SettingsError: A crop or weight stands before what it could be of, twice, or is not allowed.
    """
    from deeplens_kit.search import ImageTerm, TextTerm

    left = {name: iter(context.params.get(name) or ()) for name in (*_TERMS, "crop", "weight")}
    given: list[_Given] = []
    for name in context.meta.get(_ORDER, ()):
        if name in _TERMS:
            given.append(_Given(name, next(left[name])))
        elif name == "crop":
            _set_crop(given, next(left[name]))
        elif name == "weight":
            _set_weight(given, next(left[name]))
    terms: list[ImageTerm | TextTerm] = []
    for item in given:
        weight = (1.0 if item.weight is None else item.weight) * (-1 if item.option in _NEGATIVE else 1)
        if item.option in _WORDED:
            terms.append(TextTerm(item.value, weight))
        else:
            _require_indexed(item)
            terms.append(ImageTerm(item.value, weight, item.crop))
    return tuple(terms)


def weights_of(text: str | None) -> dict[str, float]:
    """Weights by feature.

    Raises:
        SettingsError: They are not written as FEATURE=NUMBER,...
    """
    weights: dict[str, float] = {}
    for part in (text or "").split(","):
        if not part.strip():
            continue
        name, equals, number = (piece.strip() for piece in part.partition("="))
        try:
            weight = float(number)
        except ValueError:
            weight = math.nan
        if not (name and equals and math.isfinite(weight)):
            raise SettingsError(f"--weights has {part.strip()!r}; it must be FEATURE=NUMBER, for example colour=0.3.")
        if name in weights:
            raise SettingsError(f"--weights names {name!r} twice; give it once.")
        weights[name] = weight
    if text is not None and not weights:
        raise SettingsError("--weights is empty; write FEATURE=NUMBER with commas between, for example colour=0.3.")
    return weights


def _last(given: Sequence[_Given], option: str) -> _Given:
    if not given:
        raise SettingsError(f"{option} stands before every picture and text; put it behind the one that it is of.")
    return given[-1]


def _set_crop(given: Sequence[_Given], text: str) -> None:
    item = _last(given, "--crop")
    if item.option in _WORDED:
        raise SettingsError(
            f"--crop {text!r} stands behind {_TERMS[item.option]}, which has no parts; put it behind a picture."
        )
    if item.crop is not None:
        raise SettingsError(f"--crop is given twice for {_TERMS[item.option]} {item.value!r}; give it once.")
    sides = [_share(side.strip()) for side in text.split(",")]
    if len(sides) != 4 or any(side is None for side in sides):
        raise SettingsError(
            f"--crop is {text!r}; it must be LEFT,TOP,RIGHT,BOTTOM of the upright picture, in shares from 0 to 1 or "
            "per cent, for example 0,0,0.5,1 or 0%,0%,50%,100%."
        )
    left, top, right, bottom = (float(side or 0.0) for side in sides)
    item.crop = left, top, right, bottom


def _share(text: str) -> float | None:
    number, sign, rest = text.partition("%")
    try:
        value = float(number) / (100 if sign else 1)
    except ValueError:
        return None
    return value if not rest and 0.0 <= value <= 1.0 else None


def _set_weight(given: Sequence[_Given], weight: float) -> None:
    item = _last(given, "--weight")
    if item.weight is not None:
        raise SettingsError(f"--weight is given twice for {_TERMS[item.option]} {item.value!r}; give it once.")
    if not (math.isfinite(weight) and weight > 0):
        raise SettingsError(
            f"--weight is {weight:g}; it must be above 0: what results are to be unlike goes with --unlike-image or "
            "--unlike-text."
        )
    item.weight = weight


def _require_indexed(item: _Given) -> None:
    if item.option == "like" and not _DIGEST.fullmatch(item.value.strip()) and ":" not in item.value:
        raise SettingsError(
            f"--like is {item.value!r}; it takes the digest (64 digits) or location:path of an indexed picture: give a "
            "file with --image."
        )
