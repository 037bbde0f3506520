"""None but the oracle sees the ground truth: it may not even be there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import fiftyone as fo
import numpy as np
import pytest

import raremine.brain as rmb
from raremine.brain.columns import all_slices, read_objects, write_objects
from raremine.brain.errors import RaremineError
from raremine.brain.evaluation.comparison import orders_of
from raremine.brain.evaluation.ground_truth import (
    COLUMNS,
    FrameTruth,
    frame_truth,
)
from raremine.brain.evaluation.stage import read_pool
from raremine.brain.strategies import ORACLE, registered
from tests.brain.fakes import (
    FakeDetector,
    FakeEmbedder,
    painted_dataset,
    scatter,
)

CLASSES = ("car", "truck", "car", "bus", "person", "car", "truck")
SEEDS = (0, 1)


@pytest.fixture
def dataset(tmp_path: Path) -> Iterator[fo.Dataset]:
    """Mined into two fields, with all that any strategy ranks by."""
    names = [CLASSES[i % len(CLASSES)] for i in range(96)]
    dataset = painted_dataset(
        tmp_path, scatter(names, per_image=2), truth=True
    )
    for seed, field in enumerate(("objects", "objects_paper")):
        rmb.detect_and_embed(
            dataset,
            FakeDetector(),
            FakeEmbedder(),
            field=field,
            brain_key=f"{field}_clip",
        )
        table = read_objects(dataset, field, ["label"])
        rng = np.random.default_rng(seed)
        n = len(table)
        groups = np.array(["common", "rare", "target"], dtype=object)
        scores = {
            name: rng.random(n)
            for name in (
                *("outlier_score", "isolation_forest", "lof", "class_lof"),
                *("knn", "tsne_knn", "class_rarity", "novelty"),
                *("concept_score", "target_score", "rare_score"),
            )
        }
        write_objects(
            dataset,
            field,
            table,
            {
                **scores,
                "group": groups[rng.integers(3, size=n)].tolist(),
                "concept": [["truck", "animal"][i % 2] for i in range(n)],
                "pareto_front": rng.integers(5, size=n),
                "pareto_order": rng.permutation(n),
            },
        )
    yield dataset
    dataset.delete()


def all_orders(
    dataset: fo.Dataset, truth: FrameTruth | None = None
) -> dict[str, list[list[int]]]:
    pool = read_pool(
        dataset, also={"paper": "objects_paper", "other": "objects_paper"}
    )
    return {
        s.name: [
            order.tolist() for order in orders_of(s, pool.frames, SEEDS, truth)
        ]
        for s in pool.strategies
        if s.name != ORACLE or truth is not None
    }


def test_without_ground_truth_every_order_is_the_same(
    dataset: fo.Dataset,
) -> None:
    frames = read_pool(dataset).frames
    boxes = read_objects(dataset, "ground_truth", COLUMNS)
    before = all_orders(dataset, frame_truth(frames, boxes))
    # whoever adds a strategy that needs more adds it to the dataset above
    assert set(before) >= {*registered(), "other"}

    dataset.delete_sample_field("ground_truth")
    assert dataset.get_field("ground_truth") is None
    after = all_orders(dataset)
    assert set(after) == set(before) - {ORACLE}
    for name, orders in after.items():
        assert orders == before[name], name


def test_false_ground_truth_changes_the_oracle_alone(
    dataset: fo.Dataset,
) -> None:
    frames = read_pool(dataset).frames
    boxes = read_objects(dataset, "ground_truth", COLUMNS)
    before = all_orders(dataset, frame_truth(frames, boxes))
    view = all_slices(dataset).exists("ground_truth")
    labels = view.values("ground_truth.detections.label")
    view.set_values(
        "ground_truth.detections.label",
        [["car" if n == "truck" else "truck" for n in s] for s in labels],
    )
    boxes = read_objects(dataset, "ground_truth", COLUMNS)
    after = all_orders(dataset, frame_truth(frames, boxes))
    changed = {name for name in before if before[name] != after[name]}
    assert changed == {ORACLE}


def test_the_oracle_cannot_do_without(dataset: fo.Dataset) -> None:
    pool = read_pool(dataset, [ORACLE])
    with pytest.raises(RaremineError, match="looks at the ground truth"):
        orders_of(pool.strategies[0], pool.frames, SEEDS)
