"""Local features: the places of a picture that can be found again in a copy of it, and what each looks like.

Takes a grey picture, gives a `Look`; must not compare. SIFT (Lowe 2004) as OpenCV has it, with the square root of
the normalised histogram (RootSIFT, Arandjelović and Zisserman 2012), so that a scalar product is a Hellinger kernel.
"""

from __future__ import annotations

import threading
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from deeplens_kit.matching.verification.base import Grey, Look

__all__ = ["FEATURE_SIDE_PX", "MAX_FEATURES", "flipped_descriptors", "look_at", "negative_descriptors", "with_levels"]

FEATURE_SIDE_PX = 448
"""Long side at which features are looked for; more costs time in proportion to the square and finds no more copies."""

MAX_FEATURES = 600
"""The strongest are kept: two pictures are compared by a product of so many rows and columns."""

_ENLARGED_SIDE_PX = 320  # a thumbnail is enlarged to it, at most fourfold: SIFT finds nothing in 20 pixels
_MOST_ENLARGED = 4.0
_CONTRAST = 0.02  # half of OpenCV's default: pale scans keep their letters
_DESCRIPTOR = 128
_CELLS, _DIRECTIONS = 4, 8  # a descriptor is 4 x 4 places with 8 directions each
_SMALLEST_LEVEL_PX = 48

_local = threading.local()


def look_at(grey: Grey) -> Look:
    """Find the local features of a picture.

    Args:
        grey: The upright picture, long side at most `LOOK_SIDE_PX`.
    """
    cv2.setNumThreads(1)  # the pipeline's threads are the parallelism
    height, width = grey.shape
    searched = _searched(grey)
    keypoints, found = _sift().detectAndCompute(searched, None)
    if found is None or not keypoints:
        empty = np.zeros(0, np.float32)
        return Look(with_levels(grey), empty.reshape(0, 2), empty, empty, np.zeros((0, _DESCRIPTOR), np.uint8))
    order = np.argsort([-keypoint.response for keypoint in keypoints], kind="stable")[:MAX_FEATURES]
    across, down = width / searched.shape[1], height / searched.shape[0]
    places = np.array([keypoints[at].pt for at in order], np.float32)
    points = (places + 0.5) * np.array([across, down], np.float32) - 0.5
    sizes = np.array([keypoints[at].size for at in order], np.float32) * np.float32((across + down) / 2)
    angles = np.deg2rad(np.array([keypoints[at].angle for at in order], np.float32))
    rows = np.asarray(found, np.float32)[order]
    rooted = np.sqrt(rows / np.maximum(rows.sum(axis=1, keepdims=True), 1e-6))
    return Look(with_levels(grey), points, sizes, angles, np.round(rooted * 255).astype(np.uint8))


def with_levels(grey: Grey) -> tuple[Grey, ...]:
    """The picture and its halves, as `Look.levels` has them."""
    levels = [grey]
    while max(levels[-1].shape) > 2 * _SMALLEST_LEVEL_PX and min(levels[-1].shape) > 1:
        height, width = levels[-1].shape
        levels.append(_resized(levels[-1], (max(1, width // 2), max(1, height // 2))))
    return tuple(levels)


def flipped_descriptors(descriptors: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """What the features of the mirrored picture look like: rows of places and directions in reverse order."""
    cells = descriptors.reshape(-1, _CELLS, _CELLS, _DIRECTIONS)
    return cells[:, ::-1, :, (-np.arange(_DIRECTIONS)) % _DIRECTIONS].reshape(-1, _DESCRIPTOR)


def negative_descriptors(descriptors: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """What the features of the negative look like: every gradient turns round, the main direction with it."""
    places = descriptors.reshape(-1, _CELLS * _CELLS, _DIRECTIONS)
    return places[:, ::-1].reshape(-1, _DESCRIPTOR)


def _searched(grey: Grey) -> Grey:
    long_side = max(grey.shape)
    if long_side < _ENLARGED_SIDE_PX:
        scale = min(_MOST_ENLARGED, _ENLARGED_SIDE_PX / long_side)
    else:
        scale = min(1.0, FEATURE_SIDE_PX / long_side)
    height, width = (max(8, round(side * scale)) for side in grey.shape)
    if (height, width) == grey.shape:
        return grey
    return _resized(grey, (width, height), cv2.INTER_CUBIC if scale > 1 else cv2.INTER_AREA)


def _resized(grey: Grey, size: tuple[int, int], method: int = cv2.INTER_AREA) -> Grey:
    return np.asarray(cv2.resize(grey, size, interpolation=method), np.uint8)


def _sift() -> Any:
    # One per thread: the detector keeps buffers of its own.
    if not hasattr(_local, "sift"):
        _local.sift = cv2.SIFT.create(nfeatures=MAX_FEATURES, contrastThreshold=_CONTRAST)
    return _local.sift
