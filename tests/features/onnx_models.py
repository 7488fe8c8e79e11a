"""Small ONNX files for tests: a picture of 8 x 6 px times a matrix."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

HEIGHT_PX, WIDTH_PX, DIMENSIONS = 8, 6, 5
_TYPES = {"float32": TensorProto.FLOAT, "float16": TensorProto.FLOAT16, "uint8": TensorProto.UINT8}


def matrix(seed: int = 3) -> NDArray[np.float32]:
    """(144, 5): what the picture is multiplied with."""
    return np.random.default_rng(seed).normal(size=(3 * HEIGHT_PX * WIDTH_PX, DIMENSIONS)).astype(np.float32)


def write_model(path: Path, *, layout: str = "nchw", dtype: str = "float32", seed: int = 3) -> Path:
    """A file that takes `pixels` and gives `embedding`, (batch, 5), and beside it `sum`, (batch, 1)."""
    sides = [HEIGHT_PX, WIDTH_PX]
    axes = ["batch", *([3, *sides] if layout == "nchw" else [*sides, 3])]
    nodes = [
        helper.make_node("Cast", ["pixels"], ["numbers"], to=TensorProto.FLOAT),
        helper.make_node("Flatten", ["numbers"], ["row"]),
        helper.make_node("MatMul", ["row", "matrix"], ["embedding"]),
        helper.make_node("ReduceSum", ["embedding", "axis"], ["sum"]),
    ]
    graph = helper.make_graph(
        nodes,
        "small",
        [helper.make_tensor_value_info("pixels", _TYPES[dtype], axes)],
        [
            helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["batch", DIMENSIONS]),
            helper.make_tensor_value_info("sum", TensorProto.FLOAT, ["batch", 1]),
        ],
        [numpy_helper.from_array(matrix(seed), "matrix"), numpy_helper.from_array(np.array([1]), "axis")],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), str(path))
    return path


def write_descriptor(folder: Path, name: str = "mine", **changes: object) -> Path:
    """A descriptor of `write_model`; a key whose value is None is left out."""
    keys: dict[str, object] = {"kind": "onnx", "file": "mine.onnx", "input_px": [HEIGHT_PX, WIDTH_PX]}
    keys |= {"dimensions": DIMENSIONS, **changes}
    path = folder / f"{name}.toml"
    path.write_text("".join(f"{key} = {_toml(value)}\n" for key, value in keys.items() if value is not None))
    return path


def _toml(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return f'"{value}"' if isinstance(value, str) else str(value)
