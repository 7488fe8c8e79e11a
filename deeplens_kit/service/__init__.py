"""The fronts served to browsers.

Takes an open workspace and serves the dashboards on this machine; must not compute anything itself.
"""

from __future__ import annotations

__all__: list[str] = []
