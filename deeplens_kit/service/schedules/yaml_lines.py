"""YAML with the line of every value, read strictly: what is wrong with it is gathered, not raised one by one.

Takes text, gives nodes and their values; must not take anything for another type than it is written as, nor let one of
two equal keys win in silence.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Any

from deeplens_kit.errors import SettingsError, UnknownNameError

__all__ = ["StrictYaml"]

_BARE = re.compile(r"^\s*cron:\s*[*@]", re.MULTILINE)


class StrictYaml:
    """What was read of a file, and what is wrong with it.

    Args:
        text: The file.
        what: How it is called in messages.

    Raises:
        SettingsError: It is no YAML.
    """

    def __init__(self, text: str, what: str) -> None:
        import yaml

        self._yaml = yaml
        self.what = what
        self.problems: list[tuple[int, str]] = []
        try:
            self.root: Any = yaml.compose(text, yaml.SafeLoader)
        except (yaml.YAMLError, RecursionError) as error:
            mark = getattr(error, "problem_mark", None)
            said = getattr(error, "problem", None) or str(error)
            where = f"line {mark.line + 1}: {said}" if mark is not None else said
            quotes = " Write times that begin with * or @ in quotation marks." if _BARE.search(text) else ""
            raise SettingsError(f"{what} is not valid YAML: {where}; mend the file.{quotes}") from error

    def wrong(self, node: Any, message: str) -> None:
        """Note what is wrong, at the line of a node."""
        line = node.start_mark.line + 1 if node is not None else 1
        self.problems.append((line, message))

    def settle(self) -> None:
        """Raise where anything is wrong, with all of it.

        Raises:
            SettingsError: Lines and reasons.
        """
        if not self.problems:
            return
        found = sorted(dict.fromkeys(self.problems))
        how_many = f"{len(found)} problems" if len(found) > 1 else "a problem"
        told = " ".join(f"Line {line}: {message.rstrip('.')}." for line, message in found)
        raise SettingsError(f"{self.what} has {how_many}; mend the file. {told}".replace("?.", "?"))

    def mapping(self, node: Any, what: str, known: Collection[str] | None = None) -> dict[str, tuple[Any, Any]]:
        """The (key, value) nodes of a mapping by key.

        Args:
            node: Any node.
            what: What a key is, for messages.
            known: The keys that there are; None for any.
        """
        if self.is_empty(node):
            return {}
        if not isinstance(node, self._yaml.MappingNode):
            self.wrong(node, f"Here must stand keys with values ({what})")
            return {}
        found: dict[str, tuple[Any, Any]] = {}
        for key, value in node.value:
            if not isinstance(key, self._yaml.ScalarNode):
                self.wrong(key, "A key must be a name")
            elif key.value in found:
                self.wrong(key, f"The key {key.value!r} stands here twice")
            elif known is not None and key.value not in known:
                self.wrong(key, str(UnknownNameError(what, key.value, known)))
            else:
                found[key.value] = (key, value)
        return found

    def text(self, node: Any, what: str) -> str:
        """A text as it is written; empty with a problem noted where it is none."""
        if not isinstance(node, self._yaml.ScalarNode) or (not node.style and not node.value):
            self.wrong(node, f"{what} must be a text")
            return ""
        return str(node.value)

    def texts(self, node: Any, what: str) -> list[tuple[Any, str]]:
        """One text or a list of them, each with its node."""
        nodes = node.value if isinstance(node, self._yaml.SequenceNode) else [node]
        return [(item, self.text(item, what)) for item in nodes]

    def flag(self, node: Any, what: str) -> bool:
        """True or false."""
        said = self.text(node, what).lower()
        if said and said not in ("true", "false"):
            self.wrong(node, f"{what} is {said!r}; it must be true or false")
        return said == "true"

    def number(self, node: Any, what: str, least: float, most: float, *, whole: bool = False) -> float:
        """A number in a range, both ends inclusive."""
        said = self.text(node, what)
        try:
            found = float(int(said)) if whole else float(said)
        except ValueError:
            found = float("nan")
        if said and not least <= found <= most:
            kind = "whole number" if whole else "number"
            self.wrong(node, f"{what} is {said!r}; it must be a {kind} from {least:g} to {most:g}")
            return least
        return found if said else least

    def plain(self, node: Any) -> Any:
        """A value of any shape: mappings, lists, texts, whole numbers and truth values."""
        if isinstance(node, self._yaml.MappingNode):
            return {name: self.plain(value) for name, (_, value) in self.mapping(node, "option").items()}
        if isinstance(node, self._yaml.SequenceNode):
            return [self.plain(item) for item in node.value]
        written = str(node.value)
        if node.style:
            return written
        if written.lower() in ("true", "false"):
            return written.lower() == "true"
        return int(written) if re.fullmatch(r"-?\d{1,18}", written) else written

    def is_empty(self, node: Any) -> bool:
        """Whether nothing stands there."""
        return node is None or (isinstance(node, self._yaml.ScalarNode) and not node.style and not node.value)
