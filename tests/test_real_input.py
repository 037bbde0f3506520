"""The whole job on real input: one nuScenes keyframe, real YOLOv8n weights.

Embedder and captioner are the demo models: they know rendered worlds only,
so nothing is asserted about what they say of real crops, only that every
stage has filled in its part.
"""

from __future__ import annotations

import json
from pathlib import Path

import fiftyone as fo
import numpy as np
import pytest

import raremine.brain as rmb

CAMERAS = {
    "CAM_FRONT",
    "CAM_FRONT_LEFT",
    "CAM_FRONT_RIGHT",
    "CAM_BACK",
    "CAM_BACK_LEFT",
    "CAM_BACK_RIGHT",
}


@pytest.fixture(scope="module")
def mined(shared_dir, repo_root, tmp_path_factory):
    weights = repo_root / "demo" / "weights"
    if not (weights / "embedder").is_dir():
        pytest.skip("demo/weights is absent: run `python demo/train.py`")
    out = tmp_path_factory.mktemp("selection")
    dataset = rmb.load_nuscenes(
        shared_dir / "nuscenes-keyframe",
        "v1.0-mini",
        "real-input",
        overwrite=True,
        media_dir=tmp_path_factory.mktemp("media"),
    )
    result = rmb.mine(
        dataset,
        detector=str(shared_dir / "models" / "yolov8n_int8.onnx"),
        embedder=str(weights / "embedder"),
        captioner=str(weights / "captioner"),
        recipe={"random": 1.0},
        out_dir=out,
    )
    yield dataset, result, out
    dataset.delete()


@pytest.fixture(scope="module")
def devkit(shared_dir):
    nuscenes = pytest.importorskip("nuscenes.nuscenes")
    return nuscenes.NuScenes(
        "v1.0-mini", str(shared_dir / "nuscenes-keyframe"), verbose=False
    )


def images(dataset: fo.Dataset):
    return dataset.select_group_slices(media_type="image")


def test_every_camera_has_detections(mined) -> None:
    dataset, result, _ = mined
    found = dict(
        zip(
            images(dataset).values("group.name"),
            images(dataset).values("objects.detections.label"),
            strict=True,
        )
    )
    assert set(found) == CAMERAS
    assert all(found.values())
    assert "truck" in found["CAM_FRONT"]
    assert result["images"] == 6
    assert result["objects"] == sum(map(len, found.values()))
    assert result["failures"] == sum(s["failures"] for s in result["stages"])


def test_every_object_carries_every_stage(mined) -> None:
    dataset, _, _ = mined
    objects = [d for s in images(dataset) for d in s.objects.detections]
    for detection in objects:
        assert np.isfinite(detection.class_rarity)
        assert np.isfinite(detection.knn)
        assert detection.outlier in (True, False)
        assert 0 < detection.outlier_score < 1
        assert detection.caption_status in (
            "ok",
            "unparsable",
            "refused",
            "skipped",
        )
        assert detection.concept
        assert 0 < detection.concept_score <= 1
        assert detection.group in ("target", "rare", "common")
        assert detection.concept in detection.reason
        assert detection.pareto_front >= 0
    assert any(d.outlier for d in objects)
    assert any(d.caption_status != "skipped" for d in objects)


def test_groups_scores_and_views_agree(mined) -> None:
    dataset, result, _ = mined
    groups = images(dataset).count_values("objects.detections.group")
    assert groups == {g: n for g, n in result["groups"].items() if n}
    for sample in images(dataset):
        for detection in sample.objects.detections:
            sure = detection.target_score >= 0.8
            assert (detection.group == "target") == sure
    [frame_group] = set(dataset.values("mining_group"))
    best = next(g for g in ("target", "rare", "common") if groups.get(g))
    assert frame_group == best
    assert sorted(dataset.list_saved_views()) == [
        "Rare",
        "Target",
        "Target/Rare selection",
        "mined · mini_train",
    ]
    in_target = len(dataset.load_saved_view("Target"))
    assert in_target == (frame_group == "target")


def test_tokens_are_the_devkits(mined, devkit) -> None:
    dataset, result, out = mined
    every = dataset.select_group_slices(
        dataset.group_slices, _allow_mixed=True
    )
    assert set(every.values("sample_data_token")) == {
        row["token"] for row in devkit.sample_data if row["is_key_frame"]
    }
    assert set(every.values("sample_token")) == {
        row["token"] for row in devkit.sample
    }
    tokens = json.loads(Path(result["export"]).read_text())
    assert devkit.sample[0]["token"] in json.dumps(tokens)
    assert list(out.glob("*/*.csv"))


def test_cuboids_are_the_devkits(mined, devkit) -> None:
    dataset, _, _ = mined
    dataset.group_slice = "LIDAR_TOP"
    sample = dataset.first()
    dataset.group_slice = dataset.default_group_slice
    cuboids = {d.ann_token: d for d in sample.ground_truth.detections}
    assert len(cuboids) == 69
    assert set(cuboids) == {a["token"] for a in devkit.sample_annotation}
    for annotation in devkit.sample_annotation:
        width, length, height = annotation["size"]
        assert cuboids[annotation["token"]].dimensions == pytest.approx(
            [length, width, height]
        )


def test_objects_are_as_far_away_as_their_cuboids(mined) -> None:
    """Real boxes of a real detector against the annotations."""
    dataset, result, _ = mined
    assert "locate" in result["seconds"]
    off = []
    for sample in images(dataset):
        truth = sample.ground_truth.detections
        for one in sample.objects.detections:
            if one.located_by != "lidar" or not truth:
                continue
            box = _corners(one.bounding_box)
            overlaps = [_iou(box, _corners(t.bounding_box)) for t in truth]
            best = int(np.argmax(overlaps))
            if overlaps[best] > 0.6:
                off.append(np.log(one.distance / truth[best].distance))
    assert len(off) >= 5
    assert np.median(np.abs(off)) < 0.08


def _corners(box) -> tuple[float, float, float, float]:
    x, y, width, height = box
    return x, y, x + width, y + height


def _iou(a, b) -> float:
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    shared = max(width, 0) * max(height, 0)
    areas = [(c[2] - c[0]) * (c[3] - c[1]) for c in (a, b)]
    return shared / (sum(areas) - shared)


def test_a_second_run_has_nothing_to_detect_embed_or_map(
    mined, shared_dir, repo_root
) -> None:
    dataset, first, _ = mined
    weights = repo_root / "demo" / "weights"
    again = rmb.mine(
        dataset,
        detector=str(shared_dir / "models" / "yolov8n_int8.onnx"),
        embedder=str(weights / "embedder"),
        captioner=str(weights / "captioner"),
        recipe={"random": 1.0},
    )
    stages = {s["stage"]: s for s in again["stages"]}
    assert stages["detect_objects"]["images"] == 0
    assert stages["embed_objects"]["objects"] == 0
    assert stages["score_outliers"]["objects"] == 0
    assert stages["map_objects"]["objects"] == 0
    assert again["groups"] == first["groups"]
    assert again["selection"]["picks"] == first["selection"]["picks"]
