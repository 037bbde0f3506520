"""Concepts and groups on a dataset."""

from __future__ import annotations

import json
from pathlib import Path

import fiftyone as fo
import fiftyone.core.fields as fof
import numpy as np
import pytest

import raremine.brain as rmb
from raremine.brain.columns import read_objects, write_objects
from raremine.brain.concepts.vocabulary import load_vocabulary
from raremine.brain.errors import (
    MissingStageError,
    RaremineError,
    VocabularyError,
)
from raremine.brain.runs import load_results, run_params
from tests.brain.fakes import (
    Color,
    FakeCaptioner,
    FakeDetector,
    FakeEmbedder,
    color_of,
    colors_of,
    painted_dataset,
    scatter,
    truncate,
)

NAMES = ["car", "person", "truck", "dog", "bus", "traffic light", "bicycle"]


@pytest.fixture
def dataset(tmp_path: Path) -> fo.Dataset:
    dataset = painted_dataset(tmp_path, scatter(NAMES, per_image=2))
    rmb.detect_objects(dataset, FakeDetector())
    rmb.embed_objects(dataset, FakeEmbedder())
    return dataset


def match(dataset: fo.Dataset, **kwargs: object) -> dict[str, object]:
    return rmb.match_concepts(dataset, embedder=FakeEmbedder(), **kwargs)


def rows(dataset: fo.Dataset, *names: str) -> dict[str, tuple]:
    """Returns the attributes by the painted class."""
    colors = colors_of(dataset)
    table = read_objects(dataset, names=names)
    place = {color_of(name, n): name for n, name in enumerate(NAMES)}
    return {
        place[colors[label_id]]: tuple(table[name][row] for name in names)
        for row, label_id in enumerate(table.label_id)
    }


def say(**answers: str) -> dict[Color, str]:
    return {
        color_of(name, NAMES.index(name)): text
        for name, text in answers.items()
    }


def answer(name: str, description: str) -> str:
    return json.dumps({"class": name, "description": description})


def test_image_and_detector_decide_without_a_caption(
    dataset: fo.Dataset,
) -> None:
    summary = match(dataset)
    got = rows(dataset, "concept", "group", "reason", "ambiguous")
    assert {name: row[:2] for name, row in got.items()} == {
        "car": ("car", "common"),
        "person": ("pedestrian", "common"),
        "truck": ("truck", "target"),
        "dog": ("animal", "rare"),
        "bus": ("bus", "rare"),
        "traffic light": ("traffic light", "common"),
        "bicycle": ("bicycle", "target"),
    }
    assert (summary["target"], summary["rare"], summary["common"]) == (2, 2, 3)
    assert got["truck"][2].startswith(
        "no caption, detector says truck → truck"
    )
    assert got["truck"][3] is False


def test_a_caption_overrules_an_unsure_image(dataset: fo.Dataset) -> None:
    answers = say(
        bus=answer("construction vehicle", "A yellow excavator."),
        person=answer("others", "A motorbike with a carrot."),
        car="I'm sorry, I cannot process a construction vehicle.",
    )
    rmb.caption_objects(
        dataset, FakeCaptioner(answers=answers), candidates="all"
    )
    unsure = FakeEmbedder()
    unsure.logit_scale = 3.0
    rmb.match_concepts(dataset, embedder=unsure, trust_detector=False)
    got = rows(dataset, "concept", "group", "reason", "runner_up")
    assert got["bus"][:2] == ("construction vehicle", "target")
    assert got["bus"][2].startswith("caption says 'A yellow excavator.' → ")
    assert got["bus"][3] == "bus"
    assert got["person"][:2] == ("motorcycle", "target")
    # a refusal is no evidence, although it names a concept
    assert got["car"][:2] == ("car", "common")
    assert got["car"][2].startswith("image alone")


