"""Triangle meshes put together from boxes, prisms, cylinders and blobs."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

Colour = tuple[float, float, float]
Vec3 = tuple[float, float, float]

# How a face answers to light: lamps and lit windows shine by themselves.
MATT, LAMP, WINDOW, SIGNAL = 0, 1, 2, 3
AMBER_LAMP: Colour = (250.0, 160.0, 40.0)


def _cross(
    a: np.ndarray | Vec3, b: np.ndarray | Vec3
) -> np.ndarray:
    ax, ay, az = a
    bx, by, bz = b
    return np.array([ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx])


def _unit(vector: np.ndarray) -> np.ndarray:
    x, y, z = vector.tolist()
    result: np.ndarray = vector / max(math.sqrt(x * x + y * y + z * z), 1e-9)
    return result


@dataclass(frozen=True)
class Mesh:
    """A mesh in its own frame: x forward, y left, z up, metres.

    Attributes:
        verts: (V, 3) float64 corner positions.
        tris: (T, 3) int32 indices into ``verts``.
        rgb: (T, 3) float64 base colour, 0 to 255.
        normals: (T, 3) float64 unit normals.
        kind: (T,) int32, one of ``MATT``, ``LAMP``, ``WINDOW``, ``SIGNAL``.
    """

    verts: np.ndarray
    tris: np.ndarray
    rgb: np.ndarray
    normals: np.ndarray
    kind: np.ndarray

    @property
    def size(self) -> np.ndarray:
        """(3,) extent along x, y, z in metres."""
        extent: np.ndarray = np.ptp(self.verts, axis=0)
        return extent


class MeshBuilder:
    """Collects parts; ``build`` centres them over the origin, feet at 0.

    Args:
        rng: Source of the small colour differences between faces.
        jitter: Standard deviation of those differences (colour levels).
    """

    def __init__(self, rng: np.random.Generator, jitter: float = 2.5):
        self.rng = rng
        self.jitter = jitter
        self._verts: list[np.ndarray] = []
        self._tris: list[tuple[int, int, int]] = []
        self._rgb: list[Colour] = []
        self._normals: list[Vec3] = []
        self._kind: list[int] = []
        self._count = 0

    def face(
        self,
        points: np.ndarray,
        colour: Colour,
        inside: np.ndarray | None = None,
        kind: int = MATT,
    ) -> None:
        """Adds one convex polygon, turned away from ``inside``."""
        # Plain floats: numpy is slow on three numbers, and a scene has
        # some ten thousand faces.
        corners = np.asarray(points, dtype=float).tolist()
        nx = ny = nz = 0.0
        ox, oy, oz = corners[0]
        for (px, py, pz), (qx, qy, qz) in pairwise(corners[1:]):
            ax, ay, az = px - ox, py - oy, pz - oz
            bx, by, bz = qx - ox, qy - oy, qz - oz
            nx += ay * bz - az * by
            ny += az * bx - ax * bz
            nz += ax * by - ay * bx
        length = math.sqrt(nx * nx + ny * ny + nz * nz)
        if length < 1e-9:
            return
        nx, ny, nz = nx / length, ny / length, nz / length
        count = len(corners)
        if inside is not None:
            middle = [sum(axis) / count for axis in zip(*corners, strict=True)]
            away = (
                nx * (middle[0] - float(inside[0]))
                + ny * (middle[1] - float(inside[1]))
                + nz * (middle[2] - float(inside[2]))
            )
            if away < 0:
                nx, ny, nz = -nx, -ny, -nz
                corners.reverse()
        red, green, blue = colour
        if kind == MATT:
            step = float(self.rng.normal(0, self.jitter))
            red, green, blue = (
                min(255.0, max(0.0, tone + step))
                for tone in (red, green, blue)
            )
        start = self._count
        self._verts.append(np.array(corners))
        self._count += count
        for i in range(1, count - 1):
            self._tris.append((start, start + i, start + i + 1))
            self._rgb.append((red, green, blue))
            self._normals.append((nx, ny, nz))
            self._kind.append(kind)

    def solid(self, rings: list[np.ndarray], colour: Colour) -> None:
        """Closes a stack of equally long rings into a convex solid."""
        inside = np.concatenate(rings).mean(axis=0)
        count = len(rings[0])
        for low, high in pairwise(rings):
            for i in range(count):
                j = (i + 1) % count
                quad = np.array([low[i], low[j], high[j], high[i]])
                self.face(quad, colour, inside)
        self.face(rings[0], colour, inside)
        self.face(rings[-1], colour, inside)

    def frustum(
        self,
        low: tuple[float, float, float, float],
        z0: float,
        high: tuple[float, float, float, float],
        z1: float,
        colour: Colour,
    ) -> None:
        """A solid between two rectangles (x0, x1, y0, y1) at two heights."""
        rings = []
        for (x0, x1, y0, y1), z in ((low, z0), (high, z1)):
            rings.append(
                np.array(
                    [[x0, y0, z], [x1, y0, z], [x1, y1, z], [x0, y1, z]]
                )
            )
        self.solid(rings, colour)

    def box(
        self,
        x: tuple[float, float],
        y: tuple[float, float],
        z: tuple[float, float],
        colour: Colour,
    ) -> None:
        """An upright box from three intervals (m)."""
        base = (x[0], x[1], y[0], y[1])
        self.frustum(base, z[0], base, z[1], colour)

    def beam(
        self,
        start: Vec3,
        end: Vec3,
        width: float,
        height: float,
        colour: Colour,
        taper: float = 1.0,
    ) -> None:
        """A bar of rectangular section between two points."""
        a, b = np.asarray(start, dtype=float), np.asarray(end, dtype=float)
        axis = _unit(b - a)
        if abs(axis[2]) > 1 - 1e-9:
            side = np.array([0.0, 1.0, 0.0])
        else:
            side = _unit(_cross((0.0, 0.0, 1.0), axis))
        up = _cross(axis, side)
        rings = []
        for point, scale in ((a, 1.0), (b, taper)):
            u, v = side * width / 2 * scale, up * height / 2 * scale
            rings.append(
                np.array([point - u - v, point + u - v,
                          point + u + v, point - u + v])
            )
        self.solid(rings, colour)

    def cylinder(
        self,
        start: Vec3,
        end: Vec3,
        radius: float,
        colour: Colour,
        sides: int = 10,
        end_radius: float | None = None,
        cap: Colour | None = None,
    ) -> None:
        """A round bar or cone; ``cap`` colours its two ends."""
        a, b = np.asarray(start, dtype=float), np.asarray(end, dtype=float)
        axis = _unit(b - a)
        helper = (0.0, 0.0, 1.0) if abs(axis[2]) < 0.9 else (1.0, 0.0, 0.0)
        u = _unit(_cross(helper, axis))
        v = _cross(axis, u)
        angle = np.linspace(0, 2 * np.pi, sides, endpoint=False)
        circle = np.outer(np.cos(angle), u) + np.outer(np.sin(angle), v)
        last = radius if end_radius is None else max(end_radius, 1e-3)
        rings = [a + radius * circle, b + last * circle]
        inside = (a + b) / 2
        for i in range(sides):
            j = (i + 1) % sides
            quad = np.array(
                [rings[0][i], rings[0][j], rings[1][j], rings[1][i]]
            )
            self.face(quad, colour, inside)
        for ring in rings:
            self.face(ring, colour if cap is None else cap, inside)

    def wheel(
        self, x: float, y: float, radius: float, width: float,
        hub: Colour = (150.0, 150.0, 152.0),
    ) -> None:
        """A tyre that stands on the ground, axle along y, with a hub."""
        dark = (28.0, 28.0, 30.0)
        self.cylinder((x, y - width / 2, radius), (x, y + width / 2, radius),
                      radius, dark, 12)
        grow = width / 2 + 0.012
        self.cylinder((x, y - grow, radius), (x, y + grow, radius),
                      radius * 0.55, hub, 8)

    def blob(
        self,
        centre: Vec3,
        radii: Vec3,
        colour: Colour,
        rings: int = 5,
        sides: int = 8,
        rough: float = 0.0,
    ) -> None:
        """An ellipsoid; ``rough`` dents it (share of its radius)."""
        c, r = np.asarray(centre, dtype=float), np.asarray(radii, dtype=float)
        stack = []
        for t in np.linspace(-np.pi / 2, np.pi / 2, rings + 2)[1:-1]:
            angle = np.linspace(0, 2 * np.pi, sides, endpoint=False)
            unit = np.stack(
                [np.cos(angle) * np.cos(t), np.sin(angle) * np.cos(t),
                 np.full(sides, np.sin(t))], axis=1)
            dent = 1 + rough * self.rng.uniform(-1, 1, (sides, 1))
            stack.append(c + unit * r * dent)
        self.solid(stack, colour)

    def panel(
        self,
        axis: str,
        at: float,
        first: tuple[float, float],
        second: tuple[float, float],
        colour: Colour,
        kind: int = MATT,
    ) -> None:
        """A flat rectangle that looks along ``axis`` ("+x", "-y", ...).

        ``first`` and ``second`` are the intervals on the two other axes
        in the order x, y, z.
        """
        index = "xyz".index(axis[1])
        sign = 1.0 if axis[0] == "+" else -1.0
        others = [i for i in range(3) if i != index]
        points = np.zeros((4, 3))
        points[:, index] = at
        points[:, others[0]] = [first[0], first[1], first[1], first[0]]
        points[:, others[1]] = [second[0], second[0], second[1], second[1]]
        inside = points.mean(axis=0)
        inside[index] -= sign
        self.face(points, colour, inside, kind)

    def build(self, centre: bool = True) -> Mesh:
        """Closes the mesh; ``centre`` moves it over the origin."""
        verts = np.concatenate(self._verts)
        if centre:
            low, high = verts.min(axis=0), verts.max(axis=0)
            verts = verts - [
                (low[0] + high[0]) / 2, (low[1] + high[1]) / 2, low[2]
            ]
        return Mesh(
            verts=np.ascontiguousarray(verts),
            tris=np.array(self._tris, dtype=np.int32),
            rgb=np.array(self._rgb),
            normals=np.array(self._normals),
            kind=np.array(self._kind, dtype=np.int32),
        )
