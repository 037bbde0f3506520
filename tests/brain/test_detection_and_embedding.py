"""Detecting and embedding in one pass: the same as one after the other."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

import fiftyone as fo
import numpy as np
import pytest

import raremine.brain as rmb
from raremine.brain import detection_and_embedding, embedding
from raremine.brain.crop_index import open_index
from raremine.brain.errors import RaremineError
from raremine.brain.stream import engine as stream_engine
from tests.brain.fakes import (
    FakeDetector,
    FakeEmbedder,
    Killed,
    colors_of,
    painted_dataset,
    scatter,
    truncate,
    values,
)

OURS = {"ahead", "writer"}
NAMES = ["car", "person", "truck", "dog", "bus", "bench", "bicycle"] * 3
WRITTEN = (
    *("label", "bounding_box", "confidence", "crop_index"),
    *("embedding_status", "embedding_reason"),
)


@pytest.fixture
def dataset(tmp_path: Path) -> fo.Dataset:
    return painted_dataset(tmp_path, scatter(NAMES, per_image=2))


def images(dataset: fo.Dataset) -> fo.DatasetView:
    return dataset.select_group_slices(media_type="image")


def run(dataset: fo.Dataset, **options: Any) -> dict[str, Any]:
    detector = options.pop("detector", None) or FakeDetector()
    embedder = options.pop("embedder", None) or FakeEmbedder()
    return rmb.detect_and_embed(dataset, detector, embedder, **options)


def stored(dataset: fo.Dataset) -> dict[str, np.ndarray]:
    index = open_index(dataset, "objects_clip")
    return dict(zip(*index.label_vectors(), strict=True))


def assert_right(dataset: fo.Dataset, count: int) -> None:
    """Every vector is that of what is painted under its object's box."""
    colors, vectors = colors_of(dataset), stored(dataset)
    assert vectors.keys() == colors.keys()
    assert len(vectors) == count
    for label_id, vector in vectors.items():
        np.testing.assert_allclose(
            vector, FakeEmbedder().unit(colors[label_id]), atol=1e-6
        )


@pytest.mark.parametrize(("images_", "crops"), [(1, 1), (2, 3), (8, 64)])
def test_it_is_what_the_two_stages_give(
    dataset: fo.Dataset, tmp_path: Path, images_: int, crops: int
) -> None:
    summary = run(
        dataset,
        detector=FakeDetector(batch_size=images_),
        embedder=FakeEmbedder(batch_size=crops),
    )
    assert summary["detect"]["objects"] == len(NAMES)
    assert summary["embed"]["objects"] == len(NAMES)
    assert_right(dataset, len(NAMES))
    other = painted_dataset(tmp_path, scatter(NAMES, per_image=2))
    rmb.detect_objects(other, FakeDetector())
    rmb.embed_objects(other, FakeEmbedder())
    assert values(dataset, *WRITTEN) == values(other, *WRITTEN)
    assert dataset.get_field_schema(flat=True).keys() == (
        other.get_field_schema(flat=True).keys()
    )
    assert dataset.list_brain_runs() == other.list_brain_runs()


def test_documents_are_fiftyones_own(dataset: fo.Dataset) -> None:
    run(dataset)
    sample = dataset.select_group_slices("CAM_FRONT").first()
    raw = dataset._sample_collection.find_one({"_id": sample._id})
    assert raw["objects"] == sample["objects"].to_dict()
    sample["objects"].detections[0].label = "changed"
    sample.save()
    assert dataset[sample.id]["objects"].detections[0].label == "changed"


