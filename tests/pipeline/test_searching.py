"""Search by image against the sample library's truth, the stored pairs, other writers and bad input."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from PIL import Image
from sample_workspace import sample_workspace
from skimage import data

from deeplens_kit.catalog import Catalog
from deeplens_kit.errors import LinkRefusedError, QueryError, SettingsError, UnknownNameError
from deeplens_kit.pipeline import Searcher, Workspace, index, list_groups, list_pairs, search_cache, search_savings
from deeplens_kit.pipeline import search_library as libraries
from deeplens_kit.schemas import SEARCH_PLACES, SEARCH_RESULTS, Tier
from deeplens_kit.search import SearchFilters
from deeplens_kit.search.vectors import IndexFolder, policy

EVIDENCE = ["score", "tier", "pdq_distance", "phash_distance", "orientation", "sscd_small", "sscd"]


@dataclass(frozen=True)
class Sample:
    """The sample library, indexed."""

    folder: Path
    workspace: Workspace
    searcher: Searcher
    truth: tuple[dict[str, str], ...]

    def file(self, row: dict[str, str]) -> Path:
        return self.folder / row["location"] / row["path"]


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sample]:
    made = sample_workspace(tmp_path_factory)
    with Workspace.open(made.workspace) as workspace:
        yield Sample(made.library, workspace, Searcher(workspace), tuple(made.truth.values()))


def jpeg(pixels: np.ndarray, quality: int = 80) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "JPEG", quality=quality)
    return stream.getvalue()


# --- What is found -------------------------------------------------------------------------------------------


def test_every_copy_finds_its_original_first(sample: Sample, tmp_path: Path) -> None:
    """Only originals and lone pictures are indexed; each of the copies then leads to its own."""
    originals = [row for row in sample.truth if row["expected"] in ("keeper", "distinct")]
    kept = tmp_path / "originals"
    for row in originals:
        target = kept / row["source_id"] / Path(row["path"]).name
        target.parent.mkdir(parents=True)
        shutil.copy2(sample.file(row), target)
    with Workspace.create(tmp_path / "workspace") as workspace:
        workspace.ledger.add_location("originals", str(kept), {})
        index(workspace)
        searcher = Searcher(workspace)
        copies = [row for row in sample.truth if row["expected"] == "copy"]
        assert len(copies) > 25
        missed = []
        for row in copies:
            answer = searcher.search(sample.file(row), limit=3)
            if not answer.results["path"].head(1).str.starts_with(f"{row['source_id']}/").all() or not answer.found:
                missed.append((row["family"], row["path"], answer.results.select("path", *EVIDENCE).rows()))
        assert not missed


def test_an_indexed_file_is_found_as_itself_and_its_copies_after_it(sample: Sample) -> None:
    by_name = {row["path"]: row for row in sample.truth}
    answer = sample.searcher.search(sample.file(by_name["photos/portraits/astronaut.png"]))
    first = answer.results.row(0, named=True)
    assert (first["tier"], first["score"], first["objects"], first["why"]) == ("bytes", 1.0, 2, "the same bytes")
    assert answer.query["is_indexed"]
    places = answer.places.filter(answer.places["digest"] == first["digest"])
    assert set(places.select("location", "path").rows()) == {
        ("share", "photos/portraits/astronaut.png"), ("laptop", "Downloads/eileen (1).png"),
    }  # fmt: skip
    copies = answer.results.filter(answer.results["tier"] == Tier.COPY)
    assert {by_name[path]["source_id"] for path in copies["path"]} == {"astronaut"}
    assert answer.results["score"].is_sorted(descending=True)
    assert answer.results["rank"].to_list() == list(range(1, answer.results.height + 1))


def test_frames_are_as_their_schemas_say(sample: Sample) -> None:
    answer = sample.searcher.search(jpeg(data.coffee()))
    assert SEARCH_RESULTS.check(answer.results).height == answer.results.height > 0
    assert SEARCH_PLACES.check(answer.places)["digest"].unique().sort().equals(answer.results["digest"].sort())


def test_scores_tiers_and_evidence_are_those_of_the_stored_pairs(sample: Sample) -> None:
    pairs = list_pairs(sample.workspace).unique(["digest_a", "digest_b"])
    # A search compares hashes and vectors of whole pictures: it knows of no equal samples, and pairs that a region or a
    # negative found are not among its answers.
    pairs = pairs.filter(pl.col("tier").is_in([Tier.COPY, Tier.SCENE]))
    pairs = pairs.filter((pl.col("pdq_distance") <= 64) | (pl.col("sscd_small") >= 0.4))
    # Tier and score of a stored pair come from a close look, those of an answer are a first guess.
    compared = [name for name in EVIDENCE if name not in ("score", "tier")]
    checked = 0
    for digest in pl.concat([pairs["digest_a"], pairs["digest_b"]]).unique():
        answer = sample.searcher.search(digest, limit=1000)
        found = {row["digest"]: row for row in answer.results.iter_rows(named=True)}
        for pair in pairs.filter((pl.col("digest_a") == digest) | (pl.col("digest_b") == digest)).iter_rows(named=True):
            other = pair["digest_b"] if pair["digest_a"] == digest else pair["digest_a"]
            assert [found[other][name] for name in compared] == [pair[name] for name in compared], (digest, other)
            checked += 1
    assert checked > 100


def test_a_picture_that_nobody_has_finds_no_copy(sample: Sample) -> None:
    noise = np.random.default_rng(3).integers(0, 255, (300, 400, 3), dtype=np.uint8)
    answer = sample.searcher.search(noise_bytes := jpeg(noise))
    assert answer.results.filter(answer.results["tier"] != Tier.SCENE).is_empty()
    assert answer.query["size_bytes"] == len(noise_bytes)
    assert not answer.query["is_indexed"]
    assert answer.searched == sample.workspace.catalog.pictures(columns=["digest"]).height


def test_the_ways_to_name_an_indexed_picture_agree(sample: Sample) -> None:
    row = next(row for row in sample.truth if row["family"] == "odd name" and "\n" in row["path"])
    path = sample.file(row)
    by_path = sample.searcher.search(path)
    digest = str(by_path.query["digest"])
    for image in (path.read_bytes(), str(path), digest, digest.upper(), f"{row['location']}:{row['path']}"):
        answer = sample.searcher.search(image)
        assert answer.results.equals(by_path.results)
        assert answer.query["digest"] == digest
    assert sample.searcher.search(digest).query["name"] == f"picture {digest[:12]}"
    assert sample.searcher.search(path.read_bytes(), name="dropped.png").query["name"] == "dropped.png"


def test_a_name_that_is_not_utf8_finds_its_picture_and_is_called_by_valid_text(tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    native = os.fsdecode(b"12:30 \xff.png")
    Image.fromarray(data.coffee()).save(folder / "coffee.png")
    (folder / "coffee.png").rename(folder / native)
    with Workspace.create(tmp_path / "workspace") as workspace:
        workspace.ledger.add_location("pics:raw", str(folder), {})
        index(workspace)
        searcher = Searcher(workspace)
        (stored,) = searcher.search(folder / native).results["path"]
        for image in (folder / native, str(folder / native), f"pics:raw:{native}", f"pics:raw:{stored}"):
            answer = searcher.search(image)
            assert answer.results["tier"].to_list() == ["bytes"]
            assert str(answer.query["name"]).encode().endswith(stored.encode())


# --- Filters -------------------------------------------------------------------------------------------------


def test_filters_let_through_what_they_say(sample: Sample) -> None:
    image = sample.folder / "share" / "photos" / "2019" / "IMG_0498.JPG"
    everything = sample.searcher.search(image, limit=1000)

    def found(**values: object) -> pl.DataFrame:
        return sample.searcher.search(image, filters=SearchFilters(**values), limit=1000).results  # type: ignore[arg-type]

    rows = everything.results
    assert found(formats=("avif",))["digest"].to_list() == rows.filter(rows["format"] == "AVIF")["digest"].to_list()
    assert found(min_bytes=20_000, max_bytes=90_000)["digest"].to_list() == (
        rows.filter(rows["size_bytes"].is_between(20_000, 90_000))["digest"].to_list()
    )
    side = rows.select(pl.min_horizontal("width_px", "height_px")).to_series()
    assert found(min_side_px=300)["digest"].to_list() == rows.filter(side >= 300)["digest"].to_list()
    assert found(min_score=0.5)["digest"].to_list() == rows.filter(rows["score"] >= 0.5)["digest"].to_list()
    assert found(tiers=(Tier.COPY,))["digest"].to_list() == rows.filter(rows["tier"] == "copy")["digest"].to_list()
    here = found(locations=("laptop",))
    stored = everything.places.filter(everything.places["location"] == "laptop")
    assert set(here["digest"]) == set(stored["digest"])
    assert set(here["location"]) == {"laptop"}
    assert here["objects"].sum() == stored.height


def test_a_filter_is_applied_before_the_limit(sample: Sample) -> None:
    image = sample.folder / "share" / "photos" / "2019" / "IMG_0498.JPG"
    (found,) = sample.searcher.search(image, filters=SearchFilters(formats=("AVIF",)), limit=1).results.rows(named=True)
    assert (found["format"], found["tier"], found["rank"]) == ("AVIF", "copy", 1)


def test_a_limit_cuts_and_the_count_stays(sample: Sample) -> None:
    image = sample.folder / "share" / "photos" / "2019" / "IMG_0498.JPG"
    everything, few = (sample.searcher.search(image, limit=limit) for limit in (1000, 2))
    assert few.found == everything.found == everything.results.height > 2
    assert few.found_all
    assert few.results.equals(everything.results.head(2))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"min_score": 1.5}, "from 0 to 1"),
        ({"min_bytes": 10, "max_bytes": 9}, "below the least"),
        ({"min_side_px": -1}, "cannot be below 0"),
        ({"tiers": ("pixels",)}, "tier of a search"),
    ],
)
def test_filters_without_sense_are_refused(values: dict[str, object], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        SearchFilters(**values)  # type: ignore[arg-type]


def test_names_that_nothing_has_are_refused_with_the_nearest(sample: Sample) -> None:
    image = jpeg(data.coffee())
    with pytest.raises(UnknownNameError, match="did you mean 'share'"):
        sample.searcher.search(image, filters=SearchFilters(locations=("shore",)))
    with pytest.raises(UnknownNameError, match="did you mean 'JPEG'"):
        sample.searcher.search(image, filters=SearchFilters(formats=("jpg",)))
    with pytest.raises(SettingsError, match="limit is 0"):
        sample.searcher.search(image, limit=0)


def test_facets_count_what_the_filters_can_choose(sample: Sample) -> None:
    facets = sample.searcher.facets()
    assert facets.schema == {"location": pl.String(), "format": pl.String(), "pictures": pl.Int64()}
    for row in facets.iter_rows(named=True):
        filters = SearchFilters(locations=(row["location"],), formats=(row["format"],))
        assert sample.searcher.search(jpeg(data.coffee()), filters=filters).searched == row["pictures"]


# --- As things change ----------------------------------------------------------------------------------------


@pytest.fixture
def shelf(tmp_path: Path) -> Iterator[Workspace]:
    """A workspace over a folder with two photographs, indexed."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    for name in ("coffee", "chelsea"):
        Image.fromarray(getattr(data, name)()).save(folder / f"{name}.png")
    with Workspace.create(tmp_path / "workspace") as workspace:
        workspace.ledger.add_location("pics", str(folder), {})
        index(workspace)
        yield workspace


