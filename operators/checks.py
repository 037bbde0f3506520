"""What can be told of an answer at once: each check is a question of ms.

They say in advance, at the question itself, what the SDK would say after the
run has begun.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import fiftyone as fo

from raremine.brain.concepts.vocabulary import load_vocabulary
from raremine.brain.errors import RaremineError
from raremine.brain.models.chat_protocol import is_server
from raremine.brain.models.weights import is_local
from raremine.brain.runs import check_key
from raremine.operators.forms import Form, field_of

_ULTRALYTICS = re.compile(
    r"(yolo|rtdetr|rt-detr|sam|fastsam|mobilesam)[\w.-]*$", re.IGNORECASE
)
_HUB_ID = re.compile(r"[\w.-]+/[\w.-]+$")
_FIELD = re.compile(r"[A-Za-z]\w*$")


def check_detector(form: Form, name: str, value: Any) -> None:
    """Checks that a detector is a file here or a name of Ultralytics."""
    if not value or _absent(form, name, value, "weights"):
        return
    if not is_local(str(value)) and not _ULTRALYTICS.match(str(value)):
        form.wrong(
            name,
            f"'{value}' is neither a file here nor a model that Ultralytics "
            "knows, such as yolov8l.pt; give the whole path of a weights "
            "file.",
        )


def check_embedder(
    form: Form, name: str, given: Mapping[str, Any], weights: str
) -> None:
    """Checks an embedder, and its weights where they are a file."""
    value = given.get(name)
    if value and not _absent(form, name, value, "embedder"):
        local = is_local(str(value))
        if local and not Path(str(value)).expanduser().is_dir():
            form.wrong(
                name,
                f"'{value}' is a file. Name the model, such as ViT-B-32, and "
                "give the file as its pretrained weights; or give a folder.",
            )
        if local:
            return
    file = given.get(weights)
    looks_like_path = file and ("/" in str(file) or "\\" in str(file))
    if looks_like_path and not Path(str(file)).expanduser().exists():
        form.wrong(weights, f"There is no file '{file}'.")


def check_captioner(form: Form, name: str, value: Any) -> None:
    """Checks that a captioner is a folder, a hub id or a server."""
    if not value or is_server(value):
        return
    if _absent(form, name, value, "captioner"):
        return
    if not is_local(str(value)) and not _HUB_ID.match(str(value)):
        form.wrong(
            name,
            f"'{value}' is neither a folder here, nor a hub id such as "
            "Qwen/Qwen2-VL-2B-Instruct, nor the address of a server such as "
            "http://localhost:8000/v1.",
        )


def check_file(form: Form, name: str, value: Any) -> None:
    """Checks that a file to be read exists."""
    if value and not Path(str(value)).expanduser().is_file():
        form.wrong(name, f"There is no file '{value}'.")


def check_folder_to_write(form: Form, name: str, value: Any) -> None:
    """Checks that a folder can be made, or written into."""
    if not value:
        return
    folder = Path(str(value)).expanduser()
    if not folder.is_absolute():
        form.wrong(
            name,
            f"Give the whole path: '{value}' would lie below the folder that "
            "the App's server was started in.",
        )
        return
    there = next(p for p in (folder, *folder.parents) if p.exists())
    if not there.is_dir():
        form.wrong(name, f"'{there}' is a file, not a folder.")
    elif not os.access(there, os.W_OK):
        form.wrong(name, f"The folder '{there}' cannot be written into.")


def check_file_to_write(form: Form, name: str, value: Any) -> None:
    """Checks that a file can be made where its folder is to be."""
    if value and Path(str(value)).expanduser().is_dir():
        form.wrong(name, f"'{value}' is a folder; add a file name.")
    elif value:
        check_folder_to_write(form, name, Path(str(value)).parent)


def check_run_key(
    form: Form, name: str, value: Any, dataset: fo.Dataset, stage: str
) -> None:
    """Checks that a stage may record itself under a brain key."""
    if not value:
        return
    try:
        check_key(dataset, str(value), stage)
    except RaremineError as error:
        form.wrong(name, str(error))


def check_other_key(
    form: Form,
    name: str,
    value: Any,
    dataset: fo.Dataset,
    kind: str,
    field: str | None,
) -> None:
    """Checks that a key is free, or one of FiftyOne's runs of that kind.

    Args:
        form: the form
        name: the question
        value: the brain key
        dataset: the dataset
        kind: "similarity" or "visualization"
        field: the field of objects that the run is about, None = images
    """
    if not value:
        return
    if not str(value).isidentifier():
        form.wrong(
            name,
            f"'{value}' cannot name a run: use letters, digits and "
            "underscores, not starting with a digit.",
        )
    elif dataset.has_brain_run(str(value)):
        config = dataset.get_brain_info(str(value)).config
        theirs = getattr(config, "patches_field", None)
        if config.type != kind or theirs != field:
            about = f"objects in '{theirs}'" if theirs else "images"
            form.wrong(
                name,
                f"Brain key '{value}' is taken by a '{config.type}' run of "
                f"{about}; choose another.",
            )


def check_vectors(
    form: Form, given: Mapping[str, Any], dataset: fo.Dataset
) -> None:
    """Checks that the vectors are those of the chosen field's objects."""
    key, field = given.get("embeddings"), field_of(given)
    if not key or not dataset.has_brain_run(key):
        return
    theirs = getattr(dataset.get_brain_info(key).config, "patches_field", None)
    if theirs != field:
        form.wrong(
            "embeddings",
            f"'{key}' holds vectors of "
            + (f"the objects in '{theirs}'" if theirs else "whole images")
            + f", not of those in '{field}'; choose another.",
        )


