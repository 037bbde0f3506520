"""A rendered world, and the dataset that the journey makes of it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fiftyone as fo
import pytest

import raremine.brain as rmb
from demo.config import WorldConfig
from demo.weights_folder import DemoModels, find_models
from demo.world import VERSION, write_world
from run import command_line
from tests.app import driver

NAME = "journey"
SCENES, KEYFRAMES, CAMERAS = 4, 3, 6
SHARES = {"random": 0.2, "target": 0.2}


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A nuScenes dataroot of a few rendered keyframes."""
    config = WorldConfig(seed=7, scenes=SCENES, keyframes=KEYFRAMES)
    return write_world(tmp_path_factory.mktemp("journey") / "world", config)


@pytest.fixture(scope="session")
def models() -> DemoModels:
    """The models that know rendered worlds."""
    return find_models()


@pytest.fixture(scope="session")
def journey() -> Iterator[str]:
    """Name of the dataset that is made by hand, in the first two modules."""
    yield NAME
    if fo.dataset_exists(NAME):
        fo.delete_dataset(NAME)


@pytest.fixture(scope="session")
def mined(journey: str, world: Path, models: DemoModels) -> fo.Dataset:
    """The dataset as it was mined by hand, or by the SDK if it was not."""
    if not fo.dataset_exists(journey):
        rmb.load_nuscenes(world, VERSION, journey)
    dataset = fo.load_dataset(journey)
    dataset.reload()
    if "selection_mined" not in dataset.list_brain_runs():
        rmb.mine(
            dataset,
            detector=models.detector["model"],
            embedder=models.embedder,
            captioner=models.captioner["model"],
            recipe=SHARES,
        )
    return dataset


@pytest.fixture
def page(app: str, tab: Any, mined: fo.Dataset) -> Any:
    """The mined dataset in a fresh page."""
    driver.open_dataset(tab, app, mined.name)
    return tab


@pytest.fixture
def worker() -> Iterator[None]:
    """What a user starts in a second terminal to run what is scheduled."""
    (arguments,) = command_line("worker", [])
    process = subprocess.Popen(
        [sys.executable, *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    yield
    # the worker and the processes in which it runs things
    os.killpg(process.pid, signal.SIGTERM)
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
