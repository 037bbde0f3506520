"""A street in its own coordinates: s along it, d across (left positive)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Road:
    """Cross section and course of one street.

    Attributes:
        bend: Curvature (1/m), positive to the left; constant.
        lanes: Lanes in each direction.
        junction: s of a crossing street (m), or None.
        start: s where the rendered street begins (m).
        end: s where it ends (m).
    """

    bend: float
    lanes: int
    junction: float | None
    start: float
    end: float

    lane_width = 3.5
    cross_half = 5.2

    @property
    def shoulder(self) -> float:
        """Middle of the cycle strip, as d (m)."""
        return self.lanes * self.lane_width + 0.75

    @property
    def parking(self) -> float:
        """Middle of the parking strip, as d (m)."""
        return self.lanes * self.lane_width + 2.75

    @property
    def kerb(self) -> float:
        """The kerb, as d (m)."""
        return self.lanes * self.lane_width + 4.1

    @property
    def walk_end(self) -> float:
        """Where the pavement ends, as d (m)."""
        return self.kerb + 4.0

    def lane(self, index: int) -> float:
        """|d| of the middle of lane ``index`` (0 = beside the centre)."""
        return (index + 0.5) * self.lane_width

    def place(
        self, s: np.ndarray | float, d: np.ndarray | float
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Turns (s, d) into x, y (m) and the street's heading (rad)."""
        s, d = np.asarray(s, dtype=float), np.asarray(d, dtype=float)
        k = self.bend
        if abs(k) < 1e-7:
            return s, d, np.zeros_like(s)
        turn = k * s
        x = np.sin(turn) / k - d * np.sin(turn)
        y = (1 - np.cos(turn)) / k + d * np.cos(turn)
        return x, y, turn

    def in_junction(self, s: float, margin: float) -> bool:
        """Whether s lies on the crossing street, within ``margin`` m."""
        if self.junction is None:
            return False
        return abs(s - self.junction) < self.cross_half + margin
