"""Pictures taken in: stored once, indexed at once, held against those that are there; nothing fails its batch."""

from __future__ import annotations

import hashlib
import io
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import unquote

import pytest
from PIL import Image
from skimage import data
from sqlalchemy import text

from deeplens_kit.errors import (
    LeaseHeldError,
    LocationReadOnlyError,
    SettingsError,
    UnknownNameError,
    WorkspaceError,
)
from deeplens_kit.ledger import NoteChange, RunState
from deeplens_kit.pipeline import (
    IngestOptions,
    IngestReport,
    IngestState,
    Workspace,
    annotate_file,
    index,
    ingest,
    note_of_file,
)
from deeplens_kit.pipeline.ingest_claims import NameClaims
from deeplens_kit.pipeline.ingest_sources import GivenBytes
from deeplens_kit.settings import FeatureSettings, IngestSettings
from deeplens_kit.storage.local import LocalLocation
from tests.servers.clamd import EICAR, ClamdServer
from tests.servers.s3 import S3Server

HASHES = FeatureSettings(enabled=("clarity", "phash", "pdq"))


def encoded(image: Image.Image, form: str = "JPEG", **options: Any) -> bytes:
    stream = io.BytesIO()
    image.save(stream, form, **options)
    return stream.getvalue()


COFFEE, CAT = Image.fromarray(data.coffee()).resize((300, 200)), Image.fromarray(data.chelsea()).resize((300, 200))
CUP_JPG = encoded(COFFEE, quality=92)
CAT_PNG = encoded(CAT, "PNG")


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace without anything; not to be changed."""
    folder = tmp_path_factory.mktemp("empty") / "workspace"
    Workspace.create(folder).close()
    return folder


@pytest.fixture
def workspace(tmp_path: Path, empty: Path) -> Iterator[Workspace]:
    """A workspace with the location `lib`, opened for creating, which holds a cup; indexed, by hashes alone."""
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "cup.jpg").write_bytes(CUP_JPG)
    shutil.copytree(empty, tmp_path / "workspace")
    with Workspace.open(tmp_path / "workspace") as made:
        made.ledger.add_location("lib", str(tmp_path / "lib"), {"permissions": "create"})
        made.settings = replace(made.settings, features=HASHES)
        index(made, and_match=False)
        yield made


@pytest.fixture
def file(tmp_path: Path) -> Callable[[str, bytes], Path]:
    def make(name: str, content: bytes) -> Path:
        (tmp_path / "given").mkdir(exist_ok=True)
        path = tmp_path / "given" / name
        path.write_bytes(content)
        return path

    return make


def digest_of(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def files(workspace: Workspace) -> list[str]:
    """What the location really holds."""
    root = workspace.directory.parent / "lib"
    return sorted(path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file())


def states(report: IngestReport) -> list[str]:
    return [f"{row.state} {row.code}".strip() for row in report.rows]


def unread(workspace: Workspace) -> None:
    """A following index run finds nothing to do: each row of the catalog is as it would have written it."""
    (report,) = index(workspace, ["lib"], and_match=False)
    assert (report.new, report.changed, report.gone, report.read_files) == (0, 0, 0, 0)


def test_a_new_picture_is_stored_and_indexed_at_once(workspace: Workspace, file: Callable[..., Path]) -> None:
    path = file("Katze.gif", CAT_PNG)
    options = IngestOptions(note=NoteChange("pets", ("cat", "orange"), source="a friend"))
    (row,) = ingest(workspace, [path], "lib", options).rows
    assert (row.state, row.message, row.indexed, row.matches) == (IngestState.STORED, "", True, ())
    collection, year, month, name = str(row.path).split("/")
    assert (collection, len(year), len(month), name) == ("pets", 4, 2, f"{digest_of(CAT_PNG)}.png")
    assert (workspace.directory.parent / "lib" / str(row.path)).read_bytes() == CAT_PNG
    found = workspace.catalog.object_at(workspace.ledger.location("lib").location_id, str(row.path))
    assert found is not None
    assert (found["digest"], found["identity_basis"]) == (digest_of(CAT_PNG), "read")
    assert workspace.catalog.pictures([digest_of(CAT_PNG)])["format"].to_list() == ["PNG"]
    (note,) = workspace.ledger.notes([digest_of(CAT_PNG)])
    assert (note.collection, note.tags, note.source, note.path) == ("pets", ("cat", "orange"), "a friend", row.path)
    run = workspace.ledger.runs()[0]
    assert (run.kind, run.state, run.figures["stored"], run.run_id) == ("ingest", RunState.FINISHED, 1, found["run_id"])
    unread(workspace)


def test_one_bad_file_never_fails_its_batch(workspace: Workspace, file: Callable[..., Path], tmp_path: Path) -> None:
    small = encoded(COFFEE.resize((240, 160)), "WEBP", quality=85)
    report = ingest(
        workspace,
        [
            file("notes.jpg", b"no picture at all"),
            file("empty.jpg", b""),
            file("cut.jpg", CUP_JPG[: len(CUP_JPG) // 3]),
            tmp_path / "none.jpg",
            tmp_path,
            file("cup.jpg", CUP_JPG),
            file("small.webp", small),
            str(file("cat.png", CAT_PNG)),
            io.BytesIO(CAT_PNG),
        ],
        "lib",
    )
    assert states(report) == [
        "refused not_a_picture",
        "refused empty",
        "refused corrupt",
        "failed unreadable",
        "failed unreadable",
        "known known",
        "stored",
        "stored",
        "known known",
    ]
    assert report.rows[5].message == "You have this picture already: lib:cup.jpg (bytes)"
    assert report.rows[6].message == "You have this picture already: lib:cup.jpg (copy)"
    assert [place.path for place in report.rows[8].matches] == [report.rows[7].path]
    assert len(files(workspace)) == 3
    unread(workspace)


def test_several_are_looked_at_at_once_and_stored_in_their_order(
    workspace: Workspace, file: Callable[..., Path]
) -> None:
    turned = [encoded(CAT.rotate(turn), "PNG") for turn in range(0, 50, 10)]
    paths = [file(f"{number}.png", content) for number, content in enumerate(turned)]
    given = [*paths, paths[1], file("notes.txt", b"no picture"), file("cup.jpg", CUP_JPG), "gone.png"]
    report = ingest(workspace, given, "lib", IngestOptions(workers=3, batch_size=2))
    assert states(report) == [
        *["stored"] * 5,
        "known known",
        "refused not_a_picture",
        "known known",
        "failed unreadable",
    ]
    assert [row.digest for row in report.rows[:5]] == [digest_of(content) for content in turned]
    assert len(files(workspace)) == 6
    unread(workspace)


def test_what_is_known_but_gone_is_taken_in(workspace: Workspace) -> None:
    (workspace.directory.parent / "lib" / "cup.jpg").unlink()
    assert states(ingest(workspace, [io.BytesIO(CUP_JPG)], "lib")) == ["stored"]


def test_a_killed_try_does_not_take_what_lay_there_before_for_its_own(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        pass

    def killed(*_: object, **__: object) -> NoReturn:
        raise Killed

    options = IngestOptions(template="{name}.{ext}", name="again.jpeg", even_if_known=True)
    ingest(workspace, [io.BytesIO(CUP_JPG)], "lib", options)
    options = replace(options, claims=NameClaims(tmp_path / "claims"))
    with monkeypatch.context() as patched, pytest.raises(Killed):
        patched.setattr(LocalLocation, "create", killed)
        ingest(workspace, [io.BytesIO(CUP_JPG)], "lib", options)
    for _ in range(2):
        (row,) = ingest(workspace, [io.BytesIO(CUP_JPG)], "lib", options).rows
        assert (row.state, row.path) == (IngestState.STORED, "again-2.jpg")
    assert files(workspace) == ["again-2.jpg", "again.jpg", "cup.jpg"]


def test_what_lies_at_another_location_under_the_same_path_is_told(workspace: Workspace, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    workspace.ledger.add_location("other", str(tmp_path / "other"), {"permissions": "create"})
    options = IngestOptions(template="{name}.{ext}", name="cup.jpeg", even_if_known=True)
    (row,) = ingest(workspace, [io.BytesIO(CUP_JPG)], "other", options).rows
    assert (row.state, row.path) == (IngestState.STORED, "cup.jpg")
    assert [(place.location, place.path) for place in row.matches] == [("lib", "cup.jpg")]


def test_a_known_picture_is_stored_again_where_it_is_wanted(workspace: Workspace) -> None:
    options = IngestOptions(template="{name}.{ext}", name="again.jpeg", even_if_known=True)
    for path in ("again.jpg", "again-2.jpg"):
        (row,) = ingest(workspace, [io.BytesIO(CUP_JPG)], "lib", options).rows
        assert (row.state, row.path, row.matches[0].tier) == (IngestState.STORED, path, "bytes")
    assert files(workspace) == ["again-2.jpg", "again.jpg", "cup.jpg"]
    unread(workspace)


def test_a_name_that_is_taken_gets_a_number_and_is_never_replaced(workspace: Workspace) -> None:
    options = IngestOptions(template="{name}.{ext}", name="cup.jpg")
    other = encoded(CAT, quality=90)
    (row,) = ingest(workspace, [io.BytesIO(other)], "lib", options).rows
    assert row.path == "cup-2.jpg"
    root = workspace.directory.parent / "lib"
    assert (root / "cup.jpg").read_bytes() == CUP_JPG
    for number in range(3, 100):
        (root / f"cup-{number}.jpg").write_bytes(b"taken")
    (row,) = ingest(
        workspace, [io.BytesIO(CAT_PNG)], "lib", replace(options, name="cup.jpg", template="cup{name}.jpg")
    ).rows
    assert row.state == IngestState.STORED
    (row,) = ingest(workspace, [io.BytesIO(encoded(CAT, quality=80))], "lib", options).rows
    assert (row.state, row.code) == (IngestState.FAILED, "exists")


def test_what_cannot_be_stored_there_is_refused_before_anything_is_done(workspace: Workspace) -> None:
    given = [io.BytesIO(CAT_PNG)]
    with pytest.raises(UnknownNameError, match="did you mean 'lib'"):
        ingest(workspace, given, "libb")
    with pytest.raises(UnknownNameError, match="field of a template"):
        ingest(workspace, given, "lib", IngestOptions(template="{date}/{digest}"))
    workspace.ledger.add_location("closed", str(workspace.directory.parent / "lib"), {})
    with pytest.raises(LocationReadOnlyError, match="permissions=create"):
        ingest(workspace, given, "closed")
    workspace.settings = replace(workspace.settings, ingest=IngestSettings(scanner="clamd:tcp://host:0"))
    with pytest.raises(SettingsError, match=r"ingest\.scanner"):
        ingest(workspace, given, "lib")
    with pytest.raises(SettingsError, match="cannot name a tag"):
        ingest(workspace, given, "lib", IngestOptions(note=NoteChange("pets", ("two\nlines",))))
    assert files(workspace) == ["cup.jpg"]
    assert [run.kind for run in workspace.ledger.runs()] == ["index"]
    assert workspace.ledger.collections() == []


def test_nothing_goes_where_no_index_run_would_see_it_or_into_the_workspace(workspace: Workspace) -> None:
    around = workspace.directory.parent
    workspace.ledger.add_location("around", str(around), {"permissions": "create", "exclude": ["left/"]})
    for template in ("left/{digest}", "workspace/catalog/{digest}", "workspace/cache/x/{digest}"):
        (row,) = ingest(workspace, [io.BytesIO(CAT_PNG)], "around", IngestOptions(template=template)).rows
        assert (row.state, row.code) == (IngestState.FAILED, "settings"), template
    assert not (around / "left").exists()


def test_limits_hold_for_files_and_streams(workspace: Workspace, file: Callable[..., Path]) -> None:
    workspace.settings = replace(workspace.settings, ingest=IngestSettings(max_bytes=len(CAT_PNG) - 1))
    stream = io.BytesIO(CAT_PNG)
    report = ingest(workspace, [file("cat.png", CAT_PNG), stream], "lib")
    assert states(report) == ["refused too_large"] * 2
    assert "ingest.max_bytes" in report.rows[0].message


@pytest.fixture
def site() -> Iterator[str]:
    """A web server of this machine."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = CAT_PNG if self.path.startswith("/cat") else b"<html>no picture</html>"
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *words: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_private_link_is_followed_only_where_it_is_allowed(workspace: Workspace, site: str) -> None:
    links = [
        f"{site}/cat.jpg?key=hunter22",
        f"{site}/page.jpg",
        "ftp://host/a.jpg",
        f"http://u:hunter22@{site[7:]}/cat",
        f"{site}/\udce9.jpg",
    ]
    report = ingest(workspace, links, "lib")
    assert states(report) == ["refused link_refused"] * 5
    assert files(workspace) == ["cup.jpg"]
    report = ingest(workspace, links, "lib", IngestOptions(allow_private=True, template="{name}.{ext}"))
    assert states(report) == ["stored", *["refused link_refused"] * 4]
    assert report.rows[0].path == "cat.png"
    assert report.rows[0].given == f"{site}/cat.jpg"
    (note,) = workspace.ledger.notes()
    assert note.source == f"{site}/cat.jpg", "where it came from, without the key"
    assert "hunter22" not in str(report.rows)


