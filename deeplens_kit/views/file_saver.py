"""Files that the browser saves, made when somebody asks for them.

Takes a name and bytes, gives an invisible component; must not decide what is in a file. Panel's own button for it is a
link that no key reaches.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import param
from panel.custom import JSComponent

__all__ = ["FileSaver"]


class FileSaver(JSComponent):
    """Hands files to the browser, which saves them where it saves all.

    Attributes:
        content: Of the file.
        name_of_file: As the browser proposes it.
        number: Of files so far: another number saves.
    """

    content = param.Bytes(default=b"")
    name_of_file = param.String(default="")
    number = param.Integer(default=0)

    _esm = Path(__file__).with_name("file_saver.js")

    def __init__(self, **params: Any) -> None:
        super().__init__(**params)  # type: ignore[no-untyped-call]

    def hand_over(self, name: str, content: bytes) -> None:
        """Have a file saved."""
        self.param.update(name_of_file=name, content=content)
        self.number += 1
