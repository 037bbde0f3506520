"""A human's decisions survive that the objects are detected anew."""

from __future__ import annotations

from pathlib import Path

import fiftyone as fo
import numpy as np
import pytest

import raremine.brain as rmb
from raremine.brain import decisions
from raremine.brain.columns import read_objects
from raremine.brain.decisions import set_aside
from raremine.brain.models.protocols import DetectedBoxes
from tests.brain.fakes import (
    FakeDetector,
    FakeEmbedder,
    painted_dataset,
    scatter,
)

NAMES = ["car", "person", "truck", "dog", "bus", "bicycle"]


class Moved(FakeDetector):
    """Finds what the other does, a little beside it, and misses a class."""

    def __init__(self, missing: str = "", by: float = 4.0) -> None:
        super().__init__(settings={"conf": 0.3, "missing": missing})
        self._missing = missing
        self._by = by

    def _boxes(self, image: np.ndarray) -> DetectedBoxes:
        found = super()._boxes(image)
        keep = [
            self.class_names[k] != self._missing
            for k in found.class_id.tolist()
        ]
        return DetectedBoxes(
            found.boxes[keep] + self._by,
            found.confidence[keep],
            found.class_id[keep],
        )


@pytest.fixture
def dataset(tmp_path: Path) -> fo.Dataset:
    dataset = painted_dataset(tmp_path, scatter(NAMES, per_image=2))
    rmb.detect_objects(dataset, FakeDetector())
    return dataset


def said(dataset: fo.Dataset) -> dict[str, tuple[object, object]]:
    table = read_objects(dataset, names=("label", *decisions.DECIDED_COLUMNS))
    return {
        label: pair
        for label, pair in zip(
            table["label"], decisions.read_decisions(table), strict=True
        )
        if pair is not None
    }


def decide(dataset: fo.Dataset, label: str, *what: str, **more: str) -> None:
    table = read_objects(dataset, names=("label",))
    ids = table.label_id[table["label"] == label].tolist()
    assert len(ids) == 1
    rmb.correct_objects(dataset, *what, labels=ids, **more)


def test_decisions_go_to_the_new_boxes(dataset: fo.Dataset) -> None:
    decide(dataset, "car", "trailer")
    decide(dataset, "dog", group="target")
    before = said(dataset)
    assert before == {"car": ("trailer", None), "dog": (None, "target")}
    done = rmb.detect_objects(dataset, Moved(), overwrite=True)
    assert done["corrections_kept"] == 2
    assert done["corrections_without_object"] == 0
    assert said(dataset) == before
    assert set_aside(dataset, "objects") == []
    # and they count when concepts are matched on the new objects
    rmb.embed_objects(dataset, FakeEmbedder())
    assert rmb.match_concepts(dataset, embedder=FakeEmbedder())["by_hand"] == 2


def test_what_is_not_found_again_waits_for_the_detector_that_does(
    dataset: fo.Dataset,
) -> None:
    decide(dataset, "car", "trailer")
    decide(dataset, "bus", "truck")
    done = rmb.detect_objects(dataset, Moved("car"), overwrite=True)
    assert done["corrections_kept"] == 1
    assert done["corrections_without_object"] == 1
    assert said(dataset) == {"bus": ("truck", None)}
    (lost,) = set_aside(dataset, "objects")
    assert (lost["concept"], lost["waits"]) == ("trailer", False)
    # nothing is told twice where nothing was detected anew
    assert "corrections_kept" not in rmb.detect_objects(dataset, Moved("car"))
    # another correction does not forget it
    decide(dataset, "dog", group="common")
    done = rmb.detect_objects(dataset, FakeDetector(), overwrite=True)
    assert done["corrections_kept"] == 3
    assert said(dataset)["car"] == ("trailer", None)


def test_a_kill_while_detecting_loses_no_decision(
    dataset: fo.Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    decide(dataset, "car", "trailer")
    decide(dataset, "bicycle", "motorcycle")

    def killed(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("raremine.brain.detection.stream_into", killed)
        with pytest.raises(KeyboardInterrupt):
            rmb.detect_objects(dataset, Moved(), overwrite=True)
    assert said(dataset) == {}
    assert rmb.detect_objects(dataset, Moved())["corrections_kept"] == 2
    assert said(dataset) == {
        "car": ("trailer", None),
        "bicycle": ("motorcycle", None),
    }


def test_a_newer_word_about_the_new_box_stands(
    dataset: fo.Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    decide(dataset, "car", "trailer")

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("raremine.brain.detection.hand_on", killed)
        with pytest.raises(KeyboardInterrupt):
            rmb.detect_objects(dataset, Moved(), overwrite=True)
    decide(dataset, "car", "bus")
    rmb.detect_objects(dataset, Moved())
    assert said(dataset) == {"car": ("bus", None)}
    assert set_aside(dataset, "objects") == []


def test_one_box_gets_one_decision(dataset: fo.Dataset) -> None:
    decide(dataset, "car", "trailer")
    table = read_objects(dataset, names=("label", "bounding_box"))
    (row,) = np.flatnonzero(table["label"] == "car")
    image = str(table.sample_id[row])
    box = table["bounding_box"][row].tolist()
    aside = [
        decisions.Decision(
            image=image, box=box, concept=c, group=None, waits=True
        )
        for c in ("trailer", "truck")
    ]
    rmb.correct_objects(dataset, clear=True)
    decisions.record_decisions(dataset, "objects", aside)
    told = decisions.hand_on(dataset, "objects")
    assert told == {"corrections_kept": 1, "corrections_without_object": 1}
    assert said(dataset) == {"car": ("trailer", None)}


def test_only_the_images_done_anew_are_concerned(dataset: fo.Dataset) -> None:
    decide(dataset, "car", "trailer")
    decide(dataset, "bicycle", "motorcycle")
    table = read_objects(dataset, names=("label",))
    image = str(table.sample_id[table["label"] == "car"][0])
    done = rmb.detect_objects(
        dataset.select(image), FakeDetector(), overwrite=True
    )
    assert done["corrections_kept"] == 1
    assert len(said(dataset)) == 2


def test_in_one_pass_with_embedding_too(dataset: fo.Dataset) -> None:
    decide(dataset, "car", "trailer")
    done = rmb.detect_and_embed(
        dataset, Moved(), FakeEmbedder(), overwrite=True
    )
    assert done["detect"]["corrections_kept"] == 1
    assert said(dataset) == {"car": ("trailer", None)}
