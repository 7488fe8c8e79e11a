"""A closer look at pairs: each once, kept through stops and damage, within its time, and the same on every way."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import polars as pl
import pytest
from copied_pictures import CopiedPictures, with_copies
from PIL import Image

from deeplens_kit.errors import Interrupted
from deeplens_kit.matching import STRICT
from deeplens_kit.matching.verification import Look
from deeplens_kit.pipeline import MatchReport, ProgressSnapshot, Workspace, index, list_groups, list_objects, match
from deeplens_kit.pipeline.confirming import Confirming
from deeplens_kit.pipeline.look_names import VERDICTS, look_name, resolution_name, verdict_name
from deeplens_kit.pipeline.looks import PictureLooks
from deeplens_kit.pipeline.verifying import PairVerifier
from deeplens_kit.settings import MatchSettings
from tests.examples import IN_FULL


class Seen:
    """Keeps the last word on each stage; sets an event once so many pairs were looked at."""

    def __init__(self, stop: threading.Event | None = None, stop_after: int = 0) -> None:
        self.stages: dict[str, ProgressSnapshot] = {}
        self._stop, self._stop_after = stop, stop_after

    def update(self, snapshot: ProgressSnapshot) -> None:
        self.stages[snapshot.stage] = snapshot
        if self._stop and snapshot.stage == "verify" and snapshot.done >= self._stop_after:
            self._stop.set()

    @property
    def looked_at(self) -> int:
        return self.stages["verify"].done if "verify" in self.stages else 0


@pytest.fixture
def unmatched(tmp_path: Path, copied_pictures: CopiedPictures) -> Iterator[Workspace]:
    """A workspace over the photographs and their copies, indexed, not matched."""
    shutil.copytree(copied_pictures.indexed, tmp_path / "copies")
    with Workspace.open(tmp_path / "copies") as made:
        yield made


@pytest.fixture
def copies(tmp_path: Path, copied_pictures: CopiedPictures) -> Iterator[Workspace]:
    """The same, matched."""
    shutil.copytree(copied_pictures.matched, tmp_path / "copies")
    with Workspace.open(tmp_path / "copies") as made:
        yield made


@contextmanager
def own_workspace(folder: Path, pictures: Path, copies: int) -> Iterator[Workspace]:
    """A workspace, matched, over photographs and so many copies that the test may change."""
    with Workspace.create(folder) as made:
        made.ledger.add_location("pics", str(with_copies(pictures, copies)), {})
        index(made)
        yield made


@pytest.fixture
def few(tmp_path: Path, pictures: Path) -> Iterator[Workspace]:
    with own_workspace(tmp_path / "few", pictures, 4) as made:
        yield made


@pytest.fixture
def own(tmp_path: Path, pictures: Path) -> Iterator[Workspace]:
    with own_workspace(tmp_path / "own", pictures, 8) as made:
        yield made


def matched(workspace: Workspace, **options: object) -> MatchReport:
    report = match(workspace, **options)
    assert report is not None
    return report


def _said(caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]) -> list[str]:
    """Lines of the log, wherever and in whatever form a command of another test has led it."""
    said = caplog.text.replace("': '", "=") or "".join(capfd.readouterr())
    return said.splitlines()


def pairs_of(workspace: Workspace) -> pl.DataFrame:
    return workspace.catalog.pairs().drop("run_id").sort("digest_a", "digest_b")


def again(workspace: Workspace) -> None:
    """Let the next `match` find the pairs anew, knowing what the stored ones say."""
    workspace.catalog.replace_pairs(workspace.catalog.pairs(), "older")


def forget(workspace: Workspace) -> None:
    """Let the next `match` find the pairs anew, knowing none."""
    workspace.catalog.replace_pairs(workspace.catalog.pairs().clear(), "older")


def parts(workspace: Workspace) -> list[Path]:
    return sorted((Path(workspace.settings.cache_dir) / "verdicts").rglob("*.parquet"))


def test_every_pair_is_looked_at_once(unmatched: Workspace) -> None:
    copies, seen = unmatched, Seen()
    first = matched(copies, progress=seen)
    assert first.verified == copies.catalog.pairs().height > 50
    assert (first.reused, first.unverified, first.pending) == (0, 0, 0)
    assert seen.stages["verify"].failures == 0
    assert set(copies.catalog.pairs()["verification"]) == {VERDICTS}
    assert parts(copies) == []
    assert match(copies) is None
    pairs = pairs_of(copies)
    again(copies)
    second = matched(copies)
    assert (second.verified, second.reused) == (0, first.verified)
    assert pairs_of(copies).equals(pairs)


def test_a_new_copy_costs_its_own_pairs_and_ends_as_if_it_had_been_there(few: Workspace, pictures: Path) -> None:
    before = few.catalog.pairs().height
    with Image.open(pictures / "coffee.jpg") as image:
        image.resize((450, 300)).save(pictures / "new.jpg", quality=80)
    index(few, and_match=False)
    after = matched(few)
    new = dict(list_objects(few).select("path", "digest").iter_rows())["new.jpg"]
    pairs = pairs_of(few)
    own = pairs.filter((pl.col("digest_a") == new) | (pl.col("digest_b") == new))
    # Those that the new picture crowded out of a list of the nearest may have come in or gone; none is seen twice.
    assert own.height <= after.verified <= own.height + 2
    assert after.reused + after.verified == pairs.height
    assert after.reused >= before - own.height
    forget(few)
    matched(few)
    assert pairs_of(few).equals(pairs)


def test_stopped_in_the_middle_the_next_run_goes_on_where_it_was(copies: Workspace) -> None:
    expected = pairs_of(copies)
    forget(copies)
    stop = threading.Event()
    seen = Seen(stop, stop_after=1)
    with pytest.raises(Interrupted, match="run `deeplens index` again"):
        match(copies, progress=seen, stop=stop, workers=1)
    assert copies.catalog.pairs().is_empty()
    assert parts(copies)
    after = matched(copies)
    assert 0 < after.verified < expected.height
    assert after.verified + after.reused == expected.height
    assert parts(copies) == []
    assert pairs_of(copies).equals(expected)


@pytest.mark.skipif(not IN_FULL, reason="costly: `make test` runs it")
def test_the_cache_may_be_damaged_or_deleted_at_any_time(copies: Workspace) -> None:
    expected = pairs_of(copies)
    cache = Path(copies.settings.cache_dir)
    for path in (path for name in ("looks", "resolutions") for path in (cache / name).rglob("*") if path.is_file()):
        path.write_bytes(path.read_bytes()[:100])
    forget(copies)
    assert matched(copies).verified == expected.height
    assert pairs_of(copies).equals(expected)
    stop = threading.Event()
    forget(copies)
    with pytest.raises(Interrupted):
        match(copies, progress=Seen(stop, stop_after=1), stop=stop)
    for path in parts(copies):
        path.write_bytes(b"PAR1 damaged")
    assert matched(copies).verified == expected.height
    shutil.rmtree(cache)
    forget(copies)
    assert matched(copies).verified == expected.height
    assert pairs_of(copies).equals(expected)


def test_what_time_does_not_allow_is_told_and_done_by_the_next_run(copies: Workspace) -> None:
    expected = pairs_of(copies)
    forget(copies)
    unlimited = copies.settings
    # So short that the first batches are all: which of them got done hangs on the machine.
    copies.settings = replace(unlimited, match=MatchSettings(verification_seconds=0.001))
    left = matched(copies, workers=1)
    assert left.unverified == left.pending > 0
    rest = copies.catalog.pairs().filter(pl.col("verification").is_null())
    assert rest.height == left.unverified
    assert set(rest["relation"]) == {"unverified"}
    copies.settings = unlimited
    after = matched(copies)
    assert after.verified == expected.height - left.verified
    assert after.pending == 0
    assert pairs_of(copies).equals(expected)
    # More time or memory is no reason to match again.
    copies.settings = replace(unlimited, match=MatchSettings(verification_seconds=60, held_look_bytes=0))
    assert match(copies) is None


def test_little_memory_changes_nothing(copies: Workspace) -> None:
    expected = pairs_of(copies)
    forget(copies)
    copies.settings = replace(copies.settings, match=MatchSettings(held_look_bytes=0))
    matched(copies)
    assert pairs_of(copies).equals(expected)


def test_a_picture_that_cannot_be_read_leaves_its_pairs_until_it_can(few: Workspace, pictures: Path) -> None:
    expected = pairs_of(few)
    gone = dict(list_objects(few).select("path", "digest").iter_rows())["coffee 2.jpg"]
    content = (pictures / "coffee 2.jpg").read_bytes()
    (pictures / "coffee 2.jpg").unlink()
    forget(few)
    seen = Seen()
    report = matched(few, progress=seen)
    missing = (pl.col("digest_a") == gone) | (pl.col("digest_b") == gone)
    assert report.pending == report.unverified == expected.filter(missing).height
    assert seen.stages["verify"].failures == report.pending
    assert pairs_of(few).filter(~missing)["verification"].null_count() == 0
    assert pairs_of(few).filter(missing)["relation"].unique().to_list() == ["unverified"]
    (pictures / "coffee 2.jpg").write_bytes(content)
    assert matched(few).verified == report.pending
    assert pairs_of(few).equals(expected)
    assert match(few) is None


def test_rounds_share_what_is_known_and_what_was_counted(copies: Workspace) -> None:
    pairs = copies.catalog.pairs()
    forget(copies)
    verifier = PairVerifier(copies, PictureLooks.of_workspace(copies))
    assert verifier.counts.looked_at == 0
    first, second = verifier.verify(pairs[:20]), verifier.verify(pairs[20:])
    assert (
        pl.concat([first, second]).drop("resolution", "tier", "score").equals(pairs.drop("resolution", "tier", "score"))
    )
    assert verifier.counts.looked_at == pairs.height
    # Nothing was stored: another run takes up the parts.
    other = PairVerifier(copies, PictureLooks.of_workspace(copies))
    other.verify(pairs)
    assert (other.counts.looked_at, other.counts.reused) == (0, pairs.height)


def test_what_was_seen_in_pictures_decoded_otherwise_is_seen_again(
    unmatched: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = matched(unmatched)
    assert match(unmatched) is None
    measured = unmatched.catalog.pairs()["resolution"].is_finite().sum()
    assert measured
    looked = sorted((Path(unmatched.settings.cache_dir) / "looks").iterdir())
    # As in a release that makes other grey samples of the same bytes.
    for module in ("verifying", "resolving", "graph"):
        monkeypatch.setattr(f"deeplens_kit.pipeline.{module}.VERDICTS", verdict_name(grey="another"))
    for module in ("resolving", "graph"):
        monkeypatch.setattr(f"deeplens_kit.pipeline.{module}.RESOLUTIONS", resolution_name(grey="another"))
    monkeypatch.setattr("deeplens_kit.pipeline.look_files.LOOKS", look_name(grey="another"))
    seen = Seen()
    again = matched(unmatched, progress=seen)
    assert (again.verified, again.reused) == (first.verified, 0)
    assert seen.stages["resolution"].done >= measured
    assert set(unmatched.catalog.pairs()["verification"]) == {verdict_name(grey="another")}
    assert len(sorted((Path(unmatched.settings.cache_dir) / "looks").iterdir())) == len(looked) + 1
    assert match(unmatched) is None


def test_two_pictures_that_cannot_be_compared_cost_their_pairs_alone(
    copies: Workspace,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    expected = pairs_of(copies)
    forget(copies)
    odd = dict(list_objects(copies).select("path", "digest").iter_rows())["coffee 3.jpg"]
    look = PictureLooks.look

    def failing(looks: PictureLooks, digest: str) -> Look | None:
        if digest == odd:
            cv2.resize(np.zeros((0, 0), np.uint8), (4, 4))
        return look(looks, digest)

    monkeypatch.setattr(PictureLooks, "look", failing)
    seen = Seen()
    report = matched(copies, progress=seen)
    theirs = (pl.col("digest_a") == odd) | (pl.col("digest_b") == odd)
    count = expected.filter(theirs).height
    assert report.failed == report.unverified == seen.stages["verify"].failures == count > 5
    assert (report.verified, report.pending) == (expected.height - count, 0)
    found = pairs_of(copies)
    assert set(found.filter(theirs)["relation"]) == {"unverified"}
    assert found.filter(~theirs).drop("sscd_normalised").equals(expected.filter(~theirs).drop("sscd_normalised"))
    assert odd not in list_groups(copies).groups["digest"]
    lines = [line for line in _said(caplog, capfd) if "two pictures cannot be compared" in line]
    assert len([line for line in lines if "stage=verify" in line]) == count
    for digest_a, digest_b in expected.filter(theirs).select("digest_a", "digest_b").iter_rows():
        assert any(digest_a in line and digest_b in line for line in lines)
    # They would fail again: that is no reason to match.
    assert match(copies) is None
    monkeypatch.undo()
    again(copies)
    assert matched(copies).verified == count
    assert pairs_of(copies).equals(expected)


class Asked(PairVerifier):
    """Remembers what it was asked."""

    asked: list[pl.DataFrame]

    def verify(self, pairs: pl.DataFrame) -> pl.DataFrame:
        self.asked.append(pairs.select("digest_a", "digest_b"))
        return super().verify(pairs)


def test_pairs_of_a_picture_that_cannot_be_read_are_asked_for_once(own: Workspace, pictures: Path) -> None:
    pictures_of = own.catalog.pictures().sort("digest")
    names = dict(list_objects(own).drop_nulls("digest").select("path", "digest").iter_rows())
    # A chain of copies, whose ends meet after rounds, and beside it one that leads to a picture that is gone.
    chain = ["coffee.jpg", *(f"coffee {number}.jpg" for number in range(8))]
    beside = ["astronaut.jpg", "astronaut 0.jpg", "astronaut 1.jpg"]
    links = [tuple(sorted((names[a], names[b]))) for row in (chain, beside) for a, b in pairwise(row)]
    wanted = pl.DataFrame(links, schema=["digest_a", "digest_b"], orient="row")
    found = own.catalog.pairs().join(wanted, on=["digest_a", "digest_b"], how="semi", maintain_order="left")
    assert found.height == len(links)
    own.catalog.replace_pairs(found, "older")
    (pictures / "astronaut.jpg").unlink()
    verifier = Asked(own, PictureLooks.of_workspace(own))
    verifier.asked = []
    confirming = Confirming(pictures_of, {}, STRICT, MatchSettings().sscd_min_cosine, "run")
    confirming.confirmed(found, verifier)
    asked = pl.concat(verifier.asked)
    gone = tuple(sorted((names["astronaut.jpg"], names["astronaut 1.jpg"])))
    assert len(verifier.asked) == 4
    assert asked.rows().count(gone) == 1
    assert asked.height == asked.unique().height
    counts = verifier.counts
    assert (counts.unverified, counts.pending) == (1, 1)
