"""The panel with the map: what it draws and what a lasso does."""

from __future__ import annotations

from typing import Any

import fiftyone as fo
import fiftyone.brain as fob
import fiftyone.operators as foo
import numpy as np
import pytest
from fiftyone.operators.executor import ExecutionContext, Executor

from raremine.brain.maps.show import ColoredMap, read_map
from raremine.operators.panel.map_plot import (
    GREY,
    GROUP_COLORS,
    layout,
    summary,
    traces,
)

PANEL = "@raremine/raremine/object_map"
SHOW = "@raremine/raremine/show_map"


@pytest.fixture
def mapped(mined: fo.Dataset) -> fo.Dataset:
    """The mined dataset with a map of its twelve objects and groups."""
    images = mined.select_group_slices(media_type="image")
    labels = images.values("objects.detections.label")
    groups = [
        ["rare" if name == "truck" else "common" for name in names]
        for names in labels
    ]
    mined.add_sample_field("objects.detections.group", fo.StringField)
    images.set_values("objects.detections.group", groups)
    fob.compute_visualization(
        images,
        patches_field="objects",
        points=np.random.default_rng(0).random((12, 2)),
        brain_key="objects_map",
    )
    return mined


def _call(
    dataset: fo.Dataset,
    method: str,
    state: dict[str, Any] | None = None,
    **params: Any,
) -> tuple[dict[str, Any], dict[str, Any], list[Any]]:
    """Calls a panel's method; returns its state, its data, what it asks."""
    request = {
        "dataset_name": dataset.name,
        "params": {
            "panel_id": "p",
            "panel_state": dict(state or {}),
            "__method__": method,
            **params,
        },
    }
    ctx = ExecutionContext(request, executor=Executor(), operator_uri=PANEL)
    foo.get_operator(PANEL).execute(ctx)
    asked = ctx.executor._requests
    data: dict[str, Any] = {}
    for call in asked:
        if call.operator_uri.endswith("patch_panel_data"):
            data |= call.params["data"]
    return ctx.panel_state, data, asked


def _asked(calls: list[Any], name: str) -> list[dict[str, Any]]:
    return [c.params for c in calls if c.operator_uri.endswith(name)]


def test_the_panel_draws_every_object_by_group(mapped: fo.Dataset) -> None:
    state, data, _ = _call(mapped, "on_load")
    by_name = {trace["name"]: trace for trace in data["map"]}
    assert set(by_name) == {"common (6)", "rare (6)"}
    rare = by_name["rare (6)"]
    assert rare["marker"]["color"] == GROUP_COLORS["rare"]
    assert state["color_by"] == "group"
    assert state["note"] == "12 objects of 2 cameras"


def test_another_colour_draws_anew(mapped: fo.Dataset) -> None:
    state, _, _ = _call(mapped, "on_load")
    state["color_by"] = "camera"  # the App has it in the state by then
    state, data, _ = _call(mapped, "on_choose_color", state, value="camera")
    names = {trace["name"] for trace in data["map"]}
    assert names == {"CAM_FRONT (6)", "CAM_BACK (6)"}
    assert state["map"] is None


def test_a_dropdown_that_says_what_is_drawn_draws_nothing(
    mapped: fo.Dataset,
) -> None:
    state, _, _ = _call(mapped, "on_load")
    state["map"] = ["the App's copy"]
    state, data, _ = _call(mapped, "on_choose_color", state, value="group")
    assert data == {}
    assert state["map"] is None


def test_a_lasso_shows_exactly_its_crops(mapped: fo.Dataset) -> None:
    state, data, _ = _call(mapped, "on_load")
    ids = [trace["ids"][0] for trace in data["map"]]
    points = [{"id": i, "idx": 0} for i in ids]
    _, _, asked = _call(mapped, "on_lasso", state, data=points)
    (shown,) = _asked(asked, "set_view")
    view = fo.DatasetView._build(mapped, shown["view"])
    assert sorted(view.values("id")) == sorted(ids)


def test_an_empty_lasso_changes_nothing(mapped: fo.Dataset) -> None:
    state, _, _ = _call(mapped, "on_load")
    _, _, asked = _call(mapped, "on_lasso", state, data=[])
    assert _asked(asked, "set_view") == []


