"""The entry of one location in the price book: read for a form, and written back without touching the rest of the file.

Takes an open workspace, the name of a location and numbers as somebody wrote them; writes `prices.yaml`, and nothing
else. Comments and other entries stay as they are; what the result says is checked before it takes the file's place.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from deeplens_kit.errors import SettingsError
from deeplens_kit.pipeline.price_file import PRICES_FILE, plain_yaml
from deeplens_kit.savings import ANY, exact_text, parse_price_book
from deeplens_kit.search.cache_files import write_bytes

if TYPE_CHECKING:
    from deeplens_kit.pipeline.workspace import Workspace

__all__ = ["PRICE_FIELDS", "book_currency", "price_entry", "set_price_entry"]

_CLASS, _REQUESTS = ("storage_classes", ANY), ("requests",)
PRICE_FIELDS: Mapping[str, tuple[str, ...]] = {
    "storage_per_gb_month": _CLASS,
    "retrieval_per_gb": _CLASS,
    "minimum_days": _CLASS,
    "egress_per_gb": (),
    "list_per_1000": _REQUESTS,
    "read_per_1000": _REQUESTS,
    "head_per_1000": _REQUESTS,
    "write_per_1000": _REQUESTS,
}
"""What a form asks of a location, and where in its entry that stands."""

_NUMBER = re.compile(r"\d{1,12}(\.\d{1,12})?")
_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
_STEP = 2


def book_currency(workspace: Workspace) -> str:
    """The currency of the price book; empty where there is none yet.

    Raises:
        SettingsError: The book cannot be read.
    """
    values = _values(_text(workspace), workspace)
    return str(values.get("currency") or "") if isinstance(values, Mapping) else ""


def price_entry(workspace: Workspace, name: str) -> dict[str, str]:
    """What the price book says of a location by itself, by PRICE_FIELDS; what it does not state is left out.

    Raises:
        SettingsError: The book cannot be read.
    """
    entry = _entry(_values(_text(workspace), workspace), name)
    found = {}
    for key, path in PRICE_FIELDS.items():
        value = _at(entry, path).get(key)
        if value is not None:
            found[key] = _scalar(value)
    return found


def set_price_entry(workspace: Workspace, name: str, given: Mapping[str, str], *, currency: str = "") -> None:
    """Write what a location costs into the price book, which is made where there is none.

    Args:
        workspace: An open workspace.
        name: Of a location.
        given: Numbers by PRICE_FIELDS, as texts; an empty one is not stated any more. What is not named stays.
        currency: Of a book that is made now, as in ISO 4217.

    Raises:
        SettingsError: A number or the currency is not allowed, or the book cannot be read or written.
        UnknownNameError: There is no such location.
    """
    workspace.ledger.location(name)
    for key, text in given.items():
        if key not in PRICE_FIELDS:
            raise SettingsError(f"{key!r} is no price; known are {', '.join(PRICE_FIELDS)}.")
        if text and not _NUMBER.fullmatch(text):
            raise SettingsError(f"Price {key!r} is {text!r}; write a number such as 0.023, or leave it empty.")
    text = _text(workspace) or _new_book(currency)
    entry = _entry(_values(text, workspace), name)
    for key, number in given.items():
        place = entry
        for step in PRICE_FIELDS[key]:
            place = place.setdefault(step, {})
        place.pop(key, None)
        if number:
            place[key] = _Number(number)
    text = _spliced(text, name, _without_empty(entry))
    parse_price_book(_values(text, workspace))
    path = workspace.directory / PRICES_FILE
    try:
        write_bytes(path, text.encode())
    except OSError as error:
        raise SettingsError(f"Cannot write the price book {str(path)!r}: {error.strerror or error}.") from error
    workspace.ledger.record_audit("prices.set", {"location": name, "keys": sorted(given)})


class _Number(str):
    """A number, digit for digit as it is to be written."""


def _new_book(currency: str) -> str:
    if not re.fullmatch("[A-Z]{3}", currency):
        raise SettingsError(
            f"The currency of the price book is {currency!r}; give three capital letters as in ISO 4217, such as EUR."
        )
    return f"# What storing, reading and asking cost, by location.\ncurrency: {currency}\n"


def _text(workspace: Workspace) -> str:
    path = workspace.directory / PRICES_FILE
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise SettingsError(f"Cannot read the price book {str(path)!r}: {reason}.") from error


def _values(text: str, workspace: Workspace) -> object:
    return plain_yaml(text, workspace.directory / PRICES_FILE) if text.strip() else {}


def _entry(values: object, name: str) -> dict[str, Any]:
    locations = values.get("locations") if isinstance(values, Mapping) else None
    found = locations.get(name) if isinstance(locations, Mapping) else None
    return _copied(found) if isinstance(found, Mapping) else {}


def _copied(values: Mapping[str, Any]) -> dict[str, Any]:
    return {key: _copied(value) if isinstance(value, Mapping) else value for key, value in values.items()}


def _at(entry: Mapping[str, Any], path: tuple[str, ...]) -> Mapping[str, Any]:
    for step in path:
        found = entry.get(step)
        entry = found if isinstance(found, Mapping) else {}
    return entry


def _without_empty(entry: dict[str, Any]) -> dict[str, Any]:
    kept = {key: _without_empty(value) if isinstance(value, dict) else value for key, value in entry.items()}
    return {key: value for key, value in kept.items() if value != {}}


# --- The text of the file ---------------------------------------------------------------------------------------------


def _spliced(text: str, name: str, entry: dict[str, Any]) -> str:
    """The file with one entry set, added or, where it says nothing, taken out: then "*" holds for the location."""
    import yaml

    root = yaml.compose(text, yaml.SafeLoader)
    assert isinstance(root, yaml.MappingNode), "it was read as a mapping before"
    locations = next((pair for pair in root.value if pair[0].value == "locations"), None)
    if locations is None:
        if not entry:
            return text
        return f"{text.rstrip()}\n\nlocations:\n" + _lines(name, entry, _STEP)
    key, value = locations
    if not isinstance(value, yaml.MappingNode) or not value.value:
        if not entry:
            return text
        # Nothing, or {}: it stands on the line of its key.
        end = max(_end(value), text.index(":", key.end_mark.index) + 1)
        start = text.index(":", key.end_mark.index) + 1
        return f"{text[:start]}\n{_lines(name, entry, _STEP).rstrip()}{text[end:] or chr(10)}"
    if value.flow_style:
        raise SettingsError(
            f"The entries of {PRICES_FILE} stand within brackets; write each on a line of its own, or edit the file."
        )
    column = value.value[0][0].start_mark.column
    mine = next((pair for pair in value.value if pair[0].value == name), None)
    if mine is None and not entry:
        return text
    if mine is None:
        end = _end(value)
        return f"{text[:end]}{_rest_of_line(text, end)}\n{_lines(name, entry, column).rstrip()}{_after_line(text, end)}"
    start = mine[0].start_mark.index - column
    end = max(_end(mine[1]), text.index(":", mine[0].end_mark.index) + 1)
    if not entry:
        return text[:start] + text[end:].partition("\n")[2]
    return f"{text[:start]}{_lines(name, entry, column).rstrip()}{text[end:]}"


def _rest_of_line(text: str, index: int) -> str:
    return text[index:].partition("\n")[0]


def _after_line(text: str, index: int) -> str:
    _, newline, rest = text[index:].partition("\n")
    return (newline + rest) or "\n"


def _end(node: Any) -> int:
    """Where the last thing within a node ends; that of a block mapping itself is after the comments behind it."""
    import yaml

    if isinstance(node, yaml.MappingNode) and not node.flow_style:
        return max((_end(part) for pair in node.value for part in pair), default=int(node.start_mark.index))
    if isinstance(node, yaml.SequenceNode) and not node.flow_style:
        return max((_end(part) for part in node.value), default=int(node.start_mark.index))
    return int(node.end_mark.index)


def _lines(key: str, value: object, indent: int) -> str:
    shown = key if _is_plain(key) else json.dumps(key, ensure_ascii=False)
    pad = " " * indent
    if not isinstance(value, Mapping):
        return f"{pad}{shown}: {_scalar(value)}\n"
    if not value:
        return f"{pad}{shown}: {{}}\n"
    return f"{pad}{shown}:\n" + "".join(_lines(str(name), part, indent + _STEP) for name, part in value.items())


def _is_plain(key: str) -> bool:
    """Whether YAML takes a text without quotes for that text: "on", "yes" and "null" are none to it."""
    import yaml

    return bool(_PLAIN.fullmatch(key)) and yaml.safe_load(key) == key


def _scalar(value: object) -> str:
    from decimal import Decimal

    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Decimal):
        return exact_text(value)
    if isinstance(value, (_Number, int)):
        return str(value)
    return json.dumps(value, ensure_ascii=False)
