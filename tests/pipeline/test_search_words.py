"""Notes, groups and full text of a real workspace: what a search sees, when, and what it never tells."""

from __future__ import annotations

import math
import os
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray
from PIL import Image

from deeplens_kit.errors import UnknownNameError
from deeplens_kit.ledger import NoteChange
from deeplens_kit.pipeline import Searcher, Workspace, annotate_file, duplicate_facts, index, list_groups
from deeplens_kit.pipeline import text_search as texts
from deeplens_kit.pipeline.duplicate_facts import duplicates_of_groups
from deeplens_kit.pipeline.progress import ProgressSnapshot
from deeplens_kit.pipeline.public_tags import public_text
from deeplens_kit.pipeline.search_library import Held, held_state, load_held
from deeplens_kit.pipeline.text_cache import TextCache
from deeplens_kit.pipeline.text_search import TextSearch
from deeplens_kit.schemas import GROUPS, SEARCH_DUPLICATES
from deeplens_kit.search import FACETS, Library, SearchFilters, TextIndex, count_facets, filters_of
from deeplens_kit.search.text_segment import SegmentBuilder, TextSegment
from deeplens_kit.search.vectors.digests import digest_bytes

SERIAL, OWNER, CAPTION = "QX55667788", "Ottilie", "Kirschbaum"


@dataclass(frozen=True)
class Desk:
    """A workspace over a folder of its own."""

    folder: Path
    workspace: Workspace

    def held(self, before: Held | None = None) -> Held:
        return load_held(self.workspace, held_state(self.workspace), before)

    def names(self, held: Held, positions: np.ndarray | None) -> list[str]:
        library = held.library
        rows = library.places if positions is None else library.places[library.places_of(positions)]
        return sorted(rows["path"])

    def wanted(self, held: Held, text: str) -> list[str]:
        mask = held.library.wanted(filters_of(text))
        return self.names(held, None if mask is None else np.flatnonzero(mask))

    def words(self, held: Held, found: TextIndex, words: str) -> list[str]:
        return self.names(held, found.search(words)[0])


def picture(path: Path, seed: int, **options: object) -> None:
    pixels = np.random.default_rng(seed).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).resize((96, 96)).save(path, **options)


def tagged() -> Image.Exif:
    exif = Image.Exif()
    exif.update({0x010F: "NIKON CORPORATION", 0x0110: "NIKON D70", 0x0131: "Lightroom Classic", 0x010E: CAPTION})
    exif.get_ifd(0x8769).update({0xA431: SERIAL, 0xA430: OWNER, 0x9003: "2019:07:14 18:03:59"})
    exif.get_ifd(0x8825).update({1: "N", 2: (47.0, 22.0, 33.0), 3: "E", 4: (8.0, 32.0, 11.0), 29: "2019:07:14"})
    return exif


@contextmanager
def made_at(root: Path) -> Iterator[Desk]:
    folder = root / "pics"
    picture(folder / "Café/myHoliday_01.jpg", 1, exif=tagged())
    picture(folder / "office/red.png", 2)
    picture(folder / "office/blue.png", 3)
    shutil.copy(folder / "office/red.png", folder / "copied.png")
    with Workspace.create(root / "workspace") as workspace:
        workspace.ledger.add_location("share", str(folder), {})
        index(workspace)
        yield Desk(folder, workspace)


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """Its files stay as they are; what a test says of them is its own."""
    with made_at(tmp_path_factory.mktemp("desk")) as made:
        yield made


@pytest.fixture
def changing(tmp_path: Path) -> Iterator[Desk]:
    """Its files may be changed."""
    with made_at(tmp_path) as made:
        yield made


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> TextCache:
    """A cache of the test's own, in which also few documents are kept."""
    kept = TextCache(tmp_path / "cache")
    monkeypatch.setattr(texts, "TextCache", lambda _: kept)
    monkeypatch.setattr(texts, "_KEPT_FROM", 1)
    # However slow the machine is, no test has the groups that another one made.
    monkeypatch.setattr(duplicate_facts, "_KEPT_FROM_SECONDS", math.inf)
    return kept


# --- What people say -----------------------------------------------------------------------------------------


