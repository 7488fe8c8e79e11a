"""XMP packets (ISO 16684-1), read as a stream.

Takes an untrusted packet, adds its properties to a list; must not take a document type or an entity of it, nor go
deeper or on longer than the bounds say. What was read before a fault is kept.
"""

from __future__ import annotations

from xml.parsers import expat

from deeplens_kit.decode.tags.tag import TagList

__all__ = ["MAX_XMP_BYTES", "add_xmp"]

# Own bounds, inclusive. A packet of a program that keeps every step is some hundred kilobytes.
MAX_XMP_BYTES = 1024 * 1024
_MAX_DEPTH = 40
_MAX_ELEMENTS = 20_000
_MOST_VALUES = 64  # of one property

_RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
_XML = "http://www.w3.org/XML/1998/namespace"
# The prefixes that the standards use; a file may bind others to the same namespaces.
_PREFIXES = {
    "http://purl.org/dc/elements/1.1/": "dc",
    "http://ns.adobe.com/xap/1.0/": "xmp",
    "http://ns.adobe.com/xap/1.0/mm/": "xmpMM",
    "http://ns.adobe.com/xap/1.0/rights/": "xmpRights",
    "http://ns.adobe.com/photoshop/1.0/": "photoshop",
    "http://ns.adobe.com/exif/1.0/": "exif",
    "http://cipa.jp/exif/1.0/": "exifEX",
    "http://ns.adobe.com/exif/1.0/aux/": "aux",
    "http://ns.adobe.com/tiff/1.0/": "tiff",
    "http://iptc.org/std/Iptc4xmpCore/1.0/xmlns/": "Iptc4xmpCore",
    "http://iptc.org/std/Iptc4xmpExt/2008-02-29/": "Iptc4xmpExt",
    "http://ns.adobe.com/xmp/note/": "xmpNote",
}


class _Refused(Exception):
    """The packet asks for more than is allowed."""


class _Reader:
    def __init__(self) -> None:
        self.values: dict[str, list[str]] = {}
        self._path: list[str | None] = []
        self._texts: list[str] = []
        self._names: dict[str, str | None] = {}
        self._elements = 0
        self._inside = False

    def start(self, element: str, attributes: list[str]) -> None:
        self._elements += 1
        if self._elements > _MAX_ELEMENTS or len(self._path) >= _MAX_DEPTH:
            raise _Refused("XMP is too long or too deep")
        self._texts.clear()
        self._path.append(self._name(element))
        if not self._inside:
            self._inside = element.startswith(_RDF)
            self._path[-1] = None
        for at in range(0, len(attributes), 2):
            name = self._name(attributes[at])
            if name is not None:
                self._take(name, attributes[at + 1])
            elif attributes[at].startswith(f"{_RDF} resource"):
                self._take(None, attributes[at + 1])

    def text(self, data: str) -> None:
        self._texts.append(data)

    def end(self, _element: str) -> None:
        if self._texts:
            self._take(None, "".join(self._texts))
            self._texts.clear()
        self._path.pop()

    def refuse(self, *_: object) -> int:
        raise _Refused("XMP declares a document type or an entity")

    def _take(self, last: str | None, value: str) -> None:
        value = value.strip()
        names = [name for name in (*self._path, last) if name is not None]
        if not value or not names or not self._inside:
            return
        values = self.values.setdefault("/".join(names), [])
        if value not in values and len(values) < _MOST_VALUES:
            values.append(value)

    def _name(self, full: str) -> str | None:
        """A name with its usual prefix; None for what is structure: RDF's own elements, and XML's attributes."""
        if full not in self._names:
            parts = full.split(" ")
            if len(parts) == 1:
                self._names[full] = parts[0]
            elif parts[0] in (_RDF, _XML):
                self._names[full] = None
            else:
                prefix = _PREFIXES.get(parts[0]) or (parts[2] if len(parts) > 2 else "")
                self._names[full] = f"{prefix}:{parts[1]}" if prefix else parts[1]
        return self._names[full]


def add_xmp(packet: bytes, tags: TagList) -> None:
    """Add the properties of a packet; one that is no XML gives what lies before the fault."""
    if len(packet) > MAX_XMP_BYTES:
        tags.note("XMP is too long to be read")
        return
    reader = _Reader()
    # As defusedxml does: what declares a document type or an entity is refused before anything is expanded.
    parser = expat.ParserCreate(namespace_separator=" ")
    parser.namespace_prefixes = True
    parser.ordered_attributes = True
    parser.buffer_text = True
    parser.StartElementHandler, parser.EndElementHandler = reader.start, reader.end
    parser.CharacterDataHandler = reader.text
    parser.StartDoctypeDeclHandler = parser.EntityDeclHandler = reader.refuse
    parser.ExternalEntityRefHandler = reader.refuse
    try:
        parser.Parse(packet.strip(b"\x00 \t\r\n"), True)
    except _Refused as refused:
        tags.note(str(refused))
    except (expat.ExpatError, ValueError, UnicodeError):
        tags.note("XMP is no XML")
    for name, values in reader.values.items():
        tags.add_named("XMP", name, "; ".join(values))
