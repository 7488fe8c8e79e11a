"""Globs that say which paths of a location are listed.

Takes patterns as the user wrote them and gives a matcher of native relative paths; must not touch a file system.
The meaning is that of a `.gitignore` line, read by pathspec: `*`, `?` and `[a-z]` stay within one part, `**` spans
any number of parts, a pattern without a slash matches a name at any depth, one with a slash is relative to the
location, one that ends in a slash matches folders only, and what lies beneath a matched folder is matched.
Letter case counts. Two things differ: `#` is an ordinary character and `!` at the start is refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from pathspec.patterns.gitignore.base import GitIgnorePatternError
from pathspec.patterns.gitignore.spec import GitIgnoreSpecPattern

from deeplens_kit.errors import ObjectUnreadableError, SettingsError
from deeplens_kit.storage.paths import decode_path

__all__ = ["path_expression", "path_matcher"]

# `.` and `$` of a regular expression treat a newline as special; a noncharacter that no name holds does not.
_NEWLINE_STAND_IN = "\ufdd1"


def path_matcher(option: str, patterns: Sequence[str]) -> Callable[[str], bool] | None:
    """Compile patterns into one test of a native path relative to the location; a folder's path ends in '/'.

    Args:
        option: What the patterns are for, named in errors.
        patterns: Globs; none gives None.

    Raises:
        SettingsError: A pattern that matches nothing by its form, or is negated.
    """
    if not patterns:
        return None
    search = re.compile(path_expression(option, patterns)).search

    def matches(path: str) -> bool:
        return search(path.replace("\n", _NEWLINE_STAND_IN)) is not None

    return matches


def path_expression(option: str, patterns: Sequence[str]) -> str:
    """The regular expression of `path_matcher`, for whoever tests many paths at once; it takes no newline in a path.

    Raises as `path_matcher`.
    """
    return "|".join(f"(?:{_translate(option, pattern)})" for pattern in patterns)


def _translate(option: str, pattern: str) -> str:
    if pattern.startswith("!"):
        raise SettingsError(
            f"Glob {pattern!r} in {option!r} is negated, which is not allowed; "
            "name what is wanted in 'include' and what is not in 'exclude'."
        )
    try:
        text = decode_path(pattern).replace("\n", _NEWLINE_STAND_IN)
    except ObjectUnreadableError as error:
        raise _refused(option, pattern) from error
    if text.startswith("#"):
        text = "\\" + text
    if text.endswith(" ") and not text.endswith("\\ "):
        text = text[:-1] + "\\ "  # pathspec drops plain spaces at the end, as git does
    try:
        regex: str | None = GitIgnoreSpecPattern.pattern_to_regex(text)[0]
        if regex is not None:
            # The group that pathspec names for its own use may stand once only in a combined expression.
            regex = re.sub(r"\(\?P<\w+>", "(?:", regex)
            re.compile(regex)
    except (GitIgnorePatternError, re.error) as error:
        raise _refused(option, pattern) from error
    if regex is None:
        raise _refused(option, pattern)
    return regex


def _refused(option: str, pattern: str) -> SettingsError:
    return SettingsError(
        f"Glob {pattern!r} in {option!r} cannot be read; write it as in a .gitignore file, "
        "for example '*.jpg', 'cache/' or 'photos/**/raw'."
    )
