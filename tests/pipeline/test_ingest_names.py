"""Whatever a picture is called, its path is safe; a template that cannot be used is refused before anything is done."""

from __future__ import annotations

import unicodedata
from datetime import UTC, datetime

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from deeplens_kit.cli import ingest_command
from deeplens_kit.decode import FORMATS
from deeplens_kit.errors import SettingsError, UnknownNameError
from deeplens_kit.pipeline.ingest_names import TEMPLATE, PathFacts, PathTemplate, is_left_out, numbered
from deeplens_kit.storage import encode_path

DIGEST = "ab" + 62 * "0"
AT = datetime(2026, 3, 7, 23, 59, tzinfo=UTC)


def facts(name: str = "Holiday.JPG", collection: str = "", form: str = "JPEG") -> PathFacts:
    return PathFacts(collection, AT, DIGEST, name, form)


def test_every_field_is_filled() -> None:
    template = PathTemplate("{collection}/{yyyy}-{mm}-{dd}/{digest2}/{name}_{digest}.{ext}")
    assert template.path(facts(collection="Sea side")) == f"Sea side/2026-03-07/ab/Holiday_{DIGEST}.jpg"
    assert PathTemplate(TEMPLATE).path(facts()) == f"2026/03/{DIGEST}.jpg", "without a collection its part falls away"


def test_the_command_names_the_same_template() -> None:
    assert ingest_command._TEMPLATE == TEMPLATE


def test_the_ending_is_that_of_the_content() -> None:
    template = PathTemplate("{name}.{ext}")
    assert template.path(facts("photo.txt.PNG", form="WEBP")) == "photo.txt.webp"
    assert template.path(facts("IMG_1.CR2", form="RAW")) == "IMG_1.cr2"
    assert template.path(facts("IMG_1.exe", form="RAW")) == "IMG_1.raw"
    endings = {facts(form=name).extension for name in FORMATS}
    assert len(endings) == len(FORMATS)
    assert all(ending.isalnum() and ending.islower() for ending in endings)


def test_names_that_are_no_names() -> None:
    template = PathTemplate("{name}.{ext}")
    assert template.path(facts("../../etc/passwd")) == "passwd.jpg"
    assert template.path(facts("/abs.jpg")) == "abs.jpg"
    assert template.path(facts(".hidden")) == "hidden.jpg"
    assert template.path(facts("con.png")) == "_con.jpg"
    assert template.path(facts("cafe\u0301.jpg")) == "caf\u00e9.jpg"
    assert PathTemplate("{name}").path(facts("...")) == DIGEST


names = st.text(st.characters(exclude_categories=()), max_size=300).map(
    lambda text: encode_path("".join(letter for letter in text if not "\ud800" <= letter <= "\udfff"))
)


@given(names, names, st.sampled_from(FORMATS))
@example("..", "..", "JPEG")
@example("a/../b", "c\\..\\d", "RAW")
@example("\u202egpj.exe", "\ufdd0e9", "PNG")
@example("\u2003.hidden.png", "\u2003..\u2003", "PNG")
@example("\u2003..\u2003.jpg", ". \u00a0.\u3000.x", "JPEG")
@example("\u0958" * 80, "A" * 300, "GIF")
def test_paths_are_safe_whatever_the_names_hold(name: str, collection: str, form: str) -> None:
    for text in (
        "{collection}/{name}.{ext}",
        "{name}/{digest}.{ext}",
        "x{name}/{collection}{name}",
        "{digest2}/{name}",
        TEMPLATE,
    ):
        path = PathTemplate(text).path(facts(name, collection, form))
        assert path == unicodedata.normalize("NFC", path)
        for part in path.split("/"):
            assert part not in ("", ".", "..")
            assert part[0] != "."
            assert part[-1] != "."
            assert part == part.strip()
            assert len(part.encode()) <= 204
            assert not set(part) & set('\\<>:"|?*\ufdd0')
            assert all(unicodedata.category(letter) not in ("Cc", "Cf", "Cs", "Zl", "Zp") for letter in part)


def test_templates_that_cannot_be_used_are_refused() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'digest'"):
        PathTemplate("{digset}.{ext}")
    for text, reason in (
        ("/{digest}", "down from the location"),
        ("../{digest}", "down from the location"),
        ("a/./{digest}", "down from the location"),
        ("{yyyy}/picture.{ext}", "one name"),
        ("{digest}/picture", "one name"),
        ("", "one name"),
        ("{digest", "cannot be read"),
        ("{digest!r}", "a form"),
        ("{digest:>80}", "a form"),
    ):
        with pytest.raises(SettingsError, match=reason):
            PathTemplate(text)
    with pytest.raises(SettingsError, match="storages take"):
        PathTemplate("/".join(["{digest}"] * 20)).path(facts())


def test_numbers_stand_before_the_ending() -> None:
    assert [numbered("a.b/c.jpg", number) for number in (1, 2, 10)] == ["a.b/c.jpg", "a.b/c-2.jpg", "a.b/c-10.jpg"]
    assert numbered("a.b/c", 2) == "a.b/c-2"


def test_what_an_index_run_would_pass_over() -> None:
    assert not is_left_out("a/b.jpg", (), ())
    assert is_left_out("a/b.jpg", (), ("a/",))
    assert is_left_out("a/b.jpg", (), ("*.jpg",))
    assert is_left_out("a/b.jpg", ("*.png",), ())
    assert not is_left_out("a/b.jpg", ("*.jpg",), ("b/",))