def test_a_note_is_seen_by_the_next_search_without_reading_a_picture_again(desk: Desk) -> None:
    before = desk.held()
    assert held_state(desk.workspace) == before.state
    with pytest.raises(UnknownNameError, match="no collection named 'press'"):
        before.require_known(filters_of("collection=press"))
    annotate_file(desk.workspace, "share:office/blue.png", NoteChange(collection="press", add_tags=("snow",)))
    after = desk.held(before)
    assert held_state(desk.workspace) != before.state
    assert after.library.pictures is before.library.pictures
    assert desk.wanted(before, "tag=snow") == [] and desk.wanted(after, "tag=snow") == ["office/blue.png"]
    assert desk.wanted(after, "tag=snow collection=press path=office/") == ["office/blue.png"]
    assert desk.wanted(after, "tag=snow path=*.jpg") == []
    after.require_known(filters_of("collection=press tag=snow"))
    with pytest.raises(UnknownNameError, match="did you mean 'snow'"):
        after.require_known(filters_of("tag=snows"))
    annotate_file(desk.workspace, "share:office/blue.png", NoteChange(remove_tags=("snow",)))
    assert desk.wanted(desk.held(after), "tag=snow") == []
    desk.workspace.ledger.add_collection("empty")
    desk.held(after).require_known(filters_of("collection=empty"))


def test_a_search_takes_names_of_collections_and_tags(desk: Desk) -> None:
    annotate_file(desk.workspace, "share:office/red.png", NoteChange(collection="archive"))
    searcher = Searcher(desk.workspace)
    answer = searcher.search(desk.folder / "office/red.png", filters=filters_of("collection=archive"))
    assert (answer.searched, answer.results["path"].to_list()) == (1, ["office/red.png"])
    with pytest.raises(UnknownNameError, match="did you mean 'archive'"):
        searcher.search(desk.folder / "office/red.png", filters=filters_of("collection=archives"))


# --- Copies --------------------------------------------------------------------------------------------------


def test_copies_are_those_of_the_groups_and_made_once(desk: Desk) -> None:
    held = desk.held()
    assert not held.duplicates.is_made
    count_facets(held.library, None, SearchFilters())
    assert not held.duplicates.is_made, "the facets that cost nothing asked for groups"
    assert desk.wanted(held, "only=duplicates") == ["copied.png", "office/red.png"]
    assert desk.wanted(held, "duplicates=copy") == []
    size = (desk.folder / "copied.png").stat().st_size
    assert desk.wanted(held, f"saves>={size}") == ["copied.png", "office/red.png"]
    assert desk.wanted(held, f"saves>={size + 1}") == []
    frame = held.duplicates.frame()
    assert frame is held.duplicates.frame() and held.duplicates.current()
    groups = list_groups(desk.workspace).groups
    keeper = groups.filter("is_keeper")["object_id"].to_list()
    assert frame.select("is_keeper", "tier", "saves_bytes", "keeper_object_id").rows() == [
        (True, "bytes", size, keeper[0])
    ]
    facets = count_facets(held.library, None, SearchFilters(), names=FACETS).filter(pl.col("facet") == "duplicates")
    assert facets.rows() == [("duplicates", "any", 1), ("duplicates", "bytes", 1)]


def test_a_picture_of_several_groups_counts_each_once() -> None:
    rows = [
        ("g", "a", "A", True, "bytes", 0), ("g", "b", "A", False, "bytes", 10), ("g", "c", "B", False, "copy", 20),
        ("h", "e", "C", True, "copy", 0), ("h", "d", "A", False, "copy", 5),
    ]  # fmt: skip
    names = ["group_id", "object_id", "digest", "is_keeper", "tier", "frees_bytes"]
    groups = pl.DataFrame(rows, schema={name: GROUPS.polars[name] for name in names}, orient="row")
    found = duplicates_of_groups(groups)
    assert SEARCH_DUPLICATES.check(found).rows() == [
        ("A", True, "bytes", ["bytes", "copy"], 35, "a"),
        ("B", False, "copy", ["copy"], 30, "a"),
        ("C", True, "copy", ["copy"], 5, "e"),
    ]
    assert duplicates_of_groups(groups.clear()).is_empty()


