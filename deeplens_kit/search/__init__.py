"""From a query to ranked pictures.

Takes the features of one picture and frames of the pictures that are known, gives those most alike with their scores;
must not open a store or a file, and fetches nothing but the link that a person gave.
"""

from __future__ import annotations

__all__: list[str] = []
