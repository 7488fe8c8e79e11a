"""What people see and move: state without widgets, and viewers without computing.

Takes what the pipeline gives, shows it in notebooks and dashboards alike; must not read a store by itself or decide
anything.
"""

from __future__ import annotations

__all__: list[str] = []
