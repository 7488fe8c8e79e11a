"""Numbers and names of the schemas as words that a person reads.

Takes single values, gives short texts; must not look at a frame or decide anything. Exact numbers stay in JSON and
CSV: what is said here is rounded, and never rounded up to something that is not so.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal

__all__ = [
    "format_bytes",
    "format_count",
    "format_money",
    "format_percent",
    "format_score",
    "format_seconds",
    "missing_lines",
    "orientation_words",
    "outcome_words",
    "place_words",
    "plural",
    "problem_words",
    "relation_words",
    "score_words",
    "skipped_words",
    "tier_words",
    "withheld_words",
]

# Of money that is shown; digits enough for any sum.
_CENT, _MONEY = Decimal("0.01"), Context(prec=60)
_BYTE_STEP = 1000
_BYTE_UNITS = ("B", "kB", "MB", "GB", "TB", "PB", "EB")
_MINUTE, _HOUR = 60, 3600
_FLOAT32_HALF_DIGIT = 3e-8

# Lower bounds (inclusive) of the words for a score. They are for reading only; nothing decides on them.
_SCORE_WORDS = ((0.95, "very strong"), (0.85, "strong"), (0.70, "clear"), (0.50, "weak"))

# Of Tier, Relation and Outcome by their values: the schemas would load polars, which help and errors need not.
_TIER_WORDS = {
    "bytes": "byte for byte the same",
    "pixels": "the same pixels in another file",
    "copy": "a copy: re-encoded, resized, cropped or edited",
    "scene": "alike, not a copy: never counted as a saving",
}
_RELATION_WORDS = {
    "whole": "shows the same view",
    "part": "shows a part of {other}",
    "contains": "shows {other} and more around it",
    "composite": "holds foreign content beside what it shares with {other}",
    "unverified": "view not yet verified",
}
_OUTCOME_WORDS = {
    "indexed": "Analysed",
    "unsupported": "In a format that is not read",
    "not_a_picture": "No picture",
    "unreadable": "Could not be read",
    "too_large": "Above a limit",
    "empty": "Empty",
    "placeholder": "Only in the cloud",
    "changed_while_read": "Changed while it was read",
    "permission": "No permission",
    "kept_out": "Forgotten and kept out",
    "gone": "Gone",
}
# Of SkipReason: one entry, several.
_SKIPPED_WORDS = {
    "hidden": ("hidden", "hidden"),
    "excluded": ("excluded", "excluded"),
    "symlink": ("symbolic link", "symbolic links"),
    "special": ("pipe, socket or device", "pipes, sockets or devices"),
    "workspace": ("of the workspace itself", "of the workspace itself"),
    "quarantine": ("in quarantine", "in quarantine"),
}
_PROBLEM_WORDS = {
    "unsupported": "a picture, drawing or video in a format that is not read",
    "not_a_picture": "no picture",
    "empty": "empty: 0 bytes",
    "permission": "no permission to read it",
    "kept_out": "it was forgotten and is kept out",
    "gone": "gone before it could be read",
    "name_too_long": "its path is too long",
    "io": "the storage failed to read it",
    "unreadable": "could not be read",
    "corrupt": "damaged: the decoder gave up",
    "crashed": "it crashed its decoder",
    "timed_out": "it was not decoded in time",
    "placeholder": "only its name is here, its bytes are in the cloud",
    "too_large": "above a limit on bytes, pixels, frames or memory",
    "changed_while_read": "changed while it was read",
    "object": "could not be analysed",
}
# A variant says what takes the picture onto the kept one; a turn is undone by the opposite turn, a mirroring by itself.
_ORIENTATION_WORDS = {
    "identity": ("", ""),
    "flip_left_right": ("mirrored", "mirrored"),
    "flip_top_bottom": ("mirrored top to bottom", "mirrored top to bottom"),
    "rotate_180": ("turned 180°", "turned 180°"),
    "transpose": ("mirrored and turned 90°", "mirrored and turned 90°"),
    "transverse": ("mirrored and turned 90°", "mirrored and turned 90°"),
    "rotate_90": ("turned 90° clockwise", "turned 90° counter-clockwise"),
    "rotate_270": ("turned 90° counter-clockwise", "turned 90° clockwise"),
}


def format_bytes(size_bytes: int) -> str:
    """Bytes in decimal units with three digits at most, cut off, not rounded up: 1_239_999 is "1.23 MB"."""
    unit, step = 0, 1
    while abs(size_bytes) >= step * _BYTE_STEP and unit < len(_BYTE_UNITS) - 1:
        unit, step = unit + 1, step * _BYTE_STEP
    if unit == 0:
        return f"{size_bytes} B"
    whole = abs(size_bytes) // step
    decimals = max(0, 3 - len(str(whole)))
    digits = abs(size_bytes) * 10**decimals // step
    value = f"{digits // 10**decimals:,}" + (f".{digits % 10**decimals:0{decimals}d}" if decimals else "")
    return f"{'-' if size_bytes < 0 else ''}{value} {_BYTE_UNITS[unit]}"


def format_count(count: int) -> str:
    """A count with thousands separators: "1,234"."""
    return f"{count:,}"


def format_money(money: Decimal, *, cost: bool = False) -> str:
    """Money to two decimals, with thousands separators and without its currency: "1,234.56", "< 0.01", "-0.50".

    Args:
        money: The exact amount.
        cost: It is to be paid, so that it is rounded up; else it is gained, and rounded down.
    """
    if 0 < money < _CENT and not cost:
        return "< 0.01"
    return f"{money.quantize(_CENT, ROUND_CEILING if cost else ROUND_FLOOR, _MONEY):z,f}"


def plural(count: int, noun: str, nouns: str | None = None) -> str:
    """A count with its noun: "1 group", "1,234 groups"."""
    return f"{count:,} {noun if count == 1 else nouns or noun + 's'}"


def format_percent(part: int, whole: int) -> str:
    """A share to one decimal, never "100 %" unless all of it and never "0 %" unless none: "97.4 %", "< 0.1 %"."""
    if whole <= 0 or part >= whole:
        return "100 %"
    tenths = part * 1000 // whole
    if tenths == 0:
        return "0 %" if part <= 0 else "< 0.1 %"
    return f"{tenths // 10}.{tenths % 10} %"


def place_words(place: str, *, with_all: bool = False) -> str:
    """A folder as "location:folder/"; of the top of a location, "location:", what that is.

    Args:
        place: The folder.
        with_all: It stands for what is in the folders within it too.
    """
    if not place.endswith(":"):
        return place
    return f"{place} ({'whole location' if with_all else 'top folder'})"


def format_score(score: float) -> str:
    """A score of -1..1 to three decimals, cut off: 0.9996 is "0.999", only 1 is "1.000"."""
    # Half of a float32's last digit is given back, so that 0.95 stored as 0.94999999 stays "0.950".
    return f"{int((abs(score) + _FLOAT32_HALF_DIGIT) * 1000) / 1000 * (1 if score >= 0 else -1):.3f}"


def format_seconds(seconds: float) -> str:
    """A duration: "0.4 s", "12 s", "3 min 05 s", "2 h 10 min"."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < _MINUTE:
        return f"{whole} s"
    if whole < _HOUR:
        return f"{whole // _MINUTE} min {whole % _MINUTE:02d} s"
    return f"{whole // _HOUR:,} h {whole % _HOUR // _MINUTE:02d} min"


