"""Pictures for people: where each picture lies on a map of alike pictures, and which lie where a person points.

Takes vectors and gives coordinates; must not open a store. Nothing decides on what it gives: a distance on a
map is no evidence. Importing it loads neither umap-learn nor FAISS; they load with the first map.
"""

from deeplens_kit.explore.layout import LANDMARKS, LAYOUT_VERSION, NEIGHBOURS, layout
from deeplens_kit.explore.picking import PlacePicker

__all__ = ["LANDMARKS", "LAYOUT_VERSION", "NEIGHBOURS", "PlacePicker", "layout"]