# --- Words ---------------------------------------------------------------------------------------------------


def test_words_are_found_wherever_they_stand(desk: Desk) -> None:
    annotate_file(
        desk.workspace,
        "share:office/blue.png",
        NoteChange(collection="Album", add_tags=("ice",), description="a Truck\nin winter", source="agency"),
    )
    held = desk.held()
    told: list[ProgressSnapshot] = []

    class Listener:
        def update(self, snapshot: ProgressSnapshot) -> None:
            told.append(snapshot)

    found = TextSearch(desk.workspace).index(held.library, Listener())
    assert [(item.stage, item.done) for item in told][-1] == ("text", 3)
    blue, holiday = ["office/blue.png"], ["Café/myHoliday_01.jpg"]
    for words in ("truck", "ice", "album", "agency", '"truck in winter"', "office truck", "blue.png"):
        assert desk.words(held, found, words) == blue, words
    for words in ("cafe", "holiday", "my-holiday", "lightroom", "nikon d70", "CORPORATION"):
        assert desk.words(held, found, words) == holiday, words
    assert desk.words(held, found, "office -truck") == ["copied.png", "office/red.png"]


def test_what_is_private_is_never_found_nor_kept(desk: Desk, tmp_path: Path) -> None:
    held = desk.held()
    found = TextSearch(desk.workspace).index(held.library)
    for words in (SERIAL, OWNER, CAPTION, "N", "E", "47", "8", "QX*", f"-nothing {SERIAL}"):
        assert desk.words(held, found, words) == [], words
    written = b"".join(path.read_bytes().lower() for path in tmp_path.rglob("*.npy"))
    assert b"lightroom" in written
    assert not any(secret.lower().encode() in written for secret in (SERIAL, OWNER, CAPTION))


def test_what_a_later_release_knows_to_be_private_is_not_told() -> None:
    tags = pl.Series(
        ['[["EXIF","Software","Darkroom",""],["EXIF","SerialNumber","QX1ab",""],["XMP","x:Any","me@example.org",""]]',
         '[["EXIF","Model","Alpha","name"],["EXIF","ISO","200",""],["EXIF","DateTime","2019:07:14 18:03:59",""]]', "[]"]
    )  # fmt: skip
    assert public_text(tags).to_list() == ["Darkroom", "", ""]
    assert public_text(tags.clear()).to_list() == []


def test_only_what_changed_is_made_again_and_a_note_follows_its_file(
    changing: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[int] = []
    documents_of = texts.documents_of

    def counted(library: Library, positions: NDArray[np.int64], metadata: pl.Series) -> pl.DataFrame:
        made.append(len(positions))
        return documents_of(library, positions, metadata)

    monkeypatch.setattr(texts, "documents_of", counted)
    annotate_file(changing.workspace, "share:office/red.png", NoteChange(add_tags=("snow",)))
    search, held = TextSearch(changing.workspace), changing.held()
    assert held.library.places_within(filters_of("tag=snow")).sum() == 1, "a copy is another file"
    first = search.index(held.library)
    assert search.index(held.library) is first
    annotate_file(changing.workspace, "share:office/blue.png", NoteChange(description="truck"))
    (changing.folder / "Café/myHoliday_01.jpg").unlink()
    (changing.folder / "copied.png").unlink()
    (changing.folder / "office/red.png").rename(changing.folder / "moved.png")
    picture(changing.folder / "new/green.png", 4)
    index(changing.workspace)
    later = changing.held(held)
    assert changing.wanted(later, "tag=snow") == ["moved.png"]
    assert changing.wanted(later, "only=duplicates") == []
    for again in (search, TextSearch(changing.workspace)):
        found = again.index(later.library)
        assert changing.words(later, found, "truck") == ["office/blue.png"]
        assert changing.words(later, found, "green OR holiday") == ["new/green.png"]
        assert changing.words(later, found, "snow moved") == ["moved.png"]
        assert changing.words(later, found, "png") == ["moved.png", "new/green.png", "office/blue.png"]
    assert made == [3, 3], "the second process made nothing, and a picture that is gone costs nothing"
    assert len(first.search("holiday")[0]) == 1 and first.search("truck")[0].tolist() == []


def test_what_a_file_says_is_found_also_where_it_was_read_later(changing: Desk) -> None:
    """As after an upgrade: the picture was indexed without it, and its path and notes are as before."""
    catalog, held = changing.workspace.catalog, changing.held()
    said = catalog.metadata()
    catalog._tables["metadata"].delete(said["digest"].to_list())
    assert changing.words(held, TextSearch(changing.workspace).index(held.library), "Nikon") == []
    catalog._upsert("metadata", said.with_columns(run_id=pl.lit("a later run")))
    found = TextSearch(changing.workspace).index(held.library)
    assert changing.words(held, found, "Nikon") == ["Café/myHoliday_01.jpg"]


def test_many_small_parts_are_joined(desk: Desk, cache: TextCache, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(texts, "_MOST_SEGMENTS", 2)
    monkeypatch.setattr(texts, "_DEAD_SHARE", 0.9)
    search, held = TextSearch(desk.workspace), desk.held()
    for number in range(4):
        annotate_file(desk.workspace, "share:copied.png", NoteChange(description=f"lorry{number}"))
        held = desk.held(held)
        found = search.index(held.library)
        assert len(found.segments) <= 2
        assert desk.words(held, found, "lorry*") == ["copied.png", "office/red.png"]
        assert len(found.search(f"lorry{number}")[0]) == 1
    assert len(cache.load()) <= 2


def test_threads_wait_for_one_that_makes_it(desk: Desk) -> None:
    held, search = desk.held(), TextSearch(desk.workspace)
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: search.index(held.library), range(4)))
    assert all(item is found[0] for item in found)


