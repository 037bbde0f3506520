"""Construction machines and what stands around a construction site."""

from __future__ import annotations

import numpy as np

from demo.mesh import AMBER_LAMP, Colour, MeshBuilder
from demo.trucks import cab, chassis
from demo.vehicles import DARK, GLASS, STEEL

WHITE: Colour = (228, 228, 225)
RED: Colour = (205, 44, 34)


def _tracks(b: MeshBuilder, length: float, gauge: float,
            height: float = 0.8, width: float = 0.5) -> None:
    """Two crawler tracks with their rollers."""
    half = length / 2
    for side in (-1, 1):
        y = sorted((side * (gauge - width / 2), side * (gauge + width / 2)))
        profile = [(-half, 0.4), (-half + 0.35, 0.0), (half - 0.35, 0.0),
                   (half, 0.4), (half - 0.3, height), (-half + 0.3, height)]
        rings = [np.array([[px, yy, pz * height / 0.8 if pz == 0.4 else pz]
                           for px, pz in profile]) for yy in y]
        b.solid(rings, (46, 44, 42))
        outer = y[1] + 0.012 if side > 0 else y[0] - 0.012
        for x in np.linspace(-half + 0.4, half - 0.4, 5):
            b.panel("+y" if side > 0 else "-y", outer, (x - 0.14, x + 0.14),
                    (0.12, 0.42), (92, 90, 86))


def _cabin(b: MeshBuilder, x: tuple[float, float], y: tuple[float, float],
           z: tuple[float, float], colour: Colour) -> None:
    """A glazed driver's cabin with corner posts and a roof."""
    b.frustum((x[0], x[1], y[0], y[1]), z[0],
              (x[0] + 0.05, x[1] - 0.12, y[0] + 0.05, y[1] - 0.05),
              z[1] - 0.1, GLASS)
    b.box((x[0] - 0.05, x[1]), y, (z[1] - 0.1, z[1]), colour)
    for px in (x[0] + 0.03, x[1] - 0.08):
        for py in (y[0] + 0.04, y[1] - 0.04):
            b.beam((px, py, z[0]), (px, py, z[1] - 0.05), 0.1, 0.1, colour)
    b.cylinder((x[0] + 0.3, (y[0] + y[1]) / 2, z[1]),
               (x[0] + 0.3, (y[0] + y[1]) / 2, z[1] + 0.16), 0.09,
               AMBER_LAMP, 6)


def excavator(b: MeshBuilder, colour: Colour) -> None:
    """Draws the shape: excavator."""
    _tracks(b, 3.6, 1.05)
    b.cylinder((0, 0, 0.75), (0, 0, 1.0), 0.8, DARK, 10)
    b.box((-2.1, 1.2), (-1.25, 1.25), (1.0, 1.5), colour)
    b.box((-2.1, -0.4), (-1.25, 1.25), (1.5, 2.15), colour)
    b.box((-2.3, -2.1), (-1.2, 1.2), (1.05, 1.95), DARK)
    for y in (1.262, -1.262):
        b.panel("+y" if y > 0 else "-y", y, (-1.9, -0.7), (1.55, 1.95), DARK)
    _cabin(b, (-0.2, 1.15), (0.25, 1.2), (1.5, 2.85), colour)
    lift = b.rng.uniform(-0.3, 0.5)
    elbow = (3.2, -0.25, 3.6 + lift)
    wrist = (5.0 - lift * 0.6, -0.25, 1.7 + lift)
    b.beam((0.9, -0.25, 1.5), (1.9, -0.25, 3.0 + lift), 0.42, 0.6, colour)
    b.beam((1.9, -0.25, 3.0 + lift), elbow, 0.38, 0.5, colour)
    b.beam(elbow, wrist, 0.34, 0.42, colour)
    b.beam((1.3, -0.25, 1.7), (2.3, -0.25, 2.7 + lift), 0.16, 0.16, STEEL)
    b.beam((2.4, -0.25, 3.55 + lift), (3.7, -0.25, 3.5 + lift), 0.16, 0.16,
           STEEL)
    x, _, z = wrist
    b.frustum((x - 0.65, x + 0.1, -0.8, 0.3), z - 1.0,
              (x - 0.3, x + 0.35, -0.8, 0.3), z + 0.05, (74, 72, 70))


