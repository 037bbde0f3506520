"""FiftyOne's own text searches, by the code that the App's server runs.

They run in a process of its own, as after a restart: nothing of the one that
embedded is left, and no network is there.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import fiftyone as fo
import numpy as np
import pytest

import raremine.brain as rmb
from demo.weights_folder import find_models
from raremine.brain.crop_index import open_index
from raremine.brain.models.open_clip_embedder import OpenClipEmbedder
from tests.brain.fakes import FakeDetector, painted_dataset, scatter

NAMES = ["car", "truck", "bus", "car", "dog", "truck", "car", "person"]
QUERY, K, KEY = "a bus", 3, "objects_clip"

_AFTER_A_RESTART = """
import json, sys
import fiftyone as fo
import fiftyone.operators as foo
from fiftyone.operators.store import ExecutionStore
from fiftyone.server.view import get_view

name, stages, typed, asked = json.loads(sys.argv[1])
bar = get_view(name, stages=[*stages, typed]).values("id")
dataset = fo.load_dataset(name)
run = foo.execute_operator(
    "@voxel51/panels/similarity_search",
    dict(view=get_view(name, stages=stages)),
    params=asked,
).result["run_id"]
store = ExecutionStore.create("similarity_search_panel", dataset._doc.id)
print(json.dumps([bar, store.get(f"run:{run}")["result_ids"]]))
"""


@pytest.fixture(scope="module")
def embedder() -> str:
    """The folder of a real model with a text half."""
    return find_models().embedder


@pytest.fixture(scope="module")
def dataset(
    tmp_path_factory: pytest.TempPathFactory, embedder: str
) -> fo.Dataset:
    """Objects on two cameras beside a 3D slice, embedded by that model."""
    folder = tmp_path_factory.mktemp("search")
    made = painted_dataset(folder, scatter(NAMES, per_image=2))
    rmb.detect_objects(made, FakeDetector())
    rmb.embed_objects(made, embedder)
    made.persistent = True
    return made


def nearest_by_hand(dataset: fo.Dataset, ids: list[str], model: str) -> Any:
    """The best of some objects, by all their cosines."""
    stored, vectors = open_index(dataset, KEY).label_vectors()
    text = OpenClipEmbedder(model).embed_texts([QUERY])[0]
    cosines = dict(zip(stored.tolist(), vectors @ text, strict=True))
    assert np.ptp(list(cosines.values())) > 1e-3
    return sorted(ids, key=lambda one: -cosines[one])[:K]


def test_both_searches_of_the_app_answer_after_a_restart(
    dataset: fo.Dataset, embedder: str
) -> None:
    images = dataset.select_group_slices(media_type="image")
    everything = images.to_patches("objects").values("id")
    back = dataset.select_group_slices("CAM_BACK").to_patches("objects")
    shown = back.values("id")
    best = nearest_by_hand(dataset, shown, embedder)
    assert best != nearest_by_hand(dataset, everything, embedder)
    # as the App's search bar sends what is typed into it
    typed = {
        "_cls": "fiftyone.core.stages.SortBySimilarity",
        "kwargs": [
            ["query", QUERY],
            ["k", K],
            ["reverse", False],
            ["dist_field", None],
            ["brain_key", KEY],
        ],
    }
    # as its Similarity Search panel does
    asked = {
        "brain_key": KEY,
        "query_type": "text",
        "query": QUERY,
        "reverse": False,
        "view_target": "CURRENT_VIEW",
        "patches_field": "objects",
        "k": K,
    }
    stages = back._serialize(include_uuids=False)
    given = json.dumps([dataset.name, stages, typed, asked])
    offline = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1"}
    done = subprocess.run(
        [sys.executable, "-c", _AFTER_A_RESTART, given],
        env={**os.environ, **offline},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    bar, panel = json.loads(done.stdout.splitlines()[-1])
    assert bar == best
    assert panel == best
