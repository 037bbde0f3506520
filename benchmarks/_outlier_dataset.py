"""A dataset of many embedded objects, and one stage on it in a process.

The images do not exist and the vectors are made up (see ``write_vectors`` of
``_outlier_methods``): neither is looked at by what is measured here.
"""

from __future__ import annotations

import shutil
import sys
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import fiftyone as fo
import numpy as np
from bson import ObjectId

OBJECTS_OF_IMAGE = 10
KEY = "objects_clip"


def make_dataset(name: str, vectors: np.ndarray, index_dir: Path) -> None:
    """Makes a persistent dataset with an object for each vector.

    Args:
        name: of the dataset
        vectors: (n, d) float32, n a multiple of ``OBJECTS_OF_IMAGE``
        index_dir: folder of the vectors' index
    """
    from raremine.brain.crop_index import create_index

    dataset = fo.Dataset(name, persistent=True, overwrite=True)
    labels = [
        fo.Detection(
            label="car", bounding_box=[0.1, 0.1, 0.2, 0.2], confidence=0.5
        )
        for _ in range(OBJECTS_OF_IMAGE)
    ]
    dataset.add_sample(
        fo.Sample("0.jpg", objects=fo.Detections(detections=labels))
    )
    dataset.add_sample_field(
        "objects.detections.embedding_status", fo.StringField
    )
    index = create_index(
        dataset,
        "objects",
        KEY,
        embedder=None,
        params={},
        index_dir=str(index_dir),
    )
    (template,) = dataset._sample_collection.find()
    dataset._sample_collection.delete_many({})
    images_at_once = 1000
    step = images_at_once * OBJECTS_OF_IMAGE
    for start in range(0, len(vectors), step):
        block = np.asarray(vectors[start : start + step])
        documents, sample_ids, label_ids = [], [], []
        for number in range(len(block) // OBJECTS_OF_IMAGE):
            document = _copied(template, start + number)
            documents.append(document)
            for label in document["objects"]["detections"]:
                sample_ids.append(str(document["_id"]))
                label_ids.append(str(label["_id"]))
        dataset._sample_collection.insert_many(documents)
        index.append(block, sample_ids, label_ids)


def _copied(template: dict[str, Any], number: int) -> dict[str, Any]:
    detections = [
        {
            **label,
            "_id": ObjectId(),
            "label": "car" if (number + at) % 3 else "truck",
            "embedding_status": "ok",
        }
        for at, label in enumerate(template["objects"]["detections"])
    ]
    return {
        **template,
        "_id": ObjectId(),
        "filepath": f"{number:09d}.jpg",
        "created_at": datetime.now(timezone.utc),
        "objects": {**template["objects"], "detections": detections},
    }


def delete_dataset(name: str, index_dir: Path) -> None:
    """Deletes what ``make_dataset`` made."""
    if fo.dataset_exists(name):
        fo.delete_dataset(name)
    shutil.rmtree(index_dir, ignore_errors=True)


def main() -> None:
    """Runs one stage and tells of it."""
    import faiss  # noqa: F401
    import sklearn.ensemble  # noqa: F401

    import raremine.brain as rmb
    from benchmarks._measure import tell

    step, name = sys.argv[1:]
    dataset = fo.load_dataset(name)
    everything = ["isolation_forest", "knn", "lof"]

    def work() -> dict[str, Any]:
        if step == "score":
            summary = rmb.score_outliers(dataset, methods=everything)
        elif step == "other thresholds":
            summary = rmb.score_outliers(
                dataset, methods=everything, thresholds={"knn": ("iqr", 1.5)}
            )
        elif step == "load results":
            results: Any = dataset.load_brain_results("objects_outliers")
            summary = {"objects": len(results.label_ids)}
        else:
            summary = rmb.map_objects(dataset, method="pca")
        return {"objects": summary["objects"]}

    tell(work)


if __name__ == "__main__":
    main()