def test_a_measured_size_is_a_witness(dataset: fo.Dataset) -> None:
    names = ("concept", "target_score")
    words = load_vocabulary()
    match(dataset, vocabulary=words)
    before = rows(dataset, *names)
    table = read_objects(dataset)
    columns = {
        "seen_height": np.full(len(table), 3.0),
        "seen_width": np.full(len(table), 5.0),
        "located_by": np.full(len(table), "ground", dtype=object),
    }
    write_objects(dataset, "objects", table, columns)
    # the ground may be wrong for all of them at once
    match(dataset, vocabulary=words)
    assert rows(dataset, *names) == before
    columns["located_by"][:] = "lidar"
    write_objects(dataset, "objects", table, columns)
    match(dataset, vocabulary=words, use_size=False)
    assert rows(dataset, *names) == before
    match(dataset, vocabulary=words)
    after = rows(dataset, *names)
    # what is 3 m high is more of a truck than a car or a bicycle
    for name, sign in (("truck", 1), ("car", 1), ("bicycle", -1)):
        change = after[name][1] - before[name][1]
        assert np.sign(change) == sign, name
    # whoever wants the captions' word alone gets it
    truck = say(truck=answer("car", "A car."))
    captioner = FakeCaptioner(answers=truck)
    rmb.caption_objects(dataset, captioner, candidates="all")
    for use_size in (True, False):
        match(dataset, vocabulary=words, evidence="text", use_size=use_size)
        assert rows(dataset, "concept")["truck"] == ("car",)


def test_what_only_a_size_can_tell_needs_one(dataset: fo.Dataset) -> None:
    # to this embedder a rack of bicycles is a bicycle
    match(dataset)
    names = ("concept", "runner_up", "target_score")
    before = rows(dataset, *names)["bicycle"]
    assert before[0] == "bicycle"
    assert "bicycle rack" not in before
    table = read_objects(dataset)
    columns = {
        "seen_height": np.full(len(table), 1.3),
        "seen_width": np.full(len(table), 4.0),
        "located_by": np.full(len(table), "lidar", dtype=object),
    }
    write_objects(dataset, "objects", table, columns)
    match(dataset)
    wide = rows(dataset, *names)["bicycle"]
    assert "bicycle rack" in wide[:2]
    assert wide[2] < before[2]
    match(dataset, use_size=False)
    assert rows(dataset, *names)["bicycle"] == before


def test_evidence_is_chosen(dataset: fo.Dataset) -> None:
    answers = say(bus=answer("trailer", "A trailer."))
    rmb.caption_objects(
        dataset, FakeCaptioner(answers=answers), candidates="all"
    )
    match(dataset, evidence="image")
    got = rows(dataset, "concept", "reason")
    assert got["bus"][0] == "bus"
    assert "caption says" not in got["bus"][1]
    match(dataset, evidence="text")
    assert rows(dataset, "concept")["bus"] == ("trailer",)
    with pytest.raises(RaremineError, match="'sound'; choose both"):
        match(dataset, evidence="sound")


def test_text_without_captions_leaves_the_detector(
    dataset: fo.Dataset,
) -> None:
    match(dataset, evidence="text")
    got = rows(dataset, "concept", "group", "reason", "concept_score")
    assert {row[0] for row in got.values()} == {None}
    assert got["truck"][1] == "target"
    assert "the detector says truck, a target" in got["truck"][2]
    assert got["car"][1] == "common"
    assert all(np.isnan(row[3]) for row in got.values())
    match(dataset, evidence="text", trust_detector=False)
    assert rows(dataset, "group")["truck"] == ("common",)
    # nothing was decided, and yet the columns have their types
    for name in ("concept", "runner_up"):
        ftype = dataset.get_field(f"objects.detections.{name}")
        assert isinstance(ftype, fof.StringField)


def test_a_detector_s_target_class_makes_a_target(dataset: fo.Dataset) -> None:
    answers = say(truck=answer("car", "A car."))
    rmb.caption_objects(
        dataset, FakeCaptioner(answers=answers), candidates="all"
    )
    match(dataset, evidence="text")
    concept, group, why = rows(dataset, "concept", "group", "reason")["truck"]
    assert (concept, group) == ("car", "target")
    assert "the detector says truck, a target" in why
    match(dataset, evidence="text", trust_detector=False)
    assert rows(dataset, "group")["truck"] == ("common",)


def test_only_captioned_objects_are_asked_for(dataset: fo.Dataset) -> None:
    wanted = [
        i for i, c in colors_of(dataset).items() if c == color_of("truck", 2)
    ]
    rmb.caption_objects(dataset, FakeCaptioner(), candidates=wanted)
    match(dataset, only_captioned=True)
    got = rows(dataset, "concept", "group", "reason")
    assert got["truck"][:2] == ("truck", "target")
    assert got["bicycle"][:2] == (None, "common")
    assert got["bicycle"][2].startswith("no concept was asked for")


