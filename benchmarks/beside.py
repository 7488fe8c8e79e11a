"""How usable a notebook stays beside an index run: what a cell and the server take, alone and beside it.

A kernel runs a small cell again and again, and a JupyterLab server answers requests, while `deeplens index` works on
pictures in a process of its own. What is told are the median and the 95th percentile of each, in milliseconds.

    python -m benchmarks.beside [--pictures 300] [--nice 10] [--cells 60] [--json]
"""

from __future__ import annotations

import argparse
import os
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from jupyter_client.manager import start_new_kernel

from benchmarks.indexing import make_pictures
from benchmarks.report import Report, print_report

SEED = 20261129
_CELL = "import numpy; norm = float(numpy.linalg.norm(numpy.arange(200_000.0)))"
_PAUSE_SECONDS = 0.1  # a person types slower
_START_SECONDS = 60.0


def measure(pictures: int, nice: int, cells: int, folder: Path) -> Report:
    """Time cells and requests alone, beside a run, and beside one that steps back."""
    report = Report("beside", SEED)
    files = folder / "pictures"
    make_pictures(files, pictures, (2048, 1536))
    manager, client = start_new_kernel(kernel_name="python3")
    try:
        with _server(folder) as address:
            beside = [(f"beside a run, --nice {number}", ["--nice", str(number)]) for number in (0, nice)]
            runs: list[tuple[str, list[str]]] = [("alone", []), *beside]
            for number, (title, options) in enumerate(runs):
                with _indexing(files, folder / f"workspace-{number}", options, wanted=title != "alone") as working:
                    cell_ms, request_ms, while_working = [], [], 0
                    for _ in range(cells):
                        cell_ms.append(_milliseconds(lambda: client.execute_interactive(_CELL, timeout=_START_SECONDS)))
                        request_ms.append(_milliseconds(lambda: urllib.request.urlopen(address).read()))
                        while_working += working()
                        time.sleep(_PAUSE_SECONDS)
                report.add(
                    what=title,
                    cells=cells,
                    share_of_cells_while_it_ran=round(while_working / cells, 2),
                    cell_ms=_both(cell_ms),
                    request_ms=_both(request_ms),
                )
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
    return report


def _milliseconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return 1000 * (time.perf_counter() - began)


def _both(values: list[float]) -> dict[str, float]:
    return {"median": round(float(np.median(values)), 1), "p95": round(float(np.percentile(values, 95)), 1)}


@contextmanager
def _server(folder: Path) -> Iterator[str]:
    """A JupyterLab server on a free port of this machine; gives an address that it answers at."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    token = secrets.token_hex(16)
    root = ["--allow-root"] if os.geteuid() == 0 else []
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--ip=127.0.0.1", f"--port={port}", *root]
    process = subprocess.Popen(
        [*command, f"--IdentityProvider.token={token}", f"--ServerApp.root_dir={folder}"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    address = f"http://127.0.0.1:{port}/api/contents?token={token}"
    try:
        _await(lambda: urllib.request.urlopen(address).status == 200)
        yield address
    finally:
        process.terminate()
        process.wait(20)


@contextmanager
def _indexing(files: Path, workspace: Path, options: list[str], *, wanted: bool) -> Iterator[Callable[[], bool]]:
    """An index run in a process of its own, where it is wanted; gives whether it still works."""
    if not wanted:
        yield lambda: False
        return
    deeplens = [sys.executable, "-c", "from deeplens_kit.cli import main; raise SystemExit(main())"]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    subprocess.run([*deeplens, "init", str(workspace)], check=True, **quiet)
    subprocess.run([*deeplens, "--workspace", str(workspace), "locations", "add", "p", str(files)], check=True, **quiet)
    process = subprocess.Popen([*deeplens, "--workspace", str(workspace), "index", *options], **quiet)
    thumbnails = workspace / "cache"
    try:
        _await(lambda: process.poll() is not None or any(thumbnails.rglob("*.webp")))
        yield lambda: process.poll() is None
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(60)


def _await(holds: Callable[[], bool]) -> None:
    ends = time.monotonic() + _START_SECONDS
    while time.monotonic() < ends:
        try:
            if holds():
                return
        except OSError:
            pass
        time.sleep(0.1)
    raise SystemExit("It did not start within a minute.")


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=int, default=300)
    parser.add_argument("--nice", type=int, default=10)
    parser.add_argument("--cells", type=int, default=60)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        print_report(measure(options.pictures, options.nice, options.cells, Path(folder)), as_json=options.json)


if __name__ == "__main__":
    main()
