"""What every index of vectors does, held against brute force: one class, inherited by each kind and metric."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
from numpy.typing import NDArray
from vector_worlds import COUNT, DIMENSIONS, names, queries, vectors

from deeplens_kit.search.vectors import BruteForceIndex, Effort, IndexFolder, Metric, VectorIndex, VectorShelf, policy

_K = 10
_READ = """
import sys
import numpy as np
from pathlib import Path
from deeplens_kit.search.vectors import Effort, IndexFolder, Metric, policy
policy._ONE_PROBED_OF = dict.fromkeys(Effort, 1)
shelf = IndexFolder(Path(sys.argv[1]), "k", Metric(sys.argv[2])).open()
print(len(shelf), flush=True)
sys.stdin.readline()
for query in np.load(sys.argv[3]):
    print(*shelf.nearest(query, 10, float("-inf"), None)[0].tolist(), flush=True)
"""


class Conformance:
    """Inherit, and say how an index is made."""

    metric: ClassVar[Metric] = Metric.COSINE
    floor: ClassVar[float] = 0.2
    flat_vectors: ClassVar[int] = policy.FLAT_VECTORS

    @pytest.fixture(scope="class")
    @classmethod
    def index(cls) -> VectorIndex:
        return cls.made(names(), vectors())

    @classmethod
    def made(cls, digests: list[str], rows: NDArray[np.floating]) -> VectorIndex:
        return VectorShelf.of("k", digests, rows, metric=cls.metric, flat_vectors=cls.flat_vectors)

    @classmethod
    def truth(cls, digests: list[str], rows: NDArray[np.floating]) -> BruteForceIndex:
        return BruteForceIndex.of("k", digests, rows, cls.metric)

    def is_near_to(self, index: VectorIndex, truth: BruteForceIndex, wanted: NDArray[np.bool_] | None = None) -> None:
        """The nearest, each once, none that may not be found."""
        total = 0
        order = wanted if wanted is None else wanted[_rows_in(truth, index)]
        for query in queries():
            expected = truth.digests[truth.nearest(query, _K, self.floor, wanted)[0]].to_list()
            rows, beyond = index.nearest(query, _K, self.floor, order)
            found = index.digests[rows].to_list()
            assert sorted(found) == sorted(expected)
            assert beyond is None or len(rows) == _K
            total += len(expected)
        assert total or (wanted is not None and np.count_nonzero(wanted) < COUNT // 20), "nothing is near"

    def test_the_nearest_are_those_of_brute_force(self, index: VectorIndex) -> None:
        self.is_near_to(index, self.truth(names(), vectors()))

    @pytest.mark.parametrize("share", [0.5, 0.1, 0.015, 0.0])
    def test_what_is_not_wanted_is_never_found(self, index: VectorIndex, share: float) -> None:
        wanted = np.random.default_rng(5).random(COUNT) < share
        self.is_near_to(index, self.truth(names(), vectors()), wanted)
        for query in queries():
            assert wanted[index.nearest(query, _K, self.floor, wanted)[0]].all()
            assert not len(index.nearest(query, 0, self.floor, wanted)[0])

    @pytest.mark.parametrize("effort", Effort)
    def test_many_at_once_are_as_one_after_another(self, index: VectorIndex, effort: Effort) -> None:
        wanted = np.random.default_rng(5).random(COUNT) < 0.5
        for mask in (None, wanted):
            asked = np.concatenate([queries(), np.full((1, DIMENSIONS), np.nan, np.float32)])
            found = index.nearest_many(asked, _K, wanted=mask, effort=effort)
            expected = self.truth(names(), vectors()).nearest_many(asked, _K, wanted=mask)
            assert found.rows.shape == found.scores.shape == (len(asked), _K)
            assert (found.rows[-1] == -1).all()
            assert np.allclose(found.scores[:-1], expected.scores[:-1], atol=2e-6)
            assert (np.sort(found.rows) == np.sort(expected.rows)).all()

    def test_scores_fall_and_what_lies_beyond_is_no_better(self, index: VectorIndex) -> None:
        found = index.nearest_many(queries(), _K, effort=Effort.BEST)
        assert (np.diff(found.scores, axis=1) <= 0).all()
        for number, query in enumerate(queries()):
            rows, beyond = index.nearest(query, _K, float("-inf"), None)
            assert rows.tolist() == found.rows[number].tolist()
            assert beyond == pytest.approx(found.scores[number, -1], abs=1e-6)

    def test_vectors_come_back_as_they_were_laid_in(self, index: VectorIndex) -> None:
        rows = np.random.default_rng(3).permutation(COUNT)[:200]
        assert np.array_equal(index.rows(rows).astype(np.float16), vectors()[rows])
        assert index.rows(rows).dtype == np.float32
        assert index.digests.to_list() == names()

    def test_what_is_added_is_found_as_if_it_had_been_there(self) -> None:
        index = self.made(names()[:800], vectors()[:800])
        for first in (800, 900):
            index = index.add(names()[first : first + 100], vectors()[first : first + 100])
        index = index.add(names()[950:], vectors()[950:])
        assert len(index) == COUNT
        assert np.array_equal(index.rows(np.arange(COUNT)).astype(np.float16), vectors())
        self.is_near_to(index, self.truth(names(), vectors()))
        wanted = np.random.default_rng(5).random(COUNT) < 0.5
        self.is_near_to(index, self.truth(names(), vectors()), wanted)

    def test_what_is_removed_is_not_found_and_comes_back(self, index: VectorIndex) -> None:
        later = index.add(names(8, COUNT), vectors(7, 8))
        gone = [*names()[::2], *names(4, COUNT), "f" * 64]
        fewer = later.remove(gone)
        assert len(fewer) == len(later) == COUNT + 8
        truth = self.truth([*names(), *names(8, COUNT)], np.concatenate([vectors(), vectors(7, 8)])).remove(gone)
        self.is_near_to(fewer, truth)
        self.is_near_to(fewer, truth, np.arange(COUNT + 8) % 3 == 0)
        found = fewer.nearest_many(vectors()[:8], _K, effort=Effort.BEST).rows
        assert fewer.alive is not None
        assert fewer.alive[found].all()
        again = fewer.add(gone[:-1], later.rows(_rows_of(later, gone[:-1])))
        assert again.alive is None or again.alive.all()
        assert len(again) == len(later)
        self.is_near_to(again, truth.add(gone[:-1], np.zeros((len(gone) - 1, DIMENSIONS))))

    def test_vectors_that_say_nothing_are_never_found(self, index: VectorIndex) -> None:
        nothing = np.array([[np.nan], [np.inf], [1e30]]) * np.ones((3, DIMENSIONS))
        bad = index.add(["a" * 64, "b" * 64, "c" * 64], nothing)
        assert not bad.rows(np.arange(COUNT, COUNT + 3)).any()
        rows, _ = bad.nearest(vectors()[0], 20, -0.95 if self.metric is Metric.EUCLIDEAN else 0.01, None)
        assert 0 < len(rows) <= 20
        assert max(rows) < COUNT
        assert not len(index.nearest(np.full(DIMENSIONS, np.nan, np.float16), 20, -9.0, None)[0])
        if self.metric is Metric.COSINE:
            assert not len(index.nearest(np.zeros(DIMENSIONS, np.float16), 20, -1.0, None)[0])

    def test_an_empty_one_finds_nothing(self) -> None:
        empty = self.made([], np.zeros((0, DIMENSIONS), np.float16))
        assert not len(empty.nearest(vectors()[0], 5, 0.0, None)[0])
        assert (empty.nearest_many(queries(), 5, effort=Effort.FAST).rows == -1).all()
        assert empty.rows(np.zeros(0, np.int64)).size == 0
        assert len(empty.add(names()[:5], vectors()[:5])) == 5

    def test_threads_agree(self, index: VectorIndex) -> None:
        alone = [index.nearest(query, _K, self.floor, None)[0].tolist() for query in queries(16)]
        with ThreadPoolExecutor(4) as pool:
            together = list(pool.map(lambda query: index.nearest(query, _K, self.floor, None)[0].tolist(), queries(16)))
        assert together == alone


class Persistence(Conformance):
    """For kinds that are kept in files."""

    @pytest.fixture
    def folder(self, tmp_path: Path) -> IndexFolder:
        return IndexFolder(tmp_path / "k", "k", self.metric)

    def built(self, folder: IndexFolder, digests: list[str], rows: NDArray[np.floating]) -> VectorShelf:
        shelf = folder.merge(VectorShelf.of("k", digests, rows, metric=self.metric), flat_vectors=self.flat_vectors)
        assert shelf is not None
        return shelf

    def test_what_is_kept_is_opened_as_it_was(self, folder: IndexFolder, index: VectorIndex) -> None:
        shelf = self.built(folder, names(), vectors())
        assert shelf.layout == index.layout
        assert shelf.digests.to_list() == sorted(names())
        self.is_near_to(shelf, self.truth(names(), vectors()))
        changed = shelf.add(names(100, COUNT), vectors(7, 100)).remove([*names()[:500], *names(30, COUNT)])
        kept = folder.keep(changed)
        again = folder.open()
        assert again is not None
        assert again.stored == kept.stored
        assert again.digests.to_list() == changed.digests.to_list()
        assert np.array_equal(again.rows(np.arange(len(again))), changed.rows(np.arange(len(again))))
        for query in queries():
            found, _ = again.nearest(query, _K, self.floor)
            assert found.tolist() == changed.nearest(query, _K, self.floor)[0].tolist()
        # Of all that is left a new base is made, and the rest is swept.
        merged = folder.merge(again, flat_vectors=self.flat_vectors)
        assert merged is not None
        assert len(merged) == merged.living == changed.living
        assert merged.digests.is_sorted()
        left = set(merged.digests)
        truth = self.truth([*names(), *names(100, COUNT)], np.concatenate([vectors(), vectors(7, 100)]))
        self.is_near_to(merged, truth.remove([digest for digest in truth.digests if digest not in left]))
        assert sorted(path.name[:5] for path in folder.path.iterdir()) == [".lock", "base-", "manif"]


class Sharing(Persistence):
    """Between processes; the metric plays no part in it."""

    @pytest.fixture
    def reader(self, folder: IndexFolder, tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
        self.built(folder, names(), vectors())
        np.save(tmp_path / "queries.npy", queries())
        arguments = [str(folder.path), str(self.metric), str(tmp_path / "queries.npy")]
        repository = str(Path(__file__).parents[3])
        with subprocess.Popen(
            [sys.executable, "-c", _READ, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            cwd=repository,
        ) as process:  # fmt: skip
            yield process

    def test_another_process_reads_on_while_a_new_one_is_written(
        self, folder: IndexFolder, reader: subprocess.Popen[str]
    ) -> None:
        before = folder.open()
        assert before is not None
        assert reader.stdout is not None
        assert reader.stdin is not None
        assert int(reader.stdout.readline()) == COUNT
        # What it has mapped is replaced and unlinked.
        assert folder.merge(before.remove(names()[:300]), flat_vectors=self.flat_vectors) is not None
        assert [path.name for path in folder.path.glob("base-*")] != [before.stored and before.stored.base]
        reader.stdin.write("\n")
        reader.stdin.flush()
        for query in queries():
            found = [int(row) for row in reader.stdout.readline().split()]
            assert found == before.nearest(query, _K)[0].tolist()


class TestBruteForce(Conformance):
    @classmethod
    def made(cls, digests: list[str], rows: NDArray[np.floating]) -> VectorIndex:
        return cls.truth(digests, rows)


class TestExact(Sharing):
    def test_everything_is_compared(self, index: VectorIndex) -> None:
        assert index.layout == "exact"


class TestExactByDistance(Persistence):
    metric = Metric.EUCLIDEAN
    floor = -1.6


class TestInverted(Sharing):
    """As many lists as so few vectors can train; all of them are probed, so that nothing near may be missed.

    Of what is hardly alike two bits a number may miss some: the floor is that of stored pairs.
    """

    floor = 0.45
    flat_vectors = 100

    @pytest.fixture(autouse=True)
    def _all_probed(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(policy, "_ONE_PROBED_OF", dict.fromkeys(Effort, 1))

    def test_it_is_an_inverted_file(self, index: VectorIndex) -> None:
        assert index.layout.startswith("IVF16,PQ16x4fs of FAISS ")


class TestInvertedByDistance(Persistence):
    metric = Metric.EUCLIDEAN
    floor = -1.05
    flat_vectors = 100
    _all_probed = TestInverted._all_probed


@pytest.mark.parametrize("metric", Metric)
def test_an_inverted_file_finds_what_is_near_where_few_lists_are_probed(
    metric: Metric, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As of a large base: of a small one all are.
    monkeypatch.setattr(policy, "_LOOKED_AT", dict.fromkeys(Effort, 0))
    shelf = VectorShelf.of("k", names(), vectors(), metric=metric, flat_vectors=100)
    near = vectors().astype(np.float32) + 0.01
    found = shelf.nearest_many(near, 1, effort=Effort.BEST).rows[:, 0]
    assert (found == np.arange(COUNT)).mean() >= 0.97


def _rows_of(index: VectorIndex, digests: list[str]) -> NDArray[np.int64]:
    row = {digest: number for number, digest in enumerate(index.digests)}
    return np.array([row[digest] for digest in digests])


def _rows_in(truth: BruteForceIndex, index: VectorIndex) -> NDArray[np.int64]:
    """For each row of an index the row of the same digest in the truth."""
    return _rows_of(truth, index.digests.to_list())
