"""The form of every benchmark's result: what was measured, on which machine, when, with which seed."""

from __future__ import annotations

import json
import os
import platform
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

_LIBRARIES = (
    *("numpy", "polars", "pylance", "pillow", "simplejpeg", "onnxruntime", "faiss-cpu", "numba"),
    *("umap-learn", "pynndescent", "scikit-learn", "panel", "bokeh"),
)


@dataclass
class Report:
    """Rows and figures of one benchmark."""

    name: str
    seed: int
    rows: list[dict[str, object]] = field(default_factory=list)
    figures: dict[str, object] = field(default_factory=dict)

    def add(self, **row: object) -> None:
        """Add a row of the table."""
        self.rows.append(row)

    def as_dict(self) -> dict[str, object]:
        """Everything, with the machine."""
        return {
            "benchmark": self.name,
            "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
            "seed": self.seed,
            "machine": machine(),
            "rows": self.rows,
            **self.figures,
        }


def machine() -> dict[str, object]:
    """Processor, cores, memory and versions; no names and no paths."""
    versions = {}
    for library in _LIBRARIES:
        try:
            versions[library] = metadata.version(library)
        except metadata.PackageNotFoundError:
            continue
    return {
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30),
        "python": platform.python_version(),
        "libraries": versions,
    }


def print_report(report: Report, *, as_json: bool) -> None:
    """Print as JSON, or as a table for people."""
    if as_json:
        print(json.dumps(report.as_dict(), indent=1))
        return
    whole = report.as_dict()
    machine_line = whole.pop("machine")
    rows = whole.pop("rows")
    print("  ".join(f"{key}={value}" for key, value in whole.items()))
    print(machine_line)
    for row in rows:  # type: ignore[attr-defined]
        print()
        for key, value in row.items():
            print(f"  {key:<24} {_shown(value)}")


def _shown(value: object) -> str:
    if isinstance(value, float):
        return f"{value:,.3f}"
    if isinstance(value, dict):
        return "  ".join(f"{key} {_shown(item)}" for key, item in value.items())
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)


def _processor() -> str:
    try:
        with Path("/proc/cpuinfo").open(encoding="utf-8") as stream:
            for line in stream:
                if line.startswith("model name"):
                    return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()
