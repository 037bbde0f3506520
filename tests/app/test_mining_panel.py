"""In the browser: a click on a bar, a bin, a point or a row opens its view."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import fiftyone as fo
import pytest
from PIL import Image

from tests.app import driver
from tests.brain.overview.mined import add_selection, mined_dataset


@pytest.fixture(scope="module")
def mined(tmp_path_factory: pytest.TempPathFactory) -> Iterator[fo.Dataset]:
    """The mined dataset of the overview's tests, with images behind it."""
    folder = tmp_path_factory.mktemp("mined")
    dataset = mined_dataset()
    add_selection(dataset)
    images = dataset.select_group_slices(media_type="image")
    paths = {}
    for number, sample_id in enumerate(images.values("id")):
        path = folder / f"{number}.png"
        color = (60 + 8 * number, 120, 200 - 8 * number)
        Image.new("RGB", (320, 180), color).save(path)
        paths[sample_id] = str(path)
    images.set_values("filepath", paths, key_field="id")
    clouds = dataset.select_group_slices("LIDAR_TOP")
    scene = folder / "cloud.fo3d"
    fo.Scene().write(str(scene))
    clouds.set_values("filepath", [str(scene)] * len(clouds))
    dataset.persistent = True
    yield dataset
    dataset.delete()


@pytest.fixture
def panel(tab: Any, app: str, mined: fo.Dataset) -> Any:
    """The panel beside the grid."""
    driver.open_dataset(tab, app, mined.name)
    panel = driver.open_panel(tab, "mining")
    panel.get_by_text("From images to rare objects").wait_for()
    panel.locator(".js-plotly-plot .nsewdrag").first.wait_for()
    # the plots measure the panel once more after they are mounted
    tab.wait_for_timeout(1500)
    return panel


def _plot(panel: Any, title: str, number: int = 0) -> Any:
    """A plot of the card with a title."""
    card = panel.locator(
        f'xpath=(.//p[normalize-space()="{title}"])[1]'
        "/ancestor::div[.//*[contains(@class,'js-plotly-plot')]][1]"
    )
    plot = card.locator(".js-plotly-plot").nth(number)
    plot.scroll_into_view_if_needed()
    plot.locator(".nsewdrag").first.wait_for()
    panel.page.wait_for_timeout(500)
    return plot


def _click(page: Any, x: float, y: float) -> None:
    # Plotly wants to see the mouse come before it takes a click
    page.mouse.move(x - 3, y)
    page.wait_for_timeout(250)
    page.mouse.move(x, y)
    page.wait_for_timeout(250)
    page.mouse.click(x, y)


def _click_bar(panel: Any, plot: Any, number: int) -> None:
    """Clicks far from the bar itself: the whole row counts."""
    row = plot.locator(".barlayer .trace.bars").first
    box = row.locator(".point path").nth(number).bounding_box()
    area = plot.locator(".nsewdrag").first.bounding_box()
    # a bar on a logarithmic axis begins far below the plot
    top = max(box["y"], area["y"])
    bottom = min(box["y"] + box["height"], area["y"] + area["height"])
    x = box["x"] + 0.8 * box["width"]
    _click(panel.page, x, (top + bottom) / 2)


def test_bars_and_rows_open_their_objects(panel: Any, tab: Any) -> None:
    funnel = _plot(panel, "From images to rare objects")
    _click_bar(panel, funnel, 0)
    driver.wait_for_count(tab, "20 samples")
    _click_bar(panel, funnel, 5)
    driver.wait_for_count(tab, "5 patches")
    frames = _plot(panel, "From images to rare objects", 2)
    _click_bar(panel, frames, 0)
    driver.wait_for_count(tab, "5 groups")
    concepts = _plot(panel, "Concepts")
    _click_bar(panel, concepts, 1)
    driver.wait_for_count(tab, "2 patches")
    panel.get_by_role("button", name="Whole dataset").click()
    driver.wait_for_count(tab, "10 groups")
    _row_opens_its_object_and_its_keyframe(panel, tab)


