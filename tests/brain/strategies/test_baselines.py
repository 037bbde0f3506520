"""Every baseline: a known answer, and input with nothing in it."""

from __future__ import annotations

import fiftyone as fo
import fiftyone.brain as fob
import numpy as np
import pytest

from raremine.brain.errors import MissingStageError, RaremineError
from raremine.brain.objects import FrameTable
from raremine.brain.strategies import (
    DEFAULT,
    PAPER,
    available,
    choose,
    embeddings,
    of_field,
    registered,
    uniqueness,
)
from raremine.brain.strategies.k_center import k_center
from tests.brain.selection.tables import frame_table

BY_COLUMN = {
    "detector_class": "detector_class",
    "least_confidence": "uncertainty",
    "least_confidence_mean": "uncertainty_mean",
    "entropy": "entropy",
    "entropy_mean": "entropy_mean",
    "isolation_forest": "isolation_forest",
    "lof": "lof",
    "knn": "knn",
    "vlmine": "novelty",
    "pareto": "pareto_rank",
}

BASELINES = {
    *("random", "oracle", "core_set", "core_set_fast", "uniqueness"),
    *("concept_group", DEFAULT, PAPER, *BY_COLUMN),
}
"""What method.md asks for."""


def order_of(
    name: str, frames: FrameTable, seed: int = 0, **more: object
) -> list[int]:
    (found,) = choose(frames, name)
    return found.run(frames, seed, **more).tolist()  # type: ignore[arg-type]


def full_table(n: int, vectors: np.ndarray | None = None) -> FrameTable:
    """Frames with every column that a baseline ranks by, all alike."""
    frames = frame_table(n)
    frames.columns["mining_score"] = np.zeros(n)
    for column in BY_COLUMN.values():
        frames.columns[column] = np.zeros(n)
    for name in [*frames.columns]:
        frames.columns[f"paper.{name}"] = frames.columns[name]
    frames.columns["embedding"] = (
        np.ones((n, 4), np.float32) if vectors is None else vectors
    )
    return frames


def test_all_baselines_are_there_and_say_what_they_do() -> None:
    known = registered()
    assert set(known) >= BASELINES
    for name, strategy in known.items():
        assert strategy.name == name
        assert strategy.about.endswith("."), name
    frames = full_table(9)
    assert set(available(frames)) >= BASELINES


@pytest.mark.parametrize(("name", "column"), BY_COLUMN.items())
def test_ranks_by_its_signal_alone(name: str, column: str) -> None:
    frames = frame_table(8, **{column: [0.1, np.nan, 3, -2, 3, np.nan, 1, 0]})
    runs = {tuple(order_of(name, frames, seed)) for seed in range(20)}
    for run in runs:
        assert set(run[:2]) == {2, 4}
        assert run[2:6] == (6, 0, 7, 3)
        assert set(run[6:]) == {1, 5}
    # ties and frames without a value are luck, and luck is of the seed
    assert len(runs) == 4
    with pytest.raises(MissingStageError, match=column):
        choose(frame_table(8), name)


def test_a_column_is_listed_once_and_can_be_named() -> None:
    frames = frame_table(4, novelty=[1, 2, 3, 4], other=[4, 3, 2, 1])
    names = set(available(frames))
    assert {"vlmine", "other"} <= names
    assert "novelty" not in names
    assert order_of("novelty", frames) == order_of("vlmine", frames)


def test_paper_ranks_by_the_columns_of_the_other_field() -> None:
    frames = frame_table(6, target={1: ("truck",)}, mining_score=range(6))
    with pytest.raises(MissingStageError, match=r"paper\.mining_score"):
        choose(frames, PAPER)
    frames.columns["paper.mining_score"] = np.arange(6.0)[::-1]
    for name in ("mining_group", "target_concepts", "rare_concepts"):
        frames.columns[f"paper.{name}"] = frames[name]
    assert order_of("mining_score", frames) == [5, 4, 3, 2, 1, 0]
    assert order_of(PAPER, frames) == [0, 1, 2, 3, 4, 5]
    # the other field's columns are no strategies of their own
    assert not [n for n in available(frames) if "." in n]
    assert order_of("paper.mining_score", frames) == [0, 1, 2, 3, 4, 5]


def test_any_strategy_works_on_another_field() -> None:
    vectors = np.random.default_rng(0).normal(size=(20, 4))
    frames = full_table(20, vectors)
    again = of_field(registered()["core_set"], "paper", "again")
    assert again.needs == ("embedding",)
    assert again.conditional
    chosen = [3, 4]
    assert again.run(frames, 0, chosen=chosen).tolist() == order_of(
        "core_set", frames, chosen=chosen
    )
    entropy = of_field(registered()["entropy"], "paper", "paper_entropy")
    frames.columns["paper.entropy"] = np.arange(20.0)
    assert entropy.run(frames, 0).tolist() == list(range(20))[::-1]


