"""What a notebook needs before it can show viewers.

Takes nothing, loads Panel's scripts into the notebook; must not ask for anything from elsewhere.
"""

from __future__ import annotations

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
