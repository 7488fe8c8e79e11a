"""Which tags are private, and how they are shown where nobody asked for what is private.

Takes the name and value of a tag, gives the kind of what it tells of a person, a place or a device; must not decide
who may see it. Names are judged without the block that they stand in, so that a tag is as private in XMP as it is in
EXIF; of values, e-mail addresses and folders of a person are recognised whatever they are called.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from deeplens_kit.decode.tags.tag import Tag

__all__ = ["SENSITIVE_KINDS", "SensitiveKind", "kind_of", "mask_tags", "shown_value"]

SensitiveKind = Literal["", "position", "serial number", "name", "contact", "free text", "unknown field"]
SENSITIVE_KINDS: tuple[SensitiveKind, ...] = (
    "position", "serial number", "name", "contact", "free text", "unknown field",
)  # fmt: skip

# Runs of letters, in lower case without spaces, hyphens and underscores, that tell wherever they occur.
_TELLING: tuple[tuple[SensitiveKind, tuple[str, ...]], ...] = (
    ("position", ("gps", "latitude", "longitude", "geotag", "geolocation", "sublocation", "shotlocation",
                  "locationcreated", "locationshown", "country", "provincestate", "whatthreewords", "modelpixelscale",
                  "modeltiepoint", "modeltransformation", "geokeydirectory", "geodoubleparams", "geoasciiparams")),
    ("serial number", ("serialnumber", "serialno", "deviceid", "cameraid", "uniqueid", "imei")),
    ("contact", ("email", "phone", "address", "contact", "webstatement")),
    ("name", ("artist", "author", "owner", "byline", "photographer", "copyright", "person", "licensor", "supplier",
              "captionwriter", "hostcomputer", "username", "modelrelease", "ciadr", "regionname", "filename",
              "filepath", "nickname", "enduser", "imagecreator")),
    ("free text", ("caption", "keyword", "annotation", "comment", "instructions")),
)  # fmt: skip
# Words of names (ImageCreatorName has three): shorter, and parts of harmless words too (city, opacity).
_WORDS: dict[str, SensitiveKind] = {
    **dict.fromkeys(("location", "city", "province", "altitude"), "position"),
    **dict.fromkeys(("serial",), "serial number"),
    **dict.fromkeys(("mail", "url", "website", "tel"), "contact"),
    **dict.fromkeys(
        ("creator", "credit", "publisher", "contributor", "editor", "composer", "director", "engineer", "client"),
        "name",
    ),
    **dict.fromkeys(("title", "headline", "description", "notes"), "free text"),
}  # fmt: skip
# Whole parts of names, whose words alone are harmless (source, LightSource).
_PARTS: dict[str, SensitiveKind] = {
    **dict.fromkeys(("state", "region"), "position"),
    **dict.fromkeys(("internalserial",), "serial number"),
    **dict.fromkeys(
        ("rights", "usagerights", "usageterms", "writereditor", "source", "aosource", "rawfile", "imageid",
         "relatedsoundfile", "documentname", "regions", "by", "who"),
        "name",
    ),
    **dict.fromkeys(
        ("imagedescription", "objectname", "subject", "hierarchicalsubject", "tagslist", "tags", "categories", "event",
         "note", "xptitle", "xpsubject", "pagename", "parameters", "prompt", "workflow", "supplementalcategories",
         "alttextaccessibility", "extdescraccessibility", "transmissionreference", "jobid", "jobref", "imagehistory",
         "organisationinimagename", "textlayers", "cameralabel", "reelname"),
        "free text",
    ),
}  # fmt: skip
# Technical, although a word of theirs tells elsewhere.
_NEVER = frozenset(
    {"gpsversionid", "creatortool", "subjectdistance", "subjectarea", "subjectdistancerange", "subjectlocation",
     "profiledescription", "devicesettingdescription", "lensprofilefilename", "cameraprofilefilename",
     "isospeedlatitudeyyy", "isospeedlatitudezzz"}
)  # fmt: skip
# A tag without a name: nobody can say what it holds.
_UNNAMED = re.compile(r"0x[0-9A-Fa-f]+|[0-9]+:[0-9]+")
_SEPARATORS = re.compile(r"[:/\[\]]")
_JOINERS = re.compile(r"[\s_\-.]")
_CAMEL = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
# Bounded on both sides of the sign, so that a long value without one costs no quadratic time.
_MAIL = re.compile(r"[\w.+-]{1,64}@[\w-]{1,63}\.[\w-]{2,}")
_HOME = re.compile(r"(?:[/\\](?:Users|home|Documents and Settings)[/\\])\w", re.IGNORECASE)


def kind_of(group: str, name: str, value: str) -> SensitiveKind:
    """What a tag tells of a person, place or device; "" where nothing of it is private.

    A tag that has a number in place of a name counts as private, because it may hold anything.

    Args:
        group: The block it stands in, for example "GPS" or "PNG".
        name: Its name, in XMP with prefixes, for example "dc:creator".
        value: Its value as text.
    """
    found = _kind_of_name(group, name)
    if found or ("@" not in value and "/" not in value and "\\" not in value):
        return found
    if "@" in value and _MAIL.search(value):
        return "contact"
    return "name" if _HOME.search(value) else ""


@lru_cache(maxsize=4096)
def _kind_of_name(group: str, name: str) -> SensitiveKind:
    written = _SEPARATORS.split(name)
    # The name of a profile is technical, and "filename" is a part of it by chance.
    parts = [_JOINERS.sub("", part).casefold().replace("profilename", "profile") for part in written]
    if parts[-1] in _NEVER:
        return ""
    if group == "GPS":
        return "position"
    if _UNNAMED.fullmatch(name):
        return "unknown field"
    for kind, tellings in _TELLING:
        if any(telling in part for part in parts for telling in tellings):
            return kind
    for part, plain in zip(written, parts, strict=True):
        for word in (plain, *map(str.casefold, _CAMEL.findall(part))):
            if word in _WORDS:
                return _WORDS[word]
        if plain in _PARTS:
            return _PARTS[plain]
    # Of a name that was cut, the part that tells may be gone.
    return "unknown field" if name.endswith("…") else ""


def shown_value(tag: Tag, *, private: bool = False) -> str:
    """The value of a tag as it may be shown: "(hidden: position)" in place of what is private.

    Args:
        tag: The tag.
        private: Somebody asked for what is private.
    """
    return tag.value if private or not tag.sensitive else f"(hidden: {tag.sensitive})"


def mask_tags(tags: Iterable[Tag], *, private: bool = False) -> tuple[Tag, ...]:
    """Tags for a view, report, log or export: none holds what is private, and their kinds stay.

    Args:
        tags: As they were read.
        private: Somebody asked for what is private: all stay as they are.
    """
    return tuple(replace(tag, value=shown_value(tag, private=private)) for tag in tags)
