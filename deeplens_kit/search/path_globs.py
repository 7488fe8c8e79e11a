"""Globs over a column of paths, millions at a time.

Takes paths as the catalog has them and globs as `storage.globs` reads them, gives which paths they match; must not
touch a file system. What a fast expression could read otherwise than Python does is left to Python.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from deeplens_kit.storage.globs import path_expression, path_matcher
from deeplens_kit.storage.paths import ESCAPE, decode_path

__all__ = ["matches_of"]

# A newline means something else to the expression, an escape stands for one byte of the name.
_ODD = f"[\n{ESCAPE}]"
# Sets of letters that Python and Rust read alike.
_PLAIN_SET = re.compile(r"(?<!\\)\[\^?(?:[A-Za-z0-9]-[A-Za-z0-9]|[A-Za-z0-9_., +/])+\]")


def matches_of(paths: pl.Series, patterns: Sequence[str]) -> NDArray[np.bool_]:
    """Which paths one of the globs matches, bool (n,).

    Raises:
        SettingsError: A glob cannot be read.
    """
    expression = path_expression("path", patterns)
    matches = path_matcher("path", patterns)
    assert matches is not None, "there are patterns"
    if not _is_plain(expression):
        return np.fromiter((matches(decode_path(path)) for path in paths), bool, len(paths))
    found = paths.str.contains(expression).to_numpy().copy()
    odd = paths.str.contains(_ODD).arg_true().to_numpy()
    found[odd] = [matches(decode_path(path)) for path in paths.gather(odd)]
    return found


def _is_plain(expression: str) -> bool:
    """Whether polars reads an expression as Python does: text, `.`, `?`, `*`, `+`, groups and sets of plain letters."""
    rest = _PLAIN_SET.sub("", expression.replace("[^/]", "")).replace("\\[", "").replace("\\]", "")
    return expression.isprintable() and "[" not in rest and "]" not in rest and not _ESCAPED_LETTER.search(rest)


# An escape of a letter or digit could be a class, of another character it is that character.
_ESCAPED_LETTER = re.compile(r"\\(?:\w|$)")