# --- Files ---------------------------------------------------------------------------------------------------


def segment(*texts_said: str) -> TextSegment:
    builder = SegmentBuilder()
    documents = pl.DataFrame({"said": texts_said, "names": "", "metadata": ""})
    digests = digest_bytes([f"{at:064x}" for at in range(len(texts_said))])
    builder.add(digests, np.arange(len(texts_said), dtype=np.uint64), documents)
    return builder.segment()


def test_a_segment_is_read_as_it_was_kept_and_others_go(cache: TextCache, tmp_path: Path) -> None:
    assert cache.load() == []
    first, second, third = segment("red"), segment("red", "snow"), segment("a", "b", "c")
    cache.keep(first, [])
    cache.keep(second, [first])
    # What a process that was killed leaves, and one that writes now.
    for name in (".new-1-a", ".new-2-b"):
        (tmp_path / "cache/search-text" / name).mkdir()
    os.utime(tmp_path / "cache/search-text/.new-1-a", (0, 0))
    (tmp_path / "cache/search-text/half").mkdir()
    assert sorted(map(len, cache.load())) == [1, 2]
    cache.keep(third, [second])
    loaded = cache.load()
    assert sorted(map(len, loaded)) == [2, 3]
    kept = next(part for part in loaded if len(part) == 2)
    for name, array in second.to_arrays().items():
        assert np.array_equal(array, kept.to_arrays()[name]), name
    assert sorted(path.name for path in (tmp_path / "cache/search-text").glob(".new-*")) == [".new-2-b"]


@pytest.mark.parametrize(
    ("name", "damage"),
    [("documents.npy", "flipped"), ("documents.npy", "cut"), ("sums.json", "cut"), ("letters.npy", "gone"),
     ("digests.npy", "empty"), ("fingerprints.npy", "flipped")],
)  # fmt: skip
def test_a_damaged_segment_counts_as_missing(cache: TextCache, tmp_path: Path, name: str, damage: str) -> None:
    whole = segment("red truck", "snow")
    cache.keep(whole, [])
    (path,) = tmp_path.rglob(name)
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    {"cut": lambda: path.write_bytes(content[: len(content) // 2]), "flipped": lambda: path.write_bytes(content),
     "gone": path.unlink, "empty": lambda: path.write_bytes(b"")}[damage]()  # fmt: skip
    assert cache.load() == []
    cache.keep(whole, [])
    assert [len(part) for part in cache.load()] == [2]
