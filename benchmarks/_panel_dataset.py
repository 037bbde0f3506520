"""A mined dataset of many objects, as the Mining panel finds it.

Only what the panel reads is there: the fields of every stage on keyframes of
six cameras and a cloud, and the runs of novelty, of the Pareto ranking, of a
selection and of an evaluation. No image exists; crops are placeholders.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timezone
from typing import Any

import fiftyone as fo
import numpy as np
from bson import ObjectId

CAMERAS = (
    *("CAM_FRONT", "CAM_FRONT_LEFT", "CAM_FRONT_RIGHT"),
    *("CAM_BACK", "CAM_BACK_LEFT", "CAM_BACK_RIGHT"),
)
LIDAR = "LIDAR_TOP"
FRAMES_OF_SCENE = 40
SELECTED = "bench"

CONCEPTS = (
    *(("car", "common"), ("pedestrian", "common")),
    *(("traffic light", "common"), ("traffic sign", "common")),
    *(("truck", "target"), ("bicycle", "target"), ("trailer", "target")),
    *(("motorcycle", "target"), ("construction vehicle", "target")),
    *(("bus", "rare"), ("barrier", "rare"), ("traffic cone", "rare")),
    *(("train", "rare"), ("static object", "rare"), ("animal", "rare")),
)
SHARES = (
    *(0.5, 0.2, 0.08, 0.08),
    *(0.04, 0.01, 0.01, 0.01, 0.005),
    *(0.02, 0.02, 0.02, 0.0005, 0.004, 0.0005),
)
WORDS = 4_000
LABEL_FIELDS: dict[str, type[fo.Field]] = {
    "outlier": fo.BooleanField,
    "outlier_score": fo.FloatField,
    "isolation_forest": fo.FloatField,
    "knn": fo.FloatField,
    "lof": fo.FloatField,
    "caption": fo.StringField,
    "caption_status": fo.StringField,
    "concept": fo.StringField,
    "concept_score": fo.FloatField,
    "concept_margin": fo.FloatField,
    "ambiguous": fo.BooleanField,
    "group": fo.StringField,
    "novelty": fo.FloatField,
    "pareto_front": fo.IntField,
    "pareto_order": fo.IntField,
    "reason": fo.StringField,
    "crop_index": fo.IntField,
}


def make_dataset(name: str, keyframes: int, per_image: int = 5) -> None:
    """Makes a persistent dataset of ``6 * keyframes`` images.

    Args:
        name: of the dataset
        keyframes: how many
        per_image (5): objects on an image, on average
    """
    dataset = fo.Dataset(name, persistent=True, overwrite=True)
    dataset.add_group_field("group", default=CAMERAS[0])
    group = fo.Group()
    first = [
        fo.Sample(
            f"0.{'fo3d' if s == LIDAR else 'jpg'}", group=group.element(s)
        )
        for s in (*CAMERAS, LIDAR)
    ]
    first[0]["objects"] = fo.Detections(
        detections=[
            fo.Detection(
                label="car",
                bounding_box=[0.1, 0.1, 0.2, 0.2],
                confidence=0.5,
                keywords=["car"],
                outlier_by=["knn"],
            )
        ]
    )
    for field in ("sample_token", "sample_data_token", "scene_name", "split"):
        for sample in first:
            sample[field] = "?"
    for sample in first:
        sample["mining_group"] = "common"
        sample["mining_score"] = 0.0
        sample["target_concepts"] = ["truck"]
    dataset.add_samples(first, dynamic=True)
    for field, kind in LABEL_FIELDS.items():
        dataset.add_sample_field(f"objects.detections.{field}", kind)
    collection = dataset._sample_collection
    templates = {d["group"]["name"]: d for d in collection.find()}
    (label,) = templates[CAMERAS[0]]["objects"]["detections"]
    # FiftyOne would tell of each sample that is still held here
    del first, sample
    collection.delete_many({})
    rng = np.random.default_rng(0)
    runs = _Runs()
    batch: list[dict[str, Any]] = []
    for frame in range(keyframes):
        batch += _keyframe(frame, templates, label, per_image, rng, runs)
        if len(batch) >= 5_000 or frame == keyframes - 1:
            collection.insert_many(batch, ordered=False)
            batch = []
    dataset.reload()
    runs.record(dataset, keyframes)


class _Runs:
    """Collects what the runs hold."""

    def __init__(self) -> None:
        self.words: list[list[int]] = [[] for _ in range(WORDS)]
        self.captioned: list[str] = []
        self.fronts: list[tuple[int, str]] = []
        self.tokens: list[str] = []

    def record(self, dataset: fo.Dataset, keyframes: int) -> None:
        from raremine.brain.novelty.run import (
            KeywordNoveltyConfig,
            KeywordNoveltyResults,
            ParetoRankingConfig,
            ParetoRankingResults,
            pack_ids,
        )
        from raremine.brain.runs import record_run

        count = np.array([len(rows) for rows in self.words])
        objects = max(len(self.captioned), 1)
        names = [f"word{n:04d}" for n in range(WORDS)]
        examples = np.full((WORDS, 3), -1, np.int32)
        for word, rows in enumerate(self.words):
            examples[word, : len(rows[:3])] = rows[:3]
        record_run(
            dataset,
            "objects_novelty",
            "novelty",
            field="objects",
            results={"objects": objects, "keywords": WORDS, "scenes": 1},
            arrays={
                "label_ids": pack_ids(self.captioned),
                "keywords": np.frombuffer("\n".join(names).encode(), np.uint8),
                "count": count.astype(np.int32),
                "scenes": np.maximum(count // 3, 1).astype(np.int32),
                "novelty": -np.log(np.maximum(count, 1) / objects),
                "starts": np.concatenate([[0], np.cumsum(count)]),
                "rows": np.concatenate(
                    [np.array(r, np.int32) for r in self.words]
                ),
                "examples": examples,
            },
            config_cls=KeywordNoveltyConfig,
            results_cls=KeywordNoveltyResults,
        )
        self.fronts.sort()
        record_run(
            dataset,
            "objects_pareto",
            "pareto",
            field="objects",
            params={
                "signals": ["outlier_score", "novelty"],
                "read_as": ["object:outlier_score", "object:novelty"],
            },
            results={"objects": len(self.fronts), "fronts": 1},
            arrays={
                "label_ids": pack_ids([i for _, i in self.fronts]),
                "front_sizes": np.bincount([f for f, _ in self.fronts]),
            },
            config_cls=ParetoRankingConfig,
            results_cls=ParetoRankingResults,
        )
        self._select(dataset, keyframes)

    def _select(self, dataset: fo.Dataset, keyframes: int) -> None:
        from raremine.brain.runs import record_run
        from raremine.brain.selection.result import Pick, Selection
        from raremine.brain.selection.runs import SelectionRunConfig, run_key

        picks = [
            Pick(
                token,
                "scene",
                "train",
                "random" if number % 2 else "target",
                None,
                (),
                "",
            )
            for number, token in enumerate(self.tokens)
        ]
        selection = Selection(
            SELECTED, tuple(picks), (), (), keyframes, 0, {"random": 0.1}
        )
        record_run(
            dataset,
            run_key(SELECTED),
            "selection",
            field="objects",
            params={
                "name": SELECTED,
                "number": 1,
                "frames": len(picks),
                "views": [],
                "field": "objects",
            },
            results={"selection": selection.to_dict()},
            tag=SELECTED,
            config_cls=SelectionRunConfig,
        )


def _keyframe(
    frame: int,
    templates: dict[str, Any],
    label: dict[str, Any],
    per_image: int,
    rng: np.random.Generator,
    runs: _Runs,
) -> list[dict[str, Any]]:
    token = f"{frame:032x}"
    now = datetime.now(timezone.utc)
    tags = [SELECTED] if frame % 5 == 0 else []
    if tags:
        runs.tokens.append(token)
    group = ObjectId()
    documents: list[dict[str, Any]] = []
    best = 0
    for slice_, template in templates.items():
        document = {
            **template,
            "_id": ObjectId(),
            "filepath": f"/none/{slice_}/{frame:06d}.jpg",
            "tags": tags,
            "created_at": now,
            "last_modified_at": now,
            "sample_token": token,
            "sample_data_token": f"{frame:028x}{len(documents):04x}",
            "scene_name": f"scene-{frame // FRAMES_OF_SCENE:04d}",
            "split": "train",
            "group": {**template["group"], "_id": group, "name": slice_},
        }
        if slice_ != LIDAR:
            made = _labels(label, int(rng.poisson(per_image)), rng, runs)
            best = max(best, *(_level(m["group"]) for m in made), 0)
            document["objects"] = {"_cls": "Detections", "detections": made}
        documents.append(document)
    for document in documents:
        document["mining_group"] = ("common", "rare", "target")[best]
        document["mining_score"] = float(best)
    return documents


def _labels(
    label: dict[str, Any], count: int, rng: np.random.Generator, runs: _Runs
) -> Sequence[dict[str, Any]]:
    shares = np.array(SHARES) / sum(SHARES)
    kinds = rng.choice(len(CONCEPTS), count, p=shares)
    score = rng.beta(2, 8, count) + 0.2 * (kinds > 3)
    numbers = rng.random((count, 6))
    words = np.minimum(rng.pareto(0.7, (count, 4)) * 3, WORDS - 1).astype(int)
    made = []
    for at in range(count):
        concept, group = CONCEPTS[kinds[at]]
        outlier = bool(score[at] > 0.35)
        unusual: dict[str, Any] = {
            "caption": None,
            "caption_status": None,
            "novelty": None,
            "keywords": None,
            "outlier_by": [],
        }
        label_id = ObjectId()
        if outlier:
            own = sorted(set(words[at].tolist()))
            for word in own:
                runs.words[word].append(len(runs.captioned))
            runs.captioned.append(str(label_id))
            unusual = {
                "caption": f"A {concept} beside the road in the afternoon, "
                "partly hidden by a parked vehicle.",
                "caption_status": "ok",
                "novelty": float(numbers[at, 0] * 9 + (kinds[at] > 3)),
                "keywords": [f"word{n:04d}" for n in own],
                "outlier_by": ["knn", "isolation_forest"],
            }
        front = int(40 * max(0, 1 - score[at]) * (1 + numbers[at, 1]))
        runs.fronts.append((front, str(label_id)))
        made.append(
            {
                **label,
                **unusual,
                "_id": label_id,
                "label": concept if kinds[at] < 10 else "car",
                "confidence": float(numbers[at, 2]),
                "bounding_box": [0.1, 0.1, 0.2, 0.2],
                "outlier": outlier,
                "outlier_score": float(score[at]),
                "isolation_forest": float(numbers[at, 3]),
                "knn": float(score[at] * 2),
                "lof": float(1 + score[at]),
                "concept": concept,
                "concept_score": float(numbers[at, 4]),
                "concept_margin": float(numbers[at, 5]),
                "ambiguous": bool(numbers[at, 5] < 0.05),
                "group": group,
                "pareto_front": front,
                "pareto_order": int(numbers[at, 1] * 1e6),
                "reason": f"{group.capitalize()}: the caption and the crop "
                f"are closest to '{concept}'; outlier by knn.",
                "crop_index": at,
            }
        )
    return made


def _level(group: str) -> int:
    return ("common", "rare", "target").index(group)
