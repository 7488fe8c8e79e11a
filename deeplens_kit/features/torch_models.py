"""The models of open_clip and timm as the list of models has them: the presets, and those that a user describes.

Takes names and descriptors and gives `Model`s and extractors; must not import open_clip, timm or PyTorch before an
extractor is made.
"""

from __future__ import annotations

from typing import TypeAlias

from deeplens_kit.features.base import Extractor
from deeplens_kit.features.custom_models import CHECKPOINT_ENDINGS, OPEN_CLIP_NEED, TIMM_NEED, TorchDescriptor
from deeplens_kit.features.model_descriptor import Model, ModelFile, Purpose
from deeplens_kit.features.open_clip import OPEN_CLIP_PRESETS, OpenClipModel, open_clip_extractor, pull_open_clip
from deeplens_kit.features.timm_cnn import TIMM_PRESETS, TimmModel, pull_timm, timm_extractor
from deeplens_kit.features.weights import WeightsFile

__all__ = ["PRESET_MODELS", "preset_extractor", "pull_torch", "torch_extractor", "weights_file"]

TorchModel: TypeAlias = OpenClipModel | TimmModel

_PRESETS: dict[str, TorchModel] = {**OPEN_CLIP_PRESETS, **TIMM_PRESETS}
_INPUT_PX = (224, 224)
"""What all presets see."""


def _model(preset: TorchModel) -> Model:
    clip = isinstance(preset, OpenClipModel)
    return Model(
        name=preset.name,
        kind=preset.kind,
        purposes=(Purpose.LIKENESS, Purpose.WORDS) if clip else (Purpose.LIKENESS,),
        dimensions=preset.dimensions,
        input_px=_INPUT_PX,
        licence=preset.licence,
        source=preset.source,
        files=(_file(preset),),
        needs=(OPEN_CLIP_NEED if clip else TIMM_NEED,),
    )


def _file(model: TorchModel) -> ModelFile:
    published = bool(model.pretrained) if isinstance(model, OpenClipModel) else not model.checkpoint
    return ModelFile(model.file_name, model.size_bytes, endings=CHECKPOINT_ENDINGS, by_library=published)


PRESET_MODELS: tuple[Model, ...] = tuple(_model(preset) for preset in _PRESETS.values())
"""The presets, in the order in which they are told."""


def preset_extractor(name: str, model_dir: str) -> Extractor:
    """The extractor of a preset; errors as `open_clip_extractor` and `timm_extractor`."""
    return _extractor(_PRESETS[name], model_dir)


def torch_extractor(descriptor: TorchDescriptor, model_dir: str) -> Extractor:
    """The extractor of a user's descriptor; errors as above."""
    return _extractor(_of(descriptor), model_dir)


def weights_file(descriptor: TorchDescriptor) -> ModelFile:
    """The file of weights of a user's descriptor, also where the library names it."""
    return _file(_of(descriptor))


def pull_torch(model: str | TorchDescriptor, model_dir: str) -> WeightsFile:
    """Fetch the weights of a preset, by its name, or of a user's descriptor; errors as `pull_checkpoint`."""
    named = _PRESETS[model] if isinstance(model, str) else _of(model)
    return pull_open_clip(named, model_dir) if isinstance(named, OpenClipModel) else pull_timm(named, model_dir)


def _extractor(model: TorchModel, model_dir: str) -> Extractor:
    if isinstance(model, OpenClipModel):
        return open_clip_extractor(model, model_dir)
    return timm_extractor(model, model_dir)


def _of(descriptor: TorchDescriptor) -> TorchModel:
    if descriptor.kind == "open_clip":
        return OpenClipModel(descriptor.name, descriptor.model, descriptor.pretrained, descriptor.checkpoint)
    return TimmModel(descriptor.name, descriptor.model, descriptor.checkpoint)
