"""The sections of the savings report as pieces of HTML, each shown by a cell of the notebook.

Takes a described report and a source of thumbnails, gives sections; must not compute a number. A section with nothing
to say is empty, so that the report of an empty workspace reads as well as any other.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

from jinja2 import Template
from markupsafe import Markup

from deeplens_kit.reporting.savings_figures import Figure, concentration_figure, locations_figure
from deeplens_kit.reporting.savings_report import SavingsReport
from deeplens_kit.reporting.savings_tables import (
    locations_table,
    reasons_table,
    runs_table,
    table_markup,
    tiers_table,
    withheld_table,
)
from deeplens_kit.reporting.templating import page_environment, picture_data

__all__ = [
    "Section",
    "coverage_section",
    "groups_section",
    "headline_section",
    "locations_section",
    "method_section",
    "tiers_section",
    "withheld_section",
]

_TEMPLATE = "savings.html.jinja"
# Of one group: more say no more about it, and a hundred copies would be a report of their own.
_SHOWN_PICTURES = 6
_SHOWN_MEMBERS = 3


@dataclass(frozen=True, slots=True)
class Section:
    """A piece of a page.

    Attributes:
        html: Escaped, of itself without style or script.
    """

    html: str

    def _repr_html_(self) -> str:
        """The section as a notebook shows it."""
        return self.html


def headline_section(report: SavingsReport) -> Section:
    """What could be freed, of how much that was analysed, and what limits that."""
    return _section("headline", report)


def tiers_section(report: SavingsReport) -> Section:
    """What each strength of evidence would free, and how few groups free most."""
    return _section("tiers", report, table_markup(tiers_table(report)), concentration_figure(report))


def locations_section(report: SavingsReport) -> Section:
    """What each location would get back."""
    return _section("locations", report, table_markup(locations_table(report)), locations_figure(report))


def groups_section(report: SavingsReport, thumbnail: Callable[[str], bytes | None]) -> Section:
    """The groups that free most, with their pictures, the evidence, and why the keeper stays.

    Args:
        report: What to show.
        thumbnail: Gives WebP bytes for a digest, or None: then the page says that there is no preview.
    """
    return _section("groups", report, picture=lambda digest: picture_data(thumbnail(digest)))


def coverage_section(report: SavingsReport) -> Section:
    """What became of every file, and why some were not analysed."""
    return _section("coverage", report, table_markup(reasons_table(report), stacks=True))


def withheld_section(report: SavingsReport) -> Section:
    """How many matches are not proposed, by reason."""
    return _section("withheld", report, table_markup(withheld_table(report), stacks=True))


def method_section(report: SavingsReport) -> Section:
    """The rule, the versions and the runs behind the numbers."""
    return _section("method", report, table_markup(runs_table(report), stacks=True))


def _section(
    part: str,
    report: SavingsReport,
    table: str = "",
    figure: Figure | None = None,
    picture: Callable[[str], str] | None = None,
) -> Section:
    html = _template().render(
        part=part,
        report=report,
        # Made here: their texts are escaped already.
        table=Markup(table),
        figure=Markup(figure._repr_html_()) if figure is not None else "",
        says=figure.says if figure is not None else "",
        picture=picture,
        shown_pictures=_SHOWN_PICTURES,
        shown_members=_SHOWN_MEMBERS,
    )
    return Section(html.strip())


@cache
def _template() -> Template:
    return page_environment().get_template(_TEMPLATE)