def test_what_another_process_indexes_is_found_at_once(shelf: Workspace, tmp_path: Path, repository: Path) -> None:
    searcher = Searcher(shelf)
    copy = jpeg(data.astronaut())
    assert searcher.search(copy, filters=SearchFilters(tiers=(Tier.COPY,))).results.is_empty()
    Image.fromarray(data.astronaut()).save(tmp_path / "pictures" / "astronaut.png")
    program = "import sys; from deeplens_kit.pipeline import Workspace, index; index(Workspace.open(sys.argv[1]))"
    subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "workspace")],
        env={**os.environ, "PYTHONPATH": str(repository)}, check=True,
    )  # fmt: skip
    answer = searcher.search(copy)
    assert answer.results["path"][0] == "astronaut.png"
    assert answer.results["sscd_small"][0] > 0.9
    assert answer.searched == 3


def test_an_unchanged_catalog_is_not_read_again(shelf: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    searcher, loads = Searcher(shelf), []
    load = libraries.load_held
    monkeypatch.setattr("deeplens_kit.pipeline.searching.load_held", lambda *given: loads.append(given) or load(*given))
    for _ in range(3):
        searcher.search(jpeg(data.coffee()))
    assert len(loads) == 1
    shelf.ledger.rename_location("pics", "photos")
    assert searcher.search(jpeg(data.coffee())).results["location"][0] == "photos"
    assert len(loads) == 2


def test_what_is_gone_or_left_out_is_not_found(shelf: Workspace, tmp_path: Path) -> None:
    searcher = Searcher(shelf)
    assert searcher.search(jpeg(data.coffee())).results["path"][0] == "coffee.png"
    (tmp_path / "pictures" / "coffee.png").unlink()
    index(shelf)
    after = searcher.search(jpeg(data.coffee()))
    assert "coffee.png" not in after.results["path"].to_list()
    assert after.searched == 1
    shelf.ledger.set_location_active("pics", False)
    nothing = searcher.search(jpeg(data.coffee()))
    assert (nothing.searched, nothing.results.height, searcher.facets().height) == (0, 0, 0)


def test_a_file_that_two_locations_list_is_one_place(shelf: Workspace, tmp_path: Path) -> None:
    shelf.ledger.add_location("again", str(tmp_path), {})
    index(shelf)
    answer = Searcher(shelf).search(tmp_path / "pictures" / "coffee.png")
    assert answer.results["objects"][0] == 1
    assert answer.places.filter(answer.places["digest"] == answer.results["digest"][0]).height == 1


def test_searches_from_many_threads_agree(sample: Sample) -> None:
    searcher = Searcher(sample.workspace)
    images = [jpeg(getattr(data, name)()) for name in ("coffee", "chelsea", "astronaut", "rocket")] * 4
    barrier = threading.Barrier(4)

    def ask(number: int, image: bytes) -> pl.DataFrame:
        if number < 4:
            barrier.wait()
        return searcher.search(image, filters=SearchFilters(min_score=0.02)).results

    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(ask, range(len(images)), images))
    for image, answer in zip(images, answers, strict=True):
        assert answer.equals(sample.searcher.search(image, filters=SearchFilters(min_score=0.02)).results)
    assert all(answer.height for answer in answers)


