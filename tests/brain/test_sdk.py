"""The SDK: what it exports, and that importing it costs next to nothing."""

from __future__ import annotations

import importlib
import inspect
import pickle
import pkgutil
import subprocess
import sys

import pytest

import raremine.brain as rmb
from raremine.brain import sdk

BODIES = {
    "caption_objects": "captions.stage:caption",
    "compare_selections": "selection.compare:compare_selections",
    "correct_objects": "concepts.correction:correct",
    "detect_and_embed": "detection_and_embedding:detect_and_embed",
    "detect_objects": "detection:detect",
    "embed_frames": "frame_embedding:embed_images",
    "embed_objects": "embedding:embed",
    "evaluate_mining": "evaluation.stage:evaluate_mining",
    "fit_outliers": "outliers.stage:fit_reference",
    "load_nuscenes": "nuscenes.loader:load_nuscenes",
    "locate_objects": "locating.stage:locate_objects",
    "map_objects": "maps.stage:lay_out",
    "match_concepts": "concepts.stage:match_objects",
    "rank_pareto": "novelty.ranking:rank",
    "score_novelty": "novelty.stage:score_keywords",
    "score_outliers": "outliers.stage:score",
    "search_objects": "search:search",
    "select_frames": "selection.stage:select_frames",
}
"""Bodies that have defaults of their own, for callers inside the package."""


def test_every_function_of_its_modules_is_exported() -> None:
    defined = {}
    for found in pkgutil.iter_modules(sdk.__path__):
        module = importlib.import_module(f"{sdk.__name__}.{found.name}")
        for name, function in inspect.getmembers(module, inspect.isfunction):
            if function.__globals__ is vars(module) and name[0] != "_":
                defined[name] = function
    assert defined == {name: getattr(rmb, name) for name in rmb.__all__}


def test_functions_are_known_by_the_name_they_are_imported_by() -> None:
    for name in rmb.__all__:
        function = getattr(rmb, name)
        assert function.__module__ == "raremine.brain"
        assert pickle.loads(pickle.dumps(function)) is function


@pytest.mark.parametrize(("name", "body"), BODIES.items())
def test_a_default_is_that_of_the_body(name: str, body: str) -> None:
    place, _, function = body.partition(":")
    module = importlib.import_module(f"raremine.brain.{place}")
    here, there = (
        {
            parameter.name: parameter.default
            for parameter in inspect.signature(f).parameters.values()
            # the SDK names the engine, a body is given one
            if parameter.default is not parameter.empty
            and parameter.name != "engine"
        }
        for f in (getattr(rmb, name), getattr(module, function))
    )
    both = here.keys() & there.keys()
    assert both
    assert {n: here[n] for n in both} == {n: there[n] for n in both}


def test_importing_it_imports_nothing_heavy() -> None:
    code = "import sys, raremine.brain; print(*sys.modules)"
    printed = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    own = {name for name in printed if name.startswith("raremine.brain.")}
    assert {name for name in own if ".sdk" not in name} == set()
    assert not {"fiftyone", "numpy", "torch"} & set(printed)
