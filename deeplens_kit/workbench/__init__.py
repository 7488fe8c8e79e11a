"""The one object that an analyst holds in a notebook."""

from deeplens_kit.workbench.workbench import Workbench

__all__ = ["Workbench"]
