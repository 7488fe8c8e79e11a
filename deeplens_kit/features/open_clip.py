"""CLIP by open_clip: pictures and words as vectors of one space, so that pictures are found by what is said of them.

Takes thumbnails or texts and gives L2-normalised vectors whose cosine tells how well they fit; must never be evidence
for a copy (`matching` gives it no column among its scores), fetch anything while pictures are indexed, or run a file
of weights as a program. Weights are looked for as `checkpoint` in `features.model_dir`, then in the model cache. A JSON
file of the same name beside them describes an architecture of one's own, as open_clip's `open_clip_config.json` does.
"""

from __future__ import annotations

import difflib
import json
import logging
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from deeplens_kit.errors import ModelCorruptError, ModelUnavailableError
from deeplens_kit.features.base import Columns, Thumbnail, require_thumbnails
from deeplens_kit.features.checkpoints import Publication, find_checkpoint, pull_checkpoint, pull_folder
from deeplens_kit.features.onnx_export import Network, example_thumbnail, fingerprint, tower_of
from deeplens_kit.features.preprocessing import Preprocessing
from deeplens_kit.features.torch_runtime import corrupt, import_library
from deeplens_kit.features.towers import OnnxTower, Tower, unit_rows
from deeplens_kit.features.weights import WeightsFile
from deeplens_kit.schemas import FeatureSpec

__all__ = [
    "OPEN_CLIP_PRESETS",
    "ModelFiles",
    "OpenClip",
    "OpenClipModel",
    "open_clip_extractor",
    "picture_network",
    "pull_open_clip",
    "text_network",
]

VERSION = 1
_PAPER = "Radford et al., Learning Transferable Visual Models From Natural Language Supervision, ICML 2021"
_DIGITS = 8
_TOKENIZER = "-tokenizer"
_PROBE_TEXT = "a photograph of a cat"
# Names that open_clip itself looks for in a folder.
_CONFIG, _SAFETENSORS, _TENSORS = "open_clip_config.json", "open_clip_model.safetensors", "open_clip_pytorch_model.bin"


@dataclass(frozen=True, slots=True)
class OpenClipModel:
    """One CLIP: which network, and which weights.

    Attributes:
        name: Of the feature.
        model: open_clip's name of the architecture; empty where a JSON file beside the checkpoint describes it.
        pretrained: open_clip's tag of the weights, which says how pictures are prepared; empty for one's own.
        checkpoint: File name in `features.model_dir` or the model cache, or a whole path; empty: MODEL-PRETRAINED.
        dimensions: Of a vector; 0 where it shows when the model is loaded.
        licence: Of the weights.
        size_bytes: Of the checkpoint, about; 0 where it is not known.
    """

    name: str
    model: str
    pretrained: str = ""
    checkpoint: str = ""
    dimensions: int = 0
    licence: str = "unknown"
    size_bytes: int = 0

    @property
    def kind(self) -> Literal["open_clip"]:
        """By what it is run."""
        return "open_clip"

    @property
    def file_name(self) -> str:
        """Of its weights; another of `checkpoints.SUFFIXES` will do."""
        return (
            self.checkpoint or "-".join(filter(None, (self.model.replace("/", "-"), self.pretrained))) + ".safetensors"
        )

    @property
    def source(self) -> str:
        """For `FeatureSpec.source`."""
        trained = self.pretrained or self.file_name
        return f"{_PAPER}; open_clip {self.model or 'with a config of its own'}, {trained}"


OPEN_CLIP_PRESETS: Mapping[str, OpenClipModel] = MappingProxyType(
    {
        "clip_vit_b_32": OpenClipModel(
            "clip_vit_b_32", "ViT-B-32", "laion2b_s34b_b79k", dimensions=512, licence="MIT", size_bytes=605_000_000
        ),
        "clip_vit_l_14": OpenClipModel(
            "clip_vit_l_14", "ViT-L-14", "laion2b_s32b_b82k", dimensions=768, licence="MIT", size_bytes=1_710_000_000
        ),
    }
)
"""Models by the name of their feature: small and quick, large and better. Trained by LAION on LAION-2B in English."""


@dataclass(frozen=True, slots=True)
class ModelFiles:
    """What a model is made of on this machine; equal where all that its numbers depend on is equal."""

    model: OpenClipModel
    weights: WeightsFile
    config: str

    @property
    def key(self) -> str:
        """Changes with weights, architecture and preparation."""
        architecture = (self.model.model, self.model.pretrained, self.config)
        return fingerprint("open_clip", str(VERSION), self.weights.sha256, *architecture)

    @property
    def tokenizer_dir(self) -> Path:
        """Where the vocabulary is, for models that do not use the one that open_clip ships."""
        return self.weights.path.with_name(self.weights.path.stem + _TOKENIZER)


