"""Nothing but the decode stage itself decodes in its own process: everybody else asks an isolated decoder."""

from __future__ import annotations

import ast
from pathlib import Path

_PACKAGE = Path(__file__).parent.parent.parent / "deeplens_kit"
_DECODING = {
    *("convert_picture", "decode_grey", "decode_luma", "decode_picture", "decode_preview", "effective_pixels"),
    *("file_tags", "native_samples", "open_picture", "read_tags", "reader_for"),
}
_LIBRARIES = ("PIL", "imagecodecs", "pillow_heif", "psd_tools", "rawpy", "simplejpeg", "tifffile")
# It resizes what was decoded, and opens no file.
_RESIZING = "features/"


def imports(path: Path) -> set[str]:
    """Modules and names that a module imports, wherever in it."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}:{alias.name}" for alias in node.names)}
    return found


def test_untrusted_bytes_are_decoded_by_isolated_decoders_alone() -> None:
    seen = 0
    for path in _PACKAGE.rglob("*.py"):
        name = path.relative_to(_PACKAGE).as_posix()
        if name.startswith("decode/"):
            continue
        found = imports(path)
        decoding = {
            item for item in found if item.startswith("deeplens_kit.decode") and item.split(":")[-1] in _DECODING
        }
        libraries = {item for item in found if item.split(".")[0].split(":")[0] in _LIBRARIES}
        if name.startswith(_RESIZING):
            libraries -= {"PIL", "PIL:Image", "PIL:ImageOps"}
        assert not decoding | libraries, f"{name} decodes by itself"
        seen += any(item.startswith("deeplens_kit.decode") for item in found)
    assert seen >= 8, "modules that use the decode stage were looked at"
