"""A feature that is enabled later: from stored thumbnails where they suffice, without a byte of the location."""

from __future__ import annotations

import io
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import skimage.data
from PIL import Image

from deeplens_kit.decode.picture import fitted
from deeplens_kit.errors import Interrupted
from deeplens_kit.features import extractor
from deeplens_kit.pipeline import IndexReport, ProgressSnapshot, Workspace, estimate, index
from deeplens_kit.pipeline.adding_features import STORED_PX, _fits
from deeplens_kit.settings import FeatureSettings, IndexSettings
from tests.examples import IN_FULL

FIRST = ("phash",)
LATER = (*FIRST, "colour", "edges")
WIDE, SMALL = "wide.png", "small.png"


def made_pictures(folder: Path) -> Path:
    """Seven photographs: one that is too narrow for a thumbnail of it to do, one that is smaller than a thumbnail."""
    folder.mkdir()
    for name in ("astronaut", "coffee", "chelsea", "rocket", "hubble_deep_field"):
        Image.fromarray(getattr(skimage.data, name)()).convert("RGB").save(folder / f"{name}.jpg", quality=90)
    astronaut = Image.fromarray(skimage.data.astronaut())
    astronaut.crop((0, 150, 512, 300)).save(folder / WIDE)
    astronaut.resize((90, 90)).save(folder / SMALL)
    return folder


