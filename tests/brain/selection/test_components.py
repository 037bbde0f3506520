"""What a component's name means, and what strategies are shown."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from raremine.brain.errors import MissingStageError, RecipeError
from raremine.brain.objects import FrameTable
from raremine.brain.selection import components
from raremine.brain.selection.rule import select
from raremine.brain.strategies import Strategy, registered, strategy
from raremine.brain.strategies import registry as strategies
from tests.brain.selection.tables import frame_table


@pytest.fixture(autouse=True)
def own_registry(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Strategies of a test are gone after it."""
    monkeypatch.setattr(strategies, "_REGISTRY", registered())
    yield


def test_a_column_goes_before_a_strategy_and_prefixes_decide() -> None:
    @strategy("brightness")
    def darkest(frames: FrameTable, seed: int) -> np.ndarray:
        return np.argsort(frames["brightness"], kind="stable")

    frames = frame_table(10, brightness=range(10))
    for name, token, score in (
        ("brightness", "t009", 9),
        ("column:brightness", "t009", 9),
        ("strategy:brightness", "t000", None),
    ):
        (pick,) = select(frames, {name: 0.1}).picks
        assert (pick.sample_token, pick.score) == (token, score)
        assert pick.component == name
    assert "the strategy brightness" in pick.why


def test_every_baseline_can_be_a_component() -> None:
    """All that need no ground truth, wherever their columns are there."""
    random = np.random.default_rng(0)
    frames = frame_table(60, target={1: ("truck",)}, rare={2: ("animal",)})
    for known in registered().values():
        for column in known.needs:
            if column == "embedding":
                frames.columns[column] = random.normal(size=(60, 4))
            elif column.endswith("mining_group"):
                frames.columns[column] = frames["mining_group"]
            elif column.endswith("_concepts"):
                base = column.rpartition(".")[2]
                frames.columns[column] = frames[base]
            else:
                frames.columns.setdefault(column, random.random(60))
    for name, known in registered().items():
        recipe = {f"strategy:{name}": 0.1}
        if known.needs_truth:
            with pytest.raises(RecipeError, match="only be evaluated"):
                select(frames, recipe)
            continue
        chosen = select(frames, recipe)
        assert len(chosen) == 6, name
        assert chosen.shortages == ()
        assert name in chosen.picks[0].why
        plain = Strategy(known.name, known.order, conditional=False)
        if not known.conditional:
            order = plain.run(frames, 0)
            assert chosen.tokens == frames.sample_token[order[:6]].tolist()


def test_the_oracle_is_refused() -> None:
    with pytest.raises(RecipeError, match="'oracle' orders frames by their"):
        select(frame_table(10), {"oracle": 0.1})


def test_unknown_names_and_strategies_without_their_column() -> None:
    frames = frame_table(10)
    with pytest.raises(MissingStageError, match=r"core_set.*correct the name"):
        select(frames, {"cor_set": 0.1})
    with pytest.raises(RecipeError, match="no strategy 'cor_set'.*core_set"):
        select(frames, {"strategy:cor_set": 0.1})
    with pytest.raises(MissingStageError, match="embedding"):
        select(frames, {"core_set": 0.1})


def test_strategies_see_the_pool_alone() -> None:
    """A val frame must not sway which train frames are taken."""
    seen: list[list[str]] = []

    @strategy("spy")
    def spy(frames: FrameTable, seed: int) -> np.ndarray:
        seen.append(frames.split.tolist())
        return np.arange(len(frames))[::-1]

    frames = frame_table(20, split=["val"] * 5 + ["train"] * 10 + ["test"] * 5)
    chosen = select(frames, {"spy": 0.3})
    assert seen == [["train"] * 10]
    assert chosen.tokens == ["t014", "t013", "t012"]


def test_a_conditional_strategy_is_told_what_got_chosen() -> None:
    """Refused frames are no centers, excluded ones are not offered."""
    told: list[tuple[list[str], list[str]]] = []

    @strategy("next", conditional=True)
    def rising(
        frames: FrameTable, seed: int, *, chosen: np.ndarray, limit: int | None
    ) -> np.ndarray:
        tokens = frames.sample_token
        told.append((tokens.tolist(), tokens[chosen].tolist()))
        free = np.setdiff1d(np.arange(len(frames)), chosen)
        return free[:limit]

    frames = frame_table(12, scenes=1, novelty=[0] * 11 + [1])
    recipe = {
        "novelty": 1 / 12,
        "next": 4 / 12,
        "min_gap_seconds": 1.0,
        "exclude": ["t000"],
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(components, "FIRST_BATCH", 2)
        chosen = select(frames, recipe)
    assert chosen.tokens == ["t011", "t001", "t003", "t005", "t007"]
    assert told[0] == ([f"t{i:03d}" for i in (*range(1, 10), 11)], ["t011"])
    # t002 was offered behind t001 and refused: it is no center
    assert told[1][1] == ["t001", "t011"]
    assert "t002" not in told[1][0]


def test_the_core_set_covers_what_random_frames_have_not() -> None:
    """Three clusters, one of them with all the frames drawn first."""
    centers = np.repeat(np.eye(3), (80, 10, 10), axis=0)
    noise = 0.01 * np.random.default_rng(0).normal(size=(100, 3))
    frames = frame_table(100, embedding=centers + noise)
    for seed in range(5):
        chosen = select(frames, {"random": 0.01, "core_set": 0.02}, seed)
        rows = [int(t[1:]) for t in chosen.tokens]
        assert len({int(centers[r].argmax()) for r in rows}) == 3
    assert chosen.picks[1].why == (
        "Number 1 wanted by the strategy core_set, given those chosen before."
    )


def test_a_broken_strategy_is_named() -> None:
    @strategy("twice")
    def twice(frames: FrameTable, seed: int) -> np.ndarray:
        return np.zeros(len(frames), dtype=int)

    with pytest.raises(ValueError, match="'twice' must return every one"):
        select(frame_table(10), {"twice": 0.1})
