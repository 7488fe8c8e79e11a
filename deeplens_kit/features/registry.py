"""The extractors there are, by name, each made when it is asked for.

Takes names and settings and gives extractors; must not import a model's runtime before its extractor is made. A model
that is not installed is a line of text, so that the hashes of a run go on without it. The user's own models are found
in `features.model_dir`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from deeplens_kit.errors import ModelCorruptError, ModelUnavailableError, SettingsError, UnknownNameError
from deeplens_kit.features.base import Extractor
from deeplens_kit.features.custom_models import TorchDescriptor, custom_names, descriptor_names, read_custom
from deeplens_kit.features.model_descriptor import Model
from deeplens_kit.features.model_list import BUILT_IN
from deeplens_kit.features.onnx_descriptor import OnnxDescriptor
from deeplens_kit.features.torch_models import PRESET_MODELS
from deeplens_kit.settings import FeatureSettings

__all__ = [
    "Availability",
    "ModelShelf",
    "available",
    "custom_descriptor",
    "extractor",
    "model_named",
    "models",
    "names",
    "thumbnail_px",
    "vector_names",
]

_NO_OWN = FeatureSettings()
_SHELF: tuple[Model, ...] = (*BUILT_IN, *PRESET_MODELS)


@dataclass(frozen=True, slots=True)
class Availability:
    """The enabled features that can be computed here, in the order of the settings, and why others cannot.

    Attributes:
        extractors: Name -> extractor.
        missing: Name -> one line that says what is missing and what to do.
    """

    extractors: Mapping[str, Extractor]
    missing: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class ModelShelf:
    """The models there are.

    Attributes:
        models: Their descriptors, the user's own last.
        broken: Name of a descriptor of the user's that makes no model -> one line that says why.
    """

    models: tuple[Model, ...]
    broken: Mapping[str, str]


def names(settings: FeatureSettings = _NO_OWN) -> tuple[str, ...]:
    """All features there are, sorted; with the user's own in the folder that the settings name."""
    return tuple(sorted({*_FACTORIES, *custom_names(settings.model_dir)}))


def vector_names(settings: FeatureSettings = _NO_OWN) -> tuple[str, ...]:
    """Features that are vectors, sorted; known without loading a model."""
    return tuple(sorted({*(model.name for model in _SHELF), *custom_names(settings.model_dir)}))


def models(settings: FeatureSettings) -> ModelShelf:
    """Every model there is, installed or not."""
    own: list[Model] = []
    broken: dict[str, str] = {}
    for name in descriptor_names(settings.model_dir):
        try:
            own.append(_own_model(name, settings))
        except SettingsError as error:
            broken[name] = str(error)
    return ModelShelf((*_SHELF, *own), broken)


def model_named(name: str, settings: FeatureSettings) -> Model:
    """The descriptor of one model.

    Raises:
        UnknownNameError: There is none of this name; the nearest is suggested.
        SettingsError: The user's descriptor of it is not right, or bears the name of a feature that exists already.
    """
    if name in custom_names(settings.model_dir):
        return _own_model(name, settings)
    for model in _SHELF:
        if model.name == name:
            return model
    raise UnknownNameError("model", name, vector_names(settings))


def thumbnail_px(name: str, settings: FeatureSettings) -> int:
    """Least shorter side of a stored thumbnail that a feature may be computed from, inclusive; 0: from none."""
    return model_named(name, settings).thumbnail_px if name in vector_names(settings) else 0


def custom_descriptor(name: str, settings: FeatureSettings) -> OnnxDescriptor | TorchDescriptor | None:
    """What the user's descriptor of a model says; None for a model that comes with DeepLens."""
    own = name in custom_names(settings.model_dir)
    return read_custom(name, settings.model_dir, _FACTORIES).descriptor if own else None


def extractor(name: str, settings: FeatureSettings) -> Extractor:
    """Make the extractor of one feature.

    Args:
        name: One of `names(settings)`.
        settings: Where models are.

    Raises:
        UnknownNameError: There is no such feature; the nearest name is suggested.
        SettingsError: The user's descriptor of it is not right, or bears the name of a feature that exists already.
        ModelUnavailableError: Its weights or its runtime are not installed.
        ModelCorruptError: Its weights are not what they should be.
    """
    if name in custom_names(settings.model_dir):
        return _custom(name, settings)
    if name not in _FACTORIES:
        raise UnknownNameError("feature", name, names(settings))
    return _FACTORIES[name](settings)


def available(settings: FeatureSettings) -> Availability:
    """Make all enabled extractors that can be made here.

    Raises:
        UnknownNameError: The settings name a feature that does not exist.
        SettingsError: As `extractor`.
    """
    known = names(settings)
    for name in settings.enabled:
        if name not in known:
            raise UnknownNameError("feature", name, known)
    made: dict[str, Extractor] = {}
    missing: dict[str, str] = {}
    for name in settings.enabled:
        try:
            made[name] = extractor(name, settings)
        except (ModelUnavailableError, ModelCorruptError) as error:
            missing[name] = str(error)
    return Availability(made, missing)


def _own_model(name: str, settings: FeatureSettings) -> Model:
    custom = read_custom(name, settings.model_dir, _FACTORIES)
    if not isinstance(custom.descriptor, TorchDescriptor):
        return custom.model
    from deeplens_kit.features.torch_models import weights_file

    return replace(custom.model, files=(weights_file(custom.descriptor),))


def _custom(name: str, settings: FeatureSettings) -> Extractor:
    descriptor = read_custom(name, settings.model_dir, _FACTORIES).descriptor
    if isinstance(descriptor, TorchDescriptor):
        from deeplens_kit.features.torch_models import torch_extractor

        return torch_extractor(descriptor, settings.model_dir)
    from deeplens_kit.features.onnx_file import onnx_file_extractor

    return onnx_file_extractor(descriptor, settings.model_dir)


def _clarity(_: FeatureSettings) -> Extractor:
    from deeplens_kit.features.clarity import Clarity

    return Clarity()


def _colour(_: FeatureSettings) -> Extractor:
    from deeplens_kit.features.colour import Colour

    return Colour()


def _dominant_colours(_: FeatureSettings) -> Extractor:
    from deeplens_kit.features.dominant_colours import DominantColours

    return DominantColours()


def _edges(_: FeatureSettings) -> Extractor:
    from deeplens_kit.features.edges import Edges

    return Edges()


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


def _preset(name: str) -> Callable[[FeatureSettings], Extractor]:
    def make(settings: FeatureSettings) -> Extractor:
        from deeplens_kit.features.torch_models import preset_extractor

        return preset_extractor(name, settings.model_dir)

    return make


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
    "colour": _colour,
    "dhash": _grey_hash("dhash"),
    "dominant_colours": _dominant_colours,
    "edges": _edges,
    "efficientnet_lite0": _efficientnet_lite0,
    "pdq": _pdq,
    "phash": _grey_hash("phash"),
    "sscd": _sscd,
    "sscd_small": _sscd_small,
    "sscd_small_regions": _sscd_small_regions,
    "sscd_torch": _sscd_torch,
    "whash": _grey_hash("whash"),
    **{model.name: _preset(model.name) for model in PRESET_MODELS},
}
