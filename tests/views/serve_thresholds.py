"""Serve the viewer of thresholds over a workspace on a free port; prints the address, then serves until stopped.

python tests/views/serve_thresholds.py WORKSPACE [WORKSPACE ...]: one page each, /0, /1 and so on.
"""

from __future__ import annotations

import sys
from collections.abc import Callable

from panel.io.server import get_server
from panel.viewable import Viewable

from deeplens_kit import Workbench
from deeplens_kit.views import ThresholdView
from deeplens_kit.views.state import ThresholdState


def page(workbench: Workbench) -> Callable[[], Viewable]:
    lab = workbench.thresholds()
    return lambda: ThresholdView(ThresholdState(lab, workbench), workbench.thumbnail, workbench.pair_looks).__panel__()


def main() -> None:
    pages = {str(number): page(Workbench.open(folder)) for number, folder in enumerate(sys.argv[1:])}
    server = get_server(pages, port=0, address="127.0.0.1")
    server.start()
    print(f"http://127.0.0.1:{server.port}", flush=True)
    server.io_loop.start()


if __name__ == "__main__":
    main()