@pytest.fixture(scope="module")
def indexed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with pictures and a workspace over them that has FIRST alone; not to be changed."""
    folder = tmp_path_factory.mktemp("adding")
    with Workspace.create(folder / "workspace") as workspace:
        workspace.ledger.add_location("pics", str(made_pictures(folder / "pictures")), {})
        enable(workspace, *FIRST)
        run(workspace)
    return folder


def run(workspace: Workspace, **options: object) -> list[IndexReport]:
    """An index run without matching, which has nothing to do with this."""
    return index(workspace, and_match=False, **options)  # type: ignore[arg-type]


def enable(workspace: Workspace, *names: str, commit_pictures: int = 1000) -> None:
    workspace.settings = replace(
        workspace.settings,
        features=FeatureSettings(enabled=names, batch_size=1),
        index=IndexSettings(workers=2, commit_pictures=commit_pictures),
    )


@pytest.fixture
def workspace(indexed: Path, tmp_path: Path) -> Iterator[Workspace]:
    """A copy of the workspace, with LATER enabled."""
    shutil.copytree(indexed / "workspace", tmp_path / "workspace")
    with Workspace.open(tmp_path / "workspace") as opened:
        enable(opened, *LATER)
        yield opened


def held(workspace: Workspace) -> dict[str, set[str]]:
    """Path -> names of the features that its picture has."""
    objects = workspace.catalog.objects(columns=["path", "digest"])
    rows = objects.join(workspace.catalog.pictures(columns=["digest", "features"]), on="digest")
    return {path: {key.rpartition("_")[0] for key in keys.split(",")} for path, _, keys in rows.iter_rows()}


def vector(workspace: Workspace, name: str, path: str) -> np.ndarray:
    (spec,) = [item for item in workspace.catalog.vector_specs() if item.name == name]
    digest = workspace.catalog.objects(columns=["path", "digest"]).filter(pl.col("path") == path)["digest"][0]
    digests, matrix = workspace.catalog.vectors(spec, [digest])
    assert digests == [digest]
    return matrix[0]


def test_what_has_a_fitting_thumbnail_is_not_read(workspace: Workspace, indexed: Path) -> None:
    narrow = (indexed / "pictures" / WIDE).stat().st_size
    (foreseen,) = estimate(workspace)
    (report,) = run(workspace)
    assert (report.from_thumbnails, report.read_files, report.read_bytes) == (6, 1, narrow)
    assert (foreseen.to_read, foreseen.read_bytes) == (1, narrow)
    assert set(map(frozenset, held(workspace).values())) == {frozenset(LATER)}
    (again,) = run(workspace)
    assert (again.from_thumbnails, again.read_files) == (0, 0)
    assert estimate(workspace)[0].to_read == 0


def test_no_other_file_is_opened(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of all files only the one without a fitting thumbnail is opened."""
    enable(workspace, *FIRST, "colour")
    kind = type(workspace.kind_of(workspace.ledger.location("pics")))
    asked: list[str] = []
    original = kind.read

    def read(self: object, path: str, **options: object) -> bytes:
        asked.append(path)
        return original(self, path, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(kind, "read", read)
    (report,) = run(workspace)
    assert asked == [WIDE]
    assert report.from_thumbnails == 6


@pytest.mark.parametrize("name", ["colour", "edges"])
def test_the_vector_is_that_of_the_thumbnail(workspace: Workspace, name: str) -> None:
    run(workspace)
    for path in ("coffee.jpg", SMALL):
        digest = workspace.catalog.objects(columns=["path", "digest"]).filter(pl.col("path") == path)["digest"][0]
        stored = workspace.thumbnails.get(digest)
        assert stored is not None
        pixels = np.asarray(Image.open(io.BytesIO(stored)).convert("RGB"))
        expected = extractor(name, workspace.settings.features).extract([pixels])["vector"][0]
        assert vector(workspace, name, path).tobytes() == expected.tobytes()


def test_a_thumbnail_that_is_gone_or_damaged_sends_to_the_file(workspace: Workspace) -> None:
    digests = dict(workspace.catalog.objects(columns=["path", "digest"]).iter_rows())
    workspace.thumbnails.path(digests["coffee.jpg"]).unlink()
    damaged = workspace.thumbnails.path(digests["rocket.jpg"])
    content = bytearray(damaged.read_bytes())
    content[12:40] = bytes(28)
    damaged.write_bytes(content)
    (report,) = run(workspace)
    assert (report.from_thumbnails, report.read_files) == (4, 3)
    assert set(map(frozenset, held(workspace).values())) == {frozenset(LATER)}


def test_what_is_evidence_is_always_read(workspace: Workspace) -> None:
    enable(workspace, *FIRST, "colour", "dhash")
    (report,) = run(workspace)
    assert (report.from_thumbnails, report.read_files) == (0, 7)


@pytest.mark.parametrize("least", [1, 150, 168, 300])
def test_which_thumbnails_fit_is_known_from_the_size_of_the_picture(least: int) -> None:
    sides = (1, 90, 150, 299, 300, 301, 384, 500, 4000)
    sizes = [(width, height) for width in sides for height in sides]
    frame = pl.DataFrame(sizes, schema={"width_px": pl.Int32, "height_px": pl.Int32}, orient="row")
    for (width, height), fits in zip(sizes, frame.select(_fits(least)).to_series(), strict=True):
        kept = min(fitted((width, height), STORED_PX))
        assert fits == (max(width, height) <= STORED_PX or kept >= least), (width, height)


def test_it_is_told_as_it_goes_and_the_pairs_stay_as_they_are(workspace: Workspace) -> None:
    told: list[ProgressSnapshot] = []

    class Listener:
        def update(self, snapshot: ProgressSnapshot) -> None:
            told.append(snapshot)

    matched: list[object] = []
    enable(workspace, *FIRST)
    index(workspace, matched=matched.append)
    pairs = workspace.catalog.pairs_fingerprint()
    assert pairs is not None and matched
    enable(workspace, *FIRST, "edges")
    index(workspace, progress=Listener(), matched=matched.append)
    last = [item for item in told if item.stage == "features"][-1]
    assert (last.done, last.total, last.bytes_done) == (6, 6, 0)
    assert workspace.catalog.pairs_fingerprint() == pairs
    assert len(matched) == 1


def test_stopped_it_goes_on_where_it_was(workspace: Workspace) -> None:
    enable(workspace, *LATER, commit_pictures=1)
    stop = threading.Event()

    class Stopper:
        def update(self, snapshot: ProgressSnapshot) -> None:
            if snapshot.stage == "features":
                stop.set()

    with pytest.raises(Interrupted) as caught:
        run(workspace, progress=Stopper(), stop=stop)
    (stopped,) = caught.value.reports
    assert stopped.from_thumbnails < 6  # type: ignore[attr-defined]
    (report,) = run(workspace)
    assert stopped.from_thumbnails + report.from_thumbnails == 6  # type: ignore[attr-defined]
    assert set(map(frozenset, held(workspace).values())) == {frozenset(LATER)}


_RUN = """
import os, signal, sys
from dataclasses import replace
from deeplens_kit.catalog import Catalog
from deeplens_kit.pipeline import Workspace, index
from deeplens_kit.settings import FeatureSettings, IndexSettings

vectors_only, after = sys.argv[2] == "vectors", int(sys.argv[3])
commits = 0
whole, half = Catalog.add_features, Catalog._set_on_pictures

def add_features(self, *arguments):
    global commits
    commits += 1
    if commits > after and not vectors_only:
        os.kill(os.getpid(), signal.SIGKILL)
    whole(self, *arguments)

def set_on_pictures(self, measured):
    if commits > after and "features" in measured.columns:
        os.kill(os.getpid(), signal.SIGKILL)
    half(self, measured)

Catalog.add_features, Catalog._set_on_pictures = add_features, set_on_pictures
with Workspace.open(sys.argv[1]) as workspace:
    workspace.settings = replace(
        workspace.settings,
        features=FeatureSettings(enabled=("phash", "colour", "edges"), batch_size=1),
        index=IndexSettings(workers=2, commit_pictures=2),
    )
    index(workspace, and_match=False)
"""


@pytest.mark.skipif(not IN_FULL, reason="costly: `make test` runs it")
def test_killed_it_goes_on_and_ends_with_the_same_catalog(workspace: Workspace, tmp_path: Path) -> None:
    """Before a batch is written, then between its vectors and the word that they are there."""
    disturbed = shutil.copytree(tmp_path / "workspace", tmp_path / "disturbed")
    run(workspace)
    for moment in ("commit", "vectors"):
        command = [sys.executable, "-c", _RUN, str(disturbed), moment, "1"]
        assert subprocess.run(command, check=False).returncode == -signal.SIGKILL
    with Workspace.open(disturbed) as again:
        enable(again, *LATER)
        (report,) = run(again)
        # Each of the killed runs had committed one batch of two pictures.
        assert report.from_thumbnails == 6 - 2 * 2
        assert again.content_digest() == workspace.content_digest()