def test_the_scanner_is_asked_before_anything_is_stored(
    workspace: Workspace, clamd: ClamdServer, tmp_path: Path
) -> None:
    def with_scanner(address: str, away: str = "refuse") -> None:
        workspace.settings = replace(workspace.settings, ingest=IngestSettings(scanner=address, scanner_away=away))

    with_scanner(f"clamd:{clamd.socket}")
    # A picture with something behind it is a picture all the same.
    infected = io.BytesIO(CUP_JPG + EICAR)
    report = ingest(workspace, [io.BytesIO(EICAR), infected, io.BytesIO(CAT_PNG)], "lib")
    assert states(report) == ["refused infected", "refused infected", "stored"]
    assert "Eicar-Test-Signature" in report.rows[0].message
    other = encoded(CAT, quality=70)
    with_scanner(f"clamd:{tmp_path}/none.sock")
    (row,) = ingest(workspace, [io.BytesIO(other)], "lib").rows
    assert (row.state, row.code) == (IngestState.REFUSED, "not_scanned")
    with_scanner(f"clamd:{tmp_path}/none.sock", "warn")
    (row,) = ingest(workspace, [io.BytesIO(other)], "lib").rows
    assert row.state == IngestState.STORED
    assert row.message.startswith("It was stored without a scan: clamd cannot be reached")
    assert len(files(workspace)) == 3


