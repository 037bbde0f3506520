"""One brain-run class for all our stages.

A run records what made which field: the parameters actually used, the models'
identity, library versions. Because it is a FiftyOne brain run, the SDK's and
the App's list, info, load, rename and delete work on it, and deleting it
deletes the fields it owns.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import fiftyone as fo
import fiftyone.core.brain as fob
import fiftyone.core.utils as fou
import numpy as np

from raremine.brain.columns import all_slices
from raremine.brain.errors import MissingStageError, RaremineError

RECORDED_PACKAGES = (
    "fiftyone",
    "torch",
    "ultralytics",
    "open_clip_torch",
    "transformers",
    "scikit-learn",
    "umap-learn",
    "numpy",
)


class MiningStageConfig(fob.BrainMethodConfig):
    """Configuration of one of our stages.

    Args:
        stage: the stage's name, such as "outliers"
        field (None): the detections field it worked on
        fields (None): paths that the run owns and deletes with itself
        params (None): every parameter actually used
        versions (None): versions of the libraries that did the work
        tag (None): sample tag that the run owns and removes with itself
    """

    def __init__(
        self,
        stage: str = "stage",
        field: str | None = None,
        fields: Sequence[str] | None = None,
        params: Mapping[str, Any] | None = None,
        versions: Mapping[str, str] | None = None,
        tag: str | None = None,
        **kwargs: Any,
    ) -> None:
        self.stage = stage
        self.tag = tag
        self.field = field
        self.fields = list(fields or ())
        self.params = dict(params or {})
        self.versions = dict(versions or {})
        super().__init__(**kwargs)

    @property
    def type(self) -> str:
        """What a user filters ``list_brain_runs(type=)`` by."""
        return f"raremine_{self.stage}"

    @property
    def method(self) -> str:
        """The stage's name."""
        return self.stage


class MiningStage(fob.BrainMethod):
    """Life cycle of a stage's run on a dataset."""

    def get_fields(self, samples: Any, key: str) -> list[str]:
        """Returns the fields of this run that exist on the dataset."""
        dataset = samples._root_dataset
        return [p for p in self.config.fields if dataset.get_field(p)]

    def rename(self, samples: Any, key: str, new_key: str) -> None:
        """Keeps the fields: their names do not hold the key."""

    def cleanup(self, samples: Any, key: str) -> None:
        """Deletes the fields and the tag that the run alone owns."""
        dataset = samples._root_dataset
        if self.config.tag:
            all_slices(dataset).match_tags(self.config.tag).untag_samples(
                self.config.tag
            )
        theirs: set[str] = set()
        for other in set(dataset.list_brain_runs()) - {key}:
            config = dataset.get_brain_info(other).config
            theirs.update(getattr(config, "fields", None) or ())
        for path in self.get_fields(samples, key):
            # a second run of the stage writes the same fields
            if path not in theirs:
                dataset.delete_sample_field(path)


class MiningStageResults(fob.BrainResults):
    """Results of a stage: a dict that can be written as JSON, and arrays.

    Args:
        samples: the dataset
        config: a ``MiningStageConfig``
        key: the brain key
        data (None): the results
        arrays (None): name → array of numbers, stored compressed
    """

    def __init__(
        self,
        samples: Any,
        config: MiningStageConfig,
        key: str,
        data: Mapping[str, Any] | None = None,
        arrays: Mapping[str, np.ndarray] | None = None,
        backend: MiningStage | None = None,
    ) -> None:
        super().__init__(samples, config, key, backend=backend)
        self.data = dict(data or {})
        self.arrays = dict(arrays or {})

    @classmethod
    def _from_dict(
        cls, d: dict[str, Any], samples: Any, config: Any, key: str
    ) -> MiningStageResults:
        arrays = {
            name: fou.deserialize_numpy_array(text, ascii=True)
            for name, text in (d.get("arrays") or {}).items()
        }
        return cls(samples, config, key, data=d.get("data"), arrays=arrays)

    def serialize(self, reflective: bool = False) -> dict[str, Any]:
        """Returns the run's class and its results."""
        d: dict[str, Any] = super().serialize(reflective=reflective)
        d["data"] = self.data
        d["arrays"] = {
            name: fou.serialize_numpy_array(array, ascii=True)
            for name, array in self.arrays.items()
        }
        return d


