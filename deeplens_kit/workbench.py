"""The one object that an analyst holds in a notebook: a thin door to everything DeepLens does.

Takes a workspace folder, gives polars frames and what the views show; must not compute anything itself.
"""

from __future__ import annotations

__all__: list[str] = []