def check_new_field(
    form: Form, name: str, value: Any, dataset: fo.Dataset
) -> None:
    """Checks that detections can be written into a field."""
    if not value:
        return
    if not _FIELD.match(str(value)):
        form.wrong(
            name,
            f"'{value}' cannot name a field: use letters, digits and "
            "underscores, beginning with a letter.",
        )
        return
    field = dataset.get_field(str(value))
    document = getattr(field, "document_type", None)
    if field is not None and document is not fo.Detections:
        form.wrong(
            name,
            f"Field '{value}' of this dataset holds something other than "
            "detections; choose another name.",
        )
    elif value == "ground_truth":
        form.wrong(
            name, "Field 'ground_truth' is not to be replaced by detections."
        )


def check_names(
    form: Form,
    name: str,
    values: Any,
    known: Collection[str],
    what: str,
) -> None:
    """Checks that all chosen values are known."""
    chosen: Sequence[Any] = values if isinstance(values, list) else [values]
    unknown = [str(v) for v in chosen if v and v not in known]
    if unknown:
        form.wrong(
            name,
            f"There is no {what} {', '.join(map(repr, unknown))}; there are "
            f"{', '.join(sorted(known)) or 'none'}.",
        )


def check_vocabulary(
    form: Form, name: str, value: Any, targets: Any = None
) -> None:
    """Checks a vocabulary and the target concepts taken from it."""
    try:
        vocabulary = load_vocabulary(value or None)
    except RaremineError as error:
        form.wrong(name, str(error))
        return
    try:
        vocabulary.groups(targets or None)
    except RaremineError as error:
        form.wrong("targets", str(error))


def vocabulary_names(value: Any) -> list[str]:
    """Returns the concepts of a vocabulary, none if it cannot be read."""
    try:
        return list(load_vocabulary(value or None).names)
    except RaremineError:
        return []


def _absent(form: Form, name: str, value: Any, what: str) -> bool:
    path = Path(str(value)).expanduser()
    if is_local(str(value)) and not path.exists():
        form.wrong(
            name,
            f"There is nothing at '{value}' on this machine; give the whole "
            f"path of the {what}.",
        )
        return True
    return False