def _row_opens_its_object_and_its_keyframe(panel: Any, tab: Any) -> None:
    row = panel.locator("tbody tr").nth(1)
    row.scroll_into_view_if_needed()
    picture = row.locator("td").first.evaluate(
        "cell => getComputedStyle(cell).backgroundImage"
    )
    assert picture.startswith('url("data:image/jpeg')
    row.locator("td").nth(1).click()
    driver.wait_for_count(tab, "1 patch")
    row.get_by_role("button").click()
    driver.wait_for_count(tab, "1 group")


def test_bins_thresholds_and_points_open_their_objects(
    panel: Any, tab: Any
) -> None:
    plot = _plot(panel, "Score: novelty")
    hover = plot.evaluate("plot => plot.data[0].hovertext")
    number = next(n for n, t in enumerate(hover) if t.endswith(": 5 objects"))
    _click_bar(panel, plot, number)
    driver.wait_for_count(tab, "5 patches")

    button = panel.get_by_role("button", name=re.compile("objects ≥")).last
    before = button.inner_text()
    slider = panel.locator("input[type=range]").last
    slider.focus()
    slider.press("Home")
    tab.wait_for_function(
        "([button, before]) => button.innerText !== before",
        arg=[button.element_handle(), before],
    )
    assert "7 objects" in button.inner_text()
    button.click()
    driver.wait_for_count(tab, "7 patches")
    _points_open_by_click_and_lasso(panel, tab)


def _points_open_by_click_and_lasso(panel: Any, tab: Any) -> None:
    plot = _plot(panel, "Pareto fronts")
    fronts = plot.evaluate("plot => plot.data.map(t => [t.name, t.x.length])")
    assert ["front 0", 4] in fronts
    at = [name for name, _ in fronts].index("front 0")
    point = plot.locator(".scatterlayer .trace").nth(at).locator(".point")
    box = point.first.bounding_box()
    _click(tab, box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    driver.wait_for_count(tab, "1 patch")

    area = plot.locator(".nsewdrag").first.bounding_box()
    left, top = area["x"] + 2, area["y"] + 2
    right = area["x"] + area["width"] - 2
    bottom = area["y"] + area["height"] - 2
    tab.mouse.move(left, top)
    tab.mouse.down()
    for x, y in ((right, top), (right, bottom), (left, bottom)):
        tab.mouse.move(x, y, steps=8)
    tab.mouse.up()
    driver.wait_for_count(tab, "7 patches")


def test_a_selection_opens_and_buttons_run_operators(
    panel: Any, tab: Any
) -> None:
    assert _cut_off(panel) == 0
    parts = _plot(panel, "Selection")
    _click_bar(panel, parts, 1)
    driver.wait_for_count(tab, "2 groups")
    balance = _plot(panel, "Selection", 1)
    # truck, animal, then the common ones
    _click_bar(panel, balance, 2)
    driver.wait_for_count(tab, "8 patches")
    panel.get_by_role("button", name="4 keyframes").click()
    driver.wait_for_count(tab, "4 groups")
    panel.get_by_role("button", name="Select frames…").first.click()
    form = tab.get_by_test_id("operators-prompt-modal")
    form.get_by_role("button", name="Cancel").wait_for()
    form.get_by_role("button", name="Cancel").click()
    form.wait_for(state="detached")
    panel.get_by_text("From images to rare objects").wait_for()


def _cut_off(panel: Any) -> int:
    """Counts the tables and plots that are wider than their card.

    The grid takes the other half of the window, so the panel is narrow.
    """
    return int(
        panel.evaluate(
            """panel => [
            ...panel.querySelectorAll('table, .js-plotly-plot')
        ].filter(e => {
            const card = e.parentElement.getBoundingClientRect();
            return e.getBoundingClientRect().right > card.right + 1;
        }).length"""
        )
    )
