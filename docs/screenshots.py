"""Takes the pictures of the App that the documentation shows.

``python docs/screenshots.py raremine-demo`` after ``python run.py demo``: the
dataset is a rendered and mined world, never recorded imagery. It needs
Chromium and what ``run.py test`` installs; the dataset stays as it is.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

if __package__ in (None, ""):
    # Started as a file: the folder above docs/ is not on the path then.
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import fiftyone as fo
from fiftyone import ViewField as F
from PIL import Image
from playwright.sync_api import sync_playwright

from bootstrap.browser import INSTALL, find_browser
from tests.app import driver
from tests.app.chromium import fresh_page, launch
from tests.app.server import app_server

IMAGES = Path(__file__).resolve().parent / "images"
SIZE = (1400, 860)
LARGEST = 300_000
"""Bytes of a picture."""

SETTLED = 2500
"""Milliseconds in which a page that has loaded draws what it shows."""


class Photographer:
    """Opens the App on a dataset and keeps what it shows.

    Args:
        page: Playwright's page
        app: address of the App's server
        dataset: a mined dataset
        out: folder of the pictures
    """

    def __init__(
        self, page: Any, app: str, dataset: fo.Dataset, out: Path
    ) -> None:
        self.page = page
        self.app = app
        self.dataset = dataset
        self.out = out

    def grid(self) -> None:
        """The camera images with what was mined, and each frame's group."""
        self._open()
        self._show_only("objects", "mining_group")
        self._keep("app-grid")

    def targets(self) -> None:
        """The crops of target objects, the most unusual first."""
        images = self.dataset.select_group_slices(media_type="image")
        targets = images.filter_labels("objects", F("group") == "target")
        view = targets.to_patches("objects").sort_by(
            "objects.outlier_score", reverse=True
        )
        with self._saved("Target objects", view) as slug:
            self._open(f"?view={slug}")
            self._keep("app-targets")

    def selection(self) -> None:
        """A selection's training split, a saved view among others."""
        views = self.dataset.list_saved_views()
        name = next(name for name in views if name.endswith(" · train"))
        self._open(f"?view={fo.core.utils.to_slug(name)}")
        self._show_only("objects", "mining_group")
        self._keep("app-selection")

    def map(self) -> None:
        """The map of objects beside the crops inside a lasso."""
        self._open()
        driver.open_panel(self.page, "object_map")
        plot = self.page.locator(".js-plotly-plot").first
        plot.locator(".nsewdrag").first.wait_for()
        self.page.wait_for_timeout(SETTLED)
        corners = plot.evaluate(_AROUND_TARGETS)
        driver.draw(self.page, [(x, y) for x, y in corners])
        self.page.get_by_test_id("entry-counts").filter(
            has_text="patches"
        ).wait_for()
        driver.drawn(self.page)
        self._keep("app-map")

    def scene(self) -> None:
        """A keyframe: cameras, boxes, and the cloud with its cuboids."""
        self._open("?view=target")
        tile = driver.grid(self.page).get_by_test_id("looker").first
        tile.click(position={"x": 10, "y": 80})
        modal = self.page.get_by_test_id("modal")
        modal.wait_for()
        # room for the cloud, and nothing that tells where the files lie
        modal.get_by_test_id("action-toggle-sidebar").click()
        modal.get_by_test_id("looker3d").locator("canvas").first.wait_for()
        self.page.wait_for_timeout(2 * SETTLED)
        scene = modal.get_by_test_id("looker3d").bounding_box()
        # from above, nearer than the App begins
        self.page.mouse.move(
            scene["x"] + scene["width"] / 2, scene["y"] + scene["height"] / 2
        )
        for _ in range(4):
            self.page.mouse.wheel(0, -240)
            self.page.wait_for_timeout(150)
        self._keep("app-3d")

    def panel(self) -> None:
        """The Mining panel, as wide as the window."""
        self._open()
        self.page.get_by_test_id("new-panel-btn").first.click()
        # with these keys a panel gets a tab of its own
        option = self.page.get_by_test_id("new-panel-option-mining")
        option.click(modifiers=["Alt", "Shift"])
        panel = self.page.get_by_test_id("panel-content-mining")
        panel.locator(".js-plotly-plot .nsewdrag").first.wait_for()
        self._keep("app-mining")

    def form(self) -> None:
        """The form of the whole pipeline."""
        self._open()
        driver.open_form(self.page, "Mine rare objects")
        self._keep("app-mine-form")

    def _open(self, query: str = "") -> None:
        driver.open_dataset(self.page, self.app, self.dataset.name, query)

    def _show_only(self, *fields: str) -> None:
        """Ticks fields in the sidebar, and only these."""
        for name in {"ground_truth", *fields}:
            box = self.page.get_by_test_id(f"checkbox-{name}").first
            box.locator("input").set_checked(name in fields, force=True)

    @contextlib.contextmanager
    def _saved(self, name: str, view: fo.DatasetView) -> Iterator[str]:
        self.dataset.save_view(name, view, overwrite=True)
        try:
            yield fo.core.utils.to_slug(name)
        finally:
            self.dataset.delete_saved_view(name)

    def _keep(self, name: str) -> None:
        self.page.mouse.move(2, 2)
        self.page.wait_for_timeout(SETTLED)
        image = Image.open(io.BytesIO(self.page.screenshot()))
        path = self.out / f"{name}.jpg"
        for quality in range(90, 40, -5):
            data = io.BytesIO()
            image.convert("RGB").save(data, "JPEG", quality=quality)
            if data.tell() <= LARGEST:
                break
        path.write_bytes(data.getvalue())
        print(f"{path} ({data.tell() // 1000} kB)", flush=True)


