"""A made-up library of any size: pictures unlike one another, and one in five a copy of another.

Takes a folder and a number, writes that many JPEGs of 480x360; must not change those that are there. Picture `n` is the
same whatever the number of pictures, so a corpus of 1,000 is the beginning of one of 10,000 and what was interrupted
is gone on with. A picture is a few pieces of photographs beside one another, each turned, scaled, bent and recoloured
at random: it has the detail of photographs, and no straight line in common with the next one.
"""

from __future__ import annotations

import multiprocessing
import os
import shutil
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from data.photographs import PHOTOGRAPHS, photograph

__all__ = ["COPY_EVERY", "SEED", "SIZE", "beginning", "make_corpus", "original_of", "picture"]

SEED = 20_261_124
SIZE = (480, 360)
COPY_EVERY = 5
"""Of so many pictures the last is a copy of one of the others: 20 %."""
_MORE_PIECES = (1, 4)
_PIECE_SHARE = (0.3, 0.9)
_OUTLINE_NODES = (2, 4)
_BEND_NODES = (4, 5)
_BEND_PX = 80.0
_FOLDER_PICTURES = 1000
_CHUNK = 50

Picture = NDArray[np.uint8]


def original_of(number: int) -> int:
    """The picture that a picture is a copy of; itself where it is none."""
    if number % COPY_EVERY != COPY_EVERY - 1:
        return number
    return number - 1 - int(np.random.default_rng([SEED, number]).integers(COPY_EVERY - 1))


def picture(number: int) -> bytes:
    """The JPEG of a picture, the same at every call."""
    random = np.random.default_rng([SEED, number, 1])
    original = original_of(number)
    shown = _composed(original) if original == number else _edited(_composed(original), random)
    quality = 88 if original == number else int(random.integers(60, 93))
    done, data = cv2.imencode(".jpg", shown, [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not done:
        raise RuntimeError(f"picture {number} could not be encoded")
    return data.tobytes()


def make_corpus(folder: Path, count: int, workers: int) -> int:
    """Write the pictures that are missing of the first `count`; returns how many those were."""
    missing = [number for number in range(count) if not _place(folder, number).exists()]
    if not missing:
        return 0
    chunks = [missing[start : start + _CHUNK] for start in range(0, len(missing), _CHUNK)]
    # Not forked: a fork of a process with threads may wait for ever for a lock that one of them held.
    with ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn")) as pool:
        return sum(pool.map(_write, [folder] * len(chunks), chunks))


def beginning(corpus: Path, count: int, folder: Path) -> None:
    """The first `count` pictures of a corpus as a folder of their own, by hard links where that works."""
    for number in range(count):
        source = _place(corpus, number)
        target = folder / source.relative_to(corpus)
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            os.link(source, target)
        except OSError:
            shutil.copyfile(source, target)


def _write(folder: Path, numbers: Sequence[int]) -> int:
    cv2.setNumThreads(1)
    for number in numbers:
        place = _place(folder, number)
        place.parent.mkdir(parents=True, exist_ok=True)
        unfinished = place.with_suffix(".part")
        unfinished.write_bytes(picture(number))
        unfinished.replace(place)
    return len(numbers)


def _place(folder: Path, number: int) -> Path:
    return folder / f"{number // _FOLDER_PICTURES:04d}" / f"{number:07d}.jpg"


@cache
def _photographs() -> tuple[Picture, ...]:
    return tuple(np.asarray(photograph(item.name), np.uint8) for item in PHOTOGRAPHS)


def _composed(number: int) -> Picture:
    """Two to four pieces beside one another, each within a smooth outline."""
    random = np.random.default_rng([SEED, number])
    shown = _piece(random)
    for _ in range(int(random.integers(*_MORE_PIECES))):
        nodes = int(random.integers(*_OUTLINE_NODES))
        outline = _smooth(random, (nodes, nodes + 1), 1.0) > random.uniform(-0.2, 0.2)
        cv2.copyTo(_piece(random), outline.astype(np.uint8), shown)
    return shown


def _piece(random: np.random.Generator) -> Picture:
    """A piece of a photograph as large as a picture: turned, bent and recoloured."""
    width, height = SIZE
    source = _photographs()[random.integers(len(PHOTOGRAPHS))]
    piece = random.uniform(*_PIECE_SHARE) * min(source.shape[:2])
    centre = random.uniform(piece / 2, [source.shape[1] - piece / 2, source.shape[0] - piece / 2])
    angle = random.uniform(0, 2 * np.pi)
    along, down = np.meshgrid(np.arange(width) - width / 2, np.arange(height) - height / 2)
    along = (along + _smooth(random, _BEND_NODES, _BEND_PX)) * piece / width
    down = (down + _smooth(random, _BEND_NODES, _BEND_PX)) * piece / width
    x = (np.cos(angle) * along - np.sin(angle) * down + centre[0]).astype(np.float32)
    y = (np.sin(angle) * along + np.cos(angle) * down + centre[1]).astype(np.float32)
    taken = cv2.remap(source, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)
    return _recoloured(np.asarray(taken, np.uint8), random)


def _smooth(random: np.random.Generator, nodes: tuple[int, int], most: float) -> NDArray[np.float32]:
    """A smooth surface over a picture, through random heights of -`most` to `most` at (rows, columns) of nodes."""
    heights = random.uniform(-most, most, nodes).astype(np.float32)
    return np.asarray(cv2.resize(heights, SIZE, interpolation=cv2.INTER_CUBIC), np.float32)


def _recoloured(shown: Picture, random: np.random.Generator) -> Picture:
    """Channels mixed anew, now and then as a negative."""
    mix = random.dirichlet(np.full(3, 0.5), 3) * random.uniform(0.7, 1.2, (3, 1))
    light = random.uniform(-30, 30, (3, 1))
    if random.random() < 0.3:
        mix, light = -mix, light + 255
    return np.asarray(cv2.transform(shown, np.hstack([mix, light])), np.uint8)


def _edited(shown: Picture, random: np.random.Generator) -> Picture:
    """What a copy went through: cut a little, mirrored now and then, made lighter, darker and smaller."""
    height, width = shown.shape[:2]
    cut = random.uniform(0, 0.12, 4) * (width, height, width, height)
    left, top, right, bottom = cut.astype(int)
    edited = shown[top : height - bottom, left : width - right]
    if random.random() < 0.25:
        edited = edited[:, ::-1]
    light = edited.astype(np.float32) * random.uniform(0.8, 1.2) + random.uniform(-15, 15)
    factor = random.uniform(0.55, 1.0)
    smaller = (round(edited.shape[1] * factor), round(edited.shape[0] * factor))
    smaller_picture = cv2.resize(np.clip(light, 0, 255).astype(np.uint8), smaller, interpolation=cv2.INTER_AREA)
    return np.asarray(smaller_picture, np.uint8)
