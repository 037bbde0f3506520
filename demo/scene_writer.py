"""The files and table rows of one scene of a world."""

from __future__ import annotations

import datetime
from pathlib import Path

import cv2
import numpy as np

from demo.config import WorldConfig
from demo.raycast import sweep
from demo.render import SceneRenderer, scene_name
from demo.sensors import (
    LIDAR,
    LIDAR_TRANSLATION,
    lidar_rotation,
    quaternion,
    yaw_matrix,
)
from demo.tables import Row, attribute_of, token, visibility_of

LOCATION = "demo-town"
# Side of a map (m) and the place in it where a scene's middle lies.
MAP_SIDE, MAP_ORIGIN = 320.0, 160.0
SCENE_TABLES = ("log", "map", "scene", "sample", "sample_data", "ego_pose",
                "calibrated_sensor", "instance", "sample_annotation")
_EPOCH = 1_700_000_000_000_000


class SceneWriter:
    """Writes the files of one scene and collects its table rows."""

    def __init__(self, root: Path, config: WorldConfig, index: int) -> None:
        self.root, self.config, self.index = root, config, index
        self.renderer = SceneRenderer(config, index)
        self.scene = self.renderer.scene
        self.name = scene_name(config, index)
        self.rows: dict[str, list[Row]] = {t: [] for t in SCENE_TABLES}
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
        along = np.linspace(road.start, road.end, 60)
        edge = np.full(60, road.walk_end)
        outlines = [(np.concatenate([along, along[::-1]]),
                     np.concatenate([-edge, edge]))]
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
            cv2.fillPoly(mask, [np.round(pixels).astype(np.int32)], (255,))
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), mask)

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
