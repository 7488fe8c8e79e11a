"""State of the views: what is chosen and what came of it, as parameters.

Takes callables that the pipeline gives, holds choices and answers; must not import Panel or any widget.
"""

from __future__ import annotations

__all__: list[str] = []
