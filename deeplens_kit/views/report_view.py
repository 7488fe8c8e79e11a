"""Sections of a report within a notebook, in the look that the report itself has.

Takes sections, gives something that Panel draws; must not change what they say. Each is drawn in a shadow root of its
own, so that the report's style sheet reaches nothing else of the notebook.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from deeplens_kit.reporting.templating import page_environment
from deeplens_kit.views.theme import viewer_style

if TYPE_CHECKING:
    from panel.viewable import Viewable

    from deeplens_kit.reporting.savings_sections import Section

__all__ = ["ReportView"]

_SHEETS = ("duplicates.css", "savings.css")
# A page is a screen wide, a cell less so; and what a page keeps free above a section, a cell keeps free by itself.
_IN_A_CELL = """
:host { background: var(--page); overflow-wrap: anywhere; border-radius: 12px; padding: 4px 20px 20px; }
section, .report-head { margin-top: 0; padding-top: 16px; }
.hero { padding: 20px 0; }
.hero h1 { font-size: 34px; }
"""


class ReportView:
    """Sections of a report, one beneath the other.

    Args:
        sections: As the report gives them; one that says nothing is left out.
    """

    def __init__(self, *sections: Section) -> None:
        from panel.layout import Column
        from panel.pane import HTML

        sheets = [viewer_style(), _report_style(), _IN_A_CELL]
        shown = [
            HTML(section.html, stylesheets=sheets, sizing_mode="stretch_width") for section in sections if section.html
        ]
        self._layout = Column(*shown, sizing_mode="stretch_width")

    def __panel__(self) -> Viewable:
        return self._layout


@cache
def _report_style() -> str:
    """The style sheets of the report's page, with what they say of the page said of the root of a component."""
    environment = page_environment()
    text = "\n".join(environment.get_template(name).render() for name in _SHEETS)
    return text.replace(":root {", ":root, :host {")