def score_words(score: float) -> str:
    """How strong a score of 0..1 is, for reading."""
    return next((words for bound, words in _SCORE_WORDS if score >= bound), "very weak")


def withheld_words(reason: str, companion: str | None) -> str:
    """Why a match is not proposed, naming a file that it belongs with where that is the reason."""
    return reason if companion is None else f"it belongs with {companion}; they stay or go together"


def tier_words(tier: str) -> str:
    """What a tier says of two objects."""
    return _TIER_WORDS.get(tier, tier)


def relation_words(relation: str, other: str = "the kept picture") -> str:
    """What a relation says of a member against its keeper, or of a picture against another one."""
    return _RELATION_WORDS.get(relation, relation).format(other=other)


def outcome_words(outcome: str) -> str:
    """What became of an object, as a heading."""
    return _OUTCOME_WORDS.get(outcome, outcome.replace("_", " "))


def skipped_words(skipped: Mapping[str, int]) -> str:
    """What a listing left out, by reason: "3 hidden, 1 symbolic link"."""
    said = []
    for reason, count in sorted(skipped.items()):
        one, several = _SKIPPED_WORDS.get(reason, (reason, reason))
        said.append(f"{count:,} {one if count == 1 else several}")
    return ", ".join(said)


def missing_lines(missing: Mapping[str, str]) -> list[str]:
    """A line for each feature that could not be computed, with the reason."""
    return [f"Not computed: {name}: {reason.rstrip('.')}." for name, reason in sorted(missing.items())]


def problem_words(code: str) -> str:
    """Why an object was not analysed."""
    return _PROBLEM_WORDS.get(code, code.replace("_", " "))


def orientation_words(orientation: int, *, from_b: bool) -> str:
    """How a picture is turned or mirrored against the other one of its pair; empty where it is upright.

    Args:
        orientation: Index 0..7 of what takes picture b of the pair onto picture a.
        from_b: The words are for picture b (else for picture a).
    """
    # Imported here: the arrays that come with it are needed by no other word.
    from deeplens_kit.features.orientations import ORIENTATIONS

    return _ORIENTATION_WORDS[ORIENTATIONS[orientation]][0 if from_b else 1]