_AROUND_TARGETS = """plot => {
    const trace = plot.data.find(t => t.name.startsWith('target'));
    const {xaxis, yaxis, _size} = plot._fullLayout;
    const box = plot.getBoundingClientRect();
    const sorted = values => [...values].sort((a, b) => a - b);
    const [xs, ys] = [sorted(trace.x), sorted(trace.y)];
    const middle = values => values[values.length >> 1];
    const [x, y] = [middle(xs), middle(ys)];
    const near = trace.x.map((v, i) => [v, trace.y[i]]).sort((a, b) =>
        Math.hypot(a[0] - x, a[1] - y) - Math.hypot(b[0] - x, b[1] - y));
    const [cx, cy] = near[0];
    const px = box.x + _size.l + xaxis.l2p(cx);
    const py = box.y + _size.t + yaxis.l2p(cy);
    return [...Array(16).keys()].map(i => [
        px + 28 * Math.cos(i * Math.PI / 8),
        py + 28 * Math.sin(i * Math.PI / 8)]);
}"""
"""Sixteen corners of a lasso around a target among targets, px."""

PICTURES = (
    *("grid", "targets", "selection", "map", "scene", "panel", "form"),
)


def main(arguments: list[str] | None = None) -> None:
    """Command line: ``DATASET --out DIR --only grid map``."""
    parser = argparse.ArgumentParser(
        description="Take the documentation's pictures of the App."
    )
    parser.add_argument("dataset", help="a rendered and mined world")
    parser.add_argument("--out", type=Path, default=IMAGES)
    parser.add_argument("--only", nargs="+", choices=PICTURES)
    options = parser.parse_args(arguments)
    path = find_browser()
    if path is None:
        parser.exit(2, f"There is no Chromium: {INSTALL}\n")
    dataset = fo.load_dataset(options.dataset)
    log = Path(tempfile.mkdtemp(prefix="raremine-app-")) / "server.log"
    with app_server(log) as app, sync_playwright() as playwright:
        browser = launch(playwright, path)
        for name in options.only or PICTURES:
            page = fresh_page(browser, app, SIZE)
            getattr(Photographer(page, app, dataset, options.out), name)()
            page.context.close()
        browser.close()


if __name__ == "__main__":
    main()
