"""In the browser: from an empty App to a mined dataset."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Any

import fiftyone as fo
import pytest
from fiftyone.operators.delegated import DelegatedOperationService
from fiftyone.operators.executor import ExecutionRunState

import raremine.brain as rmb
from demo.weights_folder import DemoModels
from demo.world import VERSION
from tests.app import driver
from tests.app.journey.conftest import CAMERAS, KEYFRAMES, SCENES

FRAMES = SCENES * KEYFRAMES
_SHARE = re.compile(r"^\s*(\d+)\s*%")


def test_a_dataroot_is_loaded_from_an_empty_app(
    app: str, tab: Any, journey: str, world: Path
) -> None:
    if fo.dataset_exists(journey):
        fo.delete_dataset(journey)
    tab.goto(f"{app}/datasets", wait_until="domcontentloaded")
    tab.get_by_text("browse operations").click()
    form = driver.choose_operator(tab, "Load nuScenes")
    driver.fill(form, "Dataroot", str(world))
    driver.fill(form, "Version", VERSION)
    driver.fill(form, "Name", journey)
    driver.start(form)

    tab.wait_for_url(re.compile(rf"/datasets/{journey}\b"))
    window = driver.result(tab)
    window.get_by_text(journey, exact=True).first.wait_for()
    driver.close_result(tab)
    driver.wait_for_count(tab, f"{FRAMES} groups")
    driver.drawn(tab)
    # the form does not come back over the dataset
    assert tab.get_by_role("dialog").count() == 0

    dataset = fo.load_dataset(journey)
    assert len(dataset) == FRAMES
    images = dataset.select_group_slices(media_type="image")
    assert len(images) == FRAMES * CAMERAS
    assert dataset.count("ground_truth.detections") > 0


def test_mining_is_watched_to_its_summary(
    app: str, tab: Any, journey: str, models: DemoModels, tmp_path: Path
) -> None:
    if not fo.dataset_exists(journey):
        pytest.skip("the dataset was not loaded")
    driver.open_dataset(tab, app, journey)
    form = driver.open_form(tab, "Mine rare objects")
    for label, answer in {
        "Detector": models.detector["model"],
        "Embedder": models.embedder,
        "Captioner": models.captioner["model"],
    }.items():
        driver.fill(form, label, answer)
    driver.unfold(form, "Training split")
    driver.unfold(form, "Where results go")
    for label, answer in {
        "Random share (0 to 1)": "0.2",
        "Target share (0 to 1)": "0.2",
        "Output folder": str(tmp_path / "out"),
    }.items():
        driver.fill(form, label, answer)
    driver.start(form)
    told = _watch(tab)

    dataset = fo.load_dataset(journey)
    dataset.reload()
    objects = dataset.select_group_slices(media_type="image").count(
        "objects.detections"
    )
    # live: which stage, how far, and that several of them were seen
    for stage in ("Detecting", "Captioning", "Measuring"):
        assert any(stage in line for line in told), told
    assert any(f"/{FRAMES * CAMERAS}" in line for line in told), told
    shares = [int(m[1]) for m in map(_SHARE.match, told) if m]
    assert len(set(shares)) >= 3, told

    summary = driver.result(tab).inner_text()
    for number in (objects, FRAMES, FRAMES * CAMERAS):
        assert re.search(rf"\b{number}\b", summary), summary
    driver.close_result(tab)
    # the new field is there without a reload by hand
    tab.get_by_test_id("sidebar-field-objects").first.wait_for()
    assert (tmp_path / "out").is_dir()
    assert rmb.list_selections(dataset) == ["mined"]


def _watch(page: Any) -> list[str]:
    """What the window of a run said until the run had ended."""
    told: list[str] = []
    end = time.monotonic() + 300
    while time.monotonic() < end:
        for window in page.get_by_role("dialog").all():
            text = " ".join(window.inner_text().split())
            if not told or told[-1] != text:
                told.append(text)
        if told and ": done" in told[-1]:
            return told
        page.wait_for_timeout(200)
    raise AssertionError(f"The run did not end. It said: {told}")


def test_what_is_scheduled_runs_in_a_worker(
    page: Any, mined: fo.Dataset, worker: None
) -> None:
    service = DelegatedOperationService()
    form = driver.open_form(page, "Map objects")
    driver.fill(form, "Method", "pca")
    driver.fill(form, "Brain key", "by_worker")
    driver.schedule(form)
    states: list[tuple[str, str]] = []
    end = time.monotonic() + 120
    while time.monotonic() < end:
        (run,) = service.list_operations(dataset_name=mined.name)
        label = run.status.label if run.status else ""
        if not states or states[-1] != (run.run_state, label):
            states.append((run.run_state, label))
        if run.run_state in (
            ExecutionRunState.COMPLETED,
            ExecutionRunState.FAILED,
        ):
            break
        time.sleep(0.2)
    assert run.run_state == ExecutionRunState.COMPLETED, run.result
    assert ExecutionRunState.RUNNING in [state for state, _ in states]
    assert run.result.result["objects"] > 0
    service.delete_operation(run.id)

    # the App shows what the worker made
    page.reload(wait_until="domcontentloaded")
    driver.drawn(page)
    panel = driver.open_panel(page, "Embeddings")
    panel.get_by_text("by_worker", exact=True).wait_for()
    mined.reload()
    mined.delete_brain_run("by_worker")
