"""The form that asks for places and sizes, and what mine expects of them."""

from __future__ import annotations

from typing import Any

import fiftyone as fo
import fiftyone.operators as foo
import pytest
from fiftyone.operators.executor import ExecutionContext

from raremine.brain.columns import declare_columns
from raremine.operators import amounts
from tests.operators.conftest import CAMERAS

PLUGIN = "@raremine/raremine"


@pytest.fixture(autouse=True)
def in_app(monkeypatch: pytest.MonkeyPatch) -> None:
    """What FiftyOne sets in the process that serves the App."""
    monkeypatch.setenv("FIFTYONE_SERVER", "1")
    amounts.forget_amounts()


@pytest.fixture
def calibrated(mined: fo.Dataset) -> fo.Dataset:
    """The mined dataset, and how its cameras stand."""
    for camera in CAMERAS:
        view = mined.select_group_slices(camera)
        size = fo.ImageMetadata(width=1600, height=900)
        view.set_values("metadata", [size] * len(view))
        place = fo.StaticTransform(
            translation=[0.0, 0.0, 1.5],
            quaternion=[-0.5, 0.5, -0.5, 0.5],
            source_frame=camera,
            target_frame="world",
        )
        view.set_values("sensor_to_world", [place] * len(view))
    lens = fo.PinholeCameraIntrinsics(fx=1000, fy=1000, cx=800, cy=450)
    mined.camera_intrinsics = dict.fromkeys(CAMERAS, lens)
    mined.save()
    return mined


def context(name: str, dataset: fo.Dataset, **params: Any) -> Any:
    request = {"dataset_name": dataset.name, "params": params}
    return ExecutionContext(request, operator_uri=f"{PLUGIN}/{name}")


def form(dataset: fo.Dataset, **params: Any) -> dict[str, Any]:
    ctx = context("locate_objects", dataset, **params)
    operator = foo.get_operator(f"{PLUGIN}/locate_objects")
    found: dict[str, Any] = operator.resolve_type(
        ctx, "inputs"
    ).type.properties
    return found


def test_without_a_calibrated_camera_the_form_says_so(
    mined: fo.Dataset,
) -> None:
    told = form(mined)["no_calibrated_camera"]
    assert told.invalid
    assert "'Load nuScenes' writes" in told.view.description


def test_a_dataset_without_images_breaks_no_form(dataset: fo.Dataset) -> None:
    clouds = dataset.select_group_slices("LIDAR_TOP").clone()
    try:
        assert form(clouds)["there_is_nothing_to_work_on"].invalid
    finally:
        clouds.delete()


def test_calibrated_objects_can_be_located(calibrated: fo.Dataset) -> None:
    assert not [k for k, q in form(calibrated).items() if q.invalid]


def test_annotations_are_not_measured_again(calibrated: fo.Dataset) -> None:
    calibrated.clone_sample_field("objects", "ground_truth")
    declare_columns(calibrated, "ground_truth", {"ann_token": fo.StringField})
    told = form(calibrated, field="ground_truth")["these_are_annotations"]
    assert told.invalid
    assert "these_are_annotations" not in form(calibrated)


def test_what_is_located_is_not_in_the_estimate(
    calibrated: fo.Dataset,
) -> None:
    operator = foo.get_operator(f"{PLUGIN}/locate_objects")
    ctx = context("locate_objects", calibrated)
    before = operator.estimated(ctx).seconds
    result = foo.execute_operator(
        operator.uri, dict(dataset=calibrated), params={"workers": 1}
    )
    assert result.result["objects"] == 12
    amounts.forget_amounts()
    after = operator.estimated(ctx).seconds
    assert before - after == pytest.approx(12 * 0.001)


def test_mine_reckons_with_it_where_it_can_be_done(
    calibrated: fo.Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    monkeypatch.setattr(
        "raremine.operators.mine.estimate",
        lambda dataset, stage, *_: asked.append(stage),
    )
    operator = foo.get_operator(f"{PLUGIN}/mine")

    def stages(**params: Any) -> set[str]:
        asked.clear()
        operator.estimated(context("mine", calibrated, **params))
        return set(asked)

    assert "locate_objects" in stages()
    assert "locate_objects" not in stages(preset="paper")
    calibrated.delete_sample_field("sensor_to_world")
    amounts.forget_amounts()
    assert "locate_objects" not in stages()
