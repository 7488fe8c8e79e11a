"""The look that viewers share in notebooks and dashboards: colours for light and dark, type and spacing.

Takes the style sheets beside this file and the colours that the pages of reports have, gives CSS text; must not ask
for anything from elsewhere. Panel draws each component in a shadow root of its own, so each is given the sheet. Whether
it is light or dark comes from `--scheme`, which reaches into every root: a page sets it where a person has chosen, and
without it the system decides.
"""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files

__all__ = ["TIER_COLOURS", "colours", "viewer_style"]

TIER_COLOURS = {"bytes": "#1c4f9c", "pixels": "#0d6470", "copy": "#6a3397", "scene": "#575c66"}
"""Of plots, which know no style sheets: the colours of the tiers on a light ground."""

_COLOUR = re.compile(r"--([a-z-]+): (#[0-9a-f]{6});")


@cache
def viewer_style() -> str:
    """The style sheet of every viewer, for `stylesheets=[viewer_style()]` of a Panel component."""
    return f"{colours()}\n{files('deeplens_kit.views').joinpath('viewers.css').read_text(encoding='utf-8')}"


def colours() -> str:
    """The named colours, for a page and for the root of a component alike."""
    text = files("deeplens_kit.reporting").joinpath("templates/tokens.css").read_text(encoding="utf-8")
    light, _, dark = text.partition("@media")
    dark_colours = dict(_COLOUR.findall(dark))
    pairs = " ".join(
        f"--{name}: light-dark({colour}, {dark_colours[name]});" for name, colour in _COLOUR.findall(light)
    )
    return f":root, :host {{ color-scheme: var(--scheme, light dark); {pairs} }}"
