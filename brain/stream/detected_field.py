"""The field that detection writes: who made it, and what it still lacks."""

from __future__ import annotations

from typing import Any

import fiftyone as fo
import fiftyone.core.fields as fof

from raremine.brain.columns import Scope, declare_columns, resolve
from raremine.brain.decisions import put_aside
from raremine.brain.errors import RaremineError
from raremine.brain.models.protocols import Detector
from raremine.brain.runs import check_key, record_run, run_params
from raremine.brain.stream.source import Images, images_of


def prepare_detection(
    scope: Scope,
    detector: Detector,
    *,
    field: str,
    overwrite: bool,
    exact: bool = True,
) -> tuple[Images, int]:
    """Checks and records a run, and says which images it is for.

    Args:
        scope: the images
        detector: the detector
        field: the detections field, which is declared
        overwrite: whether to remove what the images have
        exact (True): whether images are decoded at full size

    Returns:
        the images to do, and how many have been done before

    Raises:
        RaremineError: if ``field`` was made by another model or setting
    """
    dataset = scope.dataset
    identity = check_detection(
        scope, detector, field=field, overwrite=overwrite, exact=exact
    )
    declare_detections(dataset, field)
    if overwrite:
        _clear(scope, field)
    todo = images_of(scope.images.exists(field, False))
    # first, so that a rerun after a kill knows what made the part it finds
    record_run(
        dataset,
        _key(field),
        "detection",
        field=field,
        fields=[field, f"{field}_status", f"{field}_reason"],
        params={"detector": identity, "field": field},
    )
    return todo, len(scope.images) - len(todo)


def check_detection(
    scope: Scope,
    detector: Detector,
    *,
    field: str,
    overwrite: bool,
    exact: bool = True,
) -> dict[str, Any]:
    """Checks that a run may write a field; changes nothing.

    Args:
        scope: the images
        detector: the detector
        field: the detections field
        overwrite: whether what the images have is to be redone
        exact (True): whether images are decoded at full size

    Returns:
        what makes the run's results

    Raises:
        RaremineError: if ``field`` was made by another model or setting
    """
    dataset = scope.dataset
    identity = detector.identity()
    if not exact:
        identity = {**identity, "exact": False}
    check_key(dataset, _key(field), "detection")
    recorded = run_params(dataset, _key(field))
    if recorded is None:
        return identity
    made_by = recorded.get("detector", {})
    # a setting that either of them does not name is at its default
    changed = sorted(
        k for k in {*identity, *made_by} if identity.get(k) != made_by.get(k)
    )
    if changed and overwrite:
        others = set(resolve(dataset).images.exists(field).values("id"))
        others -= set(scope.images.values("id"))
        if others:
            raise RaremineError(
                f"Field '{field}' of dataset '{dataset.name}' also has "
                f"{len(others)} images outside this view, made with other "
                f"settings ({', '.join(changed)}). Pass the whole dataset, "
                "or another field."
            )
    elif changed:
        was = ", ".join(f"{k}={made_by.get(k)}" for k in changed)
        now = ", ".join(f"{k}={identity.get(k)}" for k in changed)
        raise RaremineError(
            f"Field '{field}' of dataset '{dataset.name}' was made with "
            f"{was}, this run has {now}. Pass overwrite=True to redo it, or "
            "another field to keep both."
        )
    return identity


def _key(field: str) -> str:
    return f"{field}_detect"


def declare_detections(dataset: fo.Dataset, field: str) -> None:
    """Adds the fields that detection writes to the schema of every slice."""
    if dataset.get_field(field) is None:
        dataset.add_sample_field(
            field, fof.EmbeddedDocumentField, embedded_doc_type=fo.Detections
        )
    for name in (f"{field}_status", f"{field}_reason"):
        if dataset.get_field(name) is None:
            dataset.add_sample_field(name, fof.StringField)
    declare_columns(dataset, field, {"crop_index": fof.IntField})


def _clear(scope: Scope, field: str) -> None:
    ids = scope.images.values("id")
    put_aside(scope.dataset, field, ids)
    for name in (field, f"{field}_status", f"{field}_reason"):
        scope.dataset.set_values(
            name, dict.fromkeys(ids, None), key_field="id"
        )
