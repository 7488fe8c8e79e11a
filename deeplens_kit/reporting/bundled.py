"""Where the files that come with DeepLens lie: reports, dashboards, notebooks and examples.

Takes the name of a folder, gives where it is: beside the package in a checkout, within it where it was installed from
a wheel; must not copy or change anything.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from deeplens_kit.errors import DeepLensError

__all__ = ["BUNDLED", "bundled"]

BUNDLED = "bundled"
"""The folder of the package that a wheel puts them in."""

_PACKAGE = Path(__file__).parent.parent


def bundled(folder: Literal["reports", "dashboards", "notebooks", "data"], package: Path = _PACKAGE) -> Path:
    """The folder of that name that came with DeepLens.

    Args:
        folder: Which one.
        package: The folder of the package.

    Raises:
        DeepLensError: It is not there: the installation is not whole.
    """
    # Within first: beside an installed package lie other people's packages.
    for place in (package / BUNDLED / folder, package.parent / folder):
        if place.is_dir():
            return place
    raise DeepLensError(f"The folder {folder!r} did not come with this DeepLens; install the package again.")
