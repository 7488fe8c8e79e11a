"""Files that crash a decoder, hang it or fill its memory cost themselves, once, until somebody asks again."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
from PIL import Image

from data.photographs import photograph
from deeplens_kit.decode import close_decoders
from deeplens_kit.pipeline import Throttle, Workspace, coverage, index, list_failures, list_objects, writing
from deeplens_kit.settings import DecodeSettings

HANGS, ABORTS = "while True: pass", "import os; os.abort()"


@pytest.fixture
def folder(tmp_path: Path, workspace: Workspace) -> Path:
    """An empty location `hostile`."""
    made = tmp_path / "hostile"
    made.mkdir()
    workspace.ledger.add_location("hostile", str(made), {})
    return made


@pytest.fixture
def jpegs_break_decoders(tmp_path: Path) -> Iterator[Callable[[str], None]]:
    """Lets every JPEG do something to the decoder that meets it, until `close_decoders` and a new path."""
    with pytest.MonkeyPatch.context() as patched:

        def let(body: str) -> None:
            library = tmp_path / "library"
            library.mkdir(exist_ok=True)
            (library / "simplejpeg.py").write_text(f"def decode_jpeg(*arguments, **options):\n    {body}\n")
            patched.syspath_prepend(library)
            close_decoders()

        yield let
    close_decoders()


def saved(path: Path, kind: str, name: str = "coffee") -> Path:
    photograph(name).resize((300, 200)).save(path, kind)
    return path


def decoders() -> list[psutil.Process]:
    """The decoders of this process; other tests may have left servers beside them."""
    found = []
    for child in psutil.Process().children():
        # One that was killed a moment ago has no command any more.
        with contextlib.suppress(psutil.Error):
            if "isolation.child" in " ".join(child.cmdline()):
                found.append(child)
    return found


def keep_in_the_cloud(path: Path, attributes: int) -> None:
    """Give a file the attributes by which a share tells that a client keeps its bytes elsewhere."""
    try:
        os.setxattr(path, "user.cifs.dosattrib", attributes.to_bytes(4, "little"))
    except OSError as error:
        pytest.skip(f"the file system of the temporary folder keeps no such attributes: {error.strerror}")


def failures(workspace: Workspace) -> dict[str, str]:
    return dict(list_failures(workspace).select("path", "code").iter_rows())


def outcomes(workspace: Workspace) -> dict[str, str]:
    return dict(list_objects(workspace).select("path", "outcome").iter_rows())


@pytest.mark.parametrize(
    ("body", "code", "limits"),
    [
        (ABORTS, "crashed", DecodeSettings()),
        (HANGS, "timed_out", DecodeSettings(max_seconds=0.5)),
    ],
)
def test_what_breaks_a_decoder_is_tried_once_whatever_its_name_until_somebody_asks(
    workspace: Workspace,
    folder: Path,
    jpegs_break_decoders: Callable[[str], None],
    body: str,
    code: str,
    limits: DecodeSettings,
) -> None:
    jpegs_break_decoders(body)
    workspace.settings = replace(workspace.settings, decode=limits)
    hostile = saved(folder / "hostile.jpg", "JPEG")
    saved(folder / "good.png", "PNG", "astronaut")
    (report,) = index(workspace, ["hostile"], and_match=False)
    assert failures(workspace) == {"hostile.jpg": code}
    assert outcomes(workspace) == {"hostile.jpg": "unreadable", "good.png": "indexed"}
    assert (report.indexed, report.failures) == (1, 1)
    # With decoders that would read it: neither by itself nor under another name is it tried again.
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("sys.path", [entry for entry in __import__("sys").path if not entry.endswith("library")])
        close_decoders()
        shutil.copy(hostile, folder / "another name.jpg")
        (report,) = index(workspace, ["hostile"], and_match=False)
        assert (report.read_files, report.pictures, report.failures) == (1, 0, 1)
        assert failures(workspace) == {"hostile.jpg": code, "another name.jpg": code}
        (report,) = index(workspace, ["hostile"], and_match=False, retry_failed={"corrupt"})
        assert report.read_files == 0
        (report,) = index(workspace, ["hostile"], and_match=False, retry_failed={code})
        assert (report.read_files, report.pictures) == (2, 1)
    assert not failures(workspace)
    assert set(outcomes(workspace).values()) == {"indexed"}


def test_other_files_are_indexed_while_decoders_are_killed(workspace: Workspace, folder: Path) -> None:
    for number in range(40):
        photograph("coffee").rotate(number).resize((600, 400)).save(folder / f"{number}.png")

    class Killer:
        """Kills a decoder at every second step of the run."""

        killed = 0

        def update(self, snapshot: object) -> None:
            for child in decoders()[:1]:
                child.kill()
                self.killed += 1

    killer = Killer()
    (report,) = index(workspace, ["hostile"], and_match=False, progress=killer)
    assert killer.killed >= 2
    assert (report.indexed, report.failures) == (40, 0)


def test_a_bomb_is_too_large_and_every_file_has_one_outcome_with_its_bytes(workspace: Workspace, folder: Path) -> None:
    workspace.settings = replace(
        workspace.settings, decode=DecodeSettings(max_memory_bytes=128 * 2**20, max_pixels=100_000_000)
    )
    Image.new("RGB", (9000, 9000)).save(folder / "bomb.png")
    Image.new("1", (40_000, 40_000)).save(folder / "huge.png")
    (folder / "empty.jpg").touch()
    (folder / ".cloud.jpg.icloud").write_bytes(b"bplist00 a name and a size")
    (folder / "cloud.heic.nextcloud").write_bytes(b" ")
    shared = saved(folder / "offline.jpg", "JPEG")
    keep_in_the_cloud(shared, 0x400020)
    saved(folder / "whole.jpg", "JPEG")
    (folder / "cut.jpg").write_bytes((folder / "whole.jpg").read_bytes()[:2000])
    index(workspace, ["hostile"], and_match=False)
    assert outcomes(workspace) == {
        "bomb.png": "too_large",
        "huge.png": "too_large",
        "empty.jpg": "empty",
        ".cloud.jpg.icloud": "placeholder",
        "cloud.heic.nextcloud": "placeholder",
        "offline.jpg": "placeholder",
        "whole.jpg": "indexed",
        "cut.jpg": "unreadable",
    }
    found = coverage(workspace)
    assert found["objects"].sum() == 8
    assert found["bytes"].sum() == sum(path.stat().st_size for path in folder.iterdir())


def test_a_placeholder_is_never_read_and_is_indexed_once_its_bytes_are_here(workspace: Workspace, folder: Path) -> None:
    picture = saved(folder / "photo.jpg", "JPEG")
    keep_in_the_cloud(picture, 0x1020)
    os.utime(picture, ns=(1, 10**18))
    index(workspace, ["hostile"], and_match=False)
    # Nobody asked for its bytes, so the file system has no time at which they were read.
    assert picture.stat().st_atime_ns == 1
    os.removexattr(picture, "user.cifs.dosattrib")
    index(workspace, ["hostile"], and_match=False)
    assert outcomes(workspace) == {"photo.jpg": "indexed"}


def test_a_new_version_of_the_decoders_tries_again_what_an_older_one_could_not_read(
    workspace: Workspace, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "note.jpg").write_text("no picture")
    saved(folder / "whole.jpg", "JPEG")
    monkeypatch.setattr(writing, "dependence", lambda *_: "an older one")
    index(workspace, ["hostile"], and_match=False)
    (report,) = index(workspace, ["hostile"], and_match=False)
    assert report.read_files == 1
    monkeypatch.undo()
    (report,) = index(workspace, ["hostile"], and_match=False)
    (report,) = index(workspace, ["hostile"], and_match=False)
    assert report.read_files == 0


def test_nothing_is_left_running_after_a_run_and_its_decoders_are_closed(workspace: Workspace, folder: Path) -> None:
    saved(folder / "whole.jpg", "JPEG")
    close_decoders()
    before = set(decoders())
    index(workspace, ["hostile"], and_match=False)
    assert set(decoders()) - before
    close_decoders()
    assert set(decoders()) <= before


def test_what_was_too_large_is_tried_again_once_a_limit_is_raised(workspace: Workspace, folder: Path) -> None:
    Image.new("RGB", (9000, 9000)).save(folder / "bomb.png")
    low = DecodeSettings(max_memory_bytes=128 * 2**20)
    workspace.settings = replace(workspace.settings, decode=low)
    index(workspace, ["hostile"], and_match=False)
    assert failures(workspace) == {"bomb.png": "too_large"}
    shutil.copy(folder / "bomb.png", folder / "again.png")
    (report,) = index(workspace, ["hostile"], and_match=False)
    assert (report.read_files, report.failures) == (1, 1)
    workspace.settings = replace(workspace.settings, decode=DecodeSettings())
    index(workspace, ["hostile"], and_match=False)
    assert not failures(workspace)


def test_a_run_with_little_memory_condemns_nothing_for_good(workspace: Workspace, folder: Path) -> None:
    Image.new("RGB", (12_000, 9000)).save(folder / "large.png")
    index(workspace, ["hostile"], and_match=False, throttle=Throttle(max_memory_bytes=940_000_000, workers=1))
    assert failures(workspace) == {"large.png": "too_large"}
    index(workspace, ["hostile"], and_match=False)
    assert outcomes(workspace) == {"large.png": "indexed"}


def test_bytes_that_were_read_since_are_held_against_no_file(
    workspace: Workspace, folder: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    workspace.ledger.add_location("other", str(other), {})
    Image.new("RGB", (9000, 9000)).save(folder / "bomb.png")
    workspace.settings = replace(workspace.settings, decode=DecodeSettings(max_memory_bytes=128 * 2**20))
    index(workspace, ["hostile"], and_match=False)
    shutil.copy(folder / "bomb.png", other / "bomb.png")
    workspace.settings = replace(workspace.settings, decode=DecodeSettings())
    index(workspace, ["other"], and_match=False)
    # Under the low limits again: what is a picture by now stays one, and what failed before is one too.
    workspace.settings = replace(workspace.settings, decode=DecodeSettings(max_memory_bytes=128 * 2**20))
    os.utime(other / "bomb.png", (1, 1))
    index(workspace, ["other", "hostile"], and_match=False)
    assert not failures(workspace)
    assert set(list_objects(workspace)["outcome"]) == {"indexed"}
