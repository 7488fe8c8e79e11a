"""Thumbnails to hashes and vectors: extractors by name, what describes them, and hashes of turned pictures.

Takes batches of upright RGB thumbnails and gives columns of numbers; must not open stores or users' files. Heavy
libraries (numba, ONNX Runtime, torch) are imported when an extractor that needs them is made or first used.
"""

from deeplens_kit.features.base import Columns, Extractor, TextExtractor, Thumbnail
from deeplens_kit.features.dominant_colours import NAMED_COLOURS, palette_vector, shares
from deeplens_kit.features.model_check import ModelCheck, check_model
from deeplens_kit.features.model_descriptor import Model, ModelFile, Purpose
from deeplens_kit.features.model_state import ModelState, model_state, pull_model
from deeplens_kit.features.orientations import ORIENTATIONS, dihedral_pdq, dihedral_phash
from deeplens_kit.features.region_rows import UnpackedRegions, unpack_regions
from deeplens_kit.features.registry import (
    Availability,
    ModelShelf,
    available,
    extractor,
    model_named,
    models,
    names,
    thumbnail_px,
    vector_names,
)
from deeplens_kit.features.runtime import check_runtime

__all__ = [
    "NAMED_COLOURS",
    "ORIENTATIONS",
    "Availability",
    "Columns",
    "Extractor",
    "Model",
    "ModelCheck",
    "ModelFile",
    "ModelShelf",
    "ModelState",
    "Purpose",
    "TextExtractor",
    "Thumbnail",
    "UnpackedRegions",
    "available",
    "check_model",
    "check_runtime",
    "dihedral_pdq",
    "dihedral_phash",
    "extractor",
    "model_named",
    "model_state",
    "models",
    "names",
    "palette_vector",
    "pull_model",
    "shares",
    "thumbnail_px",
    "unpack_regions",
    "vector_names",
]
