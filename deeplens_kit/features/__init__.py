"""Thumbnails to hashes and vectors: extractors by name, what describes them, and hashes of turned pictures.

Takes batches of upright RGB thumbnails and gives columns of numbers; must not open stores or users' files. Heavy
libraries (numba, ONNX Runtime, torch) are imported when an extractor that needs them is made or first used.
"""

from deeplens_kit.features.base import Columns, Extractor, Thumbnail
from deeplens_kit.features.orientations import ORIENTATIONS, dihedral_pdq, dihedral_phash
from deeplens_kit.features.region_rows import UnpackedRegions, unpack_regions
from deeplens_kit.features.registry import Availability, available, extractor, names, vector_names
from deeplens_kit.features.runtime import check_runtime

__all__ = [
    "ORIENTATIONS",
    "Availability",
    "Columns",
    "Extractor",
    "Thumbnail",
    "UnpackedRegions",
    "available",
    "check_runtime",
    "dihedral_pdq",
    "dihedral_phash",
    "extractor",
    "names",
    "unpack_regions",
    "vector_names",
]
