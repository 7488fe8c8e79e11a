"""The HTML of a page, with the scripts and styles that it loads.

Takes the session of a page, gives its HTML; must not find out anew for each visitor what is the same for all of them:
Panel walks through all of its classes for that. Scripts run when the page has been read (`defer`), so that they come
side by side and its frame stands meanwhile. Each address says of which version the file is, so that it may be kept.
"""

from __future__ import annotations

import re
from html import escape
from typing import Any

from bokeh import __version__ as bokeh_version
from bokeh.embed.util import RenderItem
from bokeh.model import Model
from bokeh.models.css import ImportedStyleSheet
from panel import __version__ as panel_version
from panel.io.resources import LOCAL_DIST, bundle_resources, patch_model_css
from panel.io.server import html_page_for_render_items
from panel.io.state import set_curdoc, state

__all__ = ["html_of"]

# Draws plots by WebGL, which none of ours does. Of all other scripts Panel's own asks that they are there.
_UNUSED = "bokeh-gl.min.js"
_VERSION = f"{panel_version}-{bokeh_version}"
_SCRIPT = re.compile(r'<script type="text/javascript" src="(static/[^"]+)">')
_SHEET = re.compile(r'(<link rel="stylesheet" href=")(static/[^"]+)(")')
_WITHIN = re.compile(r'<script type="text/javascript">\n(.*?)</script>', re.DOTALL)

_bundles: dict[tuple[int, tuple[str, ...]], tuple[str, str]] = {}


def html_of(session: Any, resources: Any, title: str, template: Any, template_variables: dict[str, Any]) -> str:
    """The page of a session, as `panel.io.server.server_html_page_for_session` makes it."""
    document = session.document
    document._template_variables |= {"theme_name": "default", "dist_url": LOCAL_DIST}
    sheets: dict[str, None] = {}
    for root in document.roots:
        patch_model_css(root, dist_url=LOCAL_DIST)
        sheets |= {sheet.url: None for sheet in root.select({"type": ImportedStyleSheet})}
    item = RenderItem(token=session.token, roots=document.roots, use_for_title=False)
    with set_curdoc(document):
        scripts, styles = _bundle(resources)
        # Sheets of components, for which a browser would ask when it draws them.
        early = "".join(
            f'<link rel="prefetch" as="style" href="{escape(url)}">\n' for url in sheets if url not in styles
        )
        html: str = html_page_for_render_items(
            (scripts, styles + early), {}, [item], title, template=template, template_variables=template_variables
        )
    return html


def _bundle(resources: Any) -> tuple[str, str]:
    """What loads scripts, and what loads styles, for the document that is the current one."""
    from panel.config import panel_extension

    # Whatever is imported later may bring models, and these scripts.
    known = (len(Model.model_class_reverse_map), tuple(state._extensions or panel_extension._loaded_extensions))
    if known not in _bundles:
        bundle = bundle_resources(None, resources, enable_mathjax=False)
        bundle.js_files = [url for url in bundle.js_files if _UNUSED not in str(url)]
        scripts = _WITHIN.sub(
            _later, _SCRIPT.sub(lambda at: f'<script defer src="{_dated(at[1])}">', bundle._render_js())
        )
        _bundles[known] = scripts, _SHEET.sub(lambda at: at[1] + _dated(at[2]) + at[3], bundle._render_css())
    return _bundles[known]


def _dated(address: str) -> str:
    return address if "?" in address else f"{address}?v={_VERSION}"


def _later(within: re.Match[str]) -> str:
    """A script in the page, when those before it have run."""
    return f'<script>\ndocument.addEventListener("DOMContentLoaded", () => {{{within[1]}}}, {{once: true}})\n</script>'