def test_each_image_is_decoded_once(
    dataset: fo.Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths: list[str] = []
    decode = stream_engine.decode

    def counting(item: Any, path: str, *rest: Any) -> Any:
        paths.append(path)
        return decode(item, path, *rest)

    monkeypatch.setattr(stream_engine, "decode", counting)
    run(dataset)
    assert sorted(paths) == sorted(images(dataset).values("filepath"))


def test_a_broken_image_shifts_nothing(dataset: fo.Dataset) -> None:
    broken = sorted(images(dataset).values("filepath"))[1]
    truncate(broken)
    summary = run(dataset, detector=FakeDetector(batch_size=4))
    assert summary["detect"]["failures"] == 1
    assert summary["detect"]["failed"][0]["where"] == broken
    assert summary["embed"]["failures"] == 0
    assert_right(dataset, len(NAMES) - 2)


def test_a_rerun_does_what_is_missing_only(dataset: fo.Dataset) -> None:
    rmb.detect_objects(
        dataset.select_group_slices("CAM_FRONT"), FakeDetector()
    )
    detector, embedder = FakeDetector(), FakeEmbedder()
    run(dataset, detector=detector, embedder=embedder)
    # found before, but without vectors until now
    assert detector.images == len(images(dataset)) / 2
    assert embedder.crops == len(NAMES)
    assert_right(dataset, len(NAMES))
    detector, embedder = FakeDetector(), FakeEmbedder()
    summary = run(dataset, detector=detector, embedder=embedder)
    assert (detector.images, embedder.crops) == (0, 0)
    assert summary["embed"]["skipped"] == len(NAMES)


def test_overwrite_leaves_no_vector_of_what_is_gone(
    dataset: fo.Dataset,
) -> None:
    run(dataset)
    before = stored(dataset).keys()
    run(dataset, overwrite=True)
    assert not before & stored(dataset).keys()
    assert_right(dataset, len(NAMES))


def test_a_refused_run_changes_nothing(dataset: fo.Dataset) -> None:
    run(dataset)
    before = values(dataset, *WRITTEN), set(stored(dataset))
    for options in (
        {"detector": FakeDetector(settings={"conf": 0.5})},
        {"embed": {"padding": 0.4}},
        {"brain_key": "objects_detect", "overwrite": True},
        {"embed": {"dtype": "float64"}, "overwrite": True},
        {"engine": "cloud"},
        {"actors": 2},
        {"detect": {"confidence": 0.3}},
    ):
        with pytest.raises(RaremineError):
            run(dataset, **options)
    assert (values(dataset, *WRITTEN), set(stored(dataset))) == before


def test_a_kill_loses_what_was_not_finished_only(
    dataset: fo.Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(detection_and_embedding, "IMAGES", 1)
    with pytest.raises(Killed):
        run(dataset, embedder=FakeEmbedder(batch_size=2, kill_after=10))
    have = values(dataset, "embedding_status")
    assert {status for _, status in have} == {"ok"}
    assert 4 <= len(have) < len(NAMES)
    assert_right(dataset, len(have))
    run(dataset)
    assert_right(dataset, len(NAMES))


def test_a_cancelled_run_keeps_what_is_finished_and_ends_its_threads(
    dataset: fo.Dataset,
) -> None:
    class CancelledError(Exception):
        pass

    def progress(done: int, total: int, label: str) -> None:
        if done >= 3:
            raise CancelledError

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("raremine.brain.progress.REPORT_EVERY", 0)
        with pytest.raises(CancelledError):
            run(dataset, progress=progress)
    deadline = time.monotonic() + 60
    while {t.name.split("_")[0] for t in threading.enumerate()} & OURS:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    done = values(dataset, "embedding_status")
    assert len(done) >= 6
    assert_right(dataset, len(done))
    run(dataset)
    assert_right(dataset, len(NAMES))


def test_vectors_may_be_stored_in_half_the_space(dataset: fo.Dataset) -> None:
    run(dataset, embed={"dtype": "float16"})
    index = open_index(dataset, "objects_clip")
    assert str(index._table.schema.field("vector").type.value_type) == (
        "halffloat"
    )
    colors = colors_of(dataset)
    for label_id, vector in stored(dataset).items():
        assert vector.dtype == np.float32
        np.testing.assert_allclose(
            vector, FakeEmbedder().unit(colors[label_id]), atol=1e-3
        )
    patches = images(dataset).to_patches("objects")
    query = next(iter(stored(dataset)))
    like = patches.sort_by_similarity(query, k=3, brain_key="objects_clip")
    assert like.first()["objects"].id == query


def test_small_objects_are_skipped_and_say_so(dataset: fo.Dataset) -> None:
    rmb.detect_objects(dataset, FakeDetector())
    sample = dataset.select_group_slices("CAM_FRONT").first()
    sample["objects"].detections[0].bounding_box = [0.1, 0.1, 0.02, 0.2]
    sample.save()
    embedder = FakeEmbedder()
    summary = rmb.embed_objects(dataset, embedder, min_size=10)
    assert (summary["too_small"], summary["failures"]) == (1, 0)
    assert embedder.crops == len(NAMES) - 1
    told = [
        reason
        for _, status, reason in values(
            dataset, "embedding_status", "embedding_reason"
        )
        if status == "skipped"
    ]
    assert told == ["4.8 x 32 pixels are less than min_size=10"]
    # it is not looked at again, until the rule is another one
    again = rmb.embed_objects(dataset, embedder, min_size=10)
    assert again["too_small"] == 0
    with pytest.raises(RaremineError, match="min_size"):
        rmb.embed_objects(dataset, embedder, min_size=4)
    last = rmb.embed_objects(dataset, embedder, min_size=4, overwrite=True)
    assert (last["too_small"], last["objects"]) == (0, len(NAMES))


def test_a_view_of_some_labels_embeds_those(dataset: fo.Dataset) -> None:
    rmb.detect_objects(dataset, FakeDetector())
    is_car = fo.ViewField("label") == "car"
    cars = images(dataset).filter_labels("objects", is_car)
    embedder = FakeEmbedder()
    rmb.embed_objects(cars, embedder)
    assert embedder.crops == NAMES.count("car")
    labels = dict(
        zip(
            images(dataset).values("objects.detections.id", unwind=True),
            images(dataset).values("objects.detections.label", unwind=True),
            strict=True,
        )
    )
    assert {labels[label_id] for label_id in stored(dataset)} == {"car"}


def test_an_option_reaches_what_takes_it_or_is_refused(
    dataset: fo.Dataset,
) -> None:
    summary = run(dataset, embed={"min_size": 1000, "precision": "float16"})
    assert summary["embed"]["too_small"] == summary["detect"]["objects"] > 0
    for wrong in ({"detect": {"padding": 0.1}}, {"embed": {"conf": 0.1}}):
        with pytest.raises(
            RaremineError, match="has no option (padding|conf);"
        ):
            run(dataset, **wrong)


def test_many_images_of_few_objects_are_written_in_bounded_chunks(
    dataset: fo.Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []
    store = embedding.ResultStore
    write = store.write

    def counting(self: Any, results: Any) -> None:
        sizes.append(len(results))
        write(self, results)

    monkeypatch.setattr(store, "write", counting)
    monkeypatch.setattr(detection_and_embedding, "IMAGES", 3)
    run(dataset)
    assert max(sizes) == 3
    assert sum(sizes) == len(images(dataset))
