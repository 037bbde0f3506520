"""The SDK: what it exports, and that importing it costs next to nothing."""

from __future__ import annotations

import importlib
import inspect
import pickle
import pkgutil
import subprocess
import sys

import raremine.brain as rmb
from raremine.brain import sdk


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
