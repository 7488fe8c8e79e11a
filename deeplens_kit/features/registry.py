"""The extractors there are, by name, each made when it is asked for.

Takes names and settings and gives extractors; must not import a model's runtime before its extractor is made. A model
that is not installed is a line of text, so that the hashes of a run go on without it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from deeplens_kit.errors import ModelCorruptError, ModelUnavailableError, UnknownNameError
from deeplens_kit.features.base import Extractor
from deeplens_kit.settings import FeatureSettings

__all__ = ["Availability", "available", "extractor", "names", "vector_names"]


@dataclass(frozen=True, slots=True)
class Availability:
    """The enabled features that can be computed here, in the order of the settings, and why others cannot.

    Attributes:
        extractors: Name -> extractor.
        missing: Name -> one line that says what is missing and what to do.
    """

    extractors: Mapping[str, Extractor]
    missing: Mapping[str, str]


def names() -> tuple[str, ...]:
    """All features there are, sorted."""
    return tuple(sorted(_FACTORIES))


def vector_names() -> tuple[str, ...]:
    """Features that are vectors, sorted; known without loading a model."""
    return _VECTORS


def extractor(name: str, settings: FeatureSettings) -> Extractor:
    """Make the extractor of one feature.

    Args:
        name: One of `names()`.
        settings: Where models are.

    Raises:
        UnknownNameError: There is no such feature; the nearest name is suggested.
        ModelUnavailableError: Its weights or its runtime are not installed.
        ModelCorruptError: Its weights are not what they should be.
    """
    if name not in _FACTORIES:
        raise UnknownNameError("feature", name, _FACTORIES)
    return _FACTORIES[name](settings)


def available(settings: FeatureSettings) -> Availability:
    """Make all enabled extractors that can be made here.

    Raises:
        UnknownNameError: The settings name a feature that does not exist.
    """
    for name in settings.enabled:
        if name not in _FACTORIES:
            raise UnknownNameError("feature", name, _FACTORIES)
    made: dict[str, Extractor] = {}
    missing: dict[str, str] = {}
    for name in settings.enabled:
        try:
            made[name] = extractor(name, settings)
        except (ModelUnavailableError, ModelCorruptError) as error:
            missing[name] = str(error)
    return Availability(made, missing)


def _clarity(_: FeatureSettings) -> Extractor:
    from deeplens_kit.features.clarity import Clarity

    return Clarity()


def _efficientnet_lite0(settings: FeatureSettings) -> Extractor:
    from deeplens_kit.features.efficientnet_lite0 import efficientnet_lite0_extractor

    return efficientnet_lite0_extractor(settings.model_dir)


def _grey_hash(name: str) -> Callable[[FeatureSettings], Extractor]:
    def make(_: FeatureSettings) -> Extractor:
        from deeplens_kit.features import grey_hashes

        made: Extractor = getattr(grey_hashes, name)()
        return made

    return make


def _pdq(_: FeatureSettings) -> Extractor:
    from deeplens_kit.features.pdq import Pdq

    return Pdq()


def _sscd_small(settings: FeatureSettings) -> Extractor:
    from deeplens_kit.features.sscd import SMALL, sscd_extractor

    return sscd_extractor(SMALL, settings.model_dir)


def _sscd_small_regions(settings: FeatureSettings) -> Extractor:
    from deeplens_kit.features.regions import regions_extractor

    return regions_extractor(settings.model_dir)


def _sscd(settings: FeatureSettings) -> Extractor:
    from deeplens_kit.features.sscd import FULL, sscd_extractor

    return sscd_extractor(FULL, settings.model_dir)


def _sscd_torch(settings: FeatureSettings) -> Extractor:
    from deeplens_kit.features.sscd_torch import sscd_torch_extractor

    return sscd_torch_extractor(settings.model_dir)


_FACTORIES: dict[str, Callable[[FeatureSettings], Extractor]] = {
    "ahash": _grey_hash("ahash"),
    "clarity": _clarity,
    "dhash": _grey_hash("dhash"),
    "efficientnet_lite0": _efficientnet_lite0,
    "pdq": _pdq,
    "phash": _grey_hash("phash"),
    "sscd": _sscd,
    "sscd_small": _sscd_small,
    "sscd_small_regions": _sscd_small_regions,
    "sscd_torch": _sscd_torch,
    "whash": _grey_hash("whash"),
}

_VECTORS = ("efficientnet_lite0", "sscd", "sscd_small", "sscd_torch")
