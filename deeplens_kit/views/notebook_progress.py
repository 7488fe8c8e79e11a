"""Progress of indexing as widgets of a notebook.

Takes snapshots from the pipeline, shows a bar for each stage with rate, time left and failures so far; must not read
the stores. The notebook's own button interrupts the work; what came of that is said here.
"""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from deeplens_kit.errors import Interrupted
from deeplens_kit.views.index_progress import figures, title

if TYPE_CHECKING:
    from deeplens_kit.pipeline.progress import ProgressSnapshot

__all__ = ["NotebookProgress"]

_TITLE_WIDTH, _BAR_WIDTH = "16em", "16em"
_ROW = {"flex_flow": "row wrap", "align_items": "center"}


class NotebookProgress:
    """A bar per stage: use it as a context manager, so that the end is shown too. Nothing to tell shows nothing.

    Attributes:
        box: The widget that holds the bars and the closing words.
    """

    def __init__(self) -> None:
        import ipywidgets

        self._bars: dict[tuple[str, str], Any] = {}
        self._words = ipywidgets.Label("To stop, interrupt the kernel (■): what was done so far is kept.")
        self.box = ipywidgets.VBox([self._words])

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for row in self._bars.values():
            _settle(row)
        if error is None:
            self._words.value = "Done."
        elif isinstance(error, Interrupted | KeyboardInterrupt):
            self._words.value = "Stopped; what was done so far is kept. Run the cell again to go on."
        else:
            self._words.value = "Ended early; see below."

    def update(self, snapshot: ProgressSnapshot) -> None:
        """Move the bar of the snapshot's stage; the one before it stands still."""
        from IPython.display import display

        key = (snapshot.location, snapshot.stage)
        row = self._bars.get(key)
        if row is None:
            for earlier in self._bars.values():
                _settle(earlier)
            row = self._bars[key] = _row(title(snapshot))
            self.box.children = (*self._bars.values(), self._words)
            if len(self._bars) == 1:
                display(self.box)  # type: ignore[no-untyped-call]
        _, bar, words = row.children
        if snapshot.total is not None:
            # A stage of nothing is a full bar.
            bar.max, bar.value = max(1, snapshot.total), snapshot.done if snapshot.total else 1
            bar.bar_style = "" if snapshot.done < snapshot.total else _end_style(snapshot.failures)
        words.value = figures(snapshot)


def _row(name: str) -> Any:
    import ipywidgets

    # Labels, which show text as it is: a location may be named "<b>".
    return ipywidgets.HBox(
        [
            ipywidgets.Label(name, layout={"width": _TITLE_WIDTH}),
            ipywidgets.IntProgress(value=0, min=0, max=1, bar_style="info", layout={"width": _BAR_WIDTH}),
            ipywidgets.Label(""),
        ],
        layout=_ROW,
    )


def _settle(row: Any) -> None:
    """Let no bar look as if it moved whose total was never known."""
    bar = row.children[1]
    if bar.bar_style == "info":
        bar.max = bar.value = 1
        bar.bar_style = "success"


def _end_style(failures: int) -> str:
    return "warning" if failures else "success"
