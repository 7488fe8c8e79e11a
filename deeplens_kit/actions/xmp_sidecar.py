"""XMP sidecars (ISO 16684-1): written anew, and more put into one that is there.

Takes what is told, gives bytes; must not read or write a file. What a sidecar holds already stays byte for byte, but
for lists that get more values.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from xml.etree import ElementTree
from xml.parsers import expat

from deeplens_kit.actions.told_metadata import LISTS, Told, merged, told_by
from deeplens_kit.decode.tags.tag import TagList
from deeplens_kit.decode.tags.xmp import MAX_XMP_BYTES, add_xmp

__all__ = ["new_sidecar", "sidecar_tells", "sidecar_with"]

_RDF, _XML = "http://www.w3.org/1999/02/22-rdf-syntax-ns#", "http://www.w3.org/XML/1998/namespace"
_META = "adobe:ns:meta/"
_NAMESPACES: Mapping[str, str] = MappingProxyType(
    {
        "dc": "http://purl.org/dc/elements/1.1/",
        "xmp": "http://ns.adobe.com/xap/1.0/",
        "exif": "http://ns.adobe.com/exif/1.0/",
        "photoshop": "http://ns.adobe.com/photoshop/1.0/",
        "lr": "http://ns.adobe.com/lightroom/1.0/",
    }
)
# The form that the standard gives a property; others are plain.
_ARRAYS = {
    **dict.fromkeys(LISTS, "Bag"),
    "dc:creator": "Seq",
    **dict.fromkeys(("dc:title", "dc:description", "dc:rights"), "Alt"),
}
# What a property of the picture itself lies in; those of pictures that it was made from lie deeper.
_DIRECTLY = [f"{_RDF} RDF", f"{_RDF} Description"]
# What XML 1.0 cannot hold (2.2).
_NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

for _prefix, _namespace in (("x", _META), ("rdf", _RDF), *_NAMESPACES.items()):
    ElementTree.register_namespace(_prefix, _namespace)


def new_sidecar(told: Told) -> bytes:
    """A sidecar that tells this, UTF-8."""
    root = ElementTree.Element(f"{{{_META}}}xmpmeta")
    graph = ElementTree.SubElement(root, f"{{{_RDF}}}RDF")
    graph.append(_described(told))
    ElementTree.indent(root)
    written: bytes = ElementTree.tostring(root, encoding="utf-8")
    return b'<?xml version="1.0" encoding="UTF-8"?>\n' + written + b"\n"


def sidecar_tells(data: bytes) -> Told:
    """What a sidecar tells.

    Raises:
        ValueError: It cannot be read whole.
    """
    tags = TagList()
    if len(data) > MAX_XMP_BYTES:
        raise ValueError(f"the sidecar has more than {MAX_XMP_BYTES:,} bytes")
    add_xmp(data.removeprefix(b"\xef\xbb\xbf"), tags)
    found = tags.found()
    if found.problems:
        raise ValueError(f"the sidecar cannot be read: {found.problems[0]}")
    return told_by((row[:3] for row in found.rows), unrated=True)


def sidecar_with(data: bytes, more: Told) -> bytes:
    """A sidecar with more in it; the same bytes where it tells all of it already.

    Args:
        data: The sidecar.
        more: What it is to tell besides; what it says itself stays.

    Raises:
        ValueError: It cannot be read whole, or has no place for more.
    """
    own = sidecar_tells(data)
    whole, gained = merged(own, [more])
    if not gained:
        return data
    places = _Places()
    places.find(data)
    if places.end is None:
        raise ValueError("the sidecar has no description that could take more")
    added = Told(
        {name: whole.lists[name] for name in whole.lists if name in gained},
        {name: whole.texts[name] for name in whole.texts if name in gained},
    )
    block = ElementTree.tostring(_described(added), encoding="utf-8")
    parts, at = [], 0
    for begin, end in sorted(span for name in added.lists for span in places.spans.get(name, ())):
        parts.append(data[at:begin])
        at = end
    return b"".join([*parts, data[at : places.end], block, b"\n", data[places.end :]])


class _Places:
    """Where a sidecar has its lists, and where more can be put, in bytes."""

    def __init__(self) -> None:
        self.spans: dict[str, list[tuple[int, int]]] = {}
        self.end: int | None = None
        self._open: list[tuple[str, int]] = []
        self._names = {f"{uri} {name.partition(':')[2]}": name for name in LISTS for uri in [_uri(name)]}

    def find(self, data: bytes) -> None:
        parser = expat.ParserCreate(encoding="utf-8", namespace_separator=" ")

        def start(element: str, _attributes: object) -> None:
            self._open.append((element, parser.CurrentByteIndex))

        def end(element: str) -> None:
            begun, at = self._open.pop()[1], parser.CurrentByteIndex
            if element == f"{_RDF} RDF" and data.startswith(b"</", at):
                self.end = at
            elif element in self._names and [name for name, _ in self._open[-2:]] == _DIRECTLY:
                self.spans.setdefault(self._names[element], []).append((begun, data.index(b">", at) + 1))

        parser.StartElementHandler, parser.EndElementHandler = start, end
        try:
            parser.Parse(data, True)
        except expat.ExpatError as error:
            raise ValueError(f"the sidecar is no XML in UTF-8: {error}") from error


def _described(told: Told) -> ElementTree.Element:
    description = ElementTree.Element(f"{{{_RDF}}}Description", {f"{{{_RDF}}}about": ""})
    for name, values in told.lists.items():
        _array(description, name, values)
    for name, value in told.texts.items():
        if name in _ARRAYS:
            _array(description, name, value.split("; ") if name == "dc:creator" else [value])
        else:
            ElementTree.SubElement(description, _full(name)).text = _clean(value)
    return description


def _array(description: ElementTree.Element, name: str, values: object) -> None:
    form = _ARRAYS[name]
    array = ElementTree.SubElement(ElementTree.SubElement(description, _full(name)), f"{{{_RDF}}}{form}")
    assert isinstance(values, (list, tuple)), "a property of several values"
    for value in values:
        item = ElementTree.SubElement(array, f"{{{_RDF}}}li", {f"{{{_XML}}}lang": "x-default"} if form == "Alt" else {})
        item.text = _clean(value)


def _clean(value: str) -> str:
    return _NO_XML.sub(" ", value)


def _full(name: str) -> str:
    return f"{{{_uri(name)}}}{name.partition(':')[2]}"


def _uri(name: str) -> str:
    return _NAMESPACES[name.partition(":")[0]]