def bulldozer(b: MeshBuilder, colour: Colour) -> None:
    """Draws the shape: bulldozer."""
    _tracks(b, 3.3, 0.98, 1.0, 0.56)
    b.box((-1.5, 1.7), (-0.7, 0.7), (0.7, 1.65), colour)
    b.frustum((0.2, 1.75, -0.6, 0.6), 1.65, (0.2, 1.6, -0.5, 0.5), 1.85,
              colour)
    b.panel("+x", 1.712, (-0.5, 0.5), (0.9, 1.55), DARK)
    b.cylinder((0.9, 0.35, 1.8), (0.9, 0.35, 2.5), 0.08, DARK, 6)
    _cabin(b, (-1.2, 0.2), (-0.75, 0.75), (1.65, 2.9), colour)
    for y in (-1.0, 1.0):
        b.beam((0.2, y * 1.2, 0.55), (2.3, y * 1.2, 0.5), 0.16, 0.2, colour)
    b.frustum((2.3, 2.55, -1.75, 1.75), 0.05, (2.2, 2.4, -1.75, 1.75), 1.35,
              (150, 146, 136) if b.rng.random() < 0.4 else colour)
    b.beam((-1.5, 0, 1.0), (-2.4, 0, 0.6), 0.3, 0.3, DARK)


def wheel_loader(b: MeshBuilder, colour: Colour) -> None:
    """Draws the shape: wheel loader."""
    for x in (-1.6, 1.4):
        for side in (-1, 1):
            b.wheel(x, side * 1.0, 0.75, 0.55, colour)
    b.box((-2.7, -0.5), (-0.85, 0.85), (0.95, 2.0), colour)
    b.panel("-x", -2.712, (-0.6, 0.6), (1.1, 1.8), DARK)
    b.box((-0.5, 1.9), (-0.6, 0.6), (0.8, 1.4), colour)
    _cabin(b, (-0.7, 0.6), (-0.7, 0.7), (1.5, 3.15), colour)
    up = b.rng.uniform(0.0, 1.0)
    for y in (-0.55, 0.55):
        b.beam((1.2, y, 1.5), (3.0, y, 0.8 + up), 0.2, 0.34, colour)
    z = 0.25 + up
    b.frustum((2.9, 3.9, -1.35, 1.35), z, (2.75, 3.4, -1.35, 1.35), z + 0.95,
              (84, 82, 78))


def mobile_crane(b: MeshBuilder, colour: Colour) -> None:
    """Draws the shape: mobile crane."""
    chassis(b, -5.2, 2.6, [-4.3, -3.2, 0.4, 1.6], 1.25)
    b.box((-5.2, 2.6), (-1.25, 1.25), (0.9, 1.3), colour)
    cab(b, 2.6, colour, 2.5, 2.2)
    b.box((-4.6, -2.0), (-1.15, 1.15), (1.3, 2.5), colour)
    b.box((-5.2, -4.6), (-1.2, 1.2), (1.4, 2.3), (70, 70, 72))
    _cabin(b, (-2.0, -0.7), (0.3, 1.15), (1.3, 2.7), colour)
    tip = (5.6, -0.3, b.rng.uniform(3.0, 5.2))
    b.beam((-3.6, -0.3, 2.3), tip, 0.62, 0.7, colour, 0.7)
    b.cylinder((tip[0] - 0.1, -0.3, tip[2] - 0.2),
               (tip[0] - 0.1, -0.3, tip[2] - 1.1), 0.04, DARK, 5)
    b.blob((tip[0] - 0.1, -0.3, tip[2] - 1.2), (0.16, 0.16, 0.22), RED)
    for x in (-2.6, 2.2):
        for side in (-1, 1):
            y = sorted((side * 1.25, side * 1.4))
            b.box((x - 0.15, x + 0.15), (y[0], y[1]), (0.1, 1.1), DARK)


def forklift(b: MeshBuilder, colour: Colour) -> None:
    """Draws the shape: forklift."""
    b.box((-1.1, 0.7), (-0.55, 0.55), (0.25, 0.95), colour)
    b.box((-1.3, -1.0), (-0.55, 0.55), (0.3, 1.15), DARK)
    for x in (-0.95, 0.62):
        for y in (-0.5, 0.5):
            b.beam((x, y, 0.9), (x * 0.75, y, 2.1), 0.08, 0.08, DARK)
    b.box((-0.75, 0.5), (-0.56, 0.56), (2.08, 2.16), colour)
    b.box((-0.7, -0.2), (-0.25, 0.25), (0.95, 1.3), (30, 30, 34))
    b.blob((-0.35, 0, 1.5), (0.18, 0.22, 0.35), (210, 120, 40))
    b.blob((-0.3, 0, 1.9), (0.12, 0.1, 0.13), (186, 140, 112))
    top = b.rng.uniform(2.1, 2.9)
    for y in (-0.35, 0.35):
        b.box((0.72, 0.86), (y - 0.06, y + 0.06), (0.05, top), DARK)
        b.box((0.86, 1.9), (y - 0.06, y + 0.06), (0.1, 0.16), STEEL)
    b.box((0.86, 0.92), (-0.5, 0.5), (0.1, 0.75), DARK)
    if b.rng.random() < 0.5:
        b.box((0.95, 1.85), (-0.5, 0.5), (0.16, 0.9), (168, 128, 80))
    for x in (-0.85, 0.5):
        for side in (-1, 1):
            b.wheel(x, side * 0.52, 0.3, 0.2, colour)


