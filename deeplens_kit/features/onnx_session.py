"""ONNX Runtime, set up the same for every model: one thread, no spinning, errors in our words.

Takes the path of a file and gives a session; must not look for files. The runtime is imported when the first session
is made.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from deeplens_kit.errors import ModelCorruptError, ModelUnavailableError

__all__ = ["first_words", "onnx_session"]

_WORDS = 120


def onnx_session(feature: str, path: Path) -> Any:
    """An `onnxruntime.InferenceSession`; its `run` is safe to call from several threads.

    Args:
        feature: The feature that needs it, for the errors.
        path: An ONNX file.

    Raises:
        ModelUnavailableError: ONNX Runtime is not installed.
        ModelCorruptError: The file is not an ONNX model.
    """
    try:
        import onnxruntime
    except ImportError as error:
        raise ModelUnavailableError(
            f"Feature {feature!r} is left out: onnxruntime is not installed; "
            "install deeplens-kit with the extra `cpu` (or `gpu`)."
        ) from error
    options = onnxruntime.SessionOptions()
    # The pipeline's threads are the parallelism; threads of the runtime's own would only wait for one another.
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # the runtime raises classes of its own that share no base
        raise ModelCorruptError(
            f"{str(path)!r} cannot be loaded as the ONNX model of {feature!r} ({first_words(error)}); replace the file."
        ) from error


def first_words(error: Exception) -> str:
    """The first line of a library's message, cut to what fits into ours."""
    said = str(error).strip() or type(error).__name__
    return said.splitlines()[0][:_WORDS]
