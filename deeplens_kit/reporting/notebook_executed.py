"""A notebook as it ran, made fit to be kept beside its report.

Takes an executed notebook, gives the bytes of a file: outputs and parameters stay, credentials, times and folders that
are gone do not. Must not run or change what a cell showed.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from deeplens_kit.telemetry.redaction import redact

__all__ = ["executed_notebook"]

_INJECTED = "injected-parameters"
# What papermill notes of each cell and of the whole: paths of folders that are gone, and durations.
_PAPERMILL = "papermill"


def executed_notebook(executed: Any, replaced: Mapping[str, str]) -> bytes:
    """The file of a notebook that ran.

    Args:
        executed: A notebook node.
        replaced: Parameters whose values meant something during the run only, and what stands in their place.
    """
    import nbformat

    kept = copy.deepcopy(executed)
    kept.metadata.pop(_PAPERMILL, None)
    for cell in kept.cells:
        cell.metadata.pop(_PAPERMILL, None)
        cell.metadata.pop("execution", None)
        if _INJECTED in cell.metadata.get("tags", []):
            cell.source = _with(cell.source, replaced)
    return redact(nbformat.writes(kept)).encode("utf-8", "backslashreplace")  # type: ignore[no-untyped-call]


def _with(source: str, replaced: Mapping[str, str]) -> str:
    """Lines `name = value` of papermill with other values."""
    lines = []
    for line in source.splitlines(keepends=True):
        name, equals, _ = line.partition(" = ")
        ending = "\n" if line.endswith("\n") else ""
        lines.append(f"{name} = {replaced[name]!r}{ending}" if equals and name in replaced else line)
    return "".join(lines)
