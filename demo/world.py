"""Writes a rendered mini world as a nuScenes dataroot.

Run it from the repository root: ``python -m demo.world OUT --scenes 20`` or
``python demo/world.py OUT``.
"""

from __future__ import annotations

import argparse
import datetime
import json
import multiprocessing
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

if __package__ in (None, ""):
    # Started as a file: the folder above demo/ is not on the path then.
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import cv2
import numpy as np

from demo.config import WorldConfig
from demo.plan import splits
from demo.raycast import sweep
from demo.render import (
    RenderedImage,
    RenderedObject,
    SceneRenderer,
    render_images,
    render_scene_images,
    scene_name,
)
from demo.sensors import (
    LIDAR,
    LIDAR_TRANSLATION,
    lidar_rotation,
    quaternion,
    yaw_matrix,
)
from demo.tables import (
    Row,
    attribute_of,
    fixed_tables,
    token,
    visibility_of,
)

__all__ = [
    "RenderedImage", "RenderedObject", "VERSION", "WorldConfig",
    "render_images", "render_scene_images", "write_world",
]

VERSION = "v1.0-demo"
LOCATION = "demo-town"
# Side of a map (m) and the place in it where a scene's street begins.
MAP_SIDE, MAP_ORIGIN = 320.0, 160.0
_EPOCH = 1_700_000_000_000_000
_SCENE_TABLES = ("log", "map", "scene", "sample", "sample_data", "ego_pose",
                 "calibrated_sensor", "instance", "sample_annotation")


