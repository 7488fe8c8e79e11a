"""The pictures that a person has selected, shared by every viewer on a page.

Takes digests from whichever viewer selected them, tells all others; must not know what a viewer is.
"""

from __future__ import annotations

from collections.abc import Iterable

import param

__all__ = ["SelectionState"]


class SelectionState(param.Parameterized):
    """What is selected, and where it was selected.

    Attributes:
        digests: The selected pictures, each once, in the order in which they were given.
        source: Who selected them: "map", "threshold", "gallery"; empty where nobody did.
    """

    digests = param.List(default=[], item_type=str)
    source = param.String(default="")

    def select(self, digests: Iterable[str], source: str) -> None:
        """Replace the selection; viewers are told once, when both values stand."""
        self.param.update(digests=list(dict.fromkeys(digests)), source=source)

    def clear(self) -> None:
        """Select nothing."""
        self.param.update(digests=[], source="")
