"""Sidecars: what is written is read back as it was, and what was there stays."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from deeplens_kit.actions import Told, merged, new_sidecar, sidecar_tells, sidecar_with, told_by

TAGS = [
    ("XMP", "dc:subject", "sea & sand; boat"),
    ("IPTC", "Keywords", "boat; <sun>"),
    ("XMP", "lr:hierarchicalSubject", "places|sea"),
    ("EXIF", "ImageDescription", 'A "boat" \u2013 Łódź'),
    ("XMP", "dc:creator", "One; Two"),
    ("EXIF", "Rating", "4"),
    ("XMP", "xmp:Rating", "0"),
]


def told() -> Told:
    at = datetime(2019, 7, 1, 12, 30, 5)
    return told_by(TAGS[:-1], position=(-33.8688, 151.2093), dated_at=at, taken_at_utc=at.replace(hour=2, tzinfo=UTC))


def test_a_sidecar_tells_what_was_written() -> None:
    found = told()
    assert found.lists["dc:subject"] == ("sea & sand", "boat", "<sun>")
    assert found.texts["photoshop:DateCreated"] == "2019-07-01T12:30:05+10:00"
    assert found.texts["exif:GPSLatitude"] == "33,52.128000S"
    assert sidecar_tells(new_sidecar(found)) == found
    assert new_sidecar(found) == new_sidecar(found)


def test_what_xml_cannot_hold_is_left_out() -> None:
    data = new_sidecar(Told({}, {"dc:title": "a\x0bb\ufffe"}))
    assert sidecar_tells(data).texts["dc:title"] == "a b"


def test_what_stays_keeps_its_values_and_lists_are_united() -> None:
    stays = Told({"dc:subject": ("Boat",)}, {"xmp:Rating": "2", "exif:GPSLatitude": "1,0N"})
    whole, gained = merged(stays, [told(), Told({}, {"xmp:Label": "Red", "dc:title": "x"})])
    assert whole.lists["dc:subject"] == ("Boat", "sea & sand", "<sun>")
    assert (whole.texts["xmp:Rating"], whole.texts["xmp:Label"]) == ("2", "Red")
    assert "exif:GPSLongitude" not in whole.texts
    assert set(gained) == {
        *("dc:subject", "lr:hierarchicalSubject", "dc:title", "dc:description", "dc:creator", "xmp:Label"),
        "photoshop:DateCreated",
    }
    assert merged(whole, [told()])[1] == ()


def test_a_rating_of_nothing_is_none() -> None:
    assert "xmp:Rating" not in told_by(TAGS[-1:]).texts


THERE = b"""<?xpacket begin='' id='W5M0MpCehiHzreSzNTczkc9d'?>
<x:xmpmeta xmlns:x="adobe:ns:meta/"><!-- mine --><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description rdf:about="" xmlns:d="http://purl.org/dc/elements/1.1/" xmlns:xmp="http://ns.adobe.com/xap/1.0/"
 xmlns:own="http://example.org/" xmp:Rating="0" own:steps="7">%s</rdf:Description>
</rdf:RDF></x:xmpmeta>
<?xpacket end='w'?>"""
SUBJECT = b"<d:subject><rdf:Bag><rdf:li>mine</rdf:li></rdf:Bag></d:subject>"


def test_more_is_put_into_a_sidecar_that_is_there() -> None:
    before = THERE % (SUBJECT + b"<own:from><rdf:Description>" + SUBJECT + b"</rdf:Description></own:from>")
    after = sidecar_with(before, told())
    tells = sidecar_tells(after)
    assert tells.lists["dc:subject"] == ("mine", "sea & sand", "boat", "<sun>")
    # A person may have said so, and it stays.
    assert tells.texts["xmp:Rating"] == "0"
    assert after.startswith(before[: before.index(SUBJECT)])
    assert after.endswith(before[before.index(b"</rdf:RDF>") :])
    assert after.count(SUBJECT) == 1, "that of a picture that it was made from"
    assert sidecar_with(after, told()) == after


@pytest.mark.parametrize(
    "data",
    [
        b"<x:xmpmeta xmlns:x='adobe:ns:meta/'/>",
        b"no xml",
        b"<!DOCTYPE a [<!ENTITY b 'c'>]>" + THERE % b"",
        (THERE % b"").decode().encode("utf-16"),
        b" " * 2**21,
    ],
)
def test_a_sidecar_that_cannot_be_read_whole_is_left(data: bytes) -> None:
    with pytest.raises(ValueError, match="sidecar"):
        sidecar_with(data, told())
