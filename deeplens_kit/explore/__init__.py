"""Pictures for people: where each picture lies on a map of alike pictures.

Takes vectors and gives coordinates; must not open a store. Nothing decides on what it gives: a distance on a
map is no evidence.
"""

from __future__ import annotations

__all__: list[str] = []
