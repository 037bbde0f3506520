"""A real App server and a real browser on a small mapped dataset."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fiftyone as fo
import fiftyone.brain as fob
import numpy as np
import pytest
from PIL import Image

from bootstrap.browser import INSTALL, find_browser
from tests.app import driver
from tests.app.chromium import fresh_page, launch
from tests.app.messages import Complaints
from tests.app.server import app_server

CAMERAS = ("FRONT", "LEFT", "RIGHT", "BACK", "BACK_LEFT", "BACK_RIGHT")
FRAMES = 2
LABELS = ("car", "truck")


@pytest.fixture(scope="session")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Iterator[fo.Dataset]:
    """Two keyframes of six cameras and a cloud, all objects on a map."""
    folder = tmp_path_factory.mktemp("app")
    dataset = fo.Dataset("app-test")
    dataset.add_group_field("group", default="FRONT")
    samples = []
    for frame in range(FRAMES):
        group = fo.Group()
        for number, camera in enumerate(CAMERAS):
            path = folder / f"{camera}-{frame}.png"
            color = (40 * number, 90 + 60 * frame, 160)
            Image.new("RGB", (160, 90), color).save(path)
            detections = [
                fo.Detection(
                    label=label,
                    bounding_box=[0.1 + 0.4 * place, 0.3, 0.3, 0.4],
                    group="rare" if label == "truck" else "common",
                    outlier_score=0.5 * place + 0.1 * frame,
                )
                for place, label in enumerate(LABELS)
            ]
            samples.append(
                fo.Sample(
                    filepath=str(path),
                    group=group.element(camera),
                    objects=fo.Detections(detections=detections),
                )
            )
        scene = folder / f"{frame}.fo3d"
        fo.Scene().write(str(scene))
        cloud = group.element("LIDAR")
        samples.append(fo.Sample(filepath=str(scene), group=cloud))
    dataset.add_samples(samples, dynamic=True)
    images = dataset.select_group_slices(media_type="image")
    count = len(images.values("objects.detections.id", unwind=True))
    angle = np.linspace(0, 2 * np.pi, count, endpoint=False)
    fob.compute_visualization(
        images,
        patches_field="objects",
        points=np.c_[np.cos(angle), np.sin(angle)],
        brain_key="objects_map",
    )
    dataset.persistent = True
    yield dataset
    dataset.delete()


@pytest.fixture(scope="session")
def chromium() -> str:
    """Path of a browser; without one the tests are skipped."""
    pytest.importorskip(
        "playwright.sync_api", reason="needs the package playwright"
    )
    path = find_browser()
    if path is None:
        pytest.skip(f"needs Chromium: {INSTALL}")
    return path


@pytest.fixture(scope="session")
def app(
    chromium: str,
    dataset: fo.Dataset,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[str]:
    """The address of an App server."""
    with app_server(tmp_path_factory.mktemp("server") / "server.log") as url:
        yield url


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Any]:
    """A headless Chromium.

    It ends with the module: as long as Playwright's event loop runs in this
    thread, FiftyOne would hand other tests tasks instead of results.
    """
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = launch(playwright, chromium)
        yield browser
        browser.close()


@pytest.fixture
def complaints(tab: Any) -> Complaints:
    """What the page complained about so far."""
    return tab.complaints


@pytest.fixture
def tab(app: str, browser: Any, tmp_path: Path) -> Iterator[Any]:
    """A fresh page of the App, without what an earlier test left.

    It may not complain: a test passes only if the console stays free of
    errors that are not FiftyOne's own. The picture of a page in which a
    test failed is kept in ``tmp_path``.
    """
    page = fresh_page(browser, app)
    page.complaints = Complaints(page)
    yield page
    page.context.close()
    assert not page.complaints.ours()


@pytest.fixture
def page(app: str, tab: Any, dataset: fo.Dataset) -> Any:
    """The small mapped dataset in a fresh page."""
    driver.open_dataset(tab, app, dataset.name)
    return tab


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks all tests of this folder, so that they can be left out."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker("app")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Any:
    """Keeps a picture of the page in which a test failed."""
    report = yield
    fixtures = getattr(item, "funcargs", {})
    page = fixtures.get("tab")
    if report.when == "call" and report.failed and page is not None:
        path = fixtures["tmp_path"] / "page.png"
        try:
            page.screenshot(path=path)
        except Exception as error:
            report.sections.append(("page", f"no picture of it: {error}"))
        else:
            told = [f"its picture: {path}", *page.complaints.ours()]
            report.sections.append(("page", "\n".join(told)))
    return report
