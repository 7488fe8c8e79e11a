"""Convolutional networks that were trained to name what ImageNet shows, by timm: pooled features for alike things.

Takes thumbnails and gives L2-normalised vectors: the last feature maps, averaged over the picture. Two photographs of
two cats are near each other, so it must never be evidence for a copy: `matching` gives it no column among its scores.
Weights are looked for as `checkpoint` in `features.model_dir`, then in the model cache; indexing never fetches them.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

from deeplens_kit.errors import ModelUnavailableError
from deeplens_kit.features.base import Columns, Thumbnail, require_thumbnails
from deeplens_kit.features.checkpoints import Publication, find_checkpoint, pull_checkpoint
from deeplens_kit.features.onnx_export import Network, example_thumbnail, fingerprint, tower_of
from deeplens_kit.features.preprocessing import Preprocessing
from deeplens_kit.features.torch_runtime import corrupt, import_library, state_of
from deeplens_kit.features.towers import Tower, unit_rows
from deeplens_kit.features.weights import WeightsFile
from deeplens_kit.schemas import FeatureSpec

__all__ = ["TIMM_PRESETS", "TimmCnn", "TimmModel", "network_of", "pull_timm", "timm_extractor"]

VERSION = 1
_DIGITS = 8
_PUBLISHED = ("model.safetensors", "pytorch_model.bin")


@dataclass(frozen=True, slots=True)
class TimmModel:
    """One network: which architecture, and which weights.

    Attributes:
        name: Of the feature.
        model: timm's name of the architecture, after a point the tag of its weights, which says how pictures are
            prepared.
        checkpoint: File name in `features.model_dir` or the model cache, or a whole path; empty: MODEL.
        dimensions: Of a vector; 0 where it shows when the model is loaded.
        licence: Of the weights.
        size_bytes: Of the checkpoint, about; 0 where it is not known.
        paper: What defines it.
    """

    name: str
    model: str
    checkpoint: str = ""
    dimensions: int = 0
    licence: str = "unknown"
    size_bytes: int = 0
    paper: str = ""

    @property
    def kind(self) -> Literal["timm"]:
        """By what it is run."""
        return "timm"

    @property
    def file_name(self) -> str:
        """Of its weights; another of `checkpoints.SUFFIXES` will do."""
        return self.checkpoint or f"{self.model}.safetensors"

    @property
    def source(self) -> str:
        """For `FeatureSpec.source`."""
        return "; ".join(filter(None, (self.paper, f"timm {self.model}, averaged last feature maps")))


TIMM_PRESETS: Mapping[str, TimmModel] = MappingProxyType(
    {
        "efficientnet_b0": TimmModel(
            "efficientnet_b0",
            "efficientnet_b0.ra_in1k",
            dimensions=1280,
            licence="Apache-2.0",
            size_bytes=21_400_000,
            paper="Tan and Le, EfficientNet, ICML 2019",
        ),
        "resnet50": TimmModel(
            "resnet50",
            "resnet50.a1_in1k",
            dimensions=2048,
            licence="Apache-2.0",
            size_bytes=102_000_000,
            paper="He et al., Deep Residual Learning for Image Recognition, CVPR 2016",
        ),
    }
)
"""Models by the name of their feature."""


@dataclass(frozen=True, slots=True)
class TimmCnn:
    """Gives {"vector": (n, d) float16}; shared by all threads."""

    spec: FeatureSpec
    preprocessing: Preprocessing
    tower: Tower

    def extract(self, thumbnails: Sequence[Thumbnail]) -> Columns:
        """Embed each thumbnail; none depends on the others."""
        require_thumbnails(thumbnails)
        return {"vector": unit_rows(self.tower, [self.preprocessing.apply(pixels) for pixels in thumbnails])}


def timm_extractor(model: TimmModel, model_dir: str) -> TimmCnn:
    """Load a model with weights from `model_dir`, else from the model cache.

    Args:
        model: Which one.
        model_dir: The user's folder of weights; empty where there is none.

    Raises:
        ModelUnavailableError: Its weights or a library are not installed, or timm does not know it; one line says so.
        ModelCorruptError: The file does not hold the weights of this architecture.
    """
    weights = find_checkpoint(model.name, model.file_name, model_dir, pullable=not model.checkpoint)
    key = fingerprint("timm", str(VERSION), weights.sha256, model.model)
    tower, preprocessing = _tower(model, weights, key)
    spec = FeatureSpec(
        name=model.name,
        version=VERSION,
        kind="vector",
        size=tower.size,
        columns=(),
        metric="cosine",
        preprocessing=preprocessing.name,
        weights=f"{weights.path.name}:{key[:_DIGITS]}",
        source=model.source,
    )
    return TimmCnn(spec, preprocessing, tower)


def pull_timm(model: TimmModel, model_dir: str = "", *, cache_dir: Path | None = None) -> WeightsFile:
    """Give a model's weights that are on this machine, else fetch them into the model cache.

    Raises:
        ModelUnavailableError: timm does not know where they are, or they cannot be fetched; the file and the folder are
            named.
        ModelCorruptError: What was sent does not have its checksum; it is not kept.
    """
    published = Publication()
    if not model.checkpoint:
        known = _known(import_library("timm", model.name), model)
        published = Publication(known.get("hf_hub_id") or "", _PUBLISHED, known.get("url") or "")
    return pull_checkpoint(model.name, model.file_name, published, model_dir, cache_dir=cache_dir)


@lru_cache(maxsize=4)
def _tower(model: TimmModel, weights: WeightsFile, key: str) -> tuple[Tower, Preprocessing]:
    tower, notes = tower_of(model.name, model.name, key, lambda: network_of(model, weights))
    return tower, Preprocessing.from_json(notes["preprocessing"])


def network_of(model: TimmModel, weights: WeightsFile) -> Network:
    """The network in PyTorch, to be exported or run; errors as of `timm_extractor`."""
    timm = import_library("timm", model.name)
    known = _known(timm, model)
    module = timm.create_model(model.model, pretrained=False, num_classes=0)
    _fill(module, weights.path, model.model, known["classifier"])
    preprocessing = Preprocessing.of_timm(known)
    notes = {"preprocessing": preprocessing.to_json()}
    return Network(module.eval().requires_grad_(False), preprocessing.apply(example_thumbnail()), notes)


def _fill(module: Any, path: Path, what: str, classifier: str | Sequence[str]) -> None:
    """Load the weights of all but the classifier, which says what ImageNet calls a thing and is left away."""
    state = state_of(path, what)
    heads = tuple(f"{name}." for name in ((classifier,) if isinstance(classifier, str) else classifier))
    features = {name: value for name, value in state.items() if not name.startswith(heads)}
    try:
        module.load_state_dict(features, strict=True)
    except RuntimeError as error:
        raise corrupt(path, what, error) from error


def _known(timm: Any, model: TimmModel) -> Mapping[str, Any]:
    """What timm says of the weights: how pictures are prepared, and where they are published."""
    name, _, tag = model.model.partition(".")
    if not timm.is_model(name):
        near = difflib.get_close_matches(name, timm.list_models(), 1)
        raise ModelUnavailableError(
            f"Feature {model.name!r} is left out: timm knows no model {name!r}"
            + (f"; did you mean {near[0]!r}?" if near else "; `timm.list_models()` lists those that it knows.")
        )
    try:
        found = timm.get_pretrained_cfg(model.model)
    except RuntimeError:  # it knows the architecture, and not these weights
        found = None
    if found is None:
        tags = ", ".join(timm.list_pretrained(f"{name}.*")) or "none"
        raise ModelUnavailableError(
            f"Feature {model.name!r} is left out: timm knows no weights {tag!r} of {name!r}; it knows {tags}."
        )
    return dict(found.to_dict())
