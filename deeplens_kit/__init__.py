"""DeepLens finds pictures that are kept many times over and proves what that costs.

Takes nothing at import and gives the public names of the package, each loaded where it is first used; must not
import a heavy library (torch, FAISS, ONNX Runtime, Lance, numba) by itself.
"""

from __future__ import annotations

__version__ = "0.1.0"
