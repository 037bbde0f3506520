"""How exact distances and sizes by LiDAR are, and how fast.

    python3 run.py bench locate [--dataroot DIR --version NAME]
                                [--json FILE] [--quick]

The boxes of the annotations are located as a detector's would be, and held
against their cuboids: by raremine, and by the three plain ways. Without
``--dataroot`` a world is rendered; its ground is flat and its boxes are tight,
so the ground alone does better there than on a street. Speed stands beside
the devkit's projection of the same clouds into the same images.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks._measure import machine, table, write_json

SEED = 421
SIZE = (12, 5)
QUICK_SIZE = (2, 3)
SCORES = {
    "all": (0.0, np.inf),
    "to 20 m": (0.0, 20.0),
    "20 to 40 m": (20.0, 40.0),
    "beyond": (40.0, np.inf),
}
FAR_OFF = 0.2
"""Errors beyond this factor, as a logarithm, are counted."""
FIELD = "boxes"


def errors(
    heights: dict[str, np.ndarray], truth: np.ndarray, distance: np.ndarray
) -> list[dict[str, Any]]:
    """Returns a row for each range of distances and way.

    Args:
        heights: way → (n,) metres, NaN where it tells nothing
        truth: (n,) metres, the cuboids' heights
        distance: (n,) metres, the cuboids' distances
    """
    rows = []
    for name, (low, high) in SCORES.items():
        here = (distance >= low) & (distance < high)
        if not here.any():
            continue
        for way, height in heights.items():
            told = here & np.isfinite(height)
            off = np.abs(np.log(height[told] / truth[told]))
            rows.append(
                {
                    "distance": name,
                    "way": way,
                    "boxes": int(here.sum()),
                    "told": int(told.sum()) / int(here.sum()),
                    "median error": float(np.median(off)),
                    "off by a fifth": float((off > FAR_OFF).mean()),
                }
            )
    return rows


def measure(dataset: Any, keyframes: int | None = None) -> dict[str, Any]:
    """Locates the annotations of a dataset in every way.

    Args:
        dataset: that ``load_nuscenes`` made, with ground truth
        keyframes (None): only so many, None = all
    """
    from raremine.brain.columns import read_objects, resolve
    from raremine.brain.locating import stage
    from raremine.brain.locating.clouds import read_scene
    from raremine.brain.locating.keyframe import measure as locate_keyframe
    from raremine.brain.locating.ranging import (
        INNER,
        ground_depths,
        see,
    )

    heights = _copy_boxes(dataset)
    scope = resolve(dataset, FIELD)
    boxes = read_objects(scope, FIELD, ["bounding_box", "ann_copy"])
    jobs = stage.keyframes_of(scope, boxes, stage.cameras_of(scope))[
        :keyframes
    ]
    truth = np.array([heights[t][0] for t in boxes["ann_copy"]])
    distance = np.array([heights[t][1] for t in boxes["ann_copy"]])
    found = {
        way: np.full(len(boxes), np.nan)
        for way in ("nearest point", "median point", "ground", "raremine")
    }
    seconds, count = 0.0, 0
    for job in jobs:
        start = time.process_time()
        located, problem = locate_keyframe(job)
        seconds += time.process_time() - start
        if problem or job.scene is None:
            raise RuntimeError(problem or "A keyframe has no cloud.")
        cloud = read_scene(Path(job.scene))
        for image, own in zip(job.images, located, strict=True):
            camera = image.camera
            scale = np.array([camera.width, camera.height] * 2)
            box = image.boxes * scale
            whole = box[:, 3] / camera.intrinsic[1, 1]
            found["raremine"][image.rows] = own.height
            flat = ground_depths(box, camera)
            found["ground"][image.rows] = flat * whole
            pixels, depth = see(cloud, camera)
            for row, at, size in zip(image.rows, box, whole, strict=True):
                low = at[:2] + np.array(INNER[:2]) * at[2:]
                high = at[:2] + np.array(INNER[2:]) * at[2:]
                here = ((pixels >= low) & (pixels < high)).all(axis=1)
                if here.any():
                    inside = depth[here]
                    found["nearest point"][row] = inside.min() * size
                    found["median point"][row] = np.median(inside) * size
        count += sum(len(image.rows) for image in job.images)
    seen = np.zeros(len(boxes), dtype=bool)
    for job in jobs:
        for image in job.images:
            inside = (image.boxes[:, :2] > 0.005).all(axis=1)
            after = image.boxes[:, :2] + image.boxes[:, 2:]
            seen[image.rows] = inside & (after < 0.995).all(axis=1)
    return {
        "rows": errors(
            {way: height[seen] for way, height in found.items()},
            truth[seen],
            distance[seen],
        ),
        "keyframes": len(jobs),
        "boxes": count,
        "ms": 1000 * seconds / max(len(jobs), 1),
    }


def devkit_ms(root: Path, version: str, keyframes: int | None) -> float | None:
    """Returns the devkit's time to project each cloud into each image.

    Args:
        root: the dataroot
        version: its version
        keyframes: only so many, None = all

    Returns:
        ms of processor time a keyframe, None without the devkit
    """
    try:
        from nuscenes.nuscenes import NuScenes
    except ImportError:
        return None
    tables = NuScenes(version, str(root), verbose=False)
    samples = tables.sample[:keyframes]
    start = time.process_time()
    for sample in samples:
        cloud = sample["data"]["LIDAR_TOP"]
        for channel, token in sample["data"].items():
            if channel.startswith("CAM"):
                tables.explorer.map_pointcloud_to_image(cloud, token)
    return 1000 * (time.process_time() - start) / max(len(samples), 1)


def _copy_boxes(dataset: Any) -> dict[str, tuple[float, float]]:
    """Copies the annotations' boxes as detections.

    Returns:
        annotation token → height and distance of its cuboid, in metres
    """
    import fiftyone as fo

    known: dict[str, tuple[float, float]] = {}
    clouds = dataset.select_group_slices(media_type="3d")
    for sample in clouds:
        for one in sample.ground_truth.detections:
            known[one.ann_token] = (one.dimensions[2], one.distance)
    for sample in dataset.select_group_slices(media_type="image").iter_samples(
        autosave=True
    ):
        sample[FIELD] = fo.Detections(
            detections=[
                fo.Detection(
                    label=one.label,
                    bounding_box=one.bounding_box,
                    ann_copy=one.ann_token,
                )
                for one in sample.ground_truth.detections
                if one.visibility in (None, "", "v60-80", "v80-100")
            ]
        )
    path = f"{FIELD}.detections.ann_copy"
    dataset.add_sample_field(path, fo.StringField)
    return known


@contextmanager
def _opened(options: argparse.Namespace) -> Iterator[tuple[Any, Path, str]]:
    import fiftyone as fo

    if options.dataroot is None:
        from benchmarks._quality_worlds import world_config
        from benchmarks._rendered_world import rendered_world
        from demo.mining import world_version

        config = world_config(SEED, *(QUICK_SIZE if options.quick else SIZE))
        with rendered_world(config, "raremine-bench-locate") as (dataset, _):
            first = dataset.first().filepath
            yield dataset, Path(first).parents[2], world_version()
        return
    import tempfile

    import raremine.brain as rmb

    with tempfile.TemporaryDirectory() as folder:
        dataset = rmb.load_nuscenes(
            options.dataroot,
            options.version,
            "raremine-bench-locate",
            overwrite=True,
            media_dir=folder,
        )
        try:
            yield dataset, options.dataroot, options.version
        finally:
            fo.delete_dataset(dataset.name)


def main() -> None:
    """Measures and prints the tables."""
    parser = argparse.ArgumentParser(
        prog="run.py bench locate", description=__doc__.splitlines()[0]
    )
    parser.add_argument("--dataroot", type=Path, metavar="DIR")
    parser.add_argument("--version", default="v1.0-mini", metavar="NAME")
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--quick", action="store_true", help="a small world")
    options = parser.parse_args()
    with _opened(options) as (dataset, root, version):
        told = measure(dataset)
        told["devkit_ms"] = devkit_ms(root, version, None)
    here = machine("fiftyone", "numpy")
    print(f"\n{told['boxes']:,} boxes on {told['keyframes']:,} keyframes\n")
    print(table(told["rows"]))
    print(f"\nreading and locating: {told['ms']:.1f} ms a keyframe")
    if told["devkit_ms"] is not None:
        print(f"the devkit's projection: {told['devkit_ms']:.1f} ms")
    print(f"\n{', '.join(f'{k} {v}' for k, v in here.items())}")
    write_json(options.json, {**told, "machine": here})


if __name__ == "__main__":
    main()
