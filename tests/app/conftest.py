"""A real App server and a real browser on a small mapped dataset."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fiftyone as fo
import fiftyone.brain as fob
import numpy as np
import pytest
from PIL import Image

from bootstrap.browser import INSTALL, find_browser
from demo.__main__ import THREADS
from run import SCHEDULED
from tests.app import driver
from tests.app.messages import Complaints

CAMERAS = ("FRONT", "LEFT", "RIGHT", "BACK", "BACK_LEFT", "BACK_RIGHT")
FRAMES = 2
LABELS = ("car", "truck")

_START_SECONDS = 90.0
_COUNTS = {"FIFTYONE_APP_DEFAULT_QUERY_PERFORMANCE": "0"}
"""The grid then tells how many groups there are, not how many samples."""

_ARGUMENTS = (
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic"),
    *("--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync"),
    *("--use-angle=swiftshader", "--enable-unsafe-swiftshader"),
)


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
def app(
    dataset: fo.Dataset, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """The address of an App server."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    log = tmp_path_factory.mktemp("server") / "server.log"
    command = [sys.executable, "-m", "fiftyone.server.main"]
    with log.open("wb") as file:
        process = subprocess.Popen(
            [*command, "--port", str(port), "--address", "127.0.0.1"],
            env={**os.environ, **SCHEDULED, **THREADS, **_COUNTS},
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
        )
        try:
            _wait_for(process, port, log)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _wait_for(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.2)
        else:
            return
    tail = log.read_text(errors="replace")[-2000:]
    raise RuntimeError(f"The App's server did not start. Its log:\n{tail}")


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """A headless Chromium; without one the tests are skipped.

    It ends with the module: as long as Playwright's event loop runs in this
    thread, FiftyOne would hand other tests tasks instead of results.
    """
    api = pytest.importorskip(
        "playwright.sync_api", reason="needs the package playwright"
    )
    path = find_browser()
    if path is None:
        pytest.skip(f"needs Chromium: {INSTALL}")
    with api.sync_playwright() as playwright:
        playwright.selectors.set_test_id_attribute("data-cy")
        browser = playwright.chromium.launch(
            executable_path=path, headless=True, args=list(_ARGUMENTS)
        )
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
    context = browser.new_context(viewport={"width": 1500, "height": 900})
    # switches off analytics and what would lie over the panels
    context.add_init_script(
        "window.IS_PLAYWRIGHT = true;"
        "localStorage.setItem('fo-3d-annotation-tips-dismissed', 'true');"
    )
    # fonts of another host, which the App can do without
    context.route(
        re.compile(r"^https?://(?!127\.0\.0\.1)"),
        lambda route: route.fulfill(status=200, content_type="text/css"),
    )
    page = context.new_page()
    page.set_default_timeout(60_000)
    page.complaints = Complaints(page)
    # the view lives in the server, not in the browser
    page.request.post(
        f"{app}/graphql",
        data={
            "query": 'mutation{setView(subscription:"test",session:null,'
            'datasetName:"",form:{})}'
        },
    )
    yield page
    context.close()
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