@pytest.mark.parametrize("name", ["core_set", "core_set_fast"])
def test_core_set_is_k_center_given_what_is_chosen(name: str) -> None:
    vectors = np.random.default_rng(1).normal(size=(60, 5))
    vectors[[7, 9]] = np.nan
    frames = full_table(60, vectors)
    order = order_of(name, frames, 2)
    expected = k_center(vectors, seed=2).tolist()
    assert order[:58] == expected
    assert set(order[58:]) == {7, 9}
    given = order_of(name, frames, 2, chosen=[1, 2], limit=10)
    assert given[:10] == k_center(vectors, 10, chosen=[1, 2], seed=2).tolist()
    assert sorted(given) == list(range(60))


def test_uniqueness_is_that_of_fiftyone() -> None:
    vectors = np.random.default_rng(0).normal(size=(40, 6)) + 0.5
    vectors[11] = vectors[3]
    dataset = fo.Dataset()
    try:
        dataset.add_samples(fo.Sample(f"/no/{i:02d}.png") for i in range(40))
        fob.compute_uniqueness(dataset, embeddings=vectors)
        theirs = dataset.values("uniqueness")
    finally:
        dataset.delete()
    np.testing.assert_allclose(uniqueness(vectors), theirs, atol=1e-6)
    order = order_of("uniqueness", full_table(40, vectors))
    assert order[0] == int(np.argmax(theirs))
    np.testing.assert_allclose(np.sort(theirs)[::-1], np.array(theirs)[order])


def test_uniqueness_of_nearly_nothing() -> None:
    assert uniqueness(np.zeros((0, 3))).shape == (0,)
    assert uniqueness(np.eye(4)).tolist() == [1, 1, 1, 1]
    assert uniqueness(np.full((7, 3), 0.1)).tolist() == [0] * 7
    broken = np.concatenate([np.eye(5), [[np.nan] * 5, [0.0] * 5]])
    np.testing.assert_allclose(
        uniqueness(broken), [1] * 5 + [np.nan] * 2, atol=1e-6
    )


def test_uniqueness_is_computed_once_for_all_seeds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    calls = []

    def counting(vectors: np.ndarray) -> np.ndarray:
        calls.append(len(vectors))
        return uniqueness(vectors)

    monkeypatch.setattr(embeddings, "uniqueness", counting)
    vectors = np.random.default_rng(2).normal(size=(30, 4))
    for seed in range(5):
        order_of("uniqueness", full_table(30, vectors.copy()), seed)
    assert calls == [30]
    vectors[0] += 1
    order_of("uniqueness", full_table(30, vectors))
    assert calls == [30, 30]


@pytest.mark.parametrize("n", [0, 1, 2, 7])
@pytest.mark.parametrize("fill", ["alike", "nan", "duplicates"])
def test_degenerate_tables(n: int, fill: str) -> None:
    vectors = np.ones((n, 3), np.float32)
    if fill == "nan":
        vectors[:] = np.nan
    elif fill == "duplicates":
        vectors = np.eye(3, dtype=np.float32)[np.arange(n) % 2]
    frames = full_table(n, vectors)
    if fill == "nan":
        for name in BY_COLUMN.values():
            frames.columns[name] = np.full(n, np.nan)
    for name in BASELINES - {"oracle"}:
        strategy = registered()[name]
        for seed in (0, 1):
            order = strategy.run(frames, seed, chosen=range(min(n, 1)))
            assert sorted(order.tolist()) == list(range(n)), name


def test_the_oracle_selects_nothing() -> None:
    with pytest.raises(RaremineError, match="'oracle' looks at the ground"):
        order_of("oracle", full_table(3))


def test_no_order_depends_on_the_machine_s_rows() -> None:
    """Frames that all signals tell apart come in one order, always."""
    rng = np.random.default_rng(5)
    n = 30
    frames = full_table(n, rng.normal(size=(n, 6)))
    for name in frames.columns:
        if frames[name].dtype.kind == "f" and frames[name].ndim == 1:
            frames.columns[name] = rng.permutation(n).astype(float)
    order = rng.permutation(n)
    shuffled = frames.take(order).sorted()
    for name in BASELINES - {"oracle"}:
        assert order_of(name, frames) == order_of(name, shuffled)
