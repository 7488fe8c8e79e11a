"""The kernel that a report runs in: the very Python that runs DeepLens, whatever kernels are registered.

Takes a folder of its own, gives a kernel manager for nbclient; must not read the user's kernels, IPython profile or
start-up files, nor leave a file outside that folder.
"""

from __future__ import annotations

import os
import site
import sysconfig
from pathlib import Path
from typing import Any

from deeplens_kit.errors import ExtraMissingError

__all__ = ["KERNEL_LOG", "kernel_manager_in"]

KERNEL_LOG = "kernel.log"
"""In the folder of a kernel: what its process wrote to its standard output and error."""


_PACKAGE = Path(__file__).parent.parent
# The path of a socket may have 107 bytes (sys/un.h); the kernel's sockets add "-ipc-5" to the name of its file.
_LONGEST_SOCKET = 100
# `deeplens_kit` from a checkout that is not installed; installed packages are found without.
_FOUND_ANYWAY = {*site.getsitepackages(), sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}


def kernel_manager_in(folder: Path) -> type[Any]:
    """The class of kernel managers whose kernels are this interpreter, with everything of theirs in `folder`.

    Raises:
        ExtraMissingError: ipykernel or jupyter_client is not installed.
    """
    try:
        from ipykernel.kernelspec import make_ipkernel_cmd
        from jupyter_client.kernelspec import KernelSpec
        from jupyter_client.manager import AsyncKernelManager
    except ModuleNotFoundError as error:
        raise ExtraMissingError("A report", "workbench") from error

    spec = KernelSpec(
        # Without frozen modules the debugger of ipykernel says nothing on standard error.
        argv=make_ipkernel_cmd(python_arguments=["-Xfrozen_modules=off"]),
        name="deeplens",
        display_name="DeepLens",
        language="python",
        env=_environment(folder),
    )

    class ThisInterpreter(AsyncKernelManager):
        """Starts the interpreter that runs DeepLens, by its own file."""

        @property
        def kernel_spec(self) -> Any:
            return spec

        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            self.connection_file = str(folder / "kernel.json")
            # Sockets in our own folder: no port is opened, and nobody else can listen in.
            if len(self.connection_file) <= _LONGEST_SOCKET:
                self.transport = "ipc"

        async def start_kernel(self, **kwargs: Any) -> None:  # type: ignore[override]
            # What the process itself says goes to nobody's terminal; where it dies, its last words are asked for.
            with (folder / KERNEL_LOG).open("wb") as log:
                await super().start_kernel(stdout=log, stderr=log, **kwargs)

    return ThisInterpreter


def _environment(folder: Path) -> dict[str, str]:
    """What the kernel sees besides the environment of the process."""
    paths = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    here = str(_PACKAGE.parent)
    if here not in _FOUND_ANYWAY and here not in paths:
        paths.insert(0, here)
    return {
        "PYTHONPATH": os.pathsep.join(path for path in paths if path),
        # A profile of the user's, or a style of matplotlib's, would make two reports of the same numbers differ.
        "IPYTHONDIR": str(folder / "ipython"),
        "MPLBACKEND": "agg",
    }