@dataclass(frozen=True, slots=True)
class OpenClip:
    """Gives {"vector": (n, d) float16} of pictures, and (n, d) float16 of texts; shared by all threads.

    Attributes:
        spec: The feature's descriptor; its weights carry the fingerprint of file, architecture and preparation.
        files: What it was made of.
        preprocessing: What the picture tower is shown.
        pictures: The picture tower; the one for texts is loaded when it is first needed.
    """

    spec: FeatureSpec
    files: ModelFiles
    preprocessing: Preprocessing
    pictures: Tower

    def extract(self, thumbnails: Sequence[Thumbnail]) -> Columns:
        """Embed each thumbnail; none depends on the others."""
        require_thumbnails(thumbnails)
        return {"vector": unit_rows(self.pictures, [self.preprocessing.apply(pixels) for pixels in thumbnails])}

    def embed_texts(self, texts: Sequence[str]) -> NDArray[np.float16]:
        """Embed each text: (n, size) float16, L2-normalised, to be compared with vectors of pictures by their cosine.

        Args:
            texts: In the language that the model was trained on; what is longer than its context (77 tokens, about 50
                words) is cut off.

        Raises:
            ModelUnavailableError: The model's vocabulary is not installed; its folder is named.
        """
        if isinstance(texts, str):
            raise TypeError("texts is one text, should be a sequence of them")
        if not texts:
            return np.empty((0, self.spec.size), dtype=np.float16)
        tokens = _tokenizer(self.files)(list(texts)).numpy()
        return unit_rows(_text_tower(self.files), list(tokens))


def open_clip_extractor(model: OpenClipModel, model_dir: str) -> OpenClip:
    """Load a model with weights from `model_dir`, else from the model cache.

    Args:
        model: Which one.
        model_dir: The user's folder of weights; empty where there is none.

    Raises:
        ModelUnavailableError: Its weights, its architecture or a library are not there; one line says what to do.
        ModelCorruptError: The file does not hold the weights of this architecture.
    """
    weights = find_checkpoint(model.name, model.file_name, model_dir, pullable=bool(model.pretrained))
    config = weights.path.with_suffix(".json")
    files = ModelFiles(model, weights, config.read_text(encoding="utf-8") if config.is_file() else "")
    tower, preprocessing = _picture_tower(files)
    spec = FeatureSpec(
        name=model.name,
        version=VERSION,
        kind="vector",
        size=tower.size,
        columns=(),
        metric="cosine",
        preprocessing=preprocessing.name,
        weights=f"{weights.path.name}:{files.key[:_DIGITS]}",
        source=model.source,
    )
    return OpenClip(spec, files, preprocessing, tower)


def pull_open_clip(model: OpenClipModel, model_dir: str = "", *, cache_dir: Path | None = None) -> WeightsFile:
    """Give a model's weights that are on this machine, else fetch them, and a vocabulary of its own, into the cache.

    Raises:
        ModelUnavailableError: open_clip does not know where they are, or they cannot be fetched; the file and the
            folder are named.
        ModelCorruptError: What was sent does not have its checksum; it is not kept.
    """
    published = Publication()
    repository = ""
    if model.pretrained:
        open_clip = import_library("open_clip", model.name)
        known = _known_tag(open_clip, model)
        owner, _, file = str(known.get("hf_hub", "")).rpartition("/")
        # Safetensors first, as open_clip prefers it too.
        names = (file.removesuffix(".bin").removesuffix(".pth") + ".safetensors", file) if file else ()
        published = Publication(owner, names or (_SAFETENSORS, _TENSORS), str(known.get("url", "")))
        repository = _architecture(open_clip, model)["text_cfg"].get("hf_tokenizer_name", "")
    weights = pull_checkpoint(model.name, model.file_name, published, model_dir, cache_dir=cache_dir)
    if repository:
        pull_folder(model.name, repository, weights.path.stem + _TOKENIZER, cache_dir=weights.path.parent)
    return weights


@lru_cache(maxsize=4)
def _picture_tower(files: ModelFiles) -> tuple[Tower, Preprocessing]:
    name = files.model.name
    tower, notes = tower_of(name, f"{name}-pictures", files.key, lambda: picture_network(files))
    if isinstance(tower, OnnxTower):
        _module.cache_clear()  # it was needed for the export alone
    return tower, Preprocessing.from_json(notes["preprocessing"])


@lru_cache(maxsize=4)
def _text_tower(files: ModelFiles) -> Tower:
    tower, _ = tower_of(files.model.name, f"{files.model.name}-texts", files.key, lambda: text_network(files))
    if isinstance(tower, OnnxTower):
        _module.cache_clear()
    return tower


def picture_network(files: ModelFiles) -> Network:
    """The picture tower in PyTorch, to be exported or run; errors as of `open_clip_extractor`."""
    module = _module(files)
    preprocessing = Preprocessing.of_open_clip(module.visual.preprocess_cfg)
    notes = {"preprocessing": preprocessing.to_json()}
    return Network(_one_tower(module, "encode_image"), preprocessing.apply(example_thumbnail()), notes)


def text_network(files: ModelFiles) -> Network:
    """The text tower in PyTorch, to be exported or run; errors as of `OpenClip.embed_texts`."""
    example = _tokenizer(files)([_PROBE_TEXT]).numpy()[0]
    return Network(_one_tower(_module(files), "encode_text"), example, {})


