"""The detected objects of one rendered world, in a process of its own.

The world is rendered, loaded, and its objects are detected and embedded with
the demo's models and the default preset's settings, as the demo does it.
What is left is one file of arrays: vectors, detector classes, what each crop
really shows, and FiftyOne's uniqueness of the same vectors.
"""

from __future__ import annotations

import hashlib
import sys
import tempfile
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks._measure import tell
from benchmarks._quality_truth import CLUTTER, shown
from demo.config import WorldConfig
from raremine.brain.box_matching import match_boxes

FIELD = "objects"
BRAIN_KEY = "objects_clip"


@dataclass(frozen=True)
class WorldObjects:
    """The detected objects of a world, (n,) each, and its annotations.

    Attributes:
        vectors: (n, d) float32 embeddings of the crops
        label: detector classes
        confidence: of the detector
        image: sample data token of the image
        scene: name of the scene
        box: (n, 4) left, top, width, height, shares of the image
        truth: class of the object that the crop shows, "" for none
        category: nuScenes category of that object, "" for none
        instance: instance token of that object, "" for none
        paired_truth: class by one-to-one matching, "" for none
        uniqueness: FiftyOne's score
        true_category: (m,) category of each annotated box on the images
        true_class: (m,) its class
    """

    vectors: np.ndarray
    label: np.ndarray
    confidence: np.ndarray
    image: np.ndarray
    scene: np.ndarray
    box: np.ndarray
    truth: np.ndarray
    category: np.ndarray
    instance: np.ndarray
    paired_truth: np.ndarray
    uniqueness: np.ndarray
    true_category: np.ndarray
    true_class: np.ndarray

    def __len__(self) -> int:
        return len(self.vectors)

    def save(self, path: Path) -> None:
        """Writes all arrays; an interrupted run leaves no file."""
        arrays: dict[str, Any] = {
            f.name: getattr(self, f.name) for f in fields(self)
        }
        partial = path.with_suffix(".partial")
        with partial.open("wb") as file:
            np.savez_compressed(file, **arrays)
        partial.rename(path)

    @classmethod
    def load(cls, path: Path) -> WorldObjects:
        """Reads what ``save`` wrote."""
        with np.load(path) as archive:
            return cls(**{f.name: archive[f.name] for f in fields(cls)})


def world_config(seed: int, scenes: int, keyframes: int) -> WorldConfig:
    """Returns the configuration of a world of the demo's own kind."""
    return WorldConfig(seed=seed, scenes=scenes, keyframes=keyframes)


def objects_name(config: WorldConfig) -> str:
    """Names a world's file after all that it is made from."""
    from demo.mining import world_name
    from demo.weights_folder import WEIGHTS

    digest = hashlib.sha256()
    for file in [
        WEIGHTS / "detector.pt",
        *sorted((WEIGHTS / "embedder").iterdir()),
    ]:
        digest.update(file.read_bytes())
    return f"{world_name(config)}-{digest.hexdigest()[:8]}.npz"


def gather(config: WorldConfig, folder: Path) -> WorldObjects:
    """Renders a world and returns its detected objects.

    Args:
        config: the world
        folder: where it may lie rendered; what is made here goes again
    """
    import fiftyone as fo

    import raremine.brain as rmb
    from demo.mining import world_name, world_version
    from demo.world import write_world

    with tempfile.TemporaryDirectory(dir=folder) as temporary:
        own = Path(temporary)
        root = folder / world_name(config)
        if not root.is_dir():
            root = write_world(own / "world", config, workers=2)
        name = f"raremine-bench-quality-{config.seed}"
        dataset: Any = rmb.load_nuscenes(
            root,
            world_version(),
            name,
            overwrite=True,
            media_dir=own / "clouds",
        )
        try:
            return _objects(dataset, own / "index")
        finally:
            fo.delete_dataset(name)