def record_run(
    dataset: fo.Dataset,
    key: str,
    stage: str,
    *,
    field: str | None = None,
    fields: Iterable[str] = (),
    params: Mapping[str, Any] | None = None,
    results: Mapping[str, Any] | None = None,
    tag: str | None = None,
    arrays: Mapping[str, np.ndarray] | None = None,
    config_cls: type[MiningStageConfig] = MiningStageConfig,
    results_cls: type[MiningStageResults] = MiningStageResults,
) -> None:
    """Records a finished stage under a brain key, replacing an older record.

    Args:
        dataset: the root dataset
        key: the brain key, a valid Python identifier
        stage: the stage's name
        field (None): the detections field
        fields (()): label or sample paths that the run owns
        params (None): every parameter actually used, JSON-able
        results (None): results, JSON-able
        tag (None): sample tag that the run owns
        arrays (None): name → array of numbers that belongs to the results
        config_cls (MiningStageConfig): the run's configuration; its method
            is found by its name, as FiftyOne does
        results_cls (MiningStageResults): the run's results

    Raises:
        RaremineError: if the key is taken by a run of another kind
    """
    check_key(dataset, key, stage)
    owned = list(fields)
    if dataset.has_brain_run(key):
        # what an earlier run of this stage made goes with its record too
        owned += dataset.get_brain_info(key).config.fields
    config = config_cls(
        stage=stage,
        field=field,
        fields=list(dict.fromkeys(owned)),
        params=params,
        versions=library_versions(),
        tag=tag,
    )
    method = config.build()
    # cleanup would delete the fields that were just written
    method.register_run(dataset, key, cleanup=False)
    try:
        method.save_run_results(
            dataset,
            key,
            results_cls(
                dataset,
                config,
                key,
                data=results,
                arrays=arrays,
                backend=method,
            ),
        )
    except BaseException:
        # a key without results would look like a run that succeeded
        MiningStage.delete_run(dataset, key, cleanup=False)
        raise


def check_key(dataset: fo.Dataset, key: str, stage: str) -> None:
    """Checks, before any work, that a stage may record itself under a key.

    Args:
        dataset: the root dataset
        key: the brain key
        stage: the stage's name

    Raises:
        RaremineError: if the key is no Python identifier, or is taken by a
            run of another kind
    """
    if not key.isidentifier():
        raise RaremineError(
            f"'{key}' cannot name a run: use letters, digits and "
            "underscores, not starting with a digit."
        )
    if not dataset.has_brain_run(key):
        return
    old = dataset.get_brain_info(key).config
    if getattr(old, "stage", None) != stage:
        raise RaremineError(
            f"Brain key '{key}' of dataset '{dataset.name}' belongs to a "
            f"'{old.type}' run; choose another key or delete that run."
        )


def mark_unfinished(dataset: fo.Dataset, key: str) -> None:
    """Says that a run's results are being replaced, before the first write.

    Ended in between, its record would tell how only a part of the values was
    made, and a rerun would find nothing to do. ``record_run`` ends this.

    Args:
        dataset: the root dataset
        key: the brain key; nothing happens where there is no such run
    """
    if dataset.has_brain_run(key):
        config = dataset.get_brain_info(key).config
        config.params = {**config.params, "unfinished": True}
        MiningStage.update_run_config(dataset, key, config)


def run_params(dataset: fo.Dataset, key: str) -> dict[str, Any] | None:
    """Returns the parameters recorded under a key, None if there is no run."""
    if not dataset.has_brain_run(key):
        return None
    config = dataset.get_brain_info(key).config
    return dict(getattr(config, "params", None) or {})


def load_results(dataset: fo.Dataset, key: str) -> dict[str, Any]:
    """Returns the results recorded under a key.

    Raises:
        MissingStageError: if no stage has recorded results there
    """
    results = (
        dataset.load_brain_results(key) if dataset.has_brain_run(key) else None
    )
    if results is None:
        have = ", ".join(dataset.list_brain_runs()) or "none"
        raise MissingStageError(
            f"Dataset '{dataset.name}' has no results under brain key "
            f"'{key}' (it has: {have}); run that stage first."
        )
    return dict(results.data)


def fingerprint(label_ids: Iterable[str]) -> str:
    """Returns a short hash of a set of label ids, whatever their order."""
    digest = hashlib.sha256()
    for label_id in sorted(str(i) for i in label_ids):
        digest.update(label_id.encode())
    return digest.hexdigest()[:16]


def library_versions() -> dict[str, str]:
    """Returns the versions of the libraries that decide our results."""
    versions = {}
    for name in RECORDED_PACKAGES:
        try:
            versions[name.replace("-", "_")] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return versions
