"""docs/formats.md says what decoding a sample of each format has just shown.

To write the document anew: `DEEPLENS_WRITE_DOCS=1 python -m pytest tests/decode/test_format_table.py`.
"""

from __future__ import annotations

import os
from pathlib import Path

from format_table import KNOWN, document

from deeplens_kit.decode.signature import FORMATS

DOCUMENT = Path(__file__).parent.parent.parent / "docs" / "formats.md"


def test_the_document_says_what_is_read():
    wanted = document()
    if os.environ.get("DEEPLENS_WRITE_DOCS"):
        DOCUMENT.write_text(wanted, encoding="utf-8")
    found = DOCUMENT.read_text(encoding="utf-8") if DOCUMENT.exists() else ""
    assert found == wanted, f"docs/formats.md is out of date; it should be:\n{wanted}"


def test_every_format_is_in_the_document():
    assert set(KNOWN) == set(FORMATS)
