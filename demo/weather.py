"""Light, weather and the camera's own faults."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from demo.layout import Scene


@dataclass(frozen=True)
class Look:
    """How a scene is lit and developed.

    Attributes:
        sun: (3,) direction to the sun.
        sun_rgb: (3,) strength of sunlight per colour.
        sky_rgb: (3,) strength of light from all around.
        fog_rgb: (3,) colour of the distance.
        fog: Distance at which 63 % is haze (m).
        beam: Strength of the ego vehicle's head lamps.
        shadow: Darkness of cast shadows, 0 to 1.
        contact: Darkness under objects, 0 to 1.
        night: Whether lamps and windows are lit.
        rain: Whether it rains.
        noise: Standard deviation of sensor noise at mid grey.
        exposure: Factor on the whole picture.
        blur: Sigma of the lens blur in pixels.
    """

    sun: np.ndarray
    sun_rgb: np.ndarray
    sky_rgb: np.ndarray
    fog_rgb: np.ndarray
    fog: float
    beam: float
    shadow: float
    contact: float
    night: bool
    rain: bool
    noise: float
    exposure: float
    blur: float


def look_of(scene: Scene, rng: np.random.Generator) -> Look:
    """Draws the look of a scene from its plan."""
    light, rain = scene.plan.light, scene.plan.rain
    height = {"day": rng.uniform(0.6, 1.1), "dusk": rng.uniform(0.2, 0.35),
              "overcast": 1.2, "night": 1.2}[light]
    around = rng.uniform(0, 2 * np.pi)
    sun = np.array([np.cos(around) * np.cos(height),
                    np.sin(around) * np.cos(height), np.sin(height)])
    strength, ambient, fog_rgb, fog = {
        "day": ((0.78, 0.74, 0.66), (0.66, 0.69, 0.74), (198, 212, 224), 420),
        "overcast": ((0.16, 0.16, 0.16), (0.95, 0.96, 0.98), (200, 204, 207),
                     230),
        "dusk": ((0.62, 0.42, 0.26), (0.54, 0.53, 0.6), (214, 172, 140),
                 260),
        "night": ((0.02, 0.02, 0.03), (0.26, 0.26, 0.31), (30, 29, 34), 240),
    }[light]
    if rain:
        fog = int(fog * 0.55)
        if light != "night":
            fog_rgb = (178, 183, 187)
            ambient = (0.78, 0.79, 0.82)
    night = light == "night"
    return Look(
        sun=sun,
        sun_rgb=np.array(strength, dtype=float),
        sky_rgb=np.array(ambient, dtype=float),
        fog_rgb=np.array(fog_rgb, dtype=float),
        fog=float(fog) * float(rng.uniform(0.8, 1.3)),
        beam=1.0 if night else 0.0,
        shadow={"day": 0.42, "dusk": 0.3, "overcast": 0.0,
                "night": 0.0}[light] * (0.0 if rain else 1.0),
        contact=0.55 if light == "day" else 0.45,
        night=night,
        rain=rain,
        noise={"day": 2.2, "overcast": 2.6, "dusk": 4.0, "night": 6.0}[light],
        exposure=float(rng.uniform(0.88, 1.1)) * (1.12 if night else 1.0),
        blur=float(rng.uniform(0.3, 0.75)) + (0.25 if rain else 0.0),
    )


@lru_cache(maxsize=1)
def _noise_tile() -> np.ndarray:
    rng = np.random.default_rng(47)
    tile = rng.standard_normal((1100, 1900, 3), dtype=np.float32)
    tile = 0.6 * tile + 0.4 * rng.standard_normal(
        (1100, 1900, 1), dtype=np.float32)
    result: np.ndarray = tile
    return result


@lru_cache(maxsize=4)
def _vignette(height: int, width: int) -> np.ndarray:
    y = np.linspace(-1, 1, height)[:, None]
    x = np.linspace(-1, 1, width)[None, :]
    fall = 1 - 0.16 * np.clip((x * x + y * y) / 2, 0, 1) ** 1.5
    result: np.ndarray = fall.astype(np.float32)[..., None]
    return result


def develop(
    image: np.ndarray, glow: np.ndarray, road: np.ndarray, look: Look,
    rng: np.random.Generator,
) -> np.ndarray:
    """Turns light into a photograph.

    Args:
        image: (H, W, 3) float32 light, 0 to 255 and above.
        glow: (H, W) float32, how much a pixel shines by itself.
        road: (H, W) uint8, 1 where ground is seen.
        look: The scene's look.
        rng: Source of this picture's noise and rain drops.

    Returns:
        (H, W, 3) uint8 RGB.
    """
    height, width = image.shape[:2]
    if look.rain:
        image = _wet(image, road, look.night)
    if look.night:
        image = _bloom(image, glow)
    if look.rain:
        _streaks(image, look.night, rng)
        grey = image.mean(axis=2, keepdims=True)
        image = 0.72 * image + 0.28 * grey
    if look.blur > 0.35:
        image = cv2.GaussianBlur(image, (3, 3), look.blur)
    image = image * (_vignette(height, width) * np.float32(look.exposure))
    tile = _noise_tile()
    top = int(rng.integers(tile.shape[0] - min(height, 1000) + 1))
    left = int(rng.integers(tile.shape[1] - min(width, 1800) + 1))
    grain = tile[top:top + height, left:left + width]
    if grain.shape[:2] != (height, width):
        grain = np.resize(tile, (height, width, 3))
    np.clip(image, 0, 255, out=image)
    shot = np.sqrt(image * np.float32(1 / 128) + np.float32(0.15))
    image += grain * shot * np.float32(look.noise)
    np.clip(image, 0, 255, out=image)
    result: np.ndarray = image.astype(np.uint8)
    return result


def _bloom(image: np.ndarray, glow: np.ndarray) -> np.ndarray:
    """Spreads the light of lamps over their surroundings."""
    height, width = glow.shape
    small = (max(1, width // 4), max(1, height // 4))
    bright = cv2.resize(image * glow[..., None], small,
                        interpolation=cv2.INTER_AREA)
    wide = cv2.GaussianBlur(bright, (0, 0), 5.0) * 3.0
    wide += cv2.GaussianBlur(bright, (0, 0), 1.5) * 1.0
    result: np.ndarray = image + cv2.resize(wide, (width, height))
    return result


def _wet(image: np.ndarray, road: np.ndarray, night: bool) -> np.ndarray:
    """Lets the ground mirror what stands above it, smeared downwards."""
    height, width = road.shape
    small = cv2.resize(image, (width // 4, height // 4),
                       interpolation=cv2.INTER_AREA)
    mask = cv2.resize(road, (width // 4, height // 4),
                      interpolation=cv2.INTER_NEAREST)
    tall = max(3, height // 10) | 1
    kernel = np.zeros((2 * tall + 1, 1), dtype=np.float32)
    kernel[:tall] = np.linspace(0.2, 1.0, tall)[:, None]
    above = small * (1 - mask[..., None]).astype(np.float32)
    weight = (1 - mask).astype(np.float32)
    kernel /= kernel.sum()
    smear = cv2.filter2D(above, -1, kernel)
    share = cv2.filter2D(weight, -1, kernel)
    smear = cv2.resize(smear, (width, height))
    share = cv2.resize(share, (width, height)) * (0.45 if night else 0.3)
    share = (share * road)[..., None]
    result: np.ndarray = image * (1 - share) + smear * (0.5 if night else 0.3)\
        * road[..., None]
    return result


def _streaks(
    image: np.ndarray, night: bool, rng: np.random.Generator
) -> None:
    """Draws falling rain into the picture."""
    height, width = image.shape[:2]
    layer = np.zeros((height, width), dtype=np.uint8)
    count = int(90 * width / 800)
    slant = rng.uniform(-0.15, 0.15)
    starts = rng.uniform(0, 1, (count, 2)) * [width, height]
    lengths = rng.uniform(6, 22, count) * height / 450
    for (x, y), length in zip(starts, lengths, strict=True):
        cv2.line(layer, (int(x), int(y)),
                 (int(x + slant * length), int(y + length)),
                 (int(rng.integers(40, 110)),), 1, cv2.LINE_AA)
    tone = 110.0 if night else 215.0
    share = layer.astype(np.float32)[..., None] / 255
    image *= 1 - share
    image += share * np.float32(tone)
