"""Embedding: each vector belongs to its own crop, whatever goes wrong."""

from __future__ import annotations

from pathlib import Path

import fiftyone as fo
import numpy as np
import pytest
from fiftyone import ViewField as F

import raremine.brain as rmb
from raremine.brain import embedding
from raremine.brain.columns import read_objects
from raremine.brain.crop_index import open_index
from raremine.brain.crop_vectors import vectors_of
from raremine.brain.errors import MissingStageError, RaremineError
from raremine.brain.stream import results
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

NAMES = ["car", "person", "truck", "dog", "bus", "bench", "bicycle", "car"]


@pytest.fixture
def dataset(tmp_path: Path) -> fo.Dataset:
    dataset = painted_dataset(tmp_path, scatter(NAMES, per_image=2))
    rmb.detect_objects(dataset, FakeDetector())
    return dataset


def images(dataset: fo.Dataset) -> fo.DatasetView:
    return dataset.select_group_slices(media_type="image")


def stored(
    dataset: fo.Dataset, brain_key: str = "objects_clip"
) -> dict[str, np.ndarray]:
    ids, vectors = open_index(dataset, brain_key).label_vectors()
    return dict(zip(ids.tolist(), vectors, strict=True))


def assert_right(
    dataset: fo.Dataset, colors: dict[str, tuple[int, int, int]], count: int
) -> None:
    got = stored(dataset)
    assert len(got) == count
    for label_id, vector in got.items():
        expected = FakeEmbedder().unit(colors[label_id])
        np.testing.assert_allclose(vector, expected, atol=1e-6)


def test_every_crop_of_every_camera_gets_its_vector(
    dataset: fo.Dataset,
) -> None:
    summary = rmb.embed_objects(dataset, FakeEmbedder())
    assert summary["objects"] == len(NAMES)
    assert summary["dim"] == FakeEmbedder.dim
    assert_right(dataset, colors_of(dataset), len(NAMES))
    assert {s for _, s in values(dataset, "embedding_status")} == {"ok"}


@pytest.mark.parametrize("batch_size", [1, 3, 16])
def test_a_broken_image_of_four_shifts_no_vector(
    dataset: fo.Dataset, batch_size: int
) -> None:
    colors = colors_of(dataset)
    broken = sorted(images(dataset).values("filepath"))[1]
    truncate(broken)
    summary = rmb.embed_objects(dataset, FakeEmbedder(batch_size=batch_size))
    assert summary["failures"] == 2
    assert {f["where"] for f in summary["failed"]} == {broken}
    assert_right(dataset, colors, len(NAMES) - 2)
    failed = images(dataset).filter_labels(
        "objects", F("embedding_status") == "failed"
    )
    assert failed.values("filepath") == [broken]
    (reasons,) = failed.values("objects.detections.embedding_reason")
    assert len(reasons) == 2
    assert all("truncated" in reason for reason in reasons)


def test_the_order_of_the_rows_moves_no_vector(dataset: fo.Dataset) -> None:
    rmb.embed_objects(dataset, FakeEmbedder())
    table = read_objects(dataset)
    order = np.random.default_rng(3).permutation(len(table))
    colors = colors_of(dataset)
    vectors, rows = vectors_of(dataset, "objects_clip", table.take(order))
    assert rows.tolist() == list(range(len(table)))
    for label_id, vector in zip(table.label_id[order], vectors, strict=True):
        np.testing.assert_allclose(
            vector, FakeEmbedder().unit(colors[label_id]), atol=1e-6
        )


@pytest.mark.parametrize(
    "box",
    [
        [0.5, 0.5, 0.0, 0.2],
        [0.5, 0.5, 0.2, 0.0],
        [1.5, 0.1, 0.2, 0.2],
        [0.2, 0.2, -0.1, 0.1],
        [float("nan"), 0.1, 0.2, 0.2],
    ],
)
def test_a_box_without_area_costs_itself_only(
    dataset: fo.Dataset, box: list[float]
) -> None:
    colors = colors_of(dataset)
    sample = dataset.select_group_slices("CAM_BACK").first()
    bad = sample["objects"].detections[0]
    bad.bounding_box = box
    sample.save()
    summary = rmb.embed_objects(dataset, FakeEmbedder())
    assert summary["failures"] == 1
    assert_right(dataset, colors, len(NAMES) - 1)
    rows = [
        (path, place, status, reason)
        for (path, place), status, reason in values(
            dataset, "embedding_status", "embedding_reason"
        )
        if status != "ok"
    ]
    ((path, place, status, reason),) = rows
    assert (path, place, status) == (sample.filepath, 0, "failed")
    assert "no area" in reason
    # the next run asks no model for it
    embedder = FakeEmbedder()
    assert rmb.embed_objects(dataset, embedder)["failures"] == 1
    assert embedder.crops == 0


def test_a_vector_that_is_not_finite_is_a_failure(dataset: fo.Dataset) -> None:
    colors = colors_of(dataset)
    blind = FakeEmbedder(blind_to=lambda color: color[2] == 32)
    assert rmb.embed_objects(dataset, blind)["failures"] == 1
    assert_right(dataset, colors, len(NAMES) - 1)
    reasons = {r for _, r in values(dataset, "embedding_reason")}
    assert reasons == {None, "vector is not finite"}


