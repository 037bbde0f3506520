"""A graph is computed once, and never found for other vectors."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from raremine.brain.neighbors import stored_graph as module
from raremine.brain.neighbors.graph import NeighborGraph, neighbor_graph
from raremine.brain.neighbors.stored_graph import stored_graph


@pytest.fixture
def vectors() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(300, 4)).astype(np.float32)


@pytest.fixture
def computed(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Makes small graphs worth keeping; tells the k of each computed one."""
    widths: list[int] = []

    def compute(
        vectors: np.ndarray, k: int, *, exact: bool, seed: int
    ) -> NeighborGraph:
        widths.append(k)
        return neighbor_graph(vectors, k, exact=exact, seed=seed)

    monkeypatch.setattr(module, "WORTH_KEEPING", 10)
    monkeypatch.setattr(module, "NARROWEST", 20)
    monkeypatch.setattr(module, "neighbor_graph", compute)
    return widths


def same(one: NeighborGraph, other: NeighborGraph) -> None:
    for name in ("indices", "distances", "finite"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
        assert getattr(one, name).dtype == getattr(other, name).dtype
    assert one.exact == other.exact


@pytest.mark.parametrize("exact", [True, False, None])
def test_it_is_computed_once(
    vectors: np.ndarray,
    computed: list[int],
    tmp_path: Path,
    exact: bool | None,
) -> None:
    vectors[7, 1] = np.nan
    first = stored_graph(vectors, 20, exact=exact, folder=tmp_path)
    same(first, stored_graph(vectors, 20, exact=exact, folder=tmp_path))
    narrow = stored_graph(vectors, 14, exact=exact, folder=tmp_path)
    same(narrow, first.nearest(14))
    same(first, neighbor_graph(vectors, 20, exact=first.exact))
    assert computed == [20]


def test_other_vectors_or_searches_do_not_find_it(
    vectors: np.ndarray, computed: list[int], tmp_path: Path
) -> None:
    def get(vectors: np.ndarray, k: int = 20, **how: object) -> NeighborGraph:
        return stored_graph(vectors, k, folder=tmp_path, **how)

    get(vectors, exact=True)
    get(vectors, exact=True, seed=1)
    assert len(computed) == 1
    changed = vectors.copy()
    changed[299, 3] += 1e-3
    same(get(changed, exact=True), neighbor_graph(changed, 20, exact=True))
    get(vectors, exact=False)
    get(vectors, exact=False, seed=1)
    assert get(vectors[::-1], exact=True).indices[0, 0] < 300
    assert get(vectors, 21, exact=True).k == 21
    assert len(computed) == 6


def test_a_broken_file_is_computed_anew(
    vectors: np.ndarray, computed: list[int], tmp_path: Path
) -> None:
    first = stored_graph(vectors, 20, folder=tmp_path)
    (path,) = tmp_path.iterdir()
    path.write_bytes(path.read_bytes()[:700])
    same(first, stored_graph(vectors, 20, folder=tmp_path))
    same(first, stored_graph(vectors, 20, folder=tmp_path))
    assert len(computed) == 2


def test_the_graph_unused_for_longest_goes(
    vectors: np.ndarray, computed: list[int], tmp_path: Path
) -> None:
    for k in range(20, 20 + module.KEPT):
        stored_graph(vectors, k, folder=tmp_path)
    for age, path in enumerate(sorted(tmp_path.iterdir())):
        os.utime(path, (1000 + age, 1000 + age))
    oldest = min(tmp_path.iterdir(), key=lambda one: one.stat().st_mtime)
    stored_graph(vectors, 40, folder=tmp_path)
    assert len(list(tmp_path.iterdir())) == module.KEPT
    assert not oldest.exists()


def test_a_folder_that_cannot_be_written_is_no_error(
    vectors: np.ndarray, computed: list[int], tmp_path: Path
) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    graph = stored_graph(vectors, 20, folder=blocked / "graphs")
    same(graph, neighbor_graph(vectors, 20))


def test_few_vectors_leave_no_file(
    vectors: np.ndarray, tmp_path: Path
) -> None:
    assert stored_graph(vectors, 5, folder=tmp_path).k == 5
    assert not list(tmp_path.iterdir())