class _SceneWriter:
    """Writes the files of one scene and collects its table rows."""

    def __init__(self, root: Path, config: WorldConfig, index: int) -> None:
        self.root, self.config, self.index = root, config, index
        self.renderer = SceneRenderer(config, index)
        self.scene = self.renderer.scene
        self.name = scene_name(config, index)
        self.rows: dict[str, list[Row]] = {t: [] for t in _SCENE_TABLES}
        rng = np.random.default_rng(
            np.random.SeedSequence([config.seed, 41, index]))
        self.heading = float(rng.uniform(-np.pi, np.pi))
        # Street frame to global; the middle of the scene sits mid-map.
        self.turn = yaw_matrix(self.heading)
        middle = self.scene.ego(self.scene.plan.seconds / 2)
        self.shift = (
            np.array([MAP_ORIGIN, MAP_ORIGIN, 0.0])
            - self.turn @ [middle[0], middle[1], 0.0])
        self.start = _EPOCH + index * 600_000_000
        self.start += int(rng.integers(0, 400_000_000))
        date = datetime.datetime.fromtimestamp(
            self.start / 1e6, tz=datetime.timezone.utc)
        self.date = date.strftime("%Y-%m-%d")
        self.log = f"d{config.seed % 1000:03d}-" + date.strftime(
            "%Y-%m-%d-%H-%M-%S") + "+0000"

    def token(self, *parts: object) -> str:
        """A token of this scene; other worlds have other tokens."""
        return token(repr(self.config), self.index, *parts)

    def write(self) -> dict[str, list[Row]]:
        """Writes pictures and sweeps; returns the scene's rows."""
        self._head()
        poses: list[np.ndarray] = []
        seen: list[dict[int, tuple[str, int]]] = []
        for frame in range(self.config.keyframes):
            pose, found = self._keyframe(frame)
            poses.append(pose)
            seen.append(found)
        self._annotate(poses, seen)
        return self.rows

    def _head(self) -> None:
        rows, frames = self.rows, self.config.keyframes
        log = self.token("log")
        rows["log"].append({
            "token": log, "logfile": self.log,
            "vehicle": self.log.split("-")[0], "date_captured": self.date,
            "location": LOCATION})
        mask = self.token("map")
        rows["map"].append({
            "category": "semantic_prior", "token": mask,
            "filename": f"maps/{mask}.png", "log_tokens": [log]})
        self._map(self.root / "maps" / f"{mask}.png")
        rows["scene"].append({
            "token": self.token("scene"), "log_token": log,
            "nbr_samples": frames,
            "first_sample_token": self.token("sample", 0),
            "last_sample_token": self.token("sample", frames - 1),
            "name": self.name, "description": self.scene.description})
        for camera in self.renderer.cameras:
            rows["calibrated_sensor"].append({
                "token": self.token("calibration", camera.channel),
                "sensor_token": token("sensor", camera.channel),
                "translation": camera.translation.tolist(),
                "rotation": quaternion(camera.rotation),
                "camera_intrinsic": camera.intrinsic.tolist()})
        rows["calibrated_sensor"].append({
            "token": self.token("calibration", LIDAR),
            "sensor_token": token("sensor", LIDAR),
            "translation": list(LIDAR_TRANSLATION),
            "rotation": quaternion(lidar_rotation()),
            "camera_intrinsic": []})

    def _map(self, path: Path) -> None:
        """Draws the drivable surface and pavement, 0.1 m a pixel."""
        side = int(MAP_SIDE * 10)
        mask = np.zeros((side, side), dtype=np.uint8)
        road = self.scene.road
        strips = [np.linspace(road.start, road.end, 60)]
        edges = [(strips[0], np.full(60, -road.walk_end),
                  np.full(60, road.walk_end))]
        outlines = []
        for s, low, high in edges:
            outlines.append((np.concatenate([s, s[::-1]]),
                             np.concatenate([low, high])))
        if road.junction is not None:
            j, half = road.junction, road.cross_half + 3.4
            outlines.append((np.array([j - half, j + half, j + half,
                                       j - half]),
                             np.array([-34.0, -34.0, 34.0, 34.0])))
        for s, d in outlines:
            x, y, _ = road.place(s, d)
            points = np.stack([x, y, np.zeros_like(x)], axis=1)
            points = points @ self.turn.T + self.shift
            pixels = np.stack([points[:, 0] * 10, side - points[:, 1] * 10],
                              axis=1)
            cv2.fillPoly(mask, [np.round(pixels).astype(np.int32)], 255)
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), mask, [cv2.IMWRITE_PNG_BILEVEL, 1])

    def _data(self, frame: int, channel: str, delay: int, suffix: str,
              size: tuple[int, int]) -> Path:
        """Rows for one sensor's file; returns where the file belongs."""
        config, time = self.config, self.start + 500_000 * frame
        stamp = time + delay
        me = self.token("data", frame, channel)
        x, y, yaw = self.scene.ego(0.5 * frame + delay * 1e-6)
        place = self.turn @ [x, y, 0.0] + self.shift
        self.rows["ego_pose"].append({
            "token": me, "timestamp": stamp,
            "rotation": quaternion(yaw_matrix(yaw + self.heading)),
            "translation": place.tolist()})
        name = f"samples/{channel}/{self.log}__{channel}__{stamp}.{suffix}"
        last = frame == config.keyframes - 1
        self.rows["sample_data"].append({
            "token": me, "sample_token": self.token("sample", frame),
            "ego_pose_token": me,
            "calibrated_sensor_token": self.token("calibration", channel),
            "timestamp": stamp, "fileformat": suffix.split(".")[0],
            "is_key_frame": True, "height": size[1], "width": size[0],
            "filename": name,
            "prev": self.token("data", frame - 1, channel) if frame else "",
            "next": "" if last else self.token("data", frame + 1, channel)})
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def _keyframe(
        self, frame: int
    ) -> tuple[np.ndarray, dict[int, tuple[str, int]]]:
        """Writes a keyframe; returns global poses and what was seen."""
        config, renderer, scene = self.config, self.renderer, self.scene
        last = frame == config.keyframes - 1
        self.rows["sample"].append({
            "token": self.token("sample", frame),
            "timestamp": self.start + 500_000 * frame,
            "prev": self.token("sample", frame - 1) if frame else "",
            "next": "" if last else self.token("sample", frame + 1),
            "scene_token": self.token("scene")})
        visible = np.zeros(scene.annotated, dtype=np.int64)
        whole = np.zeros(scene.annotated, dtype=np.int64)
        for camera in renderer.cameras:
            shot = renderer.shot(camera, frame)
            visible += shot.visible
            whole += shot.whole
            path = self._data(frame, camera.channel, camera.delay, "jpg",
                              config.image_size)
            cv2.imwrite(str(path), shot.image[:, :, ::-1],
                        [cv2.IMWRITE_JPEG_QUALITY, config.quality])
        path = self._data(frame, LIDAR, 0, "pcd.bin", (0, 0))
        points = np.zeros((0, 5), dtype=np.float32)
        if config.lidar:
            points = sweep(renderer, frame)
        points.tofile(path)
        poses = scene.poses(0.5 * frame)[: scene.annotated]
        counts = self._count(points, poses, frame)
        near = renderer.in_reach(scene.poses(0.5 * frame), 0.5 * frame)
        found = {}
        for i in np.flatnonzero(near & ((visible >= 4) | (counts > 0))):
            share = float(visible[i] / max(1, whole[i]))
            found[int(i)] = (visibility_of(share), int(counts[i]))
        return poses, found

    def _count(self, points: np.ndarray, poses: np.ndarray,
               frame: int) -> np.ndarray:
        """(A,) LiDAR points in each cuboid, edges included."""
        ex, ey, yaw = self.scene.ego(0.5 * frame)
        turn = yaw_matrix(yaw)
        world = points[:, :3].astype(float) @ lidar_rotation().T
        world = (world + LIDAR_TRANSLATION) @ turn.T + [ex, ey, 0.0]
        counts = np.zeros(len(poses), dtype=np.int64)
        for i, (x, y, _, heading) in enumerate(poses):
            size = self._size(i)
            near = (world[:, :2] - [x, y]) @ yaw_matrix(heading)[:2, :2]
            inside = (np.abs(near) <= size[:2] / 2).all(axis=1)
            inside &= (world[:, 2] >= 0) & (world[:, 2] <= size[2])
            counts[i] = int(inside.sum())
        return counts

    def _size(self, actor: int) -> np.ndarray:
        """(3,) length, width, height as written, in millimetres' steps.

        Rounded up, so that no part sticks out of its cuboid.
        """
        size = self.scene.actors[actor].shape.mesh.size
        return np.asarray(np.ceil(size * 1000 - 1e-6) / 1000)

    def _annotate(self, poses: list[np.ndarray],
                  seen: list[dict[int, tuple[str, int]]]) -> None:
        """Instances and annotations, chained through time."""
        for i in range(self.scene.annotated):
            frames = [f for f, found in enumerate(seen) if i in found]
            if not frames:
                continue
            actor = self.scene.actors[i]
            shape, size = actor.shape, self._size(i)
            me = self.token("instance", i)
            self.rows["instance"].append({
                "token": me,
                "category_token": token("category", shape.category),
                "nbr_annotations": len(frames),
                "first_annotation_token":
                    self.token("annotation", i, frames[0]),
                "last_annotation_token":
                    self.token("annotation", i, frames[-1])})
            name = attribute_of(shape.category, actor.state, shape.rider)
            for n, f in enumerate(frames):
                x, y, _, yaw = poses[f][i]
                centre = self.turn @ [x, y, size[2] / 2] + self.shift
                level, count = seen[f][i]
                before = frames[n - 1] if n else None
                after = frames[n + 1] if n + 1 < len(frames) else None
                self.rows["sample_annotation"].append({
                    "token": self.token("annotation", i, f),
                    "sample_token": self.token("sample", f),
                    "instance_token": me, "visibility_token": level,
                    "attribute_tokens":
                        [token("attribute", name)] if name else [],
                    "translation": centre.tolist(),
                    "size": [float(size[1]), float(size[0]),
                             float(size[2])],
                    "rotation": quaternion(yaw_matrix(yaw + self.heading)),
                    "prev": "" if before is None else
                        self.token("annotation", i, before),
                    "next": "" if after is None else
                        self.token("annotation", i, after),
                    "num_lidar_pts": count, "num_radar_pts": 0})