def _objects(dataset: Any, index_dir: Path) -> WorldObjects:
    import raremine.brain as rmb
    from demo.weights_folder import find_models
    from raremine.brain.columns import read_objects
    from raremine.brain.evaluation.ground_truth import class_name
    from raremine.brain.nuscenes.fields import GROUND_TRUTH
    from raremine.brain.presets import preset_settings

    models = find_models()
    preset = preset_settings("default")
    detector = dict(models.detector)
    rmb.detect_and_embed(
        dataset,
        detector.pop("model"),
        models.embedder,
        None,
        field=FIELD,
        brain_key=BRAIN_KEY,
        detect={**preset["detect"], **detector},
        embed={**preset["embed"], "index_dir": str(index_dir)},
    )
    everything = read_objects(
        _with_image(dataset), FIELD, ["label", "confidence", "bounding_box"]
    )
    ids, vectors = dataset.load_brain_results(BRAIN_KEY).label_vectors()
    rows = everything.rows_of(ids)
    # in the table's order, which the content alone decides
    by_row = np.argsort(rows)
    table, vectors = everything.take(rows[by_row]), vectors[by_row]
    boxes = read_objects(
        dataset,
        GROUND_TRUTH,
        ["label", "category", "bounding_box", "instance_token"],
    )
    found = shown(
        table.sample_id,
        table["bounding_box"],
        boxes.sample_id,
        boxes["bounding_box"],
    )
    pairs = match_boxes(
        table.sample_id,
        table["bounding_box"],
        table["confidence"],
        boxes.sample_id,
        boxes["bounding_box"],
    ).box
    true_class = np.array([class_name(n) for n in boxes["label"]], dtype=str)
    token_of = dict(
        zip(
            *_with_image(dataset).values(["id", "sample_data_token"]),
            strict=True,
        )
    )
    return WorldObjects(
        vectors=vectors.astype(np.float32),
        label=table["label"].astype(str),
        confidence=table["confidence"].astype(np.float64),
        image=np.array([token_of[i] for i in table.sample_id], dtype=str),
        scene=table["scene_name"].astype(str),
        box=table["bounding_box"].astype(np.float64),
        truth=_named(true_class, found),
        category=_named(boxes["category"].astype(str), found),
        instance=_named(boxes["instance_token"].astype(str), found),
        paired_truth=_named(true_class, pairs),
        uniqueness=_uniqueness(dataset, table.label_id, vectors),
        true_category=boxes["category"].astype(str),
        true_class=true_class,
    )


def _with_image(dataset: Any) -> Any:
    return dataset.select_group_slices(media_type="image")


def _named(names: np.ndarray, rows: np.ndarray) -> np.ndarray:
    return np.array(
        [names[row] if row >= 0 else CLUTTER for row in rows], dtype=str
    )


def _uniqueness(
    dataset: Any, label_ids: np.ndarray, vectors: np.ndarray
) -> np.ndarray:
    """Returns what FiftyOne's ``compute_uniqueness`` gives the objects."""
    import fiftyone.brain as fob

    patches = _with_image(dataset).to_patches(FIELD)
    patches = patches.select_labels(ids=label_ids.tolist(), fields=FIELD)
    place = {label_id: row for row, label_id in enumerate(label_ids)}
    rows = [place[i] for i in patches.values(f"{FIELD}.id")]
    fob.compute_uniqueness(
        patches, "uniqueness", embeddings=vectors[rows].astype(np.float64)
    )
    scores = np.empty(len(label_ids))
    ids, values = patches.values([f"{FIELD}.id", "uniqueness"])
    for label_id, value in zip(ids, values, strict=True):
        scores[place[label_id]] = value
    return scores


def main() -> None:
    """``SEED SCENES KEYFRAMES FOLDER``: writes the world's file."""
    seed, scenes, keyframes = map(int, sys.argv[1:4])
    folder = Path(sys.argv[4])
    config = world_config(seed, scenes, keyframes)
    path = folder / objects_name(config)

    def work() -> dict[str, Any]:
        objects = gather(config, folder)
        objects.save(path)
        return {"objects": len(objects)}

    tell(work)


if __name__ == "__main__":
    main()