# --- Where there is little to search -------------------------------------------------------------------------


def test_an_empty_workspace_answers(tmp_path: Path) -> None:
    with Workspace.create(tmp_path / "workspace") as workspace:
        searcher = Searcher(workspace)
        searcher.warm()
        answer = searcher.search(jpeg(data.coffee()))
        assert (answer.searched, answer.found, answer.results.height, answer.places.height) == (0, 0, 0, 0)
        assert answer.current
        assert answer.query["format"] == "JPEG"
        assert searcher.facets().is_empty()
        with pytest.raises(QueryError, match="no picture"):
            searcher.search(b"no picture at all")


def test_a_workspace_with_failures_only_answers(tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    (folder / "notes.jpg").write_text("no picture")
    with Workspace.create(tmp_path / "workspace") as workspace:
        workspace.ledger.add_location("pics", str(folder), {})
        index(workspace)
        answer = Searcher(workspace).search(jpeg(data.coffee()))
        assert (answer.searched, answer.results.height) == (0, 0)


def _hashes_only(folder: Path, line: str) -> Workspace:
    settings = folder / "workspace" / "workspace.toml"
    settings.write_text(settings.read_text() + f"\n[features]\n{line}\n")
    return Workspace.open(folder / "workspace")


def test_without_vectors_hashes_are_searched_and_it_is_said(tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    Image.fromarray(data.coffee()).save(folder / "coffee.png")
    Workspace.create(tmp_path / "workspace").close()
    with _hashes_only(tmp_path, 'enabled = ["clarity", "phash", "pdq"]') as workspace:
        workspace.ledger.add_location("pics", str(folder), {})
        index(workspace)
        turned = jpeg(np.rot90(data.coffee()))
        answer = Searcher(workspace).search(turned)
        (found,) = answer.results.rows(named=True)
        assert (found["path"], found["tier"], found["sscd_small"]) == ("coffee.png", "copy", None)
        assert "rotated or mirrored" in found["why"]
        assert "hashes" in answer.missing[0]
        assert answer.current


def test_a_model_that_is_not_installed_is_said_and_hashes_still_find(shelf: Workspace, tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "sscd_small.onnx").write_bytes(b"no model")
    with _hashes_only(tmp_path, f'model_dir = "{tmp_path / "models"}"') as workspace:
        answer = Searcher(workspace).search(jpeg(data.coffee()))
        assert (answer.results["path"][0], answer.results["tier"][0]) == ("coffee.png", "copy")
        assert answer.results["sscd_small"].is_null().all()
        assert answer.missing[0].startswith("sscd_small was not used: ")
        # An indexed picture brings its own vector, so nothing is missing.
        known = Searcher(workspace).search("pics:coffee.png")
        assert known.missing == ()
        assert known.results["tier"][0] == "bytes"


def test_pictures_indexed_without_their_vectors_are_counted(shelf: Workspace, tmp_path: Path) -> None:
    Image.fromarray(data.astronaut()).save(tmp_path / "pictures" / "astronaut.png")
    toml = tmp_path / "workspace" / "workspace.toml"
    before = toml.read_text()
    with _hashes_only(tmp_path, 'enabled = ["clarity", "phash", "pdq"]') as workspace:
        index(workspace)
    toml.write_text(before)
    with Workspace.open(tmp_path / "workspace") as workspace:
        searcher = Searcher(workspace)
        answer = searcher.search(jpeg(data.astronaut()))
        assert (answer.results["path"][0], answer.results["tier"][0]) == ("astronaut.png", "copy")
        assert not answer.current
        assert answer.missing[0].startswith("1 of 3 pictures have no vector of sscd_small")
        index(workspace)
        whole = searcher.search(jpeg(data.astronaut()))
        assert whole.current
        assert whole.results["sscd_small"][0] > 0.9


# --- Bad input -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"plain text, whatever its name", "no picture: text"),
        (b"%PDF-1.7 and more", "PDF document"),
        (jpeg(data.coffee())[:2000], "cannot be decoded"),
    ],
)
def test_bytes_that_are_no_picture_say_what_they_are(sample: Sample, content: bytes, message: str) -> None:
    with pytest.raises(QueryError, match=message) as caught:
        sample.searcher.search(content, name="upload.jpg")
    assert "upload.jpg" in str(caught.value)


