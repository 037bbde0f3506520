"""Fitted outlier methods on disk: plain arrays and JSON, no pickles."""

from __future__ import annotations

import dataclasses
import json
import os
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from raremine.brain.errors import RaremineError
from raremine.brain.outliers.isolation_forest import IsolationTrees
from raremine.brain.outliers.lof import LocalDensity
from raremine.brain.outliers.model import FITTED_METHODS, OutlierModel
from raremine.brain.outliers.scoring import check_methods

FORMAT = "raremine outlier model"
VERSION = 2
"""1 had no scores of the reference set."""

TREE_ARRAYS = ("roots", "feature", "threshold", "children", "path_length")


def save_model(model: OutlierModel, path: str | Path) -> Path:
    """Writes a model, whole or not at all.

    The file is a NumPy archive of the reference set's vectors, classes and
    densities and of the forest's nodes, with the settings as JSON.

    Args:
        model: a fitted model
        path: the file; an older one is replaced

    Returns:
        the path
    """
    path = Path(path)
    names, codes = np.unique(model.labels, return_inverse=True)
    arrays = {
        "vectors": model.vectors,
        "class_names": names.astype(str),
        "class_codes": codes.astype(np.int32),
    }
    settings: dict[str, Any] = {
        "format": FORMAT,
        "version": VERSION,
        "methods": list(model.methods),
        "k": model.k,
        "seed": model.seed,
        "exact": model.exact,
        "limits": model.limits,
        "class_largest": model.class_largest,
        "origin": model.origin,
    }
    for name in ("local", "class_local"):
        local = getattr(model, name)
        if local is not None:
            arrays[f"{name}.k_distance"] = local.k_distance
            arrays[f"{name}.density"] = local.density
    for name, values in model.own.items():
        arrays[f"own.{name}"] = values
    if model.trees is not None:
        for name in TREE_ARRAYS:
            arrays[f"trees.{name}"] = getattr(model.trees, name)
        settings["levels"] = model.trees.levels
        settings["expected"] = model.trees.expected
    text = json.dumps(settings).encode()
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, suffix=".partial")
    try:
        with os.fdopen(handle, "wb") as file:
            np.savez(
                file,
                settings=np.frombuffer(text, dtype=np.uint8),
                **arrays,
            )
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    return path


def load_model(path: str | Path) -> OutlierModel:
    """Reads a model; it scores as the one that was saved.

    Args:
        path: a file of :func:`save_model`

    Raises:
        RaremineError: if it is absent, not such a file, or of another version
    """
    path = Path(path)
    if not path.is_file():
        raise RaremineError(
            f"There is no outlier model at '{path}'; fit one on a reference "
            "set and save it there."
        )
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
        settings = json.loads(arrays["settings"].tobytes())
        if settings["format"] != FORMAT:
            raise KeyError("format")
        if settings["version"] == VERSION:
            return _model(settings, arrays)
    except (OSError, ValueError, KeyError, TypeError, EOFError) as error:
        raise _unreadable(path) from error
    except (zipfile.BadZipFile, AttributeError) as error:
        raise _unreadable(path) from error
    raise RaremineError(
        f"The outlier model '{path}' is of version {settings['version']}, "
        f"this one reads {VERSION}; fit it again on the reference set, or "
        "update raremine."
    )


def _model(
    settings: dict[str, Any], arrays: dict[str, np.ndarray]
) -> OutlierModel:
    check_methods(settings["methods"], FITTED_METHODS)
    parts: dict[str, Any] = {}
    for name in ("local", "class_local"):
        if f"{name}.density" in arrays:
            parts[name] = LocalDensity(
                arrays[f"{name}.k_distance"], arrays[f"{name}.density"]
            )
    if "trees.roots" in arrays:
        parts["trees"] = IsolationTrees(
            **{name: arrays[f"trees.{name}"] for name in TREE_ARRAYS},
            levels=int(settings["levels"]),
            expected=float(settings["expected"]),
        )
    model = OutlierModel(
        methods=tuple(settings["methods"]),
        k=int(settings["k"]),
        seed=int(settings["seed"]),
        exact=settings["exact"],
        vectors=arrays["vectors"],
        labels=arrays["class_names"][arrays["class_codes"]],
        limits={n: float(v) for n, v in settings["limits"].items()},
        own={n: arrays[f"own.{n}"] for n in settings["methods"]},
        class_largest=float(settings["class_largest"]),
        origin=dict(settings["origin"]),
        **parts,
    )
    lengths = {len(model.vectors), len(model.labels)}
    lengths |= {len(values) for values in model.own.values()}
    for name in ("local", "class_local"):
        local = getattr(model, name)
        if local is not None:
            lengths |= {len(v) for v in dataclasses.astuple(local)}
    if len(lengths) != 1 or model.vectors.ndim != 2:
        raise ValueError("arrays of different lengths")
    return model


def _unreadable(path: Path) -> RaremineError:
    return RaremineError(
        f"'{path}' is not a readable outlier model; fit it again on the "
        "reference set and save it."
    )
