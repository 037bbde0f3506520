"""Embedding whole images: each vector its image's, whatever goes wrong."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import fiftyone as fo
import numpy as np
import pytest

import raremine.brain as rmb
from raremine.brain import crop_index, embed_frames, frame_embedding
from raremine.brain.crop_index import open_index
from raremine.brain.errors import RaremineError
from raremine.brain.frame_embedding import FrameStore
from raremine.brain.index_queries import TextEncoder
from tests.brain.fakes import (
    CELL,
    COLUMNS,
    ROWS,
    FakeDetector,
    FakeEmbedder,
    Killed,
    color_of,
    painted_dataset,
    truncate,
)

CAMERAS = ("CAM_FRONT", "CAM_BACK")
NAMES = ("car", "truck", "bus", "person")


class WholeImageEmbedder(FakeEmbedder):
    """Sees the first painted cell of an image that must be whole."""

    def embed_images(self, crops: Sequence[np.ndarray]) -> np.ndarray:
        vectors = []
        for image in crops:
            assert image.shape == (ROWS * CELL, COLUMNS * CELL, 3)
            red, green, blue = image[CELL // 2, CELL // 2].tolist()
            vectors.append(self.vector((red, green, blue)))
        self.crops += len(crops)
        return np.array(vectors, np.float32).reshape(-1, self.dim)


@pytest.fixture
def dataset(tmp_path: Path) -> fo.Dataset:
    frames = [
        {
            camera: [color_of(name, 10 * row + place)]
            for place, camera in enumerate(CAMERAS)
        }
        for row, name in enumerate(NAMES)
    ]
    return painted_dataset(tmp_path, frames)


def images(dataset: fo.Dataset) -> fo.DatasetView:
    return dataset.select_group_slices(media_type="image")


def expected(dataset: fo.Dataset) -> dict[str, np.ndarray]:
    out = {}
    for sample in images(dataset).iter_samples():
        row = int(sample.sample_token.removeprefix("token"))
        place = CAMERAS.index(sample.group.name)
        out[sample.id] = FakeEmbedder().unit(
            color_of(NAMES[row], 10 * row + place)
        )
    return out


def assert_right(
    dataset: fo.Dataset, wanted: dict[str, np.ndarray], count: int
) -> None:
    ids, vectors = open_index(dataset, "frames_clip").label_vectors()
    assert len(ids) == len(set(ids)) == count
    for sample_id, vector in zip(ids.tolist(), vectors, strict=True):
        np.testing.assert_allclose(vector, wanted[sample_id], atol=1e-6)


@pytest.mark.parametrize("batch_size", [1, 3, 16])
def test_every_image_gets_its_vector(
    dataset: fo.Dataset, batch_size: int
) -> None:
    wanted = expected(dataset)
    summary = embed_frames(dataset, WholeImageEmbedder(batch_size=batch_size))
    assert (summary["images"], summary["skipped"]) == (8, 0)
    assert summary["stage"] == "embed_frames"
    assert_right(dataset, wanted, 8)
    status = images(dataset).values("frame_embedding_status")
    assert status == ["ok"] * 8
    # a second run has nothing to do and asks no model
    embedder = WholeImageEmbedder()
    again = embed_frames(dataset, embedder)
    assert (again["images"], again["skipped"], embedder.crops) == (0, 8, 0)


def test_a_broken_image_shifts_no_vector(dataset: fo.Dataset) -> None:
    wanted = expected(dataset)
    broken = sorted(images(dataset).values("filepath"))[2]
    truncate(broken)
    summary = embed_frames(dataset, WholeImageEmbedder())
    assert summary["failures"] == 1
    assert summary["failed"][0]["where"] == broken
    assert_right(dataset, wanted, 7)
    failed = images(dataset).match({"frame_embedding_status": "failed"})
    assert failed.values("filepath") == [broken]
    assert "truncated" in failed.values("frame_embedding_reason")[0]


def test_a_view_embeds_its_images_only(dataset: fo.Dataset) -> None:
    wanted = expected(dataset)
    back = dataset.select_group_slices("CAM_BACK")
    assert embed_frames(back, WholeImageEmbedder())["images"] == 4
    assert_right(dataset, wanted, 4)
    summary = embed_frames(dataset, WholeImageEmbedder())
    assert (summary["images"], summary["skipped"]) == (4, 4)
    assert_right(dataset, wanted, 8)


def test_a_killed_run_goes_on_where_it_was(
    dataset: fo.Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = expected(dataset)
    monkeypatch.setattr(frame_embedding, "IMAGES", 2)
    say = FrameStore.say
    calls = []

    def killed(self: FrameStore, *args: Any) -> None:
        calls.append(args)
        if len(calls) == 2:
            raise Killed
        say(self, *args)

    monkeypatch.setattr(FrameStore, "say", killed)
    with pytest.raises(Killed):
        embed_frames(dataset, WholeImageEmbedder(batch_size=1))
    monkeypatch.setattr(FrameStore, "say", say)
    silent = len(images(dataset).exists("frame_embedding_status", False))
    stored = len(open_index(dataset, "frames_clip").stored_set())
    assert 8 - silent < stored
    summary = embed_frames(dataset, WholeImageEmbedder())
    assert summary["images"] == 8 - stored
    assert_right(dataset, wanted, 8)
    status = images(dataset).values("frame_embedding_status")
    assert status == ["ok"] * 8


def test_other_settings_need_overwrite(dataset: fo.Dataset) -> None:
    embed_frames(dataset, WholeImageEmbedder(settings={"size": 1}))
    other = WholeImageEmbedder(settings={"size": 2})
    with pytest.raises(RaremineError, match=r"other settings \(embedder\)"):
        embed_frames(dataset, other)
    front = dataset.select_group_slices("CAM_FRONT")
    with pytest.raises(RaremineError, match="4 images outside this view"):
        embed_frames(front, other, overwrite=True)
    assert embed_frames(dataset, other, overwrite=True)["images"] == 8
    assert_right(dataset, expected(dataset), 8)
    # the same settings: the view's are redone, the others stay
    assert embed_frames(front, other, overwrite=True)["images"] == 4
    assert_right(dataset, expected(dataset), 8)


def test_images_that_were_deleted_leave_the_index(dataset: fo.Dataset) -> None:
    embed_frames(dataset, WholeImageEmbedder())
    dataset.delete_groups([dataset.first().group.id])
    assert embed_frames(dataset, WholeImageEmbedder())["skipped"] == 6
    assert_right(dataset, expected(dataset), 6)


def test_objects_and_images_do_not_share_an_index(
    dataset: fo.Dataset,
) -> None:
    rmb.detect_and_embed(dataset, FakeDetector(), FakeEmbedder())
    with pytest.raises(RaremineError, match="are of objects; choose"):
        embed_frames(
            dataset,
            WholeImageEmbedder(),
            brain_key="objects_clip",
            overwrite=True,
        )
    embed_frames(dataset, WholeImageEmbedder())
    with pytest.raises(RaremineError, match="are of whole images; choose"):
        rmb.embed_objects(
            dataset, FakeEmbedder(), brain_key="frames_clip", overwrite=True
        )
    with pytest.raises(RaremineError, match="shows patches"):
        embed_frames(
            images(dataset).to_patches("objects"), WholeImageEmbedder()
        )


def test_images_are_found_by_a_text(
    dataset: fo.Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    embedder = WholeImageEmbedder()
    embedder.loader = {"model": "fake"}  # type: ignore[attr-defined]
    embed_frames(dataset, embedder)
    monkeypatch.setattr(
        crop_index.CropIndexResults,
        "get_model",
        lambda self: TextEncoder(FakeEmbedder()),
    )
    dataset.group_slice = "CAM_BACK"
    found = images(dataset).sort_by_similarity(
        "a truck", k=2, brain_key="frames_clip"
    )
    assert found.values("sample_token") == ["token001"] * 2
    assert set(found.values("group.name")) == set(CAMERAS)
    like = found.first().id
    near = images(dataset).sort_by_similarity(like, brain_key="frames_clip")
    assert near.first().id == like
