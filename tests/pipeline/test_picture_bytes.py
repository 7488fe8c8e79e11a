"""The bytes of pictures: from whichever object still has them, never other bytes, and work on many in threads."""

from __future__ import annotations

import hashlib
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from deeplens_kit.errors import ObjectUnreadableError
from deeplens_kit.pipeline import ProgressSnapshot, Workspace, index
from deeplens_kit.pipeline.picture_bytes import PictureBytes, each_picture


def digests_of(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.rglob("*.jpg")}


def test_every_picture_is_read_from_many_threads(workspace: Workspace, pictures: Path) -> None:
    index(workspace, and_match=False)
    source = PictureBytes(workspace)
    wanted = sorted(set(workspace.catalog.pictures(columns=["digest"])["digest"]))
    with ThreadPoolExecutor(4) as threads:
        read = list(threads.map(source.read, wanted * 5))
    assert [hashlib.sha256(data or b"").hexdigest() for data in read] == wanted * 5
    assert source.read("0" * 64) is None
    assert [held.digest for held in source.held([wanted[1], "0" * 64, wanted[0]])] == [wanted[1], wanted[0]]


def test_one_object_that_still_has_the_bytes_is_enough_and_other_bytes_never_pass(
    workspace: Workspace, pictures: Path
) -> None:
    index(workspace, and_match=False)
    chelsea = digests_of(pictures)["chelsea.jpg"]
    source = PictureBytes(workspace)
    (pictures / "chelsea.jpg").write_bytes((pictures / "coffee.jpg").read_bytes())
    read = source.read(chelsea)
    assert read is not None
    assert hashlib.sha256(read).hexdigest() == chelsea
    (pictures / "more" / "again.jpg").unlink()
    assert source.read(chelsea) is None


def test_work_passes_over_what_cannot_be_read_or_measured(workspace: Workspace, pictures: Path) -> None:
    index(workspace, and_match=False)
    names = digests_of(pictures)
    (pictures / "camera.jpg").unlink()

    def size(data: bytes) -> int:
        if hashlib.sha256(data).hexdigest() == names["coffee.jpg"]:
            raise ObjectUnreadableError("this one cannot be measured")
        return len(data)

    class Seen:
        done = 0

        def update(self, snapshot: ProgressSnapshot) -> None:
            assert snapshot.stage == "sizes"
            self.done = snapshot.done

    seen = Seen()
    wanted = [names[name] for name in ("astronaut.jpg", "camera.jpg", "coffee.jpg", "chelsea.jpg")]
    found = each_picture(workspace, wanted, size, stage="sizes", workers=2, progress=seen, stop=threading.Event())
    sizes = dict(found)
    assert sizes == {names[name]: (pictures / name).stat().st_size for name in ("astronaut.jpg", "chelsea.jpg")}
    assert seen.done == 4
