"""The parameters of a rendered world."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class WorldConfig:
    """What to render; equal configurations give equal bytes.

    Attributes:
        seed: Seed of everything in the world.
        scenes: Number of scenes.
        keyframes: Keyframes a scene, two a second.
        image_size: Width and height of the pictures; the intrinsics scale
            with the width (1600 = nuScenes).
        rarity: 1 gives the long-tailed world, 0 one where all classes are
            about equally common (for training models); in between, a mix.
        lidar: Write LiDAR sweeps.
        reach: Distance up to which things are shown and annotated (m).
        night: Share of night scenes.
        rain: Share of rainy scenes.
        quality: JPEG quality.
    """

    seed: int = 0
    scenes: int = 20
    keyframes: int = 8
    image_size: tuple[int, int] = (800, 450)
    rarity: float = 1.0
    lidar: bool = True
    reach: float = 62.0
    night: float = 0.18
    rain: float = 0.2
    quality: int = 88

    def __post_init__(self) -> None:
        if self.scenes < 1 or self.keyframes < 1:
            raise ValueError(
                f"A world needs at least one scene and one keyframe, not "
                f"{self.scenes} and {self.keyframes}; pass positive numbers."
            )
        if min(self.image_size) < 64:
            raise ValueError(
                f"Image size {self.image_size} is too small to see "
                "anything; pass at least 64 x 64 pixels."
            )
        if not 0.0 <= self.rarity <= 1.0:
            raise ValueError(
                f"rarity is {self.rarity}, but must lie between 0 (all "
                "classes equally common) and 1 (long-tailed)."
            )
