"""The start-up check for distributions that overwrite one another's files.

Takes the list of installed distributions and gives one clear error where two of them ship the same module; must not
import any of them. `pip` installs both without a word, and whichever came last wins, half of its files at least.
"""

from __future__ import annotations

from collections.abc import Iterable
from importlib import metadata

from deeplens_kit.errors import SettingsError

__all__ = ["check_runtime", "mixtures"]

_RIVALS = {
    "faiss": ("faiss-cpu", "faiss-gpu", "faiss-gpu-cu11", "faiss-gpu-cu12", "faiss-gpu-cuvs"),
    "onnxruntime": (
        "onnxruntime",
        "onnxruntime-gpu",
        "onnxruntime-directml",
        "onnxruntime-openvino",
        "onnxruntime-rocm",
        "onnxruntime-silicon",
    ),
}
"""Module -> distributions that ship it; at most one of each may be installed."""


def mixtures(distributions: Iterable[metadata.Distribution] | None = None) -> dict[str, tuple[str, ...]]:
    """Modules that more than one installed distribution ships, with those distributions, sorted.

    Args:
        distributions: What is installed; by default all that the running Python sees.
    """
    if distributions is None:
        names = {name for rivals in _RIVALS.values() for name in rivals if _is_installed(name)}
    else:
        names = {str(item.metadata["Name"]).lower().replace("_", "-").replace(".", "-") for item in distributions}
    both = {module: tuple(sorted(names.intersection(rivals))) for module, rivals in _RIVALS.items()}
    return {module: rivals for module, rivals in both.items() if len(rivals) > 1}


def _is_installed(name: str) -> bool:
    # By name: reading the metadata of every distribution would take longer than a re-scan of a thousand files.
    try:
        metadata.distribution(name)
    except metadata.PackageNotFoundError:
        return False
    return True


def check_runtime(distributions: Iterable[metadata.Distribution] | None = None) -> None:
    """Raise where alternatives that ship the same module are installed together.

    Raises:
        SettingsError: Names each mixture and the command that mends it.
    """
    found = mixtures(distributions)
    if found:
        what = "; ".join(f"{' and '.join(rivals)} both ship the module {module}" for module, rivals in found.items())
        every = " ".join(name for rivals in found.values() for name in rivals)
        raise SettingsError(
            f"Conflicting packages are installed: {what}; keep one of each: run `pip uninstall -y {every}`, "
            "then install deeplens-kit with the extra `cpu` or `gpu`, not both."
        )
