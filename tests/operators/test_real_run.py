"""The whole job through the operators, with real models, nothing replaced."""

from __future__ import annotations

from pathlib import Path

import fiftyone as fo
import fiftyone.operators as foo
import pytest

from raremine.brain.presets import PRESETS

PLUGIN = "@raremine/raremine"


@pytest.mark.slow
def test_a_keyframe_is_loaded_and_mined_by_operators(
    shared_dir: Path, repo_root: Path, tmp_path: Path
) -> None:
    weights = repo_root / "demo" / "weights"
    if not weights.is_dir():
        pytest.skip("demo/weights is absent: run `python demo/train.py`")
    name = "mined-by-operators"
    loaded = foo.execute_operator(
        f"{PLUGIN}/load_nuscenes",
        params={
            "dataroot": str(shared_dir / "nuscenes-keyframe"),
            "version": "v1.0-mini",
            "name": name,
        },
    )
    assert loaded.result["frames"] == 1
    dataset = fo.load_dataset(name)
    try:
        result = foo.execute_operator(
            f"{PLUGIN}/mine",
            dict(dataset=dataset),
            params={
                "detector": str(shared_dir / "models" / "yolov8n_int8.onnx"),
                "embedder": str(weights / "embedder"),
                "captioner": str(weights / "captioner"),
                "random_share": 1.0,
                "out_dir": str(tmp_path),
            },
        ).result
        images = dataset.select_group_slices(media_type="image")
        assert result["images"] == 6
        assert result["objects"] == images.count("objects.detections") > 6
        assert sum(result["groups"].values()) == result["objects"]
        assert result["selection"]["frames"] == 1
        assert Path(result["export"]).exists()
        assert {"Target", "Rare", "Target/Rare selection"} <= set(
            dataset.list_saved_views()
        )
        reasons = images.values("objects.detections.reason", unwind=True)
        assert all(reasons)

        again = foo.execute_operator(
            f"{PLUGIN}/detect_objects",
            dict(dataset=dataset),
            params={
                "model": str(shared_dir / "models" / "yolov8n_int8.onnx"),
                "conf": PRESETS["default"]["detect"]["conf"],
            },
        ).result
        assert (again["images"], again["skipped"]) == (0, 6)
    finally:
        dataset.delete()
