"""LiDAR sweeps, cast against the same triangles as the pictures."""

from __future__ import annotations

import numpy as np

from demo import rays
from demo.render import SceneRenderer
from demo.sensors import (
    LIDAR_ELEVATIONS,
    LIDAR_TRANSLATION,
    lidar_rotation,
    yaw_matrix,
)

COLUMNS = 900
REACH = 85.0


def sweep(renderer: SceneRenderer, frame: int) -> np.ndarray:
    """One turn of the LiDAR, taken at the keyframe's own time.

    Args:
        renderer: The scene.
        frame: Number of the keyframe.

    Returns:
        (N, 5) float32: x, y, z in the LiDAR frame (m), intensity 0 to
        255, ring.
    """
    scene, config = renderer.scene, renderer.config
    time = 0.5 * frame
    poses = scene.poses(time)
    order = renderer.shown(poses, time)
    ex, ey, yaw = scene.ego(time)
    turn = yaw_matrix(yaw)
    origin = turn @ np.array(LIDAR_TRANSLATION) + [ex, ey, 0.0]
    rng = np.random.default_rng(
        np.random.SeedSequence([config.seed, 37, renderer.index, frame]))
    elevation = np.deg2rad(LIDAR_ELEVATIONS)
    angle = yaw + 2 * np.pi * np.arange(COLUMNS) / COLUMNS
    azimuths = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    sines, cosines = np.sin(elevation), np.cos(elevation)
    with np.errstate(divide="ignore"):
        ground = np.where(sines < 0, -origin[2] / sines, np.inf)
    hits = np.repeat(np.minimum(ground, 1e9)[:, None], COLUMNS, axis=1)
    # What the ground throws back fades as the rays graze it.
    power = np.repeat((75.0 * np.abs(sines))[:, None], COLUMNS, axis=1)
    rays.cast(
        order, poses, renderer.spans, renderer.verts, renderer.tris,
        renderer.rgb, renderer.normals, origin, yaw, sines, cosines,
        azimuths, REACH, hits, power)
    ring, column = np.nonzero(hits < REACH)
    far = hits[ring, column] + rng.normal(0, 0.015, len(ring))
    # Some rays never come back: more of them from far and dark surfaces.
    lost = 0.02 + 0.25 * (far / REACH) ** 2
    keep = rng.random(len(ring)) > lost
    ring, column, far = ring[keep], column[keep], far[keep]
    direction = np.stack(
        [cosines[ring] * azimuths[column, 0],
         cosines[ring] * azimuths[column, 1], sines[ring]], axis=1)
    local = (direction * far[:, None]) @ turn @ lidar_rotation()
    strength = power[ring, column] * rng.uniform(0.8, 1.2, len(ring))
    points = np.column_stack(
        [local, np.clip(np.round(strength), 0, 255), ring])
    return points.astype(np.float32)
