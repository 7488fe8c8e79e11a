"""What a notebook needs before it can show viewers.

Takes nothing, loads Panel's scripts into the notebook; must not ask for anything from elsewhere.
"""

from __future__ import annotations

from functools import cache, wraps
from typing import Any

from deeplens_kit.errors import ExtraMissingError

__all__ = ["load_viewers"]


def load_viewers() -> None:
    """Load what the viewers draw with into this notebook; call it once, in a cell of its own.

    The scripts come from this installation and are written into the notebook's output, so that nothing is asked of
    the net, and a saved notebook shows its pictures anywhere.

    Raises:
        ExtraMissingError: Panel is not installed.
    """
    try:
        import panel
    except ImportError as error:
        raise ExtraMissingError("The viewers of notebooks", "workbench") from error
    panel.extension(inline=True)
    _keep_style_sheets_within()


@cache
def _keep_style_sheets_within() -> None:
    """Send Panel's own style sheets as text when a pane changes, as `inline` does when it is first shown.

    Panel 1.9 sends the addresses of three sheets on its server instead, once per change: the notebook would ask the
    net, and look different without it. To be looked at again with Panel 1.10, by June 2027.
    """
    from bokeh.models import ImportedStyleSheet
    from panel.config import config
    from panel.io.notebook import replace_inline_css
    from panel.reactive import Reactive

    original = Reactive._get_properties

    @wraps(original)
    def properties_with_text(self: Any, doc: Any) -> dict[str, Any]:
        properties: dict[str, Any] = original(self, doc)
        if config.inline and "stylesheets" in properties:
            # As plain text, so that sheets that did not change are equal and are not sent again.
            properties["stylesheets"] = [
                getattr(replace_inline_css(sheet), "css", sheet) if isinstance(sheet, ImportedStyleSheet) else sheet
                for sheet in properties["stylesheets"]
            ]
        return properties

    Reactive._get_properties = properties_with_text  # type: ignore[method-assign]
