"""What every component of ours that speaks with its page rests on: nothing is said to who does not listen yet.

Takes messages of a browser, gives those that say something to the component; must not hold what a viewer shows. In a
notebook a page and its kernel meet late: what the page says first is lost, and of what the kernel says first the page
may hear the second half alone, which puts all that follows out of step. So the page says that it is drawn until it is
answered (`heard.js`), and until then everything for that page stays with its kernel. A server has no such gap.
"""

from __future__ import annotations

from functools import cache, wraps
from importlib.resources import files
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from panel.custom import JSComponent
from panel.io import state

if TYPE_CHECKING:
    from bokeh.document import Document
    from bokeh.model import Model

__all__ = ["READY", "HeardComponent", "with_hearing"]

READY = "ready"
"""The `act` of a page that says it is drawn."""

# Pages of notebooks that do not listen yet, with what is to be told to them, in its order.
_deaf: WeakKeyDictionary[Document, list[Any]] = WeakKeyDictionary()


def with_hearing(script: str) -> str:
    """A script of ours with the function `tellingOnceHeard` before it: modules in a notebook can import none.

    Args:
        script: Name of the file beside this one.
    """
    folder = files("deeplens_kit.views")
    return "\n".join(folder.joinpath(name).read_text("utf-8") for name in ("heard.js", script))


class HeardComponent(JSComponent):
    """A component whose page is spoken to once it listens.

    Its script has to call `tellingOnceHeard(model)` and tell what it has to say by what that gives.
    """

    def __init__(self, **params: Any) -> None:
        super().__init__(**params)  # type: ignore[no-untyped-call]
        self._was_drawn = False

    def on_drawn(self) -> None:
        """Called when somebody sees the component for the first time."""

    def _get_model(self, doc: Document, root: Model | None = None, parent: Any = None, comm: Any = None) -> Model:
        model: Model = super()._get_model(doc, root, parent, comm)
        # What comes into a page that is shown already comes to one that listens.
        if comm is not None and (root or model).ref["id"] not in state._views:
            _keep_for_deaf_pages()
            _deaf.setdefault(doc, [])
        return model

    def _process_event(self, event: Any) -> None:
        data = getattr(event, "data", None)
        if not isinstance(data, dict) or data.get("act") != READY:
            super()._process_event(event)
            return
        self._let_hear(event.model)
        self._send_msg({READY: True})
        if not self._was_drawn:
            self._was_drawn = True
            self.on_drawn()

    def _let_hear(self, model: Any) -> None:
        """Send what was kept for the page of a model."""
        from panel.io.notebook import send

        for ref, (known, _) in self._models.items():
            if known is model and ref in state._views:
                _viewable, _root, doc, comm = state._views[ref]
                for message in _deaf.pop(doc, []):
                    send(comm, message)


@cache
def _keep_for_deaf_pages() -> None:
    """Let Panel send nothing to a notebook's page that does not listen; what it would send is kept.

    Panel 1.9 sends as soon as a channel is open, before the page knows whose it is: the page drops the parts of a
    message that come too early, and takes those after them for its beginning. To be looked at again with Panel 1.10,
    by June 2027.
    """
    import panel.io.notebook

    # It exports no such name for type checkers.
    notebook: Any = panel.io.notebook
    original = notebook.diff

    @wraps(original)
    def diff_for_listeners(doc: Document, *given: Any, **named: Any) -> Any:
        message = original(doc, *given, **named)
        if message is None or doc not in _deaf:
            return message
        _deaf[doc].append(message)
        return None

    notebook.diff = diff_for_listeners