def test_a_picture_above_the_limits_is_refused(shelf: Workspace, tmp_path: Path) -> None:
    toml = tmp_path / "workspace" / "workspace.toml"
    toml.write_text(toml.read_text() + "\n[decode]\nmax_bytes = 500000\nmax_pixels = 100000\n")
    with Workspace.open(tmp_path / "workspace") as workspace:
        searcher = Searcher(workspace)
        with pytest.raises(QueryError, match=r"decode\.max_bytes allows 500,000"):
            searcher.search(bytes(500_001), name="huge.bin")
        (tmp_path / "huge.bin").write_bytes(bytes(500_001))
        with pytest.raises(QueryError, match=r"has 500,001 bytes; decode\.max_bytes allows 500,000"):
            searcher.search(tmp_path / "huge.bin")
        with pytest.raises(QueryError, match=r"pixels; decode\.max_pixels allows 100,000"):
            searcher.search(jpeg(data.coffee()))


def test_a_text_that_names_nothing_says_what_may_be_named(sample: Sample, tmp_path: Path) -> None:
    for text, message in (
        ("nowhere.jpg", "is not there; give a picture file"),
        (str(tmp_path), "is a folder"),
        ("/dev/null", "is no regular file"),
        ("0" * 64, "is not there"),
        ("share:photos/none.jpg", "No indexed picture is at"),
        ("share:photos/press/falcon9_partial.jpg", "No indexed picture is at"),
        ("  ", "nothing to search for"),
        ("x" * 5000, "cannot be read"),
        ("a\0b.jpg", "is not there"),
        ("share:" + "x" * 5000, "No indexed picture is at"),
        ("share:\0", "No indexed picture is at"),
        ("share:\ud800", "No indexed picture is at"),
        ("\ud800:x", "is not there"),
    ):
        with pytest.raises(QueryError, match=message) as caught:
            sample.searcher.search(text)
        assert len(str(caught.value)) < 500


