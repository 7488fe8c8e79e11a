"""An executed notebook as one HTML file: what its cells show, without their code, in the style of DeepLens.

Takes an executed notebook, gives a page that asks for nothing outside itself: no script, no font, no request; must not
run a cell or change what it showed.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from deeplens_kit.errors import ExtraMissingError
from deeplens_kit.reporting.templating import page_environment

__all__ = ["notebook_page"]

_TEMPLATES = Path(__file__).parent / "templates" / "nbconvert"
_STYLES = ("duplicates.css", "savings.css")
_HEADING = re.compile(r'<h2 id="([a-z-]+)">(.*?)</h2>', re.DOTALL)
# A page of fewer parts is seen as a whole.
_MIN_CONTENTS = 4


def notebook_page(notebook: Any) -> str:
    """The page of an executed notebook.

    Args:
        notebook: A notebook node; its metadata may hold a `title`.

    Raises:
        ExtraMissingError: nbconvert is not installed.
    """
    try:
        from nbconvert.exporters.templateexporter import TemplateExporter
        from nbconvert.filters import markdown2html
    except ModuleNotFoundError as error:
        raise ExtraMissingError("A report", "workbench") from error
    exporter = TemplateExporter(  # type: ignore[no-untyped-call]
        template_name="deeplens",
        extra_template_basedirs=[str(_TEMPLATES)],
        template_file="index.html.j2",
        filters={"markdown2html": markdown2html},
    )
    environment = page_environment()
    page = {
        "style": "\n".join(environment.get_template(name).render() for name in _STYLES),
        "title": f"{notebook.metadata.get('title', 'Report')}: DeepLens",
        "contents": _contents(notebook),
    }
    text, _ = exporter.from_notebook_node(notebook, resources={"page": page})
    return str(text)


def _contents(notebook: Any) -> list[tuple[str, str]]:
    """The parts of the page as (address within the page, heading); none where they are few."""
    shown = [
        output.data["text/html"]
        for cell in notebook.cells
        if cell.cell_type == "code"
        for output in cell.outputs
        if output.output_type in ("display_data", "execute_result") and "text/html" in output.data
    ]
    found = [match for html in shown for match in _HEADING.findall(html)]
    return found if len(found) >= _MIN_CONTENTS else []
