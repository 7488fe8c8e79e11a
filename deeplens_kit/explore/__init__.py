"""Pictures for people: where each picture lies on a map of alike pictures, and which make up a cluster.

Takes vectors and gives coordinates and clusters; must not open a store. Nothing decides on what it gives: neither a
distance on a map nor a cluster is evidence. Importing it loads neither umap-learn nor scikit-learn nor FAISS; they load
with the first map or clusters.
"""

from deeplens_kit.explore.clustering import CLUSTERING_VERSION, LEAST_PICTURES, Clustering, cluster
from deeplens_kit.explore.layout import LANDMARKS, LAYOUT_VERSION, NEIGHBOURS, Layout, lay_out, layout
from deeplens_kit.explore.picking import PlacePicker
from deeplens_kit.explore.placing import place_among

__all__ = [
    "CLUSTERING_VERSION",
    "LANDMARKS",
    "LAYOUT_VERSION",
    "LEAST_PICTURES",
    "NEIGHBOURS",
    "Clustering",
    "Layout",
    "PlacePicker",
    "cluster",
    "lay_out",
    "layout",
    "place_among",
]