def _write_scene(
    job: tuple[Path, WorldConfig, int]
) -> tuple[int, dict[str, list[Row]]]:
    root, config, index = job
    # One thread a worker: the pool already fills the cores.
    cv2.setNumThreads(1)
    return index, _SceneWriter(root, config, index).write()


def _scenes(
    root: Path, config: WorldConfig, workers: int
) -> Iterator[tuple[int, dict[str, list[Row]]]]:
    jobs = [(root, config, i) for i in range(config.scenes)]
    if workers <= 1:
        threads = cv2.getNumThreads()
        try:
            yield from map(_write_scene, jobs)
        finally:
            cv2.setNumThreads(threads)
        return
    context = multiprocessing.get_context("spawn")
    with context.Pool(min(workers, config.scenes)) as pool:
        yield from pool.imap_unordered(_write_scene, jobs)


def write_world(
    dataroot: Path,
    config: WorldConfig,
    *,
    workers: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> Path:
    """Renders a world and writes it as a nuScenes dataroot.

    The folder appears only when it is complete; an interrupted run leaves
    nothing under its name.

    Args:
        dataroot: Folder to make; must not exist yet, or be empty.
        config: The world; equal configurations give equal bytes.
        workers (1): Processes to share the scenes among.
        progress (None): Called with scenes done and scenes in all.

    Returns:
        ``dataroot``, holding the version folder ``v1.0-demo``.

    Raises:
        FileExistsError: ``dataroot`` exists and is not an empty folder.
    """
    dataroot = Path(dataroot)
    if dataroot.exists() and (
        not dataroot.is_dir() or any(dataroot.iterdir())
    ):
        raise FileExistsError(
            f"{dataroot} exists already and a world is never written over "
            "something; choose another folder or delete this one first."
        )
    dataroot.parent.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(
        prefix=f".{dataroot.name}-", dir=dataroot.parent))
    try:
        parts: dict[int, dict[str, list[Row]]] = {}
        for index, rows in _scenes(work, config, workers):
            parts[index] = rows
            if progress is not None:
                progress(len(parts), config.scenes)
        tables: dict[str, Any] = dict(fixed_tables())
        for name in _SCENE_TABLES:
            tables[name] = [
                row for i in range(config.scenes) for row in parts[i][name]]
        folder = work / VERSION
        folder.mkdir()
        for name, rows_ in tables.items():
            (folder / f"{name}.json").write_text(json.dumps(rows_, indent=0))
        held: dict[str, list[str]] = {"train": [], "val": []}
        for index, split in enumerate(splits(config)):
            held[split].append(scene_name(config, index))
        (folder / "splits.json").write_text(json.dumps(held, indent=1))
        work.chmod(0o755)
        if dataroot.exists():
            dataroot.rmdir()
        os.replace(work, dataroot)
    except BaseException:
        shutil.rmtree(work, ignore_errors=True)
        raise
    return dataroot