@lru_cache(maxsize=4)
def _tokenizer(files: ModelFiles) -> Any:
    open_clip = import_library("open_clip", files.model.name)
    text = _config(open_clip, files)["model_cfg"]["text_cfg"]
    length = text.get("context_length", 77)
    options = text.get("tokenizer_kwargs", {})
    if not text.get("hf_tokenizer_name"):
        return open_clip.SimpleTokenizer(context_length=length, **options)
    import_library("transformers", files.model.name)
    mode = text.get("tokenizer_mode")
    return open_clip.HFTokenizer(
        str(_tokenizer_dir(files, text["hf_tokenizer_name"])), context_length=length, tokenizer_mode=mode, **options
    )


def _tokenizer_dir(files: ModelFiles, repository: str) -> Path:
    if not files.tokenizer_dir.is_dir():
        raise ModelUnavailableError(
            f"{files.model.name!r} takes no texts: it needs the tokenizer of {repository!r}, which open_clip does not "
            f"ship; place its files (tokenizer.json, config.json and their like) in {str(files.tokenizer_dir)!r}."
        )
    return files.tokenizer_dir


# One at a time: the towers share it, and where both are exported it is no longer needed.
@lru_cache(maxsize=1)
def _module(files: ModelFiles) -> Any:
    open_clip = import_library("open_clip", files.model.name)
    config = _config(open_clip, files)
    text = config["model_cfg"]["text_cfg"]
    if text.get("hf_model_name"):
        import_library("transformers", files.model.name)
        text["hf_model_name"] = str(_tokenizer_dir(files, text["hf_model_name"]))
    with tempfile.TemporaryDirectory() as folder, _silent_root():
        Path(folder, _CONFIG).write_text(json.dumps(config), encoding="utf-8")
        name = _SAFETENSORS if files.weights.path.suffix == ".safetensors" else _TENSORS
        Path(folder, name).symlink_to(files.weights.path.absolute())
        try:
            # `weights_only`: a pickle that holds anything but tensors is refused, never run.
            module = open_clip.create_model(f"local-dir:{folder}", pretrained_text=False, weights_only=True)
        except Exception as error:  # open_clip, torch and safetensors raise classes that share no base
            raise corrupt(files.weights.path, files.model.model or "its configuration", error) from error
    return module.eval().requires_grad_(False)


def _one_tower(module: Any, method: str) -> Any:
    import torch

    class OneTower(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = module

        def forward(self, batch: Any) -> Any:
            return getattr(self.model, method)(batch)

    return OneTower().eval()


def _config(open_clip: Any, files: ModelFiles) -> dict[str, Any]:
    """Architecture and preparation: of the JSON file beside the weights, else of open_clip."""
    if not files.config:
        known = _known_tag(open_clip, files.model) if files.model.pretrained else {}
        architecture = _architecture(open_clip, files.model)
        if known.get("quick_gelu"):
            architecture["quick_gelu"] = True
        return {"model_cfg": architecture, "preprocess_cfg": dict(known)}
    path = files.weights.path.with_suffix(".json")
    try:
        config = json.loads(files.config)
        config = config if "model_cfg" in config else {"model_cfg": config}
        if not all(name in config["model_cfg"] for name in ("embed_dim", "vision_cfg", "text_cfg")):
            raise ValueError("embed_dim, vision_cfg or text_cfg is missing")
    except (TypeError, ValueError) as error:
        raise ModelCorruptError(
            f"{str(path)!r} does not describe a model as open_clip does ({error}); mend it, or remove it where the "
            "model is one that open_clip knows."
        ) from error
    return dict(config)


def _architecture(open_clip: Any, model: OpenClipModel) -> dict[str, Any]:
    found = open_clip.get_model_config(model.model.replace("/", "-")) if model.model else None
    if found is None:
        near = difflib.get_close_matches(model.model, open_clip.list_models(), 1)
        raise ModelUnavailableError(
            f"Feature {model.name!r} is left out: open_clip knows no model {model.model!r}"
            + (f", did you mean {near[0]!r}?" if near else ";")
            + f" Name one that it knows, or place {Path(model.file_name).with_suffix('.json').name!r} beside the "
            "weights."
        )
    return dict(found)


def _known_tag(open_clip: Any, model: OpenClipModel) -> Mapping[str, Any]:
    name = model.model.replace("/", "-")
    found: Mapping[str, Any] = open_clip.get_pretrained_cfg(name, model.pretrained)
    if not found:
        tags = ", ".join(open_clip.list_pretrained_tags_by_model(name)) or "none"
        raise ModelUnavailableError(
            f"Feature {model.name!r} is left out: open_clip knows no weights {model.pretrained!r} of {model.model!r}; "
            f"it knows {tags}."
        )
    return found


@contextmanager
def _silent_root() -> Iterator[None]:
    """Keep open_clip, which logs at the root, from giving it a handler where the application has set none."""
    root, quiet = logging.getLogger(), logging.NullHandler()
    root.addHandler(quiet)
    try:
        yield
    finally:
        root.removeHandler(quiet)
