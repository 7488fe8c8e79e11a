"""What plots need of a browser besides Bokeh.

Gives scripts that run once, on a page or in a notebook; must not change what a plot shows. Bokeh 3.9 paints in what a
style sheet says of `--bk-…`, and reads it as it is written there: `light-dark(…)` is no colour, unless it comes through
a property of which the browser was told that it is one. And it measures a plot that is being built when something else
on the page changes its size meanwhile, and fails, for the plot has no layout yet; a moment later it has one and is
measured. To be looked at again with Bokeh 3.10, by June 2027.
"""

from __future__ import annotations

__all__ = ["COLOURS_OF_PLOTS", "PLOTS_OF_PAGES"]

# What a plot's own style sheet takes its colours from.
_NAMES = ("--plot-quiet", "--plot-line")

COLOURS_OF_PLOTS = f"""
for (const name of {list(_NAMES)!r}) try {{
  CSS.registerProperty({{ name, syntax: "<color>", inherits: true, initialValue: "gray" }})
}} catch {{ /* It was told before. */ }}
"""
"""Lets plots follow light and dark; what is drawn already follows when it is painted again."""

PLOTS_OF_PAGES = """
const view = Bokeh.Models.get("Plot").prototype.default_view.prototype
for (const step of ["_measure_layout", "after_layout"]) {
  const taken = view[step]
  view[step] = function () { if (this.layout) taken.call(this) }
}
const painted = (one) => typeof one.request_repaint === "function"
addEventListener("deeplens-theme", () => { for (const one of Bokeh.index.query(painted)) one.request_repaint() })
"""
"""Lets plots come to a page that stands, and follow when somebody chooses light or dark."""
