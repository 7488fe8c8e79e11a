"""Extractors of features as the library has them, each made when a query first needs it.

Takes the settings of a workspace and the keys of features, gives extractors or the reason why there is none; must not
give one whose numbers are no neighbours of those in the library.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, replace

from deeplens_kit.errors import ModelCorruptError, ModelUnavailableError, SettingsError
from deeplens_kit.features import Extractor, available, extractor
from deeplens_kit.pipeline.analysis import Toolbox
from deeplens_kit.pipeline.workspace import Workspace

__all__ = ["CopyTools", "ExtractorShelf", "copy_tools"]

# Measures that the rules look at: always computed for a query, they cost two milliseconds together.
_HASHES = ("clarity", "phash", "pdq")
_OTHER_VERSION = "the pictures were indexed with another version of the model; run `deeplens index`"


@dataclass(frozen=True, slots=True)
class CopyTools:
    """What a search for copies computes.

    Attributes:
        keys: Of the vectors of the library, by feature.
        toolbox: Extractors of the hashes, and of these vectors.
        unavailable: Feature -> why it cannot be used.
    """

    keys: Mapping[str, str]
    toolbox: Toolbox
    unavailable: Mapping[str, str]


def copy_tools(workspace: Workspace, keys: Mapping[str, str]) -> CopyTools:
    """Extractors for a library with these vectors (feature -> key)."""
    found = available(replace(workspace.settings.features, enabled=(*_HASHES, *keys)))
    usable, unavailable = [], dict(found.missing)
    for name, made in found.extractors.items():
        if keys.get(name, made.spec.key) == made.spec.key:
            usable.append(made)
        else:
            unavailable[name] = _OTHER_VERSION
    return CopyTools(keys, Toolbox(tuple(usable), workspace.settings.decode, thumbnails=None), unavailable)


class ExtractorShelf:
    """Extractors by feature; safe to share between threads.

    Args:
        workspace: An open workspace.
    """

    def __init__(self, workspace: Workspace) -> None:
        self._settings = workspace.settings.features
        self._lock = threading.Lock()
        self._made: dict[str, Extractor | str] = {}

    @property
    def enabled(self) -> tuple[str, ...]:
        """Features that the settings name."""
        return tuple(self._settings.enabled)

    def of(self, feature: str, key: str | None) -> Extractor | str:
        """The extractor of a feature, or why there is none, in words.

        Args:
            feature: Its name.
            key: `FeatureSpec.key` that its numbers have in the library; None for any.
        """
        with self._lock:
            if feature not in self._made:
                try:
                    self._made[feature] = extractor(feature, replace(self._settings, enabled=(feature,)))
                except (ModelUnavailableError, ModelCorruptError, SettingsError) as error:
                    self._made[feature] = str(error)
            made = self._made[feature]
        if isinstance(made, str):
            return made
        return _OTHER_VERSION if key is not None and made.spec.key != key else made
