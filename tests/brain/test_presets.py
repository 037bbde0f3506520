"""The two presets and the early filter of the published one."""

from __future__ import annotations

import numpy as np
import pytest

from raremine.brain.errors import RaremineError
from raremine.brain.presets import PRESETS, early_filter, preset_settings

KEPT = ("bicycle", "motorcycle", "truck")


def labels(**counts: int) -> np.ndarray:
    names = [n for name, count in counts.items() for n in [name] * count]
    return np.array(names, dtype=object)


def test_the_published_numbers() -> None:
    paper = preset_settings("paper")
    assert paper["detect"] == {
        "conf": 0.3,
        "iou": 0.45,
        "max_det": 50,
        "imgsz": 1280,
    }
    assert paper["embed"] == {"padding": 0.05, "normalize": False}
    assert paper["filter"]["classes"] == KEPT
    outliers = paper["outliers"]
    assert set(outliers["methods"]) == {"tsne_knn", "isolation_forest"}
    assert (outliers["fusion"], outliers["share"]) == ("union", 0.2)
    assert outliers["k"] == 20
    assert paper["concepts"]["weighting"] == "fixed"


def test_a_preset_is_copied() -> None:
    preset_settings("default")["detect"]["conf"] = 0.9
    assert PRESETS["default"]["detect"]["conf"] != 0.9
    with pytest.raises(RaremineError, match="'fast'; choose paper, default"):
        preset_settings("fast")


def test_a_filter_that_keeps_enough_adds_nothing() -> None:
    kept = early_filter(labels(car=70, truck=30), KEPT, seed=0)
    assert kept.tolist() == [False] * 70 + [True] * 30


def test_a_filter_that_keeps_less_adds_a_tenth_of_all() -> None:
    names = labels(car=60, truck=20, person=20)
    kept = early_filter(names, KEPT, seed=0)
    assert kept[60:80].all()
    assert kept.sum() == 20 + 10
    assert (early_filter(names, KEPT, seed=0) == kept).all()
    assert (early_filter(names, KEPT, seed=1) != kept).any()


def test_names_are_compared_as_a_whole() -> None:
    names = labels(**{"truck driver": 5, "motorbike": 5, "truck": 90})
    kept = early_filter(names, KEPT, seed=0)
    assert kept.tolist() == [False] * 10 + [True] * 90


@pytest.mark.parametrize(("n", "kept"), [(0, 0), (1, 0), (5, 0), (19, 2)])
def test_few_objects(n: int, kept: int) -> None:
    assert early_filter(labels(car=n), KEPT, seed=0).sum() == kept


def test_the_tenth_cannot_be_more_than_the_rest() -> None:
    assert early_filter(labels(car=1, truck=2), KEPT, 0).sum() == 2
