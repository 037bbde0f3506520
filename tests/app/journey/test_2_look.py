"""In the browser: what mining found, looked at in every way there is."""

from __future__ import annotations

import io
import re
from typing import Any

import fiftyone as fo
import fiftyone.core.utils as fou
import numpy as np
from PIL import Image

from tests.app import driver

MAP = "objects_map"
GREY = "#6B6B6B"
UNITS = {"group": "groups", "image": "samples"}
CHANGED = 40
"""Step of a colour channel, of 255, that a redrawn line makes."""


def test_every_saved_view_shows_as_many_as_it_holds(
    page: Any, mined: fo.Dataset
) -> None:
    names = mined.list_saved_views()
    assert {"Target", "Rare", "Target/Rare selection"} <= set(names)
    sizes = set()
    for name in names:
        view = mined.load_saved_view(name)
        patches = isinstance(view, fo.core.patches.PatchesView)
        unit = "patches" if patches else UNITS[view.media_type]
        driver.open_view(page, fou.to_slug(name))
        driver.wait_for_count(page, _count(len(view), unit))
        if len(view):
            driver.drawn(page)
        sizes.add(len(view))
    assert len(sizes) > 1
    page.get_by_test_id("btn-clear-view-bar").click()
    driver.wait_for_count(page, _count(len(mined), "groups"))


def _count(number: int, unit: str) -> str:
    return f"{number:,} {unit if number != 1 else unit[:-1]}"


def test_points_of_the_embeddings_panel_are_coloured_and_lassoed(
    page: Any, mined: fo.Dataset
) -> None:
    images = mined.select_group_slices(media_type="image")
    objects = images.count("objects.detections")
    panel = driver.open_panel(page, "Embeddings")
    panel.get_by_text(MAP, exact=True).click()
    panel.get_by_text(f"{objects} points").wait_for()

    before = _pixels(panel.locator("canvas").first)
    panel.get_by_role("button", name="Color by").click()
    page.get_by_role(
        "option", name="objects.detections.label", exact=True
    ).click()
    # FiftyOne colours the points of the slice that is open
    for label, count in mined.count_values("objects.detections.label").items():
        panel.get_by_text(label, exact=True).wait_for()
        panel.get_by_text(str(count), exact=True).first.wait_for()
    page.wait_for_timeout(1000)
    after = _pixels(panel.locator("canvas").first)
    # the legend lies over the right half
    half = before.shape[1] // 2
    assert _changed(before[:, :half], after[:, :half]) > 200

    panel.get_by_role("button", name="Select", exact=True).click()
    page.wait_for_timeout(500)
    box = panel.locator("canvas").first.bounding_box()
    driver.draw(page, _rectangle(box))
    panel.get_by_text(f"{objects} selected").first.wait_for()
    driver.draw(page, _rectangle(box, left=0.5))
    selected = panel.get_by_text(re.compile(r"^\d+ selected · "))
    selected.filter(has_not_text=f"{objects} selected").wait_for()
    right = int(selected.inner_text().split()[0])
    assert 0 < right < objects
    driver.drawn(page)
    shown = page.get_by_test_id("entry-counts").inner_text()
    assert 0 < int(shown.split()[0]) <= len(mined)


def test_a_lasso_on_the_map_of_objects_shows_their_crops(
    page: Any, mined: fo.Dataset
) -> None:
    images = mined.select_group_slices(media_type="image")
    groups = images.count_values("objects.detections.group")
    objects = sum(groups.values())
    driver.open_panel(page, "object_map")
    plot = page.locator(".js-plotly-plot").first
    plot.locator(".nsewdrag").first.wait_for()
    page.wait_for_timeout(1500)
    traces = plot.evaluate(
        "plot => plot.data.map(t => [t.name, t.ids.length, t.marker.color])"
    )
    drawn = {f"{group} ({count})" for group, count in groups.items()}
    assert drawn <= {name for name, _, _ in traces}
    assert sum(count for _, count, _ in traces) == objects
    colors = {color for name, _, color in traces if name in drawn}
    assert len(colors) == len(groups) and GREY not in colors

    area = plot.locator(".nsewdrag").first.bounding_box()
    driver.draw(page, _rectangle(area))
    driver.wait_for_count(page, f"{objects} patches")
    driver.drawn(page)


def test_the_mining_panel_opens_at_its_top(page: Any) -> None:
    panel = driver.open_panel(page, "mining")
    panel.get_by_text("Most unusual objects", exact=True).wait_for()
    panel.locator(".js-plotly-plot .nsewdrag").first.wait_for()
    page.wait_for_timeout(1500)
    # FiftyOne would focus an input far below, and scroll to it
    top = panel.get_by_text("From images to rare objects", exact=True)
    window = page.viewport_size["height"]
    assert 0 < top.bounding_box()["y"] < window


def test_a_keyframe_shows_cloud_cuboids_and_boxes(
    page: Any, mined: fo.Dataset
) -> None:
    sample = mined.first()
    boxes = len(sample.ground_truth.detections)
    with page.expect_response(re.compile(r"\.pcd")) as cloud:
        tile = driver.grid(page).get_by_test_id("looker").first
        # the strip at its top would select it
        tile.click(position={"x": 10, "y": 80})
        modal = page.get_by_test_id("modal")
        modal.wait_for()
    assert cloud.value.status == 200
    image = modal.get_by_test_id("modal-looker-container")
    image.locator("[canvas-loaded=true]").first.wait_for()
    scene = modal.get_by_test_id("looker3d").locator("canvas").first
    # the cloud is drawn some while after it has come
    page.wait_for_timeout(3000)

    field = modal.get_by_test_id("sidebar-field-container-ground_truth")
    field.get_by_text(str(boxes), exact=True).wait_for()
    field = modal.get_by_test_id("sidebar-field-container-objects")
    objects = len(sample.objects.detections)
    field.get_by_text(str(objects), exact=True).wait_for()

    picture = image.locator("canvas").first
    with_labels = _pixels(scene), _pixels(picture)
    modal.get_by_test_id("checkbox-ground_truth").first.click()
    page.wait_for_timeout(2000)
    cloud_alone, image_alone = _pixels(scene), _pixels(picture)
    # cuboids and boxes went away, the coloured cloud stayed
    assert _changed(with_labels[0], cloud_alone) > 300
    assert _changed(with_labels[1], image_alone) > 300
    assert (np.ptp(cloud_alone, axis=-1) > 60).sum() > 1000

    page.mouse.click(2, 2)
    modal.wait_for(state="hidden")


def _rectangle(
    box: dict[str, float], left: float = 0.0
) -> list[tuple[float, float]]:
    """Corners a little inside a box, from a share of its width on."""
    x0 = box["x"] + 4 + left * box["width"]
    x1 = box["x"] + box["width"] - 4
    y0, y1 = box["y"] + 4, box["y"] + box["height"] - 4
    return [(x0, y0), (x1, y0), (x1, y1), (x0, y1)]


def _pixels(element: Any) -> np.ndarray:
    """What an element looks like, rows x columns x RGB, 0 to 255."""
    image = Image.open(io.BytesIO(element.screenshot()))
    return np.asarray(image.convert("RGB")).astype(int)


def _changed(before: np.ndarray, after: np.ndarray) -> int:
    return int((abs(before - after).max(axis=-1) > CHANGED).sum())