def test_a_lasso_on_a_deleted_map_says_so(mapped: fo.Dataset) -> None:
    state, data, _ = _call(mapped, "on_load")
    mapped.delete_brain_run("objects_map")
    points = [{"id": data["map"][0]["ids"][0]}]
    _, _, asked = _call(mapped, "on_lasso", state, data=points)
    (told,) = _asked(asked, "notify")
    assert "map_objects first" in told["message"]


def test_without_a_map_the_panel_says_what_to_do(mined: fo.Dataset) -> None:
    state, data, asked = _call(mined, "on_load")
    assert "Map objects" in state["problem"]
    assert data == {}
    # and the panel can still be rendered
    assert _asked(asked, "show_panel_output")


def test_a_map_made_later_takes_the_problem_away(mined: fo.Dataset) -> None:
    state, _, _ = _call(mined, "on_load")
    fob.compute_visualization(
        mined.select_group_slices(media_type="image"),
        patches_field="objects",
        points=np.zeros((12, 2)),
        brain_key="objects_map",
    )
    state, data, _ = _call(mined, "on_load", state)
    assert state["problem"] is None
    assert sum(len(trace["x"]) for trace in data["map"]) == 12


def _map(values: Any, group: Any = None) -> ColoredMap:
    n = len(values)
    none = np.full(n, None, dtype=object)
    return ColoredMap(
        field="objects",
        label_id=np.array([f"{i:024x}" for i in range(n)]),
        points=np.zeros((n, 2)),
        camera=none,
        label=none,
        group=none if group is None else np.asarray(group, dtype=object),
        color_by="score",
        values=np.asarray(values),
    )


def test_scores_share_a_scale_and_the_highest_lies_on_top() -> None:
    drawn = traces(_map([0.5, np.nan, 0.9, 0.1]))
    grey, scale = drawn
    assert grey["marker"]["color"] == GREY
    assert grey["ids"] == [f"{1:024x}"]
    assert scale["marker"]["color"] == [0.1, 0.5, 0.9]
    assert scale["marker"]["showscale"]
    assert not layout(_map([0.5, 0.9]))["showlegend"]


def test_too_many_points_keep_the_rare_ones_and_the_true_counts() -> None:
    values = np.array(["car"] * 990 + ["bus"] * 10, dtype=object)
    group = ["common"] * 990 + ["target"] * 10
    colored = _map(values, group)
    drawn = {trace["name"]: len(trace["x"]) for trace in traces(colored, 100)}
    assert drawn == {"car (990)": 90, "bus (10)": 10}
    assert summary(colored, 100).startswith("100 of 1,000 objects")


def test_a_map_of_nothing_draws_nothing() -> None:
    assert traces(_map([])) == []


def test_the_operator_opens_the_panel_with_the_choice(
    mapped: fo.Dataset,
) -> None:
    result = foo.execute_operator(
        SHOW,
        {"dataset": mapped},
        params={"brain_key": "objects_map", "color_by": "camera"},
    )
    (opened,) = _asked(result.executor._requests, "open_panel")
    assert opened["name"] == "object_map"
    assert opened["state"] == {
        "brain_key": "objects_map",
        "color_by": "camera",
    }
    state, data, _ = _call(mapped, "on_load", opened["state"])
    assert state["color_by"] == "camera"
    assert len(data["map"]) == 2


def test_the_form_cannot_be_sent_without_a_map(mined: fo.Dataset) -> None:
    ctx = ExecutionContext({"dataset_name": mined.name}, operator_uri=SHOW)
    inputs = foo.get_operator(SHOW).resolve_type(ctx, "inputs")
    assert inputs.type.properties["no_map"].invalid


def test_the_map_of_another_field_reads_its_own_objects(
    mapped: fo.Dataset,
) -> None:
    images = mapped.select_group_slices(media_type="image")
    images.clone_sample_field("objects", "others")
    fob.compute_visualization(
        images,
        patches_field="others",
        points=np.zeros((12, 2)),
        brain_key="others_map",
    )
    assert read_map(mapped, "others_map", "label").field == "others"
    state, data, _ = _call(mapped, "on_load", {"brain_key": "others_map"})
    assert state["maps"] == ["objects_map", "others_map"]
    assert sum(len(trace["x"]) for trace in data["map"]) == 12