def test_targets_of_the_user(dataset: fo.Dataset) -> None:
    match(dataset, targets=["bus"])
    got = rows(dataset, "group")
    assert [n for n, (g,) in got.items() if g == "target"] == ["bus"]
    assert got["truck"] == ("rare",)
    with pytest.raises(VocabularyError, match="lama"):
        match(dataset, targets=["lama"])


def test_a_vocabulary_of_the_user(dataset: fo.Dataset) -> None:
    words = {
        "concepts": [
            {"name": "animal", "group": "target"},
            {"name": "car", "group": "common"},
        ]
    }
    match(dataset, vocabulary=words)
    assert rows(dataset, "concept", "group")["dog"] == ("animal", "target")
    assert run_params(dataset, "objects_concepts")["concepts"] == {
        "animal": "target",
        "car": "common",
    }


def test_two_close_concepts_are_ambiguous(dataset: fo.Dataset) -> None:
    # the bench is in no concept's words: nothing tells it apart
    words = {"concepts": [{"name": "trailer"}, {"name": "motorcycle"}]}
    match(dataset, vocabulary=words)
    names = ("ambiguous", "concept", "runner_up", "concept_margin", "reason")
    ambiguous, concept, runner_up, margin, why = rows(dataset, *names)["car"]
    assert ambiguous is True
    assert (concept, runner_up) == ("trailer", "motorcycle")
    assert abs(margin) < 0.05
    assert "too close to motorcycle to tell" in why


def test_an_object_without_a_crop_keeps_its_row(
    tmp_path: Path,
) -> None:
    dataset = painted_dataset(tmp_path, scatter(NAMES, per_image=2))
    rmb.detect_objects(dataset, FakeDetector())
    truncate(tmp_path / "CAM_BACK/000.png")  # truck and dog
    rmb.embed_objects(dataset, FakeEmbedder())
    summary = match(dataset)
    assert summary["objects"] == len(NAMES)
    table = read_objects(dataset, names=["label", "concept", "group"])
    got = {
        label: (concept, group)
        for label, concept, group in zip(
            table["label"], table["concept"], table["group"], strict=True
        )
    }
    # what the detector says is the only evidence left
    assert got["truck"] == ("truck", "target")
    assert got["dog"][1] == "rare"
    assert got["bus"] == ("bus", "rare")


def test_frames_carry_the_most_wanted_group(dataset: fo.Dataset) -> None:
    match(dataset)
    by_token = {}
    for sample in dataset.select_group_slices(
        dataset.group_slices, _allow_mixed=True
    ):
        by_token.setdefault(sample.sample_token, set()).add(
            (sample["mining_group"], tuple(sample["target_concepts"]))
        )
    # frame 0: car, person, truck, dog; frame 1: bus, traffic light, bicycle
    assert by_token == {
        "token000": {("target", ("truck",))},
        "token001": {("target", ("bicycle",))},
    }
    scores = dataset.values("mining_score")
    assert all(2 <= score < 3 for score in scores)


def test_another_embedder_is_told(dataset: fo.Dataset) -> None:
    class Wide(FakeEmbedder):
        def embed_texts(self, texts: list[str]) -> np.ndarray:
            return np.eye(64, dtype=np.float32)[: len(texts)]

    words = {"concepts": [{"name": "car"}, {"name": "bus"}]}
    with pytest.raises(RaremineError, match=r"have 21 numbers.*makes 64"):
        rmb.match_concepts(dataset, words, embedder=Wide())
    with pytest.raises(RaremineError, match="pass embedder="):
        rmb.match_concepts(dataset)
    with pytest.raises(MissingStageError, match="run embed_objects first"):
        rmb.match_concepts(dataset, embeddings="absent")


def test_no_objects(tmp_path: Path) -> None:
    dataset = painted_dataset(tmp_path, [{}])
    with pytest.raises(MissingStageError, match="run detect_objects first"):
        match(dataset)
    rmb.detect_objects(dataset, FakeDetector())
    rmb.embed_objects(dataset, FakeEmbedder())
    assert match(dataset)["objects"] == 0
    assert dataset.values("mining_group") == ["common"]


def test_deleting_the_run_deletes_its_fields(dataset: fo.Dataset) -> None:
    match(dataset)
    groups = load_results(dataset, "objects_concepts")["groups"]
    assert groups == {"target": 2, "rare": 2, "common": 3}
    dataset.delete_brain_run("objects_concepts")
    for path in ("objects.detections.concept", "mining_group"):
        assert dataset.get_field(path) is None
