"""What an operator works on, from every place a user can stand."""

from __future__ import annotations

from typing import Any

import fiftyone as fo
import fiftyone.operators as foo
import pytest
from fiftyone import ViewField as F

from raremine.brain.columns import read_objects, resolve

URI = "@raremine/raremine/score_outliers"


@pytest.fixture(autouse=True)
def _vectors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        fo.Dataset, "list_brain_runs", lambda self, **_: ["objects_clip"]
    )


@pytest.fixture
def reached(stage: Any) -> Any:
    """Run the operator in a context; return the objects it would read.

    Collections are read inside the call, as the SDK does.
    """

    def run(**ctx: Any) -> tuple[int, int]:
        def read(samples: Any, **_: Any) -> dict[str, int]:
            images = len(resolve(samples).images)
            return {"images": images, "objects": len(read_objects(samples))}

        stage("score_outliers", read)
        result = foo.execute_operator(URI, **ctx).result
        return result["images"], result["objects"]

    return run


def _cameras(dataset: fo.Dataset) -> fo.DatasetView:
    return dataset.select_group_slices(media_type="image")


def test_the_whole_dataset_is_all_cameras(
    mined: fo.Dataset, reached: Any
) -> None:
    assert reached(dataset=mined) == (6, 12)


def test_a_view_of_keyframes_is_all_their_cameras(
    mined: fo.Dataset, reached: Any
) -> None:
    one = mined.match(F("sample_token") == "frame-1")
    assert reached(view=one) == (2, 4)


def test_a_flat_view_is_its_own_images(
    mined: fo.Dataset, reached: Any
) -> None:
    back = mined.select_group_slices("CAM_BACK")
    assert reached(view=back) == (3, 6)


def test_a_patches_view_is_its_own_objects(
    mined: fo.Dataset, reached: Any
) -> None:
    trucks = _cameras(mined).filter_labels("objects", F("label") == "truck")
    assert reached(view=trucks.to_patches("objects"))[1] == 6


def test_selected_keyframes_are_all_their_cameras(
    mined: fo.Dataset, reached: Any
) -> None:
    # what the grid of a grouped dataset selects: samples of its slice
    front = mined.select_group_slices("CAM_FRONT").values("id")
    chosen = dict(
        selected=front[:2], params={"view_target": "SELECTED_SAMPLES"}
    )
    assert reached(dataset=mined, **chosen) == (4, 8)


def test_selected_labels_are_these_objects(
    mined: fo.Dataset, reached: Any
) -> None:
    cameras = _cameras(mined)
    table = read_objects(cameras, "objects", ["label"])
    label_id = table.label_id[0]
    sample = cameras.select_labels(ids=[label_id]).first()
    chosen = [
        {"label_id": label_id, "sample_id": sample.id, "field": "objects"}
    ]
    for place in (dict(view=cameras), dict(dataset=mined)):
        # FiftyOne takes view_target out of the dict it is given
        params = {"view_target": "SELECTED_LABELS"}
        found = reached(**place, selected_labels=chosen, params=params)
        assert found == (1, 1), place


def test_the_whole_dataset_can_be_asked_for_from_a_view(
    mined: fo.Dataset, reached: Any
) -> None:
    params = {"view_target": "DATASET"}
    assert reached(view=mined.limit(1), params=params) == (6, 12)


# The sidebar's filter of a label, as the App sends it.
TRUCKS = {
    "objects.detections.label": {
        "values": ["truck"],
        "exclude": False,
        "isMatching": False,
    }
}


def test_filters_reach_the_objects_of_all_cameras(
    mined: fo.Dataset, reached: Any
) -> None:
    assert reached(dataset=mined, filters=TRUCKS) == (6, 6)
    one = mined.match(F("sample_token") == "frame-1")
    assert reached(view=one, filters=TRUCKS) == (2, 2)
    back = mined.select_group_slices("CAM_BACK")
    assert reached(view=back, filters=TRUCKS) == (3, 3)
    params = {"view_target": "DATASET"}
    assert reached(dataset=mined, filters=TRUCKS, params=params) == (6, 12)


def test_filters_count_when_a_saved_view_is_open(
    mined: fo.Dataset, reached: Any
) -> None:
    mined.save_view("cameras", _cameras(mined))
    ctx = dict(dataset=mined, view_name="cameras")
    assert reached(**ctx) == (6, 12)
    assert reached(**ctx, filters=TRUCKS) == (6, 6)
