"""The colours of pages for figures: the light ones as they are, and where a page is dark by their names.

Takes `tokens.css`, where the colours of all pages stand, gives their values; must not name a colour of its own.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

__all__ = ["palette", "themed"]

_TOKENS = Path(__file__).parent / "templates" / "tokens.css"
_COLOUR = re.compile(r"--([a-z-]+): (#[0-9a-f]{6})\b")
_HEX = re.compile(r"#[0-9a-f]{6}\b", re.IGNORECASE)


@cache
def palette() -> dict[str, str]:
    """Light colours by name, for example "ink"."""
    light = _TOKENS.read_text(encoding="utf-8").partition("@media")[0]
    return dict(_COLOUR.findall(light))


def themed(drawing: str) -> str:
    """A drawing whose colours follow the page that it stands in; alone it has the light ones.

    Args:
        drawing: SVG with colours of the palette in styles.
    """
    names: dict[str, str] = {}
    for name, colour in palette().items():
        names.setdefault(colour, name)

    def named(match: re.Match[str]) -> str:
        name = names.get(match[0].lower())
        return f"var(--{name}, {match[0]})" if name else match[0]

    return _HEX.sub(named, drawing)
