"""In the browser: the map colours every camera, and a lasso shows crops."""

from __future__ import annotations

import re
from typing import Any

import fiftyone as fo
import pytest

CAMERAS = 6
OBJECTS = 24
GREY = "#6B6B6B"

_DRAWN = """plot => plot.data.flatMap(trace => trace.ids.map((id, i) => ({
    id: id,
    name: trace.name,
    color: Array.isArray(trace.marker.color)
        ? trace.marker.color[i] : trace.marker.color,
})))"""


@pytest.fixture
def plot(page: Any) -> Any:
    """The panel's plot, opened from the panel menu."""
    page.get_by_test_id("new-panel-btn").first.click()
    page.get_by_test_id("new-panel-option-object_map").click()
    plot = page.locator(".js-plotly-plot")
    plot.locator(".nsewdrag").first.wait_for()
    # the plot measures its panel once more after it is mounted
    page.wait_for_timeout(1500)
    return plot


def _drawn(plot: Any) -> list[dict[str, Any]]:
    return plot.first.evaluate(_DRAWN)


def _color_by(page: Any, name: str) -> None:
    page.get_by_role("combobox").last.click()
    page.get_by_role("option", name=name, exact=True).click()
    page.wait_for_function(
        "name => document.querySelector('.js-plotly-plot').layout"
        ".legend.title.text === name",
        arg=name,
    )
    # traces and layout reach the page one after the other
    page.wait_for_timeout(1000)


def _cameras(dataset: fo.Dataset, ids: list[str]) -> set[str]:
    images = dataset.select_group_slices(media_type="image")
    view = images.select_labels(ids=ids, fields="objects")
    return set(view.values("group.name"))


def test_objects_of_every_camera_are_coloured(
    page: Any, plot: Any, dataset: fo.Dataset
) -> None:
    points = _drawn(plot)
    colored = [p["id"] for p in points if p["color"] != GREY]
    assert len(points) == len(colored) == OBJECTS
    assert {p["name"] for p in points} == {"common (12)", "rare (12)"}
    assert len(_cameras(dataset, colored)) == CAMERAS

    _color_by(page, "outlier_score")
    points = _drawn(plot)
    assert len(points) == OBJECTS
    assert {round(p["color"], 3) for p in points} == {0, 0.1, 0.5, 0.6}

    _color_by(page, "camera")
    by_camera = {p["name"]: p["color"] for p in _drawn(plot)}
    assert len(by_camera) == len(set(by_camera.values())) == CAMERAS


def test_a_lasso_shows_the_crops_of_every_camera(
    page: Any, plot: Any, dataset: fo.Dataset
) -> None:
    area = plot.locator(".nsewdrag").first.bounding_box()
    left, top = area["x"] + 5, area["y"] + 5
    right = area["x"] + area["width"] - 5
    bottom = area["y"] + area["height"] - 5
    # the first lasso is drawn around all points, the second around the
    # lower half of them
    for upper, crops in ((top, OBJECTS), ((top + bottom) / 2, None)):
        page.mouse.move(left, upper)
        page.mouse.down()
        for x, y in ((right, upper), (right, bottom), (left, bottom)):
            page.mouse.move(x, y, steps=8)
        page.mouse.up()
        counts = page.get_by_test_id("entry-counts")
        said = re.compile(rf"\b{crops or '1[0-4]'} patches")
        counts.filter(has_text=said).wait_for()

    page.get_by_role("button", name="Whole dataset").click()
    page.get_by_test_id("entry-counts").filter(has_text="2 groups").wait_for()
