"""Neighbour indexes: what is near what, exactly or by FAISS, with brute force as the oracle of both."""

from deeplens_kit.matching.neighbours.base import HammingHits, HammingSearch, VectorHits, VectorSearch
from deeplens_kit.matching.neighbours.brute_force import BruteForceHamming, BruteForceVectors
from deeplens_kit.matching.neighbours.hamming import HammingIndex
from deeplens_kit.matching.neighbours.vectors import VectorIndex

__all__ = [
    "BruteForceHamming",
    "BruteForceVectors",
    "HammingHits",
    "HammingIndex",
    "HammingSearch",
    "VectorHits",
    "VectorIndex",
    "VectorSearch",
]
