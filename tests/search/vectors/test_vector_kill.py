"""`kill -9` at every step of building, extending and merging: old answers stay right, the next run repairs."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from vector_worlds import DIMENSIONS, names, vectors

from deeplens_kit.search.vectors import Effort, IndexFolder, VectorShelf, digest_bytes, policy

_BEFORE, _AFTER = 300, 40

# One process for all steps of an act: for each step a copy of itself is killed when it reaches it.
_KILL = """
import json, os, shutil, signal, sys, warnings
from pathlib import Path
import numpy as np
from deeplens_kit.search import cache_files
from deeplens_kit.search.vectors import base_files, folder as folders

import faiss
from deeplens_kit.search.vectors import scan_kernels

warnings.simplefilter("ignore")
# Compiled and loaded once, not in every copy.
bits, row = np.zeros((1, 32), np.uint16), np.zeros(1, np.int64)
bits.flags.writeable = False
scan_kernels.widened(bits, row)
root, act = Path(sys.argv[1]), sys.argv[2]
late = np.load(root / "late.npz")
old = np.load(root / "old.npz")

def blocks(data):
    for first in range(0, len(data["digests"]), 100):
        yield data["digests"][first : first + 100], data["vectors"][first : first + 100]

def run(path):
    folder = folders.IndexFolder(path, "k")
    if act == "build":
        folder.build(old["digests"], old["vectors"].shape[1], blocks(old), flat_vectors=100, threads=1)
        return
    shelf = folder.open()
    if act == "extend":
        alive = np.ones(len(shelf), bool)
        alive[:10] = False
        folder.keep(shelf.only(alive).add([bytes(row).hex() for row in late["digests"]], late["vectors"]))
    else:
        folder.merge(shelf, flat_vectors=100, threads=1)

def counted(original, reached):
    def step(*given, **options):
        reached()
        done = original(*given, **options)
        reached()
        return done
    return step

number = 0
while True:
    place = root / f"{act}-{number}"
    shutil.copytree(root / "start", place)
    child = os.fork()
    if not child:
        left = number
        def reached():
            global left
            if not left:
                os.kill(os.getpid(), signal.SIGKILL)
            left -= 1
        os.fsync = counted(os.fsync, reached)
        os.replace = counted(os.replace, reached)
        cache_files.shutil.rmtree = counted(shutil.rmtree, reached)
        os.unlink = counted(os.unlink, reached)
        base_files.written_index = counted(base_files.written_index, reached)
        run(place)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    if os.WIFEXITED(status):
        print(json.dumps([number, os.WEXITSTATUS(status)]))
        break
    assert os.WTERMSIG(status) == signal.SIGKILL, status
    number += 1
"""


@pytest.fixture(autouse=True)
def _all_probed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(policy, "_ONE_PROBED_OF", dict.fromkeys(Effort, 1))


@pytest.fixture
def old() -> VectorShelf:
    return VectorShelf.of("k", names(_BEFORE), vectors(1, _BEFORE))


@pytest.fixture
def new(old: VectorShelf) -> VectorShelf:
    return old.remove(sorted(names(_BEFORE))[:10]).add(names(_AFTER, _BEFORE), vectors(3, _AFTER))


def _killed(root: Path, act: str, old: VectorShelf) -> int:
    """Kill an act at each of its steps, each in a folder of its own; how many these are."""
    np.savez(root / "old.npz", digests=old.packed[0], vectors=old.parts[0].vectors)
    np.savez(root / "late.npz", digests=digest_bytes(names(_AFTER, _BEFORE)), vectors=vectors(3, _AFTER))
    repository = str(Path(__file__).parents[3])
    done = subprocess.run(
        [sys.executable, "-c", _KILL, str(root), act],
        capture_output=True, text=True, check=False, cwd=repository,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    steps, status = json.loads(done.stdout)
    assert status == 0, done.stderr
    return int(steps)


def _answers(shelf: VectorShelf) -> list[list[str]]:
    asked = np.concatenate([vectors(1, _BEFORE)[:20], vectors(3, _AFTER)[:10]])
    found = shelf.nearest_many(asked, 5, effort=Effort.BEST)
    return [shelf.digests[rows].to_list() for rows in found.rows]


def _require_tidy(folder: IndexFolder) -> None:
    """Nothing lies there that the manifest does not name."""
    text = (folder.path / "manifest.json").read_text()
    left = [path.name for path in folder.path.iterdir() if path.name not in (".lock", "manifest.json")]
    assert all(name in text for name in left)


@pytest.mark.skipif(sys.platform == "win32", reason="needs fork and SIGKILL")
def test_a_build_killed_at_any_step_leaves_nothing_and_is_made_again(tmp_path: Path, old: VectorShelf) -> None:
    (tmp_path / "start").mkdir()
    steps, whole = _killed(tmp_path, "build", old), 0
    assert steps >= 12
    for number in range(steps):
        folder = IndexFolder(tmp_path / f"build-{number}", "k")
        shelf = folder.open()
        if shelf is None:
            assert {path.name for path in folder.path.iterdir()} <= {".lock"}
            blocks = [(old.packed[0], vectors(1, _BEFORE))]
            shelf = folder.build(old.packed[0], DIMENSIONS, blocks, flat_vectors=100)
            assert shelf is not None
        else:
            whole += 1
        assert _answers(shelf) == _answers(old)
        _require_tidy(folder)
    assert 0 < whole < steps


@pytest.mark.skipif(sys.platform == "win32", reason="needs fork and SIGKILL")
@pytest.mark.parametrize("act", ["extend", "merge"])
def test_an_index_killed_while_it_is_changed_answers_as_before_or_after(
    tmp_path: Path, old: VectorShelf, new: VectorShelf, act: str
) -> None:
    start = IndexFolder(tmp_path / "start", "k")
    kept = start.merge(old, flat_vectors=100)
    assert kept is not None
    if act == "merge":
        changed = kept.remove(sorted(names(_BEFORE))[:10]).add(names(_AFTER, _BEFORE), vectors(3, _AFTER))
        assert start.keep(changed).stored != kept.stored
    before, after = _answers(old if act == "extend" else new), _answers(new)
    steps, changed_at = _killed(tmp_path, act, old), set()
    assert steps >= 8
    for number in range(steps):
        folder = IndexFolder(tmp_path / f"{act}-{number}", "k")
        shelf = folder.open()
        assert shelf is not None
        answers = _answers(shelf)
        assert answers in (before, after)
        changed_at.add(shelf.stored != (kept.stored if act == "extend" else None) and answers == after)
        _require_tidy(folder)
        # The next run does what this one did not come to.
        again = shelf.remove(sorted(names(_BEFORE))[:10]).add(names(_AFTER, _BEFORE), vectors(3, _AFTER))
        assert _answers(folder.keep(again)) == after
        opened = folder.open()
        assert opened is not None
        assert _answers(opened) == after
        _require_tidy(folder)
    assert True in changed_at
    assert act == "merge" or False in changed_at
