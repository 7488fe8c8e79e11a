"""A picture is forgotten: every trace goes, what stays is told with its reason, and whatever is left is found."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

from deeplens_kit.errors import LeaseHeldError, SettingsError, UnknownNameError
from deeplens_kit.ledger import NoteChange
from deeplens_kit.pipeline import Workspace, index
from deeplens_kit.pipeline.act_ground import leased
from deeplens_kit.pipeline.forgetting import digest_named, forget, kept_out_entries, withdraw_kept_out
from deeplens_kit.pipeline.kept_out import KEPT_OUT_FILE
from deeplens_kit.pipeline.proposal_record import PROPOSALS_FOLDER
from deeplens_kit.pipeline.trace_scan import scan_files

WHY = "asked by the person shown"


@pytest.fixture
def known(matched_pictures: Path, tmp_path: Path) -> Iterator[Workspace]:
    with Workspace.open(shutil.copytree(matched_pictures, tmp_path / "known")) as workspace:
        yield workspace


def digest_at(workspace: Workspace, path: str) -> str:
    return str(workspace.catalog.objects().filter(path=path)["digest"][0])


def spoken_of(workspace: Workspace, digest: str, other: str) -> None:
    """Labels, a decision, a note, a search and files of caches."""
    ledger = workspace.ledger
    pair = pl.DataFrame({"digest_a": [min(digest, other)], "digest_b": [max(digest, other)]})
    ledger.record_labels(pair.with_columns(verdict=pl.lit("same"), note=pl.lit("")))
    ledger.record_decisions(pl.DataFrame({"kind": ["never_propose"], "member_digest": [digest], "why": ["hers"]},
                                         schema_overrides={"member_digest": pl.String}))  # fmt: skip
    ledger.annotate("pics", "coffee.jpg", digest, NoteChange(description="her cup"))
    ledger.record_search({"terms": [{"digest": digest}]}, by="likeness", results=1, seconds=0.1, most=9)
    cache = Path(workspace.settings.cache_dir)
    for picture in (digest, other):
        workspace.thumbnails.put(picture, b"RIFF", 300)
    for file, rows in (
        ("verdicts/v/1.parquet", pair),
        ("verdicts/v/2.parquet", pair.with_columns(digest_a=pl.lit("x"), digest_b=pl.lit("y"))),
    ):
        (cache / file).parent.mkdir(parents=True, exist_ok=True)
        rows.write_parquet(cache / file)
    (cache / "library" / "l").mkdir(parents=True)
    pair.write_ipc(cache / "library" / "l" / "places.arrow", compression="zstd")
    (cache / "clusters").mkdir(exist_ok=True)
    (cache / "clusters" / "c.npz").write_bytes(b"no names in here")
    (workspace.directory / PROPOSALS_FOLDER).mkdir()
    pair.write_parquet(workspace.directory / PROPOSALS_FOLDER / "20260101T000000000000Z.parquet")


def test_every_trace_goes_and_the_rest_stays(known: Workspace) -> None:
    digest, other = digest_at(known, "coffee.jpg"), digest_at(known, "more/coffee small.jpg")
    spoken_of(known, digest, other)
    cache = Path(known.settings.cache_dir)
    pairs, objects = known.catalog.pairs(), known.catalog.objects()

    told = forget(known, "pics/coffee.jpg", WHY)
    assert not told.really and not told.clean and told.proof is None
    assert known.catalog.objects().height == objects.height and known.thumbnails.path(digest).exists()

    done = forget(known, "pics/coffee.jpg", WHY, really=True)
    assert done.clean and done.proof is not None and done.proof.files > 20
    assert done.digest == digest
    counted = {(row[0], row[1]): row[2] for row in done.removed.iter_rows()}
    planned = {(row[0], row[1]): row[2] for row in told.removed.iter_rows() if row[0] != "ledger"}
    assert planned.items() <= counted.items()
    assert counted["catalog", "objects"] == 1 and counted["catalog", "pairs"] >= 1
    assert counted["caches", "verdicts"] == 1 and counted["caches", "clusters"] == 1
    assert counted["reports", PROPOSALS_FOLDER] == 1
    assert {"labels", "decisions", "notes", "searches"} <= {what for where, what in counted if where == "ledger"}
    assert not known.thumbnails.path(digest).exists() and known.thumbnails.path(other).exists()
    assert (cache / "verdicts" / "v" / "2.parquet").exists() and not (cache / "library").exists()
    assert known.catalog.objects().height == objects.height - 1
    assert known.catalog.pairs().height == pairs.height - counted["catalog", "pairs"]
    # The file is the user's; the trail tells of the forgetting and is whole.
    assert done.files.rows() == [("pics", "coffee.jpg", "indexed")]
    assert known.ledger.verify_audit().intact
    line = known.ledger.audit_trail(action="picture.forgotten")[-1]
    assert line.details["why"] == WHY and line.details["digest"] == digest
    assert [item.what for item in done.stays if item.where == "ledger"] == ["audit"]
    # In all files of the workspace it stands in the ledger alone, as often as the trail has lines of it.
    found = scan_files([known.directory], digest).found
    lines = [line for line in known.ledger.audit_trail() if digest in str(line.details)]
    assert [(item.path.name, item.times) for item in found] == [("ledger.sqlite", len(lines))]
    again = forget(known, digest, WHY, really=True)
    assert again.clean and again.removed.filter(pl.col("where") != "ledger").is_empty()


def test_what_is_left_is_found(known: Workspace) -> None:
    digest = digest_at(known, "astronaut.jpg")
    left = Path(known.settings.cache_dir) / "strange"
    left.mkdir(parents=True)
    for name, content in (("text", digest.encode()), ("raw", b"--" + bytes.fromhex(digest)), (f"{digest}.bin", b"x")):
        (left / name).write_bytes(content)
    packed = pl.DataFrame({"x": [digest] * 50})
    packed.write_parquet(left / "packed.parquet", compression="zstd")
    packed.write_ipc(left / "packed.arrow", compression="zstd")
    done = forget(known, digest, WHY, really=True)
    assert not done.clean and done.proof is not None
    assert {Path(line.rpartition(": ")[0]).name for line in done.proof.unexplained} == {
        "text", "raw", f"{digest}.bin", "packed.parquet", "packed.arrow"
    }  # fmt: skip


def test_a_picture_is_kept_out_and_let_in_again(known: Workspace) -> None:
    digest = digest_at(known, "coffee.jpg")
    held = known.catalog.objects().height
    told = forget(known, digest, WHY, keep_out=True)
    assert told.kept_out and not kept_out_entries(known)
    done = forget(known, digest, WHY, really=True, keep_out=True)
    assert done.clean and done.kept_out and KEPT_OUT_FILE in [item.what for item in done.stays]
    (entry,) = kept_out_entries(known)
    assert scan_files([known.directory / KEPT_OUT_FILE], digest).found == ()

    def at(path: str) -> dict[str, object]:
        return known.catalog.objects().filter(path=path).row(0, named=True)

    index(known, and_match=False)
    # Accounted for like any other, by its place alone.
    row = at("coffee.jpg")
    assert (row["outcome"], row["digest"], row["checksum"]) == ("kept_out", None, None)
    assert known.catalog.objects().height == held
    (failure,) = known.catalog.failures().filter(path="coffee.jpg").iter_rows(named=True)
    assert (failure["code"], failure["digest"]) == ("kept_out", None) and "kept-out withdraw" in failure["message"]
    assert known.catalog.rows_of_picture(digest) == {}
    assert index(known, and_match=False)[0].read_files == index(known, and_match=False)[0].failures == 0
    # Forgetting it again proves it as well.
    assert forget(known, digest, WHY, really=True).clean
    with pytest.raises(UnknownNameError, match=entry.entry_id):
        withdraw_kept_out(known, "0" * 64)
    assert withdraw_kept_out(known, digest) == entry and not kept_out_entries(known)
    index(known, and_match=False)
    assert at("coffee.jpg")["digest"] == digest and known.catalog.failures().filter(path="coffee.jpg").is_empty()
    assert {"picture.kept_out", "picture.let_in"} <= {line.action for line in known.ledger.audit_trail()}
    (known.directory / KEPT_OUT_FILE).write_text("{}")
    with pytest.raises(SettingsError, match="would come back"):
        index(known, and_match=False)


def test_holds_and_other_runs_stand_against_it(known: Workspace) -> None:
    digest = digest_at(known, "coffee.jpg")
    hold = known.ledger.add_hold(location="pics", glob="coff*", why="case 7")
    with pytest.raises(SettingsError, match=f"under hold {hold.hold_id}"):
        forget(known, digest, WHY, really=True)
    known.ledger.release_hold(hold.hold_id)
    everywhere = [item.location_id for item in known.ledger.locations()]
    with leased(known, "index", everywhere), pytest.raises(LeaseHeldError):
        forget(known, digest, WHY, really=True)
    with pytest.raises(SettingsError, match="--why"):
        forget(known, digest, " ", really=True)
    assert known.catalog.rows_of_picture(digest)


def test_a_picture_is_named_by_digest_place_or_file(known: Workspace, tmp_path: Path) -> None:
    digest = digest_at(known, "coffee.jpg")
    folder = Path(known.ledger.location("pics").url.removeprefix("file://"))
    copy = tmp_path / "copy.jpg"
    shutil.copy(folder / "coffee.jpg", copy)
    for what in (digest, digest.upper(), "pics/coffee.jpg", "pics:coffee.jpg", str(folder / "coffee.jpg"), str(copy)):
        assert digest_named(known, what) == digest
    with pytest.raises(UnknownNameError, match="64 hexadecimal"):
        digest_named(known, "pics/none.jpg")
    with pytest.raises(SettingsError, match="never read"):
        digest_named(known, "pics/empty.jpg")
