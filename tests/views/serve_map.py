"""Serve maps on a free port; prints the address, then serves until stopped.

python tests/views/serve_map.py WORKSPACE [WORKSPACE ...]: one page each, /0, /1 and so on; /waiting has no map yet.
Each page has the map, what is selected, and an element `.chosen` that tells what the shared selection holds.
"""

from __future__ import annotations

import sys
from collections.abc import Callable

import panel
from panel.io.server import get_server
from panel.viewable import Viewable

from deeplens_kit import Workbench
from deeplens_kit.pipeline import PictureMap
from deeplens_kit.views import MapView, SelectionView
from deeplens_kit.views.state import MapState


def page(workbench: Workbench, found: PictureMap | None) -> Callable[[], Viewable]:
    def show() -> Viewable:
        state = MapState(picture_map=found)
        chosen = panel.pane.HTML("")

        def tell(*_: object) -> None:
            chosen.object = f'<p class="chosen">{" ".join(state.selection.digests)}</p>'

        state.selection.param.watch(tell, ["digests"])
        shown = MapView(state, workbench.thumbnail, workbench.alike())
        selection = SelectionView(state.selection, state.points, workbench.thumbnail, workbench)
        return panel.Column(shown, selection, chosen, sizing_mode="stretch_width")

    return show


def main() -> None:
    workbenches = [Workbench.open(folder) for folder in sys.argv[1:]]
    pages = {str(number): page(opened, opened.map()) for number, opened in enumerate(workbenches)}
    server = get_server({**pages, "waiting": page(workbenches[0], None)}, port=0, address="127.0.0.1")
    server.start()
    print(f"http://127.0.0.1:{server.port}", flush=True)
    server.io_loop.start()


if __name__ == "__main__":
    main()
