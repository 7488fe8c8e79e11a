"""The smallest network of timm with weights by chance, saved as timm's are: the same on every machine.

Takes a folder and leaves `tiny_cnn.safetensors`; must not need a network or be trained.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from deeplens_kit.features.timm_cnn import TimmModel
from deeplens_kit.features.torch_runtime import import_library

TINY_CNN = TimmModel("tiny_cnn", "test_resnet", checkpoint="tiny_cnn.safetensors")
"""The model to load it by, with the folder as `features.model_dir`."""

SEED = 20_261_130


@pytest.fixture(scope="session")
def tiny_cnn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that holds it, with a classifier as published files have one."""
    torch = import_library("torch", TINY_CNN.name)
    timm = import_library("timm", TINY_CNN.name)
    from safetensors.torch import save_file

    with torch.random.fork_rng():
        torch.manual_seed(SEED)
        module = timm.create_model(TINY_CNN.model, pretrained=False)
    folder = tmp_path_factory.mktemp("tiny_cnn")
    save_file(module.state_dict(), str(folder / TINY_CNN.checkpoint))
    return folder
