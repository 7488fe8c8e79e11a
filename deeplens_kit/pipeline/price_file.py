"""The file of a price book: YAML, with every number taken as it is written.

Takes a path, or an open workspace in whose folder `prices.yaml` may lie; gives a price book, or None where there is no
such file. Must not take a number through binary floating point, nor let one of two equal keys win in silence.
"""

from __future__ import annotations

import re
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deeplens_kit.errors import SettingsError, UnknownNameError
from deeplens_kit.savings import PriceBook, parse_price_book

if TYPE_CHECKING:
    from deeplens_kit.pipeline.workspace import Workspace

__all__ = ["PRICES_FILE", "plain_yaml", "read_price_book", "workspace_prices"]

PRICES_FILE = "prices.yaml"
"""What a workspace's price book is called; it lies beside `workspace.toml`."""

_NUMBER = re.compile(r"[-+]?(\d+(\.\d*)?|\.\d+)([eE][-+]?\d+)?")
# A name that begins with a star is an alias to YAML.
_BARE_STAR = re.compile(r"^\s*\*\s*:", re.MULTILINE)


def workspace_prices(workspace: Workspace) -> PriceBook | None:
    """The price book of a workspace, with the option `redundancy` of its locations; None where it has none.

    Args:
        workspace: An open workspace.

    Raises:
        SettingsError: It cannot be read, or says what is not allowed.
    """
    path = workspace.directory / PRICES_FILE
    if not path.exists():
        return None
    book = read_price_book(path)
    redundant = {
        item.name: prices.kept(copies)
        for item in workspace.ledger.locations(inactive=True)
        if (copies := int(item.options.get("redundancy", 1))) > 1 and (prices := book.of(item.name))
    }
    return replace(book, locations={**book.locations, **redundant})


def read_price_book(path: Path) -> PriceBook:
    """Read a price book.

    Args:
        path: A YAML file in UTF-8.

    Raises:
        UnknownNameError: A key that does not exist.
        SettingsError: It cannot be read, is not YAML, or says what is not allowed.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise SettingsError(
            f"There is no price book {str(path)!r}; `deeplens prices example` prints one to fill in."
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise SettingsError(f"Cannot read the price book {str(path)!r}: {reason}.") from error
    values = plain_yaml(text, path)
    try:
        return parse_price_book(values)
    except UnknownNameError as error:
        raise UnknownNameError(f"key in {str(path)!r}", error.name, error.known, advice=error.advice) from error
    except SettingsError as error:
        raise SettingsError(f"In {str(path)!r}: {error}") from error


def plain_yaml(text: str, path: Path) -> object:
    """What YAML says, in mappings, lists, texts, truth values and Decimals.

    Args:
        text: The YAML.
        path: Where it was read, for errors.

    Raises:
        SettingsError: It is no YAML, or a key stands twice.
    """
    # Imported here: only who has prices waits for it.
    import yaml

    try:
        return _plain(yaml.compose(text, yaml.SafeLoader))
    except (yaml.YAMLError, ArithmeticError, RecursionError) as error:
        raise SettingsError(f"{str(path)!r} is not valid YAML: {_problem(error, text)}; mend the file.") from error


def _plain(node: Any) -> object:
    """A node as plain values. Texts stay texts: no dates, no `no` for false, no octal or sexagesimal numbers."""
    import yaml

    if isinstance(node, yaml.MappingNode):
        named: dict[str, object] = {}
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise yaml.MarkedYAMLError(problem="a key must be a name", problem_mark=key.start_mark)
            if key.value in named:
                twice = f"the key {key.value!r} stands here twice"
                raise yaml.MarkedYAMLError(problem=twice, problem_mark=key.start_mark)
            named[key.value] = _plain(value)
        return named
    if isinstance(node, yaml.SequenceNode):
        return [_plain(value) for value in node.value]
    if node is None:
        return None
    written: str = node.value
    # What stands in quotation marks has a style.
    return written if node.style else _scalar(written)


def _scalar(written: str) -> object:
    if written.casefold() in ("true", "false"):
        return written.casefold() == "true"
    if written.casefold() in ("", "~", "null"):
        return None
    if not _NUMBER.fullmatch(written):
        return written
    try:
        return Decimal(written)
    except ArithmeticError as error:
        raise ArithmeticError(f"the number {written!r} has too many digits") from error


def _problem(error: Any, text: str) -> str:
    mark = getattr(error, "problem_mark", None)
    if _BARE_STAR.search(text):
        return 'write "*" in quotation marks where it is a name'
    said = getattr(error, "problem", None) or str(error)
    return f"{said}, line {mark.line + 1}" if mark is not None else said
