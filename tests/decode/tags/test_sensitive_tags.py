"""What is private is known by whatever name it has, and nothing of it is shown unless it is asked for."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from metadata_blocks import exif_block, iptc_block, jpeg_of, xmp_packet
from PIL.ExifTags import GPSTAGS

from deeplens_kit.decode.tags import PictureTags, Tag, mask_tags, read_tags, shown_value
from deeplens_kit.decode.tags.sensitive import SENSITIVE_KINDS, kind_of

PRIVATE = {
    "position": (
        "GPS GPSLatitude", "GPS GPSTimeStamp", "XMP exif:GPSLatitude", "XMP photoshop:City", "IPTC Sub-location",
        "XMP Iptc4xmpCore:Location", "XMP Iptc4xmpExt:LocationShown/Iptc4xmpExt:Sublocation", "IPTC Province-State",
        "IPTC CountryName", "XMP photoshop:Country", "XMP exif:GPSAltitude",
        "IPTC ContentLocationName", "IPTC ContentLocationCode", "XMP xmpDM:shotLocation", "PNG shot_location",
        "XMP drone-dji:AbsoluteAltitude", "EXIF ModelTiepoint",
    ),
    "serial number": (
        "EXIF BodySerialNumber", "EXIF LensSerialNumber", "EXIF CameraSerialNumber", "XMP aux:SerialNumber",
        "XMP exifEX:BodySerialNumber", "EXIF ImageUniqueID",
        "EXIF SerialNumber", "EXIF CameraSerialNumber",
    ),
    "name": (
        "EXIF Artist", "EXIF Copyright", "EXIF CameraOwnerName", "EXIF HostComputer", "EXIF XPAuthor", "IPTC By-line",
        "IPTC Writer-Editor", "IPTC Credit", "XMP dc:creator", "XMP dc:rights", "XMP aux:OwnerName", "PNG Author",
        "XMP photoshop:CaptionWriter", "XMP Iptc4xmpExt:PersonInImage", "XMP xmpRights:Owner",
        "XMP mwg-rs:Regions/mwg-rs:RegionList/mwg-rs:Name", "XMP MP:RegionInfo/MPRI:Regions/MPReg:PersonDisplayName",
        "EXIF Photographer", "EXIF ImageEditor", "EXIF OwnerName", "EXIF RawFile", "EXIF OriginalRawFileName",
        "XMP plus:ImageCreator/plus:ImageCreatorName", "XMP plus:Licensor/plus:LicensorName",
        "XMP plus:Licensor/plus:LicensorCity", "XMP plus:LicensorCity", "XMP plus:LicensorURL", "EXIF ImageID",
        "XMP plus:ImageSupplier/plus:ImageSupplierName", "XMP Iptc4xmpExt:ArtworkOrObject/Iptc4xmpExt:AOCreator",
        "XMP crs:OriginalFileName", "XMP crs:RawFileName", "XMP acdsee:author", "XMP xmpDM:director",
        "XMP xmpMM:DerivedFrom/stRef:filePath", "PNG file_name", "XMP plus:EndUser/plus:EndUserName",
    ),
    "contact": (
        "XMP Iptc4xmpCore:CreatorContactInfo/Iptc4xmpCore:CiEmailWork", "IPTC Contact", "XMP xmpRights:WebStatement",
        "XMP Iptc4xmpCore:CreatorContactInfo/Iptc4xmpCore:CiTelWork",
        "XMP custom:HomeURL", "XMP custom:MailHome", "XMP custom:ContactPoint", "PNG Phone",
    ),
    "free text": (
        "EXIF ImageDescription", "EXIF UserComment", "XMP dc:description", "XMP dc:subject", "IPTC Caption-Abstract",
        "IPTC Keywords", "PNG parameters", "JPEG Comment", "EXIF XPKeywords",
        "IPTC LocalCaption", "XMP acdsee:notes", "XMP acdsee:caption", "XMP acdsee:categories", "EXIF ImageTitle",
        "XMP Iptc4xmpExt:AOTitle", "XMP xmpDM:logComment", "XMP xmpBJ:JobRef/stJob:name", "EXIF ImageHistory",
    ),
    "unknown field": ("EXIF 0xFDEB", "EXIF 0x0001", "IPTC 2:199", "XMP crs:Look/crs:Par…"),
}  # fmt: skip
PLAIN = (
    "EXIF Make", "EXIF Model", "EXIF DateTimeOriginal", "EXIF LensModel", "EXIF FNumber", "EXIF SubjectDistance",
    "EXIF Software", "XMP xmp:CreatorTool", "XMP xmp:Rating", "XMP xmp:CreateDate", "XMP crs:Exposure2012",
    "IPTC DateCreated", "ICC ProfileDescription", "GPS GPSVersionID", "EXIF MakerNote", "XMP photoshop:ColorMode",
    "EXIF SceneCaptureType", "XMP aux:LensID",
    "EXIF ExposureTime", "EXIF ISOSpeedRatings", "XMP exifEX:PhotographicSensitivity", "EXIF FocalLength",
    "EXIF LensMake", "EXIF LensSpecification", "EXIF Lens", "XMP aux:Lens", "EXIF ColorSpace", "EXIF ExifImageWidth",
    "EXIF ImageLength", "XMP tiff:ImageWidth", "XMP exif:PixelXDimension", "EXIF Orientation", "EXIF XResolution",
    "EXIF WhiteBalance", "EXIF Flash", "EXIF LightSource", "EXIF FileSource", "EXIF SubjectLocation",
    "EXIF SubjectArea", "EXIF MakerNoteSafety", "EXIF DeviceSettingDescription", "EXIF CameraFirmware",
    "EXIF RAWDevelopingSoftware", "EXIF ImageEditingSoftware", "EXIF MetadataEditingSoftware", "EXIF Converter",
    "XMP crs:LensProfileFilename", "XMP crs:CameraProfile", "XMP crs:Opacity", "XMP photoshop:ICCProfile",
    "XMP xmpMM:DocumentID", "XMP xmpMM:History/stEvt:action", "XMP xmpNote:HasExtendedXMP", "IPTC Urgency",
    "XMP crs:ProcessVersion", "XMP xmpRights:Marked", "PNG Software", "EXIF ImageNumber", "EXIF UniqueCameraModel",
    "EXIF ISOSpeedLatitudeyyy", "EXIF ProfileName", "XMP crs:CameraProfileName", "XMP photoshop:ICCProfileName",
)  # fmt: skip


@pytest.mark.parametrize(("kind", "name"), [(kind, name) for kind, names in PRIVATE.items() for name in names])
def test_private_names(kind: str, name: str) -> None:
    assert kind_of(*name.split(" ", 1), "value") == kind


@pytest.mark.parametrize("name", PLAIN)
def test_plain_names(name: str) -> None:
    assert kind_of(*name.split(" ", 1), "2.8") == ""


def test_every_tag_of_a_position_is_private() -> None:
    assert {kind_of("GPS", name, "1") for name in GPSTAGS.values() if name != "GPSVersionID"} == {"position"}


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ("ask ada.lovelace+x@example.org", "contact"),
        ("file:///Users/ada/Pictures/a.psd", "name"),
        ("C:\\Users\\ada\\a.psd", "name"),
        ("/".join(("", "home", "ada", "a.psd")), "name"),
        ("f/2.8", ""),
        ("8 @ 2", ""),
    ],
)
def test_private_values_under_any_name(value: str, kind: str) -> None:
    assert kind_of("XMP", "xmpMM:History/stEvt:softwareAgent", value) == kind


def test_addresses_are_looked_for_in_linear_time() -> None:
    assert kind_of("XMP", "crs:Look", "a" * 200_000 + "@" + "b." * 100_000) in ("", "contact")


SECRETS = ("Ada Secretname", "SN-SECRET-77", "47 22 1.5", "ada.secret@example.org", "Secretville", "secret caption")


def private_picture() -> PictureTags:
    exif = exif_block(
        {0x013B: "Ada Secretname", 0x010F: "Canon"},
        {0xA431: "SN-SECRET-77", 0x927C: b"SN-SECRET-77"},
        {1: "N", 2: (47.0, 22.0, 1.5)},
    )
    xmp = xmp_packet('photoshop:City="Secretville"', "<dc:description>secret caption</dc:description>")
    iptc = iptc_block((118, b"ada.secret@example.org"))
    return read_tags(jpeg_of(exif=exif, xmp=xmp, iptc=iptc))[0]


def test_no_private_value_leaves_unless_it_is_asked_for() -> None:
    found = private_picture()
    clear = " ".join(tag.value for tag in found.tags)
    assert all(secret in clear for secret in SECRETS)
    masked = mask_tags(found.tags)
    exported = json.dumps([[tag.group, tag.name, tag.value] for tag in masked])
    for text in (exported, repr(found), str(found.tags), f"{found.tags[0]}{masked}", repr(masked)):
        assert not any(secret in text for secret in SECRETS)
    assert [(tag.group, tag.name, tag.sensitive) for tag in masked] == [
        (tag.group, tag.name, tag.sensitive) for tag in found.tags
    ]
    assert "(hidden: serial number)" in [tag.value for tag in masked]
    assert "Canon" in [tag.value for tag in masked]
    assert mask_tags(found.tags, private=True) == found.tags


@settings(max_examples=100, deadline=None)
@given(kind=st.sampled_from(("", *SENSITIVE_KINDS)), value=st.text(min_size=1))
def test_masking_says_the_kind_and_nothing_else(kind, value) -> None:
    tag = Tag("XMP", "any:thing", value, kind)
    assert shown_value(tag) == (f"(hidden: {kind})" if kind else value)
    assert shown_value(tag, private=True) == value
    assert mask_tags(mask_tags([tag])) == mask_tags([tag])


def test_what_is_private_is_judged_again_when_it_is_read_back() -> None:
    # As an earlier release may have stored it, which did not know the name; and one that only it knew.
    stored = {"tags": json.dumps([["EXIF", "Artist", "Ada", ""], ["EXIF", "Odd", "Ada", "name"]]), "problems": []}
    assert [tag.sensitive for tag in PictureTags.from_json(stored).tags] == ["name", "name"]


def test_tags_that_pillow_does_not_name_are_private_where_they_tell_of_people() -> None:
    told = {0xA436: "Ada's title", 0xA437: "Ada", 0xA438: "Ada", 0xA43C: "Editor 5", 0xFDEA: "50 mm"}
    unknown = {0xFDE8: "Ada", 0xFDE9: "SN-7", 0xFDEB: "Ada", 0xFDEC: 4711, 0xFDED: b"Ada\x00\x01"}
    tags = read_tags(jpeg_of(exif=exif_block(inner=told | unknown)))[0].tags
    assert {tag.name: tag.sensitive for tag in tags} == {
        "ImageTitle": "free text", "Photographer": "name", "ImageEditor": "name", "MetadataEditingSoftware": "",
        "Lens": "", "OwnerName": "name", "SerialNumber": "serial number", "0xFDEB": "unknown field",
        "0xFDEC": "unknown field", "0xFDED": "unknown field",
    }  # fmt: skip
    assert sorted(tag.value for tag in mask_tags(tags) if not tag.sensitive) == ["50 mm", "Editor 5"]