def test_a_later_failure_can_be_written_after_a_run_without_any(
    dataset: fo.Dataset, tmp_path: Path
) -> None:
    rmb.embed_objects(dataset, FakeEmbedder())
    truncate(sorted(images(dataset).values("filepath"))[0])
    rmb.embed_objects(dataset, FakeEmbedder(), overwrite=True)
    reasons = read_objects(dataset, names=["embedding_reason"])
    assert sum(r is not None for r in reasons["embedding_reason"]) == 2


def test_a_second_run_embeds_only_what_is_new(dataset: fo.Dataset) -> None:
    rmb.embed_objects(dataset, FakeEmbedder())
    embedder = FakeEmbedder()
    summary = rmb.embed_objects(dataset, embedder)
    assert (embedder.crops, summary["skipped"]) == (0, len(NAMES))
    sample = dataset.select_group_slices("CAM_FRONT").first()
    sample["objects"].detections.append(
        fo.Detection(label="car", bounding_box=[0.05, 0.05, 0.1, 0.1])
    )
    sample.save()
    rmb.embed_objects(dataset, embedder)
    assert embedder.crops == 1
    assert len(stored(dataset)) == len(NAMES) + 1


def test_other_settings_are_refused(dataset: fo.Dataset) -> None:
    rmb.embed_objects(dataset, FakeEmbedder())
    embedder = FakeEmbedder()
    with pytest.raises(
        RaremineError, match=r"other settings \(padding\).*overwrite=True"
    ):
        rmb.embed_objects(dataset, embedder, padding=0.3)
    assert embedder.crops == 0
    rmb.embed_objects(dataset, embedder, padding=0.3, overwrite=True)
    assert embedder.crops == len(NAMES)


def test_overwriting_a_view_keeps_the_vectors_of_the_others(
    dataset: fo.Dataset,
) -> None:
    rmb.embed_objects(dataset, FakeEmbedder())
    before = stored(dataset)
    view = dataset.select_group_slices("CAM_BACK")
    embedder = FakeEmbedder()
    rmb.embed_objects(view, embedder, overwrite=True)
    assert embedder.crops == len(read_objects(view))
    assert stored(dataset).keys() == before.keys()
    with pytest.raises(RaremineError, match="4 objects outside this view"):
        rmb.embed_objects(view, embedder, padding=0.3, overwrite=True)
    assert stored(dataset).keys() == before.keys()


def test_vectors_of_deleted_objects_go(dataset: fo.Dataset) -> None:
    rmb.embed_objects(dataset, FakeEmbedder())
    rmb.detect_objects(dataset, FakeDetector(), overwrite=True)
    rmb.embed_objects(dataset, FakeEmbedder())
    assert stored(dataset).keys() == set(read_objects(dataset).label_id)


def test_a_kill_keeps_earlier_chunks_and_a_rerun_finishes(
    dataset: fo.Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedding, "CHUNK", 2)
    with pytest.raises(Killed):
        rmb.embed_objects(dataset, FakeEmbedder(batch_size=2, kill_after=4))
    assert len(stored(dataset)) == 4
    embedder = FakeEmbedder()
    rmb.embed_objects(dataset, embedder)
    assert embedder.crops == 4
    assert_right(dataset, colors_of(dataset), len(NAMES))
    assert {s for _, s in values(dataset, "embedding_status")} == {"ok"}


def test_a_kill_between_vectors_and_status_is_made_good(
    dataset: fo.Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*args: object) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(results, "object_update", killed)
        with pytest.raises(Killed):
            rmb.embed_objects(dataset, FakeEmbedder())
    embedder = FakeEmbedder()
    rmb.embed_objects(dataset, embedder)
    assert embedder.crops == 0
    assert {s for _, s in values(dataset, "embedding_status")} == {"ok"}


def test_patches_and_single_slices_embed_their_own(
    dataset: fo.Dataset,
) -> None:
    one = dataset.select_group_slices("CAM_BACK")
    rmb.embed_objects(one, FakeEmbedder())
    assert stored(dataset).keys() == set(read_objects(one).label_id)
    patches = images(dataset).to_patches("objects")
    cars = patches.match(F("objects.label") == "car")
    embedder = FakeEmbedder()
    rmb.embed_objects(cars, embedder)
    expected = set(read_objects(one).label_id) | set(cars.values("objects.id"))
    assert stored(dataset).keys() == expected
    assert embedder.crops == len(expected) - 4


def test_lengths_are_one_or_the_model_s_own(dataset: fo.Dataset) -> None:
    rmb.embed_objects(
        dataset, FakeEmbedder(), normalize=False, brain_key="raw"
    )
    colors = colors_of(dataset)
    for label_id, vector in stored(dataset, "raw").items():
        np.testing.assert_allclose(
            vector, FakeEmbedder().vector(colors[label_id]), atol=1e-6
        )


def test_without_objects_there_is_nothing_to_embed(tmp_path: Path) -> None:
    dataset = painted_dataset(tmp_path, [{}])
    with pytest.raises(MissingStageError, match="run detect_objects first"):
        rmb.embed_objects(dataset, FakeEmbedder())
    rmb.detect_objects(dataset, FakeDetector())
    summary = rmb.embed_objects(dataset, FakeEmbedder())
    assert summary["objects"] == 0
    assert open_index(dataset, "objects_clip").stored_ids() == set()


def test_a_taken_key_is_told(dataset: fo.Dataset) -> None:
    with pytest.raises(RaremineError, match="belongs to a 'raremine_det"):
        rmb.embed_objects(
            dataset, FakeEmbedder(), brain_key="objects_detect"
        )
