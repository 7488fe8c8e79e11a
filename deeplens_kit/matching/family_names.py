"""Names that say that files belong together, as cameras, phones and editors give them.

Takes nothing; gives extensions by role and the patterns of names, each with its owner. Must not look at files: which of
them stand side by side is for `families` to see. Patterns are for names in lower case.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

__all__ = [
    "APPLE_VERSION",
    "DARKTABLE_VERSION",
    "EDITED_STEM",
    "ROLES",
    "SERIES",
    "SNAPSEED_EXTENSION",
    "SNAPSEED_STEM",
    "TAKEOUT_CHARACTERS",
    "TAKEOUT_STEM",
    "WHOLE_NAME",
    "Role",
    "Series",
]


class Role(StrEnum):
    """What a file is to its family."""

    ORIGINAL = "original"
    EDITED = "edited"
    RAW = "raw"
    VIDEO = "video"
    SOUND = "sound"
    FRAME = "frame"
    SIDECAR = "sidecar"


_PICTURES = "avif bmp gif heic heif hif jfif jpe jpeg jpg jxl png tif tiff webp"
# What cameras call their RAW files, by maker: Hasselblad, ARRI, Sony, Casio, Phase One, Canon, Kodak, Adobe, Leaf,
# Epson, GoPro, Minolta, Mamiya, Nikon, Olympus, Pentax, Fujifilm, Panasonic, Leica, Samsung, Sigma.
_RAW = (
    "3fr fff ari arw sr2 srf bay cap eip iiq cr2 cr3 crw dcr dcs drf k25 kdc dng mos erf gpr mrw mdc mef nef nrw orf "
    "ori pef ptx raf raw rw2 rwl srw x3f"
)
# `.mp` and `.mv` are what Google Takeout makes of the video of a motion photo.
_VIDEOS = "3gp avi m2ts m4v mkv mov mp mp4 mpg mts mv webm"
# DCF (CIPA DC-009): files of one number in one folder are one object; cameras add spoken notes.
_SOUNDS = "aac m4a mp3 wav"
# Adobe (xmp, acr), Apple (aae), DCF (thm), RawTherapee (pp3, arp), DxO (dop), Capture One (cos), Nikon (nksc),
# Canon (vrd, dr4), ON1 (on1, onphoto), Exiv2 (exv), GoPro (lrv), DJI (srt), Google Takeout and Labelme (json).
_SIDECARS = "aae acr arp cos dop dr4 exv json lrv nksc on1 onphoto pp3 srt thm vrd xmp"

ROLES: Mapping[str, Role] = {
    **dict.fromkeys(_PICTURES.split(), Role.ORIGINAL),
    **dict.fromkeys(_RAW.split(), Role.RAW),
    **dict.fromkeys(_VIDEOS.split(), Role.VIDEO),
    **dict.fromkeys(_SOUNDS.split(), Role.SOUND),
    **dict.fromkeys(_SIDECARS.split(), Role.SIDECAR),
}
"""What the extension says a file is; other extensions belong to no family."""

_MEDIA = "|".join(f"{_PICTURES} {_RAW} {_VIDEOS}".split())

WHOLE_NAME = rf"^(.+)\.(?:{_MEDIA})$"
"""A sidecar that keeps the extension of its picture (digiKam, darktable, RawTherapee, DxO): the stem of the picture."""

_SUPPLEMENT = "supplemental-metadata"
TAKEOUT_STEM = (
    rf"^(.+)\.(?:{_MEDIA})(?:\.(?:{'|'.join(_SUPPLEMENT[:end] for end in range(len(_SUPPLEMENT), 0, -1))})?)?"
    r"(\(\d+\))?$"
)
"""Google Takeout, the name without `.json`: the stem of the picture, and the number that the picture has at the end of
its own stem. The long word is cut where the name would be too long."""

TAKEOUT_CHARACTERS = 46
"""Google Takeout cuts the name before `.json` to this length, be it in the middle of the picture's name."""

DARKTABLE_VERSION = r"^(.+)_\d\d$"
"""darktable numbers the sidecars of further edits of one picture: `name_01.ext.xmp`."""

APPLE_VERSION = r"^(.*\bimg_)[eo](\d{4,}.*)$"
"""Apple: IMG_E1234 is the edited version of IMG_1234, IMG_O1234.AAE what was done to its original."""

_EDITED = (
    # Google Photos, in the language of the account; the accent of the French word alone or with its letter.
    r"-(?:edited|bearbeitet|modifié|modifie\u0301|ha editado|editado|editada|editat|modificato|bewerkt|edytowane"
    r"|redigerad|redigeret|redigert|編集済み)",
    # Google Photos' own creations, always in English.
    r"-(?:animation|cinematic|collage|effects|mix|motion|pano|pop_out|smile)",
    # Google Photos and Samsung Gallery on the phone.
    r"~\d{1,2}",
    # Photos of Windows and of the web, osxphotos.
    r"[ _-]?\(edited\)|[ _]edited",
    # Lightroom and Camera Raw.
    r"[-_]edit(?:-\d{1,2})?|-enhanced(?:-(?:nr|sr|rd))*(?:-\d{1,2})?|-hdr(?:-pano)?(?:-\d{1,2})?",
    # Phones that keep the plain exposure beside the merged one.
    r"_hdr",
    # DxO PhotoLab, with or without the extension of the RAW file; Topaz.
    r"(?:-[a-z0-9]{3})?[-_]dxo(?:_[\w .-]+)?"
    r"|-(?:denoise|denoiseai|gigapixel|photoai|sharpen|sharpenai|topaz)(?:-[\w.-]+)?",
)
_NUMBER = r"(\(\d+\))?$"

EDITED_STEM = rf"^(.+?)(?:{'|'.join(_EDITED)})+{_NUMBER}"
"""An edited version: the stem of its original, and the number that Takeout puts behind both."""

SNAPSEED_EXTENSION = "jpeg"
SNAPSEED_STEM = rf"^(.+)-\d\d{_NUMBER}"
"""Snapseed: `name-01.jpeg`, with that very extension."""


@dataclass(frozen=True, slots=True)
class Series:
    """Names of many frames of one shot: what they have in common, and its owner."""

    owner: str
    pattern: str


SERIES = (
    # PXL_20230101_120000123.RAW-01.COVER.jpg, .RAW-02.ORIGINAL.dng, .PORTRAIT-01.COVER.jpg, .MP.jpg, .MP, ~2.jpg
    Series("Google Pixel", r"^(pxl_\d{8}_\d{9})[.~][^()]*$"),
    # 00000IMG_00000_BURST20190101120000123_COVER.jpg; DSCPDC_0001_BURST20180101120000123.JPG
    Series("Google Camera and Sony bursts", r"(burst\d{17})(?:_cover)?$"),
    # IMG_20180101_120000_BURST001_COVER.jpg, ..._BURST2.jpg
    Series("Huawei, Xiaomi, OnePlus and ChromeOS bursts", r"^(.+_burst)\d{1,5}(?:_cover)?$"),
    # 20180101_120000_001.jpg
    Series("Samsung bursts", r"^(\d{8}_\d{6}_)\d{3}$"),
)