def test_a_bucket_keeps_what_is_known_of_a_picture(workspace: Workspace, moto: S3Server) -> None:
    options = {"endpoint": moto.endpoint, "region": moto.region, "permissions": "create", "addressing": "path"}
    workspace.ledger.add_location(
        "bucket",
        f"s3://{moto.bucket}/ingested",
        options | {"access_key": "${INGEST_ACCESS}", "secret_key": "${INGEST_SECRET}"},
    )
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("INGEST_ACCESS", moto.access_key)
        environment.setenv("INGEST_SECRET", moto.secret_key)
        (row,) = ingest(
            workspace, [io.BytesIO(CAT_PNG)], "bucket", IngestOptions(name="Kätzchen.png", note=NoteChange("pets"))
        ).rows
        assert (row.state, row.indexed) == (IngestState.STORED, True), row.message
        head = moto.client().get_object(Bucket=moto.bucket, Key=f"ingested/{row.path}")
        assert head["Body"].read() == CAT_PNG
        assert head["Metadata"]["sha256"] == digest_of(CAT_PNG)
        uploaded = datetime.fromisoformat(unquote(head["Metadata"]["uploaded-at"]))
        assert abs(datetime.now(UTC) - uploaded) < timedelta(minutes=5)
        assert unquote(head["Metadata"]["original-name"]) == "Kätzchen.png"
        (again,) = ingest(workspace, [io.BytesIO(CAT_PNG)], "lib").rows
        assert again.message == f"You have this picture already: bucket:{row.path} (bytes)"
        (report,) = index(workspace, ["bucket"], and_match=False)
        assert (report.found, report.new, report.changed, report.read_files) == (1, 0, 0, 0)