def test_what_is_no_picture_by_its_type_says_what_may_be_given(sample: Sample) -> None:
    for image in (None, data.coffee(), Image.fromarray(data.coffee())):
        with pytest.raises(QueryError, match="give the bytes of a picture file, a Path, or a text"):
            sample.searcher.search(image)  # type: ignore[arg-type]


@pytest.mark.parametrize("link", ["ftp://example.org/a.jpg", "file:///etc/passwd", "http://127.0.0.1:1/a.jpg"])
def test_links_that_are_not_followed_are_refused(sample: Sample, link: str) -> None:
    with pytest.raises(LinkRefusedError):
        sample.searcher.search(link)


# --- The kept index ------------------------------------------------------------------------------------------


@pytest.fixture
def _kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search_cache, "KEPT_FROM_VECTORS", 1)


@pytest.mark.usefixtures("_kept")
def test_a_kept_index_gives_the_same_answers_and_a_damaged_one_is_made_again(sample: Sample) -> None:
    cache = Path(sample.workspace.settings.cache_dir) / "search"
    image = jpeg(data.chelsea())
    wanted = sample.searcher.search(image).results
    assert Searcher(sample.workspace).search(image).results.equals(wanted)
    (vectors,) = cache.rglob("vectors.f16")
    made = vectors.stat().st_mtime_ns
    assert Searcher(sample.workspace).search(image).results.equals(wanted)
    assert vectors.stat().st_mtime_ns == made
    for kept in [path for path in cache.rglob("*") if path.is_file() and path.name != ".lock"]:
        whole = kept.read_bytes()
        for damaged in (b"", whole[: len(whole) // 2], bytes([whole[0] ^ 1]) + whole[1:], None):
            # What is mapped may not be changed: like everything that writes here, another file takes its place.
            kept.unlink()
            if damaged is not None:
                kept.write_bytes(damaged)
            assert Searcher(sample.workspace).search(image).results.equals(wanted)
            assert kept.read_bytes() == whole
    # Under another name it is not what the manifest says.
    base = vectors.parent
    base.rename(base.with_name("base-" + "0" * 32))
    assert Searcher(sample.workspace).search(image).results.equals(wanted)
    assert sorted(path.name for path in base.parent.iterdir()) == [".lock", base.name, "manifest.json"]


@pytest.mark.usefixtures("_kept")
def test_a_kept_index_serves_with_what_came_and_went_since(
    shelf: Workspace, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    searcher, loads = Searcher(shelf), []
    searcher.warm()
    (base,) = (Path(shelf.settings.cache_dir) / "search").rglob("base-*")
    Image.fromarray(data.astronaut()).save(tmp_path / "pictures" / "astronaut.png")
    (tmp_path / "pictures" / "chelsea.png").unlink()
    index(shelf)
    wanted = searcher.search(jpeg(data.astronaut())).results
    assert wanted["path"][0] == "astronaut.png"
    assert wanted["sscd_small"][0] > 0.9
    assert [path.name[:4] for path in sorted(base.parent.iterdir())] == [".loc", "base", "delt", "gone", "mani"]
    # A new process reads nothing but files.
    read = Catalog.vectors
    monkeypatch.setattr(Catalog, "vectors", lambda *given: loads.append(given) or read(*given))
    again = Searcher(shelf)
    assert again.search(jpeg(data.astronaut())).results.equals(wanted)
    assert again.search(jpeg(data.chelsea())).searched == 2
    assert not loads
    # Of all that a new base is made beside; those that search take it up.
    monkeypatch.setattr(policy, "MERGE_LEAST", 1)
    Searcher(shelf).warm()
    assert search_cache.merges_done(60)
    (merged,) = base.parent.glob("base-*")
    assert merged != base
    assert [path.name[:4] for path in sorted(base.parent.iterdir())] == [".loc", "base", "mani"]
    assert again.search(jpeg(data.astronaut())).results.equals(wanted)
    held = again._held
    assert held is not None
    stored = held.library.vectors[0].shelf.stored
    assert stored is not None
    assert stored.base == merged.name


@pytest.mark.usefixtures("_kept")
def test_an_index_that_another_process_made_of_less_is_completed(
    shelf: Workspace, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """It began before the last picture was indexed; this process waits for it."""
    Searcher(shelf).warm()
    Image.fromarray(data.astronaut()).save(tmp_path / "pictures" / "astronaut.png")
    index(shelf)
    opened = IndexFolder.open
    monkeypatch.setattr(IndexFolder, "open", lambda _: None)
    monkeypatch.setattr(IndexFolder, "build", lambda *_given, **_options: None)
    monkeypatch.setattr(IndexFolder, "opened_when_free", lambda folder, _: opened(folder))
    found = Searcher(shelf).search(jpeg(data.astronaut()))
    assert found.results["path"][0] == "astronaut.png"
    assert found.results["sscd_small"][0] > 0.9
    assert found.current


@pytest.mark.usefixtures("_kept")
def test_an_index_deleted_under_a_search_is_made_again_beside_it(shelf: Workspace) -> None:
    searcher = Searcher(shelf)
    wanted = searcher.search(jpeg(data.coffee())).results
    cache = Path(shelf.settings.cache_dir) / "search"
    shutil.rmtree(cache)
    assert searcher.search(jpeg(data.coffee())).results.equals(wanted)
    assert search_cache.merges_done(60)
    assert len(list(cache.rglob("vectors.f16"))) == 1
    assert Searcher(shelf).search(jpeg(data.coffee())).results.equals(wanted)


def test_a_cache_that_cannot_be_written_costs_no_answer(shelf: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search_cache, "KEPT_FROM_VECTORS", 1)
    cache = Path(shelf.settings.cache_dir)
    (cache / "search").write_text("a file where the folder should be")
    assert Searcher(shelf).search(jpeg(data.coffee())).results["path"][0] == "coffee.png"


# --- What it would save --------------------------------------------------------------------------------------


def test_each_result_says_what_its_groups_would_free_and_shows_the_file_that_stays(sample: Sample) -> None:
    groups = list_groups(sample.workspace).groups
    keepers = set(groups.filter("is_keeper")["object_id"])
    answer = sample.searcher.search(sample.folder / "share" / "photos" / "2019" / "IMG_0498.JPG", limit=1000)
    assert (answer.results["saves_bytes"] > 0).any()
    for row in answer.results.iter_rows(named=True):
        mine = groups.filter(groups["digest"] == row["digest"])["group_id"].unique()
        assert row["saves_bytes"] == groups.filter(groups["group_id"].is_in(mine.implode()))["frees_bytes"].sum()
        places = answer.places.filter(answer.places["digest"] == row["digest"])
        stays = places.filter(places["object_id"].is_in(keepers))
        assert (row["location"], row["path"]) in (stays if stays.height else places).select("location", "path").rows()
    # A file that stays is shown only where its location was asked for.
    here = sample.searcher.search(sample.folder / "share" / "photos" / "2019" / "IMG_0498.JPG",
                                  filters=SearchFilters(locations=("laptop",)))  # fmt: skip
    assert set(here.results["location"]) == {"laptop"}


def test_of_many_objects_savings_are_made_beside_the_search(sample: Sample, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search_savings, "AT_ONCE_OBJECTS", 0)
    searcher = Searcher(sample.workspace)
    image = sample.folder / "share" / "photos" / "2019" / "IMG_0498.JPG"
    first = searcher.search(image)
    if first.results["saves_bytes"].null_count():  # else they were made in the meantime
        assert first.results["saves_bytes"].is_null().all()
        assert "not known yet" in first.missing[-1]
    searcher._savings.wait()
    second = searcher.search(image)
    assert second.missing == ()
    assert second.results.equals(sample.searcher.search(image).results)