def road_roller(b: MeshBuilder, colour: Colour) -> None:
    """Draws the shape: road roller."""
    drum = (104, 104, 106)
    b.cylinder((1.35, -0.95, 0.68), (1.35, 0.95, 0.68), 0.68, drum, 16,
               cap=(70, 70, 72))
    if b.rng.random() < 0.5:
        b.cylinder((-1.35, -0.95, 0.68), (-1.35, 0.95, 0.68), 0.68, drum, 16,
                   cap=(70, 70, 72))
    else:
        for side in (-1, 1):
            b.wheel(-1.35, side * 0.75, 0.66, 0.45, colour)
    for y in (-1.02, 1.02):
        b.box((0.2, 1.55), (y - 0.06, y + 0.06), (0.55, 1.1), colour)
    b.box((-2.0, 0.6), (-0.85, 0.85), (0.95, 1.55), colour)
    b.box((0.1, 0.5), (-1.05, 1.05), (0.8, 1.2), colour)
    b.panel("-x", -2.012, (-0.6, 0.6), (1.05, 1.45), DARK)
    if b.rng.random() < 0.5:
        _cabin(b, (-0.8, 0.5), (-0.75, 0.75), (1.55, 2.85), colour)
    else:
        for x in (-0.8, 0.45):
            for y in (-0.7, 0.7):
                b.beam((x, y, 1.5), (x, y, 2.6), 0.08, 0.08, DARK)
        b.box((-0.95, 0.6), (-0.8, 0.8), (2.58, 2.68), colour)
        b.blob((-0.3, 0, 1.95), (0.2, 0.25, 0.4), (215, 130, 40))
        b.blob((-0.25, 0, 2.4), (0.12, 0.11, 0.14), (176, 130, 104))


def jersey(b: MeshBuilder, colour: Colour) -> None:
    """A concrete barrier, about 2.4 m across, its long side along y."""
    grey: Colour = (168, 166, 160)
    b.frustum((-0.3, 0.3, -1.2, 1.2), 0.0, (-0.22, 0.22, -1.2, 1.2), 0.22,
              grey)
    b.frustum((-0.22, 0.22, -1.2, 1.2), 0.22, (-0.09, 0.09, -1.2, 1.2), 0.85,
              grey)
    if b.rng.random() < 0.4:
        b.panel("+x", 0.16, (-0.3, 0.3), (0.5, 0.62), (240, 190, 40))
        b.panel("-x", -0.16, (-0.3, 0.3), (0.5, 0.62), (240, 190, 40))


def plastic_barrier(b: MeshBuilder, colour: Colour) -> None:
    """A water-filled barrier segment."""
    b.frustum((-0.25, 0.25, -0.9, 0.9), 0.0, (-0.2, 0.2, -0.9, 0.9), 0.35,
              colour)
    b.frustum((-0.2, 0.2, -0.9, 0.9), 0.35, (-0.1, 0.1, -0.86, 0.86), 0.95,
              colour)
    for axis, x in (("+x", 0.21), ("-x", -0.21)):
        b.panel(axis, x, (-0.55, 0.55), (0.4, 0.52), DARK)


def fence_barrier(b: MeshBuilder, colour: Colour) -> None:
    """A board with red and white stripes on two trestles."""
    for y in (-0.75, 0.75):
        b.beam((-0.3, y, 0.0), (0.0, y, 1.05), 0.07, 0.07, WHITE)
        b.beam((0.3, y, 0.0), (0.0, y, 1.05), 0.07, 0.07, WHITE)
    for z in (0.45, 0.78):
        b.box((-0.04, 0.04), (-1.0, 1.0), (z, z + 0.24), WHITE)
        for x in (0.052, -0.052):
            for y in np.arange(-0.95, 0.8, 0.5):
                quad = np.array([[x, y, z], [x, y + 0.24, z],
                                 [x, y + 0.36, z + 0.24],
                                 [x, y + 0.12, z + 0.24]])
                b.face(quad, colour, np.array([0.0, y, z]))


def cone(b: MeshBuilder, colour: Colour) -> None:
    """Draws the shape: cone."""
    k = b.rng.uniform(0.9, 1.35)
    orange: Colour = (240, 92, 24)
    b.box((-0.2 * k, 0.2 * k), (-0.2 * k, 0.2 * k), (0, 0.04), DARK)
    b.cylinder((0, 0, 0.04), (0, 0, 0.3 * k), 0.15 * k, orange, 8, 0.1 * k)
    b.cylinder((0, 0, 0.3 * k), (0, 0, 0.5 * k), 0.1 * k, WHITE, 8, 0.06 * k)
    b.cylinder((0, 0, 0.5 * k), (0, 0, 0.72 * k), 0.06 * k, orange, 8,
               0.025)