def main(arguments: list[str] | None = None) -> None:
    """Command line: ``OUT --seed 0 --scenes 20 ...``."""
    parser = argparse.ArgumentParser(
        description="Render a mini world as a nuScenes dataroot.")
    default = WorldConfig()
    parser.add_argument("out", type=Path, help="folder to make")
    parser.add_argument("--seed", type=int, default=default.seed)
    parser.add_argument("--scenes", type=int, default=default.scenes)
    parser.add_argument("--keyframes", type=int, default=default.keyframes)
    parser.add_argument("--width", type=int, default=default.image_size[0])
    parser.add_argument("--height", type=int, default=default.image_size[1])
    parser.add_argument("--rarity", type=float, default=default.rarity)
    parser.add_argument("--workers", type=int, default=1)
    options = parser.parse_args(arguments)
    try:
        config = WorldConfig(
            seed=options.seed, scenes=options.scenes,
            keyframes=options.keyframes, rarity=options.rarity,
            image_size=(options.width, options.height))
        write_world(
            options.out, config, workers=options.workers,
            progress=lambda done, total: print(
                f"scene {done} of {total}", flush=True))
    except (FileExistsError, ValueError) as error:
        parser.exit(2, f"{error}\n")
    print(f"wrote {options.out} ({VERSION})")


if __name__ == "__main__":
    main()