_KILLED = """
import io, os, signal, sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from deeplens_kit.ledger import NoteChange
from deeplens_kit.pipeline import IngestOptions, Workspace, ingest, ingest_one
from deeplens_kit.settings import FeatureSettings
def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)
ingest_one.Ingestor._indexed = die
with Workspace.open(sys.argv[1]) as workspace:
    workspace.settings = replace(workspace.settings, features=FeatureSettings(enabled=("phash",)))
    ingest(workspace, [sys.argv[2]], "lib", IngestOptions(note=NoteChange("pets")))
"""


def test_killed_between_storing_and_indexing_nothing_is_lost_or_twice(
    workspace: Workspace, file: Callable[..., Path], repository: Path
) -> None:
    given = file("cat.png", CAT_PNG)
    words = [sys.executable, "-c", _KILLED, str(workspace.directory), str(given)]
    done = subprocess.run(words, check=False, env={**os.environ, "PYTHONPATH": str(repository)})
    assert done.returncode == -signal.SIGKILL
    (stored,) = [path for path in files(workspace) if path != "cup.jpg"]
    assert stored.endswith(f"/{digest_of(CAT_PNG)}.png")
    location = workspace.ledger.location("lib")
    assert workspace.catalog.object_at(location.location_id, stored) is None
    assert [note.path for note in workspace.ledger.notes()] == [stored], "the ledger comes first"
    (report,) = index(workspace, ["lib"], and_match=False)
    assert (report.new, report.read_files, report.indexed) == (1, 1, 1)
    assert states(ingest(workspace, [given], "lib")) == ["known known"]
    assert len(files(workspace)) == 2


