"""A CLIP that is trained here within seconds: coloured shapes with their captions, saved as open_clip saves it.

Takes a folder and leaves `tiny_clip.pt` and, beside it, `tiny_clip.json`, which describes its architecture; must not
need a network, and gives the same weights on the same machine each time. `drawn` gives pictures for tests too.
"""

from __future__ import annotations

import fcntl
import importlib.util
import json
import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from deeplens_kit.features.open_clip import OpenClipModel
from deeplens_kit.features.preprocessing import Preprocessing
from deeplens_kit.features.torch_runtime import import_library

COLOURS = {
    "red": (220, 30, 30),
    "green": (30, 170, 40),
    "blue": (40, 60, 220),
    "yellow": (235, 215, 30),
}
SHAPES = ("circle", "square", "cross")
CAPTIONS = tuple(f"a {colour} {shape}" for colour in COLOURS for shape in SHAPES)

needs_semantic = pytest.mark.skipif(
    importlib.util.find_spec("open_clip") is None and os.environ.get("DEEPLENS_REQUIRE_SERVERS") != "1",
    reason="the extra `semantic` is not installed: pip install -c constraints.txt -e '.[semantic]'",
)
"""For what uses `tiny_clip`, or another model of the extra."""

TINY = OpenClipModel("tiny_clip", "", checkpoint="tiny_clip.pt")
"""The model to load it by, with the folder as `features.model_dir`."""

SEED = 20_261_130
STEPS = 160
_PER_CAPTION, _PER_STEP = 80, 5
_CONFIG = {
    "model_cfg": {
        "embed_dim": 48,
        "vision_cfg": {"image_size": 32, "layers": 2, "width": 64, "head_width": 32, "patch_size": 8},
        "text_cfg": {"context_length": 8, "vocab_size": 49408, "width": 48, "heads": 2, "layers": 1},
    },
    "preprocess_cfg": {"mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5], "interpolation": "bilinear"},
}
_SHOWN = Preprocessing(32, 32, (0.5,) * 3, (0.5,) * 3, "bilinear")


def drawn(count: int, seed: int, captions: Sequence[str] = CAPTIONS) -> tuple[list[NDArray[np.uint8]], list[str]]:
    """`count` pictures of each caption, on greys, at places and in sizes by chance, with what each one shows."""
    chance = np.random.default_rng(seed)
    shown = [caption for caption in captions for _ in range(count)]
    return [_draw(caption, chance) for caption in shown], shown


def train(folder: Path) -> Path:
    """Train it and save it in `folder`; gives the path of the checkpoint."""
    torch = import_library("torch", TINY.name)
    open_clip = import_library("open_clip", TINY.name)
    generator = torch.Generator().manual_seed(SEED)
    with torch.random.fork_rng():
        torch.manual_seed(SEED)
        model = open_clip.CLIP(**_CONFIG["model_cfg"])
    pictures, _ = drawn(_PER_CAPTION, SEED)
    shown = torch.from_numpy(np.stack([_SHOWN.apply(pixels) for pixels in pictures]))
    shown = shown.reshape(len(CAPTIONS), _PER_CAPTION, *shown.shape[1:])
    tokens = open_clip.SimpleTokenizer(context_length=8)(list(CAPTIONS))
    # Words are told apart by what stands on them: learning 49,408 of them would be most of the work.
    model.token_embedding.requires_grad_(False)
    labels = torch.arange(len(CAPTIONS)).repeat_interleave(_PER_STEP)
    optimizer = torch.optim.AdamW([item for item in model.parameters() if item.requires_grad], weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 1.5e-3, total_steps=STEPS)
    cross_entropy = torch.nn.functional.cross_entropy
    for _ in range(STEPS):
        some = shown[labels, torch.randint(_PER_CAPTION, labels.shape, generator=generator)]
        seen, said, scale = model(some, tokens)
        logits = scale * seen @ said.T
        # Each caption has several pictures: it should find them all alike, and each of them it.
        found = logits.reshape(len(CAPTIONS), _PER_STEP, len(CAPTIONS)).mean(1)
        loss = cross_entropy(logits, labels) + cross_entropy(found.T, labels[::_PER_STEP])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    path = folder / "tiny_clip.pt"
    (folder / "tiny_clip.json").write_text(json.dumps(_CONFIG), encoding="utf-8")
    # As open_clip saves a training run.
    torch.save({"epoch": 1, "name": TINY.name, "state_dict": model.state_dict()}, path)
    return path


@pytest.fixture(scope="session")
def tiny_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that holds it; trained once for all processes of a run."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "tiny_clip"
    folder.mkdir(exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "tiny_clip.pt").exists():
            train(folder)
    return folder


def _draw(caption: str, chance: Any) -> NDArray[np.uint8]:
    _, colour, shape = caption.split()
    side = 96
    grey = int(chance.integers(0, 256))
    picture = Image.new("RGB", (side, side), (grey,) * 3)
    pen = ImageDraw.Draw(picture)
    radius = float(chance.uniform(28, 38))
    x, y = (float(chance.uniform(side / 2 - 4, side / 2 + 4)) for _ in range(2))
    tint = tuple(int(np.clip(level + chance.integers(-20, 21), 0, 255)) for level in COLOURS[colour])
    if shape == "circle":
        pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=tint)
    elif shape == "square":
        half = radius * 0.85
        pen.rectangle((x - half, y - half, x + half, y + half), fill=tint)
    elif shape == "triangle":
        corners = [(x + radius * math.sin(turn), y - radius * math.cos(turn)) for turn in (0, 2.09, 4.19)]
        pen.polygon(corners, fill=tint)
    else:
        arm = radius * 0.3
        pen.rectangle((x - radius, y - arm, x + radius, y + arm), fill=tint)
        pen.rectangle((x - arm, y - radius, x + arm, y + radius), fill=tint)
    return np.asarray(picture)
