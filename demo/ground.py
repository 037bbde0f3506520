"""The painted ground (a texture over s and d) and the sky panorama."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from demo.layout import Scene

CELL = 0.06
HALF = 34.0


@dataclass(frozen=True)
class Ground:
    """The ground in four resolutions, each half of the one before."""

    levels: tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]
    s_min: float
    d_min: float


def _noise(
    rng: np.random.Generator, shape: tuple[int, int], scales: dict[int, float]
) -> np.ndarray:
    """Sum of smooth noises: cell size in pixels -> standard deviation."""
    total = np.zeros(shape, dtype=np.float32)
    for size, sigma in scales.items():
        small = rng.standard_normal(
            (shape[0] // size + 2, shape[1] // size + 2), dtype=np.float32
        )
        large = cv2.resize(small, (shape[1], shape[0]),
                           interpolation=cv2.INTER_LINEAR)
        total += sigma * large
    return total


def paint_ground(scene: Scene, rng: np.random.Generator) -> Ground:
    """Paints the street of a scene: asphalt, markings, pavement, grass.

    Args:
        scene: The scene with its street, zones and lamps.
        rng: Source of noise, cracks and patches.

    Returns:
        The texture; rows run across (d), columns along (s), RGB uint8.
    """
    road = scene.road
    cols = int((road.end - road.start) / CELL)
    rows = int(2 * HALF / CELL)
    image = np.zeros((rows, cols, 3), dtype=np.float32)

    def row(d: float) -> int:
        return int(np.clip((d + HALF) / CELL, 0, rows))

    def col(s: float) -> int:
        return int(np.clip((s - road.start) / CELL, 0, cols))

    def fill(s0: float, s1: float, d0: float, d1: float,
             rgb: tuple[float, float, float]) -> None:
        image[row(d0):row(d1), col(s0):col(s1)] = rgb

    start, end = road.start, road.end
    dry = bool(rng.random() < 0.25)
    grass = (126.0, 122.0, 78.0) if dry else (84.0, 108.0, 60.0)
    if rng.random() < 0.35:
        grass = (132.0, 128.0, 122.0)
    tone = float(rng.uniform(78, 108)) * (0.72 if scene.plan.rain else 1.0)
    asphalt = (tone, tone, tone * 1.03)
    pave = float(rng.uniform(128, 160)) * (0.8 if scene.plan.rain else 1.0)
    image[:] = grass
    fill(start, end, -road.walk_end, road.walk_end,
         (pave, pave * 0.98, pave * 0.94))
    # Slabs of the pavement.
    for s in np.arange(start, end, 1.2):
        for side in (-1, 1):
            d0, d1 = sorted((side * road.kerb, side * road.walk_end))
            fill(s, s + 0.07, d0, d1, (pave * 0.84,) * 3)
    for side in (-1, 1):
        for d in np.arange(road.kerb + 1.2, road.walk_end, 1.2):
            fill(start, end, side * d, side * d + 0.07, (pave * 0.86,) * 3)
    fill(start, end, -road.kerb, road.kerb, asphalt)
    for side in (-1, 1):
        d0, d1 = sorted((side * road.kerb, side * (road.kerb + 0.28)))
        fill(start, end, d0, d1, (190.0, 188.0, 182.0))
        d0, d1 = sorted((side * (road.kerb - 0.12), side * road.kerb))
        fill(start, end, d0, d1, (58.0, 58.0, 58.0))
    white = (214.0, 214.0, 208.0)
    middle = (222.0, 186.0, 64.0) if rng.random() < 0.5 else white
    fill(start, end, -0.16, -0.04, middle)
    fill(start, end, 0.04, 0.16, middle)
    for side in (-1, 1):
        if road.lanes > 1:
            for s in np.arange(start, end, 9.0):
                d = side * road.lane_width
                fill(s, s + 3.0, d - 0.07, d + 0.07, white)
        d = side * road.lanes * road.lane_width
        fill(start, end, d - 0.07, d + 0.07, white)
        d = side * (road.parking - 1.25)
        for s in np.arange(start, end, 2.4):
            fill(s, s + 1.2, d - 0.05, d + 0.05, white)
    if road.junction is not None:
        j, half = road.junction, road.cross_half
        outer = half + 3.4
        fill(j - outer, j + outer, -HALF, HALF, (pave, pave, pave * 0.95))
        fill(j - outer - 2, j + outer + 2, -road.kerb, road.kerb, asphalt)
        fill(j - half, j + half, -HALF, HALF, asphalt)
        for d0, d1 in ((-HALF, -road.kerb - 4.5), (road.kerb + 4.5, HALF)):
            fill(j - 0.08, j + 0.08, d0, d1, white)
        for way in (-1, 1):
            s0 = j + way * (half + 2.2)
            for d in np.arange(-road.kerb + 0.4, road.kerb - 0.6, 1.1):
                fill(s0 - 1.4, s0 + 1.4, d, d + 0.55, white)
            for d in np.arange(j - half + 0.4, j + half - 0.5, 1.1):
                d0, d1 = sorted((way * (road.kerb + 0.8),
                                 way * (road.kerb + 3.6)))
                fill(d, d + 0.55, d0, d1, white)
        stop = half + 4.4
        fill(j - stop - 0.4, j - stop, -road.lanes * 3.5, -0.2, white)
        fill(j + stop, j + stop + 0.4, 0.2, road.lanes * 3.5, white)
    for s0, s1, d0, d1 in scene.zones:
        soil = (134.0, 112.0, 86.0)
        if rng.random() < 0.6 or abs(d0 + d1) > 2 * road.kerb:
            fill(s0, s1, d0 + 0.4, d1 - 0.4, soil)
    # Repaired patches, cracks and drains.
    for _ in range(int(rng.integers(6, 16))):
        s, d = rng.uniform(start, end), rng.uniform(-road.kerb, road.kerb)
        ls, ld = rng.uniform(0.8, 6), rng.uniform(0.6, 2.2)
        shade = float(rng.uniform(0.72, 1.12))
        box = image[row(d):row(min(d + ld, road.kerb)), col(s):col(s + ls)]
        box *= shade
    for _ in range(int(rng.integers(5, 14))):
        s, d = rng.uniform(start, end), rng.uniform(-road.kerb, road.kerb)
        steps = rng.normal(0, 0.5, (14, 2)) + rng.normal(0, 0.25, 2)
        path = np.cumsum(steps, axis=0) + np.array([s, d])
        pixels = np.stack([(path[:, 0] - start) / CELL,
                           (path[:, 1] + HALF) / CELL], axis=1)
        cv2.polylines(image, [pixels.astype(np.int32)], False,
                      (tone * 0.6,) * 3, 1)
    grain = _noise(rng, (rows, cols), {1: 5.5, 6: 3.0, 40: 4.0, 300: 5.0})
    image += grain[..., None]
    if scene.plan.night:
        image *= _pools(scene, rows, cols)[..., None]
    level = np.clip(image, 0, 255).astype(np.uint8)
    levels = [level]
    for _ in range(3):
        h, w = levels[-1].shape[:2]
        smaller = cv2.resize(levels[-1], (w // 2, h // 2),
                             interpolation=cv2.INTER_AREA)
        levels.append(smaller.astype(np.uint8))
    return Ground((levels[0], levels[1], levels[2], levels[3]),
                  start, -HALF)


def lamp_light(
    scene: Scene, s: np.ndarray, d: np.ndarray
) -> np.ndarray:
    """Light of the street lamps at places (s, d), 0 to about 1."""
    light = np.zeros(np.broadcast(s, d).shape)
    for lamp_s, lamp_d in scene.lamps:
        far = (s - lamp_s) ** 2 + (d - lamp_d) ** 2
        light = light + 1.0 / (1.0 + far / 28.0) ** 1.6
    return light


def _pools(scene: Scene, rows: int, cols: int) -> np.ndarray:
    step = 8
    s = scene.road.start + (np.arange(cols // step + 1) + 0.5) * CELL * step
    d = -HALF + (np.arange(rows // step + 1) + 0.5) * CELL * step
    small = lamp_light(scene, s[None, :], d[:, None]).astype(np.float32)
    pools = cv2.resize(0.75 + 1.35 * small, (cols, rows))
    return np.asarray(pools)


def paint_sky(scene: Scene, rng: np.random.Generator) -> np.ndarray:
    """A panorama, 360 x 40 degrees, with clouds and a distant skyline.

    Args:
        scene: The scene, for its light and rain.
        rng: Source of clouds and skyline.

    Returns:
        (240, 1440, 3) float32 RGB, bottom row at the horizon.
    """
    height, width = 240, 1440
    light, rain = scene.plan.light, scene.plan.rain
    top, low = {
        "day": ((86, 138, 204), (198, 214, 226)),
        "overcast": ((168, 174, 182), (206, 209, 211)),
        "dusk": ((74, 88, 134), (232, 172, 124)),
        "night": ((10, 13, 24), (40, 36, 40)),
    }[light]
    if rain and light != "night":
        top, low = (138, 144, 152), (178, 182, 186)
    share = np.linspace(0, 1, height)[:, None, None] ** 1.6
    sky = (1 - share) * np.array(top) + share * np.array(low)
    sky = np.repeat(sky, width, axis=1).astype(np.float32)
    cloud = _noise(rng, (height, width + 160), {
        120: 0.8, 50: 0.5, 20: 0.25, 8: 0.1})
    # Fade the left end into what lies beyond the right one: no seam.
    fade = np.linspace(0, 1, 160, dtype=np.float32)
    cloud[:, :160] = cloud[:, :160] * fade + cloud[:, width:] * (1 - fade)
    cloud = cloud[:, :width]
    cover = {"day": 0.35, "overcast": 0.5, "dusk": 0.5, "night": 0.2}[light]
    mask = np.clip((cloud - 0.6 + cover) * 0.8, 0, 0.85)[..., None]
    bright = {"day": 240, "overcast": 196, "dusk": 210, "night": 30}[light]
    sky = sky * (1 - mask) + mask * np.float32(bright)
    # A far skyline: hills or blocks, hazy.
    haze = np.array(low, dtype=np.float32) * 0.82
    x = 0
    while x < width:
        wide = int(rng.integers(12, 60))
        tall = int(rng.integers(2, 20) if rng.random() < 0.7
                   else rng.integers(12, 34))
        tone = haze * np.float32(rng.uniform(0.82, 1.0))
        sky[height - tall:, x:x + wide] = tone
        if light == "night":
            spots = rng.random((tall, min(wide, width - x))) < 0.06
            sky[height - tall:, x:x + wide][spots] = (190, 160, 100)
        x += wide
    return np.ascontiguousarray(sky, dtype=np.float32)
