"""A human's word about an object stands."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import fiftyone as fo
import fiftyone.operators as foo
import numpy as np
import pytest
from fiftyone.operators.executor import ExecutionError

import raremine.brain as rmb
from raremine.brain.columns import read_objects
from raremine.brain.errors import RaremineError
from tests.brain.fakes import (
    FakeDetector,
    FakeEmbedder,
    painted_dataset,
    scatter,
)

NAMES = ["car", "person", "truck", "dog", "bus", "bicycle"]
COLUMNS = ("label", "concept", "group", "concept_source", "reason")
URI = "@raremine/raremine/correct_objects"


@pytest.fixture
def dataset(tmp_path: Path) -> fo.Dataset:
    dataset = painted_dataset(tmp_path, scatter(NAMES, per_image=2))
    rmb.detect_objects(dataset, FakeDetector())
    rmb.embed_objects(dataset, FakeEmbedder())
    match(dataset)
    return dataset


def match(dataset: fo.Dataset, **kwargs: object) -> dict[str, object]:
    return rmb.match_concepts(dataset, embedder=FakeEmbedder(), **kwargs)


def state(dataset: fo.Dataset, names: tuple[str, ...] = COLUMNS) -> dict:
    table = read_objects(dataset, names=names)
    return {
        label_id: tuple(table[name][row] for name in names)
        for row, label_id in enumerate(table.label_id.tolist())
    }


def ids(dataset: fo.Dataset, label: str) -> list[str]:
    return [i for i, row in state(dataset).items() if row[0] == label]


def test_a_word_said_in_another_process_stands(dataset: fo.Dataset) -> None:
    (car,) = ids(dataset, "car")
    dataset.info["note"] = "not saved yet"
    match(dataset)
    assert dataset.info["note"] == "not saved yet"
    # the App corrects while a notebook has the dataset open
    script = (
        "import fiftyone as fo, raremine.brain as rmb\n"
        f"dataset = fo.load_dataset({dataset.name!r})\n"
        f"rmb.correct_objects(dataset, 'trailer', labels=[{car!r}])\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
    assert match(dataset)["by_hand"] == 1
    assert state(dataset)[car][1:4] == ("trailer", "target", "human")
    assert dataset.has_brain_run("objects_corrections")


def test_a_word_stands_whatever_is_matched_again(dataset: fo.Dataset) -> None:
    before = state(dataset)
    (car,) = ids(dataset, "car")
    done = rmb.correct_objects(
        dataset, "Excavator", group="target", labels=[car]
    )
    assert (done["objects"], done["corrected_in_all"]) == (1, 1)
    expected = (
        "car",
        "excavator",
        "target",
        "human",
        "a human says excavator, target",
    )
    assert state(dataset) == {**before, car: expected}
    for again in ({}, {"evidence": "image"}, {"vocabulary": "paper"}):
        assert match(dataset, **again)["by_hand"] == 1
        now = state(dataset)
        assert now[car] == expected
        assert {row[3] for i, row in now.items() if i != car} == {"evidence"}
    # even when the matching's own fields are deleted
    dataset.delete_brain_run("objects_concepts")
    match(dataset)
    assert state(dataset) == {**before, car: expected}


def test_the_frame_follows_the_word(dataset: fo.Dataset) -> None:
    (car,) = ids(dataset, "car")
    table = read_objects(dataset)
    token = table["sample_token"][table.rows_of([car])[0]]

    def frame() -> tuple:
        front = dataset.select_group_slices(media_type="image")
        one = front.match({"sample_token": token}).first()
        return one["mining_group"], one["target_concepts"]

    rmb.correct_objects(dataset, "trailer", labels=[car])
    group, concepts = frame()
    assert group == "target"
    assert "trailer" in concepts


def test_a_group_alone_keeps_the_concept(dataset: fo.Dataset) -> None:
    (dog,) = ids(dataset, "dog")
    concept = state(dataset)[dog][1]
    rmb.correct_objects(dataset, group="common", labels=[dog])
    assert state(dataset)[dog][1:4] == (concept, "common", "human")
    match(dataset)
    assert state(dataset)[dog][1:4] == (concept, "common", "human")


def test_a_concept_follows_the_targets_of_the_match(
    dataset: fo.Dataset,
) -> None:
    (car,) = ids(dataset, "car")
    rmb.correct_objects(dataset, "bicycle", labels=[car])
    assert state(dataset)[car][2] == "target"
    match(dataset, targets=["truck"])
    assert state(dataset)[car][1:3] == ("bicycle", "rare")


def test_a_word_can_be_taken_back(dataset: fo.Dataset) -> None:
    before = state(dataset)
    (car,) = ids(dataset, "car")
    rmb.correct_objects(dataset, "truck", labels=[car])
    done = rmb.correct_objects(dataset, clear=True)
    # of all objects only the corrected one changes
    assert (done["objects"], done["corrected_in_all"]) == (1, 0)
    now = state(dataset)
    assert {**now, car: before[car]} == before
    assert "run match_concepts again" in now[car][4]
    match(dataset)
    assert state(dataset) == before


def test_a_patches_view_corrects_what_it_shows(dataset: fo.Dataset) -> None:
    images = dataset.select_group_slices(media_type="image")
    patches = images.filter_labels(
        "objects", fo.ViewField("label") == "dog"
    ).to_patches("objects")
    assert rmb.correct_objects(patches, "animal", group="rare")["objects"] == 1
    hand = [r[0] for r in state(dataset).values() if r[3] == "human"]
    assert hand == ["dog"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "Say which concept or group"),
        ({"concept": "car", "clear": True}, "not both"),
        ({"concept": "zeppelin"}, "not in the vocabulary"),
        ({"concept": "car", "group": "odd"}, "Unknown group 'odd'"),
        ({"concept": "car", "labels": ["0" * 24]}, "1 of 1 label ids"),
    ],
)
def test_a_mistake_changes_nothing(
    dataset: fo.Dataset, arguments: dict, message: str
) -> None:
    before = state(dataset)
    with pytest.raises(RaremineError, match=message):
        rmb.correct_objects(dataset, **arguments)
    assert state(dataset) == before


def test_numbers_of_a_word_are_sure(dataset: fo.Dataset) -> None:
    (car,) = ids(dataset, "car")
    rmb.correct_objects(dataset, "truck", labels=[car])
    names = ("concept_score", "target_score", "rare_score", "ambiguous")
    for _ in range(2):
        assert state(dataset, names)[car] == (1.0, 1.0, 0.0, False)
        match(dataset)
    others = [r for i, r in state(dataset, names).items() if i != car]
    assert all(np.isfinite(row[0]) for row in others)


def test_a_word_is_heard_by_what_looks_alike_in_the_scene(
    dataset: fo.Dataset,
) -> None:
    (car,) = ids(dataset, "car")
    names = ("target_score", "target_evidence")
    match(dataset)
    before = state(dataset, names)
    rmb.correct_objects(dataset, "truck", labels=[car])
    assert state(dataset, names)[car] == (1.0, 1.0)
    match(dataset)
    after = state(dataset, names)
    assert after[car] == (1.0, 1.0)
    others = [i for i in after if i != car]
    assert all(after[i][0] == before[i][0] for i in others)
    assert any(after[i][1] > before[i][1] for i in others)
    match(dataset, pool_scenes=False)
    assert all(np.isnan(row[1]) for row in state(dataset, names).values())


def test_the_app_corrects_selected_patches_only(dataset: fo.Dataset) -> None:
    images = dataset.select_group_slices(media_type="image")
    patches = images.to_patches("objects")
    (car,) = ids(dataset, "car")
    params = {"concept": "truck"}
    with pytest.raises(ExecutionError, match="Select objects first"):
        foo.execute_operator(URI, dict(view=patches), params=dict(params))
    foo.execute_operator(
        URI, dict(view=patches, selected=[car]), params=dict(params)
    )
    by_hand = [i for i, r in state(dataset).items() if r[3] == "human"]
    assert by_hand == [car]
    (dog,) = ids(dataset, "dog")
    chosen = {"label_id": dog, "sample_id": "0" * 24, "field": "objects"}
    foo.execute_operator(
        URI,
        dict(dataset=dataset, selected_labels=[chosen]),
        params={"group": "common"},
    )
    assert state(dataset)[dog][2:4] == ("common", "human")
    # images are no objects: selecting one corrects nothing in it
    with pytest.raises(ExecutionError, match="Select objects first"):
        foo.execute_operator(
            URI,
            dict(view=images, selected=[images.first().id]),
            params=dict(params),
        )
