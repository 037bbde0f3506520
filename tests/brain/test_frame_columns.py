"""Frame tables with what strategies need, and only that."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import fiftyone as fo
import numpy as np
import pytest

import raremine.brain as rmb
from raremine.brain import frame_columns
from raremine.brain.columns import read_objects, write_objects
from raremine.brain.errors import MissingStageError, RaremineError
from raremine.brain.evaluation.stage import evaluate_mining
from raremine.brain.frame_columns import default_embeddings, read_frames_with
from raremine.brain.frames import CONCEPT_COLUMNS
from raremine.brain.objects import FrameTable
from raremine.brain.strategies import (
    Strategy,
    by_score,
    needed_columns,
    registry,
    strategy,
)
from tests.brain.fakes import (
    FakeDetector,
    FakeEmbedder,
    painted_dataset,
    scatter,
)
from tests.brain.grouped import Keyframe, grouped_dataset

TRUCK = {"label": "truck", "confidence": 0.7, "group": "target"}


@pytest.fixture
def dataset() -> Iterator[fo.Dataset]:
    """Ten frames with a truck in every fifth, which mining has not seen."""
    keyframes = [
        Keyframe(
            f"token{i}",
            scene=f"scene-{i // 5}",
            objects={"CAM_BACK": [TRUCK] if i == 3 else []},
            truth={"CAM_FRONT": [{"label": "truck"}] if i % 5 == 0 else []},
        )
        for i in range(10)
    ]
    dataset = grouped_dataset(keyframes)
    yield dataset
    dataset.delete()


def brighten(dataset: fo.Dataset) -> None:
    """Frames 0 and 5 are bright on one of their cameras."""
    dataset.add_sample_field("brightness", fo.FloatField)
    view = dataset.select_group_slices(media_type="image")
    for sample in view:
        bright = sample.sample_token in ("token0", "token5")
        if sample.group.name == "CAM_BACK":
            sample["brightness"] = 0.9 if bright else None
        else:
            sample["brightness"] = 0.1
        sample.save()


def test_only_what_is_asked_for(dataset: fo.Dataset) -> None:
    brighten(dataset)
    bare = read_frames_with(dataset, [])
    assert not {"brightness", "embedding", "detector_class"} & {*bare.columns}
    frames = read_frames_with(
        dataset, ["brightness", "detector_class", "no_such_thing"]
    )
    assert set(frames.columns) - set(bare.columns) == {
        "brightness",
        "detector_class",
    }
    bright = [0.9 if i % 5 == 0 else 0.1 for i in range(10)]
    np.testing.assert_allclose(frames["brightness"], bright)
    sure = [0.7 if i == 3 else np.nan for i in range(10)]
    np.testing.assert_allclose(frames["detector_class"], sure)
    cars = read_frames_with(dataset, ["detector_class"], targets=["car"])
    assert np.isnan(cars["detector_class"]).all()
    with pytest.raises(MissingStageError, match="'objects_clip'"):
        read_frames_with(dataset, ["embedding"])


def test_embeddings_by_default(
    dataset: fo.Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def vectors(d: fo.Dataset, frames: FrameTable, key: str) -> np.ndarray:
        asked.append(key)
        return np.ones((len(frames), 2))

    monkeypatch.setattr(frame_columns, "read_frame_vectors", vectors)
    runs: set[str] = set()
    monkeypatch.setattr(
        fo.Dataset, "has_brain_run", lambda self, key: key in runs
    )
    assert default_embeddings(dataset) == "objects_clip"
    runs.add("frames_clip")
    assert default_embeddings(dataset, "mined") == "frames_clip"
    runs.add("mined_clip")
    assert default_embeddings(dataset, "mined") == "mined_clip"
    frames = read_frames_with(dataset, ["embedding"], embeddings="own")
    assert asked == ["own"]
    assert frames["embedding"].shape == (10, 2)


def test_fields_without_groups_have_no_concept_columns(
    dataset: fo.Dataset,
) -> None:
    objects = fo.Detections(
        detections=[fo.Detection(label="car", bounding_box=[0, 0, 1, 1])]
    )
    front = dataset.select_group_slices("CAM_FRONT")
    front.set_values("plain", [objects.copy() for _ in range(len(front))])
    frames = read_frames_with(dataset, [], also={"paper": "plain"})
    assert set(CONCEPT_COLUMNS) <= set(frames.columns)
    assert frames["paper.objects"].tolist() == [1] * 10
    assert not {f"paper.{c}" for c in CONCEPT_COLUMNS} & {*frames.columns}
    with pytest.raises(RaremineError, match="field 'gone'.*'paper'"):
        read_frames_with(dataset, [], also={"paper": "gone"})


def test_needed_columns() -> None:
    own = Strategy("own", lambda frames, seed: np.arange(3), ("a", "b"))
    assert needed_columns(None) == set()
    assert needed_columns({"f": own.order}) == set()
    assert needed_columns("core_set") == {"embedding"}
    assert needed_columns(["vlmine", own, "brightness"]) == {
        *("novelty", "a", "b", "brightness")
    }


def test_a_user_s_strategy_in_ten_lines(
    dataset: fo.Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the registry's docstring shows, on a dataset, by name."""
    monkeypatch.setattr(registry, "_REGISTRY", dict(registry._REGISTRY))
    brighten(dataset)
    shown = (registry.__doc__ or "").split("A new strategy:")[1]
    source = "\n".join(line[4:] for line in shown.splitlines())
    assert len([line for line in source.splitlines() if line]) <= 10
    exec(
        source,
        {
            **{"strategy": strategy, "by_score": by_score},
            **{"FrameTable": FrameTable, "np": np},
        },
    )
    report = evaluate_mining(
        dataset, ["brightest", "random"], [0.2], seeds=range(3)
    )
    # both frames with a truck are the bright ones
    assert report.recall("brightest", 0.2) == 1


def test_strategies_of_vectors_and_of_another_field(tmp_path: Path) -> None:
    names = ["car", "truck", "car", "bus", "truck", "dog", "car", "bus"]
    dataset = painted_dataset(
        tmp_path, scatter(names, per_image=1), truth=True
    )
    rmb.detect_and_embed(dataset, FakeDetector(), FakeEmbedder())
    rmb.detect_objects(dataset, FakeDetector(), field="objects_paper")
    table = read_objects(dataset, "objects_paper", ["label"])
    groups = ["target" if n == "truck" else "common" for n in table["label"]]
    write_objects(dataset, "objects_paper", table, {"group": groups})
    report = evaluate_mining(
        dataset,
        ["core_set", "core_set_fast", "uniqueness", "paper"],
        [0.67],
        seeds=range(2),
        also={"paper": "objects_paper"},
    )
    assert report.recall("paper", 0.67) == 1
    assert {r["strategy"] for r in report.rows} == {
        *("core_set", "core_set_fast", "uniqueness", "paper")
    }
    with pytest.raises(MissingStageError, match=r"ranks by paper\.mining"):
        evaluate_mining(dataset, ["paper"], [0.5], also={})