def test_what_was_stored_and_never_indexed_is_indexed_and_not_stored_again(workspace: Workspace) -> None:
    options = IngestOptions(template="{digest}.{ext}", note=NoteChange("pets"))
    path = f"{digest_of(CAT_PNG)}.png"
    (workspace.directory.parent / "lib" / path).write_bytes(CAT_PNG)
    (row,) = ingest(workspace, [io.BytesIO(CAT_PNG)], "lib", options).rows
    assert (row.state, row.indexed) == (IngestState.KNOWN, True)
    assert [note.path for note in workspace.ledger.notes()] == [path]
    assert files(workspace) == sorted(["cup.jpg", path])
    unread(workspace)


@pytest.mark.parametrize("wait_seconds", [30.0, 0.0])
def test_two_ingests_of_one_picture_at_once_store_it_once(workspace: Workspace, wait_seconds: float) -> None:
    ready = threading.Barrier(2)
    reports: list[IngestReport] = []

    def take() -> None:
        with Workspace.open(workspace.directory) as opened:
            opened.settings = workspace.settings
            ready.wait()
            reports.append(ingest(opened, [io.BytesIO(CAT_PNG)], "lib", wait_seconds=wait_seconds))

    threads = [threading.Thread(target=take) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(states(report)[0] for report in reports) == ["known known", "stored"]
    assert len(files(workspace)) == 2
    index(workspace, and_match=False)
    assert workspace.catalog.objects().height == 2


def test_a_location_that_is_being_indexed_takes_pictures_for_the_next_run(workspace: Workspace) -> None:
    location = workspace.ledger.location("lib")
    with workspace.ledger.leased_run("index", location, {}):
        report = ingest(workspace, [io.BytesIO(CAT_PNG)], "lib", wait_seconds=0.0)
        assert (states(report), report.rows[0].indexed) == (["stored"], False)
        assert "pid" in report.waiting_for
        assert states(ingest(workspace, [io.BytesIO(CAT_PNG)], "lib", wait_seconds=0.0)) == ["known known"]
    (after,) = index(workspace, ["lib"], and_match=False)
    assert (after.new, after.indexed) == (1, 1)


def test_a_lost_lease_ends_the_batch_and_keeps_what_is_stored(workspace: Workspace) -> None:
    class Stolen(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            workspace.ledger._engine.dispose()
            with workspace.ledger._writing() as (session, _now):
                session.execute(text("UPDATE leases SET holder = 'eve@elsewhere pid 7', run_id = run_id"))
            return super().read(size)

    with (
        pytest.raises(LeaseHeldError, match="eve@elsewhere") as caught,
        pytest.MonkeyPatch.context() as changed,
    ):
        # The lease is asked about before each commit, however young it is.
        changed.setattr("deeplens_kit.ledger.lease.BEATS_PER_STALE", 1e9)
        ingest(workspace, [Stolen(CAT_PNG)], "lib")
    assert [row.state for row in caught.value.reports] == [IngestState.STORED]
    assert len(files(workspace)) == 2
    assert workspace.ledger.runs()[0].state == RunState.FAILED


def test_when_stopped_what_was_begun_is_finished(workspace: Workspace) -> None:
    stop = threading.Event()

    class First(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            stop.set()
            return super().read(size)

    report = ingest(workspace, [First(CAT_PNG), io.BytesIO(b"never read")], "lib", stop=stop)
    assert states(report) == ["stored"]
    run = workspace.ledger.runs()[0]
    assert (run.state, run.figures["not_begun"]) == (RunState.INTERRUPTED, 1)
    unread(workspace)


def test_what_cannot_be_noted_is_known_before_anything_is_stored(workspace: Workspace) -> None:
    """A long link is cut; what the ledger takes from nobody is refused while nothing is stored."""
    came = GivenBytes(CAT_PNG, "cat.png", f"https://host/{'a' * 20_000}.png")
    with pytest.MonkeyPatch.context() as changed:
        changed.setattr("deeplens_kit.pipeline.ingest_one.read_given", lambda *_, **__: came)
        (row,) = ingest(workspace, ["https://host/"], "lib").rows
    assert (row.state, row.message) == (IngestState.STORED, "")
    (note,) = workspace.ledger.notes()
    assert came.source.startswith(note.source)


def test_a_ledger_that_fails_after_storing_does_not_hide_what_is_stored(workspace: Workspace) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise WorkspaceError("Cannot write to the ledger: connection lost.")

    with pytest.MonkeyPatch.context() as changed, pytest.raises(WorkspaceError) as caught:
        changed.setattr(workspace.ledger, "annotate", refuse)
        ingest(workspace, [io.BytesIO(CAT_PNG)], "lib", IngestOptions(note=NoteChange("pets")))
    (row,) = caught.value.reports
    assert (row.state, row.indexed) == (IngestState.STORED, False)
    assert row.path in files(workspace)


def test_a_note_is_found_where_its_file_was_moved(workspace: Workspace) -> None:
    assert note_of_file(workspace, "lib:cup.jpg").note is None
    said = annotate_file(workspace, "lib:cup.jpg", NoteChange("cups", ("red",)))
    root = workspace.directory.parent / "lib"
    (root / "cup.jpg").rename(root / "moved.jpg")
    index(workspace, and_match=False)
    assert note_of_file(workspace, "lib:moved.jpg").note == said.note
    moved = annotate_file(workspace, "lib:moved.jpg", NoteChange(description="red")).note
    assert moved is not None
    assert (moved.path, moved.tags, len(workspace.ledger.notes())) == ("moved.jpg", ("red",), 1)
    with pytest.raises(UnknownNameError, match="indexed file"):
        annotate_file(workspace, "lib:none.jpg", NoteChange("cups"))
