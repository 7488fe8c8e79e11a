"""The page of a certificate: one HTML file that needs nothing else.

Takes a certificate, gives the page in pieces; must not decide what it says, and must not make a page that asks for
anything outside itself: no script, no request.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from markupsafe import Markup

from deeplens_kit.reporting.certificate_words import heading, summary_lines
from deeplens_kit.reporting.templating import page_environment
from deeplens_kit.storage.paths import display_path

if TYPE_CHECKING:
    import polars as pl

    from deeplens_kit.pipeline.certifying import Certificate

__all__ = ["MOST_ROWS", "render_certificate"]

MOST_ROWS = 1_000
"""Rows of each table, inclusive; the JSON form has all."""

_TEMPLATE = "certificate.html.jinja"
_STYLES = ("duplicates.css", "certificate.css")


def render_certificate(made: Certificate, workspace: str) -> Iterator[bytes]:
    """Draw the page; each piece is UTF-8.

    Args:
        made: The certificate.
        workspace: What people call the workspace.
    """
    environment = page_environment()
    environment.filters["path"] = display_path
    style = Markup("\n".join(environment.get_template(name).render() for name in _STYLES))
    pieces = environment.get_template(_TEMPLATE).generate(
        made=made,
        workspace=workspace,
        heading=heading(made),
        lines=summary_lines(made),
        totals=made.totals,
        files=_rows(made.files),
        skipped=_rows(made.skipped),
        emptied=_rows(made.emptied),
        most=MOST_ROWS,
        style=style,
        picture=lambda _digest: "",
    )
    for piece in pieces:
        yield piece.encode("utf-8", "backslashreplace")


def _rows(frame: pl.DataFrame) -> list[dict[str, object]]:
    return frame.head(MOST_ROWS).to_dicts()
