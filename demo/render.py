"""Pictures of a scene, with what is seen in them known to the pixel."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np

from demo import raster
from demo.config import WorldConfig
from demo.ground import lamp_light, paint_ground, paint_sky
from demo.layout import Scene
from demo.sensors import CAMERAS, Camera, make_cameras, yaw_matrix
from demo.town import build_scene
from demo.weather import Look, develop, look_of

# Objects with fewer samples than this (of four a pixel) do not count.
MIN_SAMPLES = 12


@dataclass(frozen=True)
class RenderedObject:
    """An annotated object as one camera sees it.

    Attributes:
        instance: Name of the instance, unique in its scene.
        category: nuScenes category.
        shape: Name of the shape, e.g. "excavator".
        colour: Colour name, e.g. "yellow".
        rider: Whether someone rides it.
        box: Tight box around its visible pixels: x0, y0, x1, y1 in pixels.
        visible_fraction: Visible pixels over those that would be visible
            in this picture if nothing stood before it.
        distance: From the camera to its centre, metres.
        night: Whether it is night.
    """

    instance: str
    category: str
    shape: str
    colour: str
    rider: bool
    box: tuple[float, float, float, float]
    visible_fraction: float
    distance: float
    night: bool


@dataclass(frozen=True)
class RenderedImage:
    """A picture: (H, W, 3) uint8 RGB, and the objects in it."""

    image: np.ndarray
    objects: list[RenderedObject]
    channel: str
    scene: str
    night: bool


@dataclass(frozen=True)
class Shot:
    """A picture with raw counts per annotated actor, for the tables.

    Attributes:
        image: (H, W, 3) uint8 RGB.
        visible: (A,) visible samples of each annotated actor.
        whole: (A,) samples it would have if nothing stood before it.
        boxes: (A, 4) tight visible boxes in pixels.
    """

    image: np.ndarray
    visible: np.ndarray
    whole: np.ndarray
    boxes: np.ndarray


def scene_name(config: WorldConfig, index: int) -> str:
    """Name of a scene, outside the range of the names of nuScenes.

    Its splits go by scene names, so a name in use there would pull a
    rendered scene into an official split.
    """
    digits = 2 if config.scenes <= 100 else 5
    return f"scene-9{config.seed % 100:02d}{index:0{digits}d}"


class SceneRenderer:
    """Renders one scene; everything that stays the same is made once.

    Args:
        config: The world.
        index: The scene's number.
    """

    def __init__(self, config: WorldConfig, index: int) -> None:
        self.config = config
        self.index = index
        self.scene: Scene = build_scene(config, index)
        seeds = np.random.SeedSequence([config.seed, 29, index])
        rng = np.random.default_rng(seeds)
        self.look: Look = look_of(self.scene, rng)
        self.ground = paint_ground(self.scene, rng)
        self.sky = paint_sky(self.scene, rng)
        self.cameras = make_cameras(config.image_size, rng)
        meshes = self.scene.meshes
        verts = np.cumsum([0] + [len(m.verts) for m in meshes])
        tris = np.cumsum([0] + [len(m.tris) for m in meshes])
        self.verts = np.concatenate([m.verts for m in meshes])
        self.tris = np.concatenate([m.tris for m in meshes])
        self.rgb = np.concatenate([m.rgb for m in meshes])
        self.normals = np.concatenate([m.normals for m in meshes])
        self.kinds = np.concatenate([m.kind for m in meshes])
        self.spans = np.stack(
            [verts[:-1], verts[1:], tris[:-1], tris[1:]], axis=1)
        self.mids = np.array([m.size[2] / 2 for m in meshes])
        self.radii = np.array(
            [np.linalg.norm(m.verts - [0, 0, m.size[2] / 2], axis=1).max()
             for m in meshes])
        count = self.scene.annotated
        self.marks = np.zeros(len(meshes), dtype=np.int32)
        self.marks[:count] = np.arange(1, count + 1)
        width, height = config.image_size
        shape = (height * 2, width * 2)
        self._depth = np.zeros(shape, dtype=np.float32)
        self._colour = np.zeros((*shape, 3), dtype=np.float32)
        self._shine = np.zeros(shape, dtype=np.float32)
        self._ids = np.zeros(shape, dtype=np.int32)
        self._stamp = np.zeros(shape, dtype=np.int32)

    def in_reach(self, poses: np.ndarray, time: float) -> np.ndarray:
        """(A,) which annotated actors are near enough to be shown."""
        x, y, _ = self.scene.ego(time)
        near: np.ndarray = (
            np.hypot(poses[:, 0] - x, poses[:, 1] - y) <= self.config.reach
        )[: self.scene.annotated]
        return near

    def shown(self, poses: np.ndarray, time: float) -> np.ndarray:
        """Indices of everything drawn at ``time``, nearest first."""
        x, y, _ = self.scene.ego(time)
        far = np.hypot(poses[:, 0] - x, poses[:, 1] - y)
        limit = np.full(len(poses), 130.0)
        limit[: self.scene.annotated] = self.config.reach
        keep = np.flatnonzero(far <= limit)
        order: np.ndarray = keep[np.argsort(far[keep], kind="stable")]
        return order

    def shot(self, camera: Camera, frame: int) -> Shot:
        """Takes one picture.

        The actors stand where they are at the keyframe's own time, which
        is that of the annotations; only the camera moves on.
        """
        config, scene, look = self.config, self.scene, self.look
        time = 0.5 * frame
        width, height = config.image_size
        poses = scene.poses(time)
        order = self.shown(poses, time)
        ex, ey, yaw = scene.ego(time + camera.delay * 1e-6)
        turn = yaw_matrix(yaw)
        eye = turn @ camera.translation + [ex, ey, 0.0]
        rot = (turn @ camera.rotation).T
        rot = np.ascontiguousarray(rot)
        k = camera.intrinsic
        fx, fy, cx, cy = k[0, 0], k[1, 1], k[0, 2], k[1, 2]
        beam_dir = turn[:2, 0].copy()
        lit = np.zeros(len(poses))
        if look.night:
            s = np.array([a.s + a.vs * time for a in scene.actors])
            d = np.array([a.d + a.vd * time for a in scene.actors])
            lit = 0.75 * lamp_light(scene, s, d)
        for buffer in (self._depth, self._shine, self._ids, self._stamp):
            buffer.fill(0)
        whole = np.zeros(scene.annotated + 1, dtype=np.int64)
        raster.draw(
            order, poses, self.spans, self.radii, self.mids, self.verts,
            self.tris, self.rgb, self.normals, self.kinds, self.marks, lit,
            rot, eye, 2 * fx, 2 * fy, 2 * cx, 2 * cy, look.sun,
            look.sun_rgb, look.sky_rgb, look.fog_rgb, look.fog, look.beam,
            beam_dir, float(look.night), self._depth, self._colour,
            self._shine, self._ids, self._stamp, whole)
        cover = np.zeros((height, width), dtype=np.bool_)
        raster.coverage(self._depth, cover)
        back = np.zeros((height, width, 3), dtype=np.float32)
        road = np.zeros((height, width), dtype=np.uint8)
        raster.backdrop(
            *self.ground.levels, 0.06, self.ground.s_min, self.ground.d_min,
            scene.road.bend, self.sky, rot, eye, fx, fy, cx, cy,
            look.sun_rgb, look.sky_rgb, max(0.0, look.sun[2]), look.fog_rgb,
            look.fog, look.beam, beam_dir, cover, back, road)
        self._shadows(back, order, poses, rot, eye, (fx, fy, cx, cy))
        out = np.zeros((height, width, 3), dtype=np.float32)
        glow = np.zeros((height, width), dtype=np.float32)
        stats = np.zeros((scene.annotated + 1, 5), dtype=np.int64)
        stats[:, 1:3] = 1 << 20
        raster.resolve(self._depth, self._colour, self._shine, self._ids,
                       back, out, glow, stats)
        rng = np.random.default_rng(
            np.random.SeedSequence([config.seed, 31, self.index, frame,
                                    CAMERAS.index(camera.channel)]))
        image = develop(out, glow, road, look, rng)
        return Shot(image, stats[1:, 0], whole[1:], stats[1:, 1:] / 2.0)

    def _shadows(
        self, back: np.ndarray, order: np.ndarray, poses: np.ndarray,
        rot: np.ndarray, eye: np.ndarray, k: tuple[float, ...],
    ) -> None:
        """Darkens the ground under and beside the objects."""
        look = self.look
        height, width = back.shape[:2]
        mask = np.zeros((height, width), dtype=np.uint8)
        touch = np.zeros((height, width), dtype=np.uint8)
        meshes = self.scene.meshes
        for index in order[::-1]:
            x, y, _, yaw = poses[index]
            reach = 45.0
            if np.hypot(x - eye[0], y - eye[1]) > reach:
                continue
            ahead = rot[2, 0] * (x - eye[0]) + rot[2, 1] * (y - eye[1])
            if ahead < -self.radii[index] - 6:
                continue
            mesh = meshes[index]
            turn = yaw_matrix(yaw)[:2, :2]
            half = mesh.size[:2] / 2
            low = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * half
            if look.shadow > 0:
                flat = mesh.verts[:, :2] @ turn.T
                flat = flat - mesh.verts[:, 2:3] * (
                    look.sun[:2] / max(look.sun[2], 0.2))
                hull = cv2.convexHull(flat.astype(np.float32))[:, 0]
                self._stain(mask, hull + poses[index, :2], rot, eye, k)
            if mesh.size[2] < 4.0:
                self._stain(touch, low @ turn.T + poses[index, :2],
                            rot, eye, k)
        soft = cv2.GaussianBlur(touch, (5, 5), 0)
        dark = 1.0 - look.contact * (soft.astype(np.float32) / 255)
        if look.shadow > 0:
            soft = cv2.GaussianBlur(mask, (3, 3), 0)
            dark *= 1.0 - look.shadow * (soft.astype(np.float32) / 255)
        back *= dark[..., None]

    @staticmethod
    def _stain(
        mask: np.ndarray, polygon: np.ndarray, rot: np.ndarray,
        eye: np.ndarray, k: tuple[float, ...],
    ) -> None:
        """Fills a polygon on the ground, clipped before the camera."""
        points = np.concatenate(
            [polygon, np.zeros((len(polygon), 1))], axis=1) - eye
        cam = points @ rot.T
        near = 0.3
        if (cam[:, 2] < near).all():
            return
        if (cam[:, 2] < near).any():
            clipped = []
            for p, q in zip(cam, np.roll(cam, -1, axis=0), strict=True):
                if p[2] >= near:
                    clipped.append(p)
                if (p[2] >= near) != (q[2] >= near):
                    share = (near - p[2]) / (q[2] - p[2])
                    clipped.append(p + share * (q - p))
            cam = np.array(clipped)
        fx, fy, cx, cy = k
        u = fx * cam[:, 0] / cam[:, 2] + cx
        v = fy * cam[:, 1] / cam[:, 2] + cy
        if (u < 0).all() or (u > mask.shape[1]).all():
            return
        if (v < 0).all() or (v > mask.shape[0]).all():
            return
        pixels = np.clip(np.stack([u, v], axis=1), -20000, 20000)
        cv2.fillConvexPoly(
            mask, (pixels * 8).astype(np.int32), (255,), cv2.LINE_AA, 3)

    def objects(
        self, camera: Camera, frame: int, shot: Shot
    ) -> list[RenderedObject]:
        """The annotated objects that can be seen in a shot."""
        time = 0.5 * frame
        poses = self.scene.poses(time)
        ex, ey, yaw = self.scene.ego(time + camera.delay * 1e-6)
        eye = yaw_matrix(yaw) @ camera.translation + [ex, ey, 0.0]
        found = []
        for i in np.flatnonzero(shot.visible >= MIN_SAMPLES):
            actor = self.scene.actors[i]
            centre = poses[i, :3] + [0, 0, self.mids[i]]
            box = shot.boxes[i]
            found.append(RenderedObject(
                instance=f"{self.index}-{i}",
                category=actor.shape.category,
                shape=actor.shape.name,
                colour=actor.shape.colour,
                rider=actor.shape.rider,
                box=(float(box[0]), float(box[1]), float(box[2]),
                     float(box[3])),
                visible_fraction=float(
                    shot.visible[i] / max(1, shot.whole[i])),
                distance=float(np.linalg.norm(centre - eye)),
                night=self.scene.plan.night,
            ))
        return found


def render_scene_images(
    config: WorldConfig, scene_index: int
) -> Iterator[RenderedImage]:
    """Renders the pictures of one scene in memory.

    Args:
        config: The world.
        scene_index: 0 to ``config.scenes`` - 1; scenes are independent.

    Yields:
        Keyframe by keyframe, the six cameras in the order of ``CAMERAS``.
    """
    renderer = SceneRenderer(config, scene_index)
    for frame in range(config.keyframes):
        for camera in renderer.cameras:
            shot = renderer.shot(camera, frame)
            yield RenderedImage(
                image=shot.image,
                objects=renderer.objects(camera, frame, shot),
                channel=camera.channel,
                scene=scene_name(config, scene_index),
                night=renderer.scene.plan.night,
            )


def render_images(config: WorldConfig) -> Iterator[RenderedImage]:
    """Renders all pictures of a world in memory: no files, no LiDAR."""
    for index in range(config.scenes):
        yield from render_scene_images(config, index)
