"""Cars, vans, pickups and emergency vehicles, built from simple parts."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from demo.mesh import LAMP, SIGNAL, WINDOW, Colour, MeshBuilder

GLASS: Colour = (44, 54, 64)
DARK: Colour = (36, 36, 39)
STEEL: Colour = (138, 142, 146)
WHITE: Colour = (226, 227, 224)
HEAD: Colour = (245, 240, 215)
TAIL: Colour = (205, 28, 26)
AMBER: Colour = (245, 150, 30)


def lights(
    b: MeshBuilder, x0: float, x1: float, width: float, z: float
) -> None:
    """Head lamps at x1 and tail lamps at x0, on both sides."""
    half = width / 2
    for side in (-1, 1):
        y = sorted((side * half * 0.94, side * half * 0.62))
        span = (y[0], y[1])
        b.panel("+x", x1 + 0.012, span, (z, z + 0.15), HEAD, LAMP)
        b.panel("-x", x0 - 0.012, span, (z + 0.06, z + 0.22), TAIL, SIGNAL)
    plate = (-0.26, 0.26)
    b.panel("-x", x0 - 0.014, plate, (z - 0.16, z - 0.04), WHITE)


def side_windows(
    b: MeshBuilder,
    xs: tuple[float, float],
    zs: tuple[float, float],
    half: float,
    count: int,
    gap: float = 0.12,
) -> None:
    """A row of ``count`` windows on both sides at y = +-half."""
    edges = np.linspace(xs[0], xs[1], count + 1)
    for left, right in pairwise(edges):
        span = (left + gap / 2, right - gap / 2)
        b.panel("+y", half + 0.012, span, zs, GLASS, WINDOW)
        b.panel("-y", -half - 0.012, span, zs, GLASS, WINDOW)


def _car(
    b: MeshBuilder,
    colour: Colour,
    size: tuple[float, float, float],
    cabin: tuple[float, float, float, float],
    waist: float,
) -> None:
    """Body up to ``waist``, glass cabin above: low x0, x1, roof x0, x1.

    The cabin is given in shares of the length, 0 at the tail.
    """
    length, width, height = size
    x0, x1, half = -length / 2, length / 2, width / 2
    sill = 0.3
    b.frustum((x0, x1, -half, half), sill,
              (x0 + 0.06, x1 - 0.1, -half + 0.05, half - 0.05), waist, colour)
    b.box((x0 + 0.1, x1 - 0.1), (-half + 0.06, half - 0.06), (0.18, sill),
          DARK)
    low0, low1, top0, top1 = (x0 + length * share for share in cabin)
    roof = height - 0.06
    b.frustum((low0, low1, -half + 0.08, half - 0.08), waist,
              (top0, top1, -half + 0.24, half - 0.24), roof, GLASS)
    b.frustum((top0 - 0.05, top1 + 0.05, -half + 0.2, half - 0.2), roof,
              (top0 + 0.05, top1 - 0.1, -half + 0.26, half - 0.26), height,
              colour)
    for side in (-1, 1):
        foot, head = side * (half - 0.08), side * (half - 0.23)
        mid_low, mid_top = (low0 + low1) / 2, (top0 + top1) / 2
        for lo, hi in ((low0, top0), (mid_low, mid_top), (low1, top1)):
            b.beam((lo, foot, waist), (hi, head, roof), 0.09, 0.09, colour)
        y = sorted((side * half, side * (half + 0.1)))
        b.box((low1 - 0.35, low1 - 0.2), (y[0], y[1]),
              (waist, waist + 0.14), colour)
    radius = 0.33 if height < 1.65 else 0.37
    for x in (x0 + length * 0.19, x1 - length * 0.18):
        for side in (-1, 1):
            b.wheel(x, side * (half - 0.1), radius, 0.22)
    lights(b, x0, x1 - 0.02, width, 0.58)
    b.panel("+x", x1 + 0.012, (-half * 0.5, half * 0.5), (0.42, 0.58), DARK)


def sedan(b: MeshBuilder, colour: Colour) -> None:
    """Draws the shape: sedan."""
    k = b.rng.uniform(0.95, 1.06)
    _car(b, colour, (4.6 * k, 1.82, 1.46), (0.14, 0.74, 0.3, 0.56), 0.9)


def hatchback(b: MeshBuilder, colour: Colour) -> None:
    """Draws the shape: hatchback."""
    k = b.rng.uniform(0.94, 1.06)
    _car(b, colour, (3.8 * k, 1.72, 1.5), (0.03, 0.76, 0.14, 0.54), 0.92)


def suv(b: MeshBuilder, colour: Colour) -> None:
    """Draws the shape: suv."""
    k = b.rng.uniform(0.95, 1.07)
    _car(b, colour, (4.6 * k, 1.93, 1.78), (0.03, 0.74, 0.1, 0.56), 1.08)


def van(b: MeshBuilder, colour: Colour) -> None:
    """A panel or passenger van: long box with a short slanted nose."""
    length, width = b.rng.uniform(4.8, 5.5), 1.98
    height = b.rng.uniform(1.95, 2.3)
    x0, x1, half = -length / 2, length / 2, width / 2
    b.frustum((x0, x1, -half, half), 0.3,
              (x0 + 0.03, x1 - 0.12, -half + 0.02, half - 0.02), 1.12, colour)
    b.frustum((x0 + 0.03, x1 - 0.9, -half + 0.02, half - 0.02), 1.12,
              (x0 + 0.1, x1 - 1.5, -half + 0.14, half - 0.14), height, colour)
    b.frustum((x1 - 1.3, x1 - 0.5, -half + 0.05, half - 0.05), 1.12,
              (x1 - 1.8, x1 - 1.45, -half + 0.16, half - 0.16),
              height - 0.12, GLASS)
    b.panel("-x", x0 + 0.02, (-half * 0.7, half * 0.7),
            (1.25, 1.75), GLASS, WINDOW)
    if b.rng.random() < 0.5:
        side_windows(b, (x0 + 0.5, x1 - 1.6), (1.2, 1.65), half - 0.03, 2)
    else:
        tint = tuple(b.rng.uniform(40, 220, 3))
        for axis, y in (("+y", half), ("-y", -half)):
            b.panel(axis, y + np.sign(y) * 0.012, (x0 + 0.7, x1 - 2.0),
                    (0.7, 0.98), (tint[0], tint[1], tint[2]))
    for x in (x0 + 0.9, x1 - 0.85):
        for side in (-1, 1):
            b.wheel(x, side * (half - 0.1), 0.35, 0.24)
    lights(b, x0, x1 - 0.03, width, 0.62)


def pickup(b: MeshBuilder, colour: Colour) -> None:
    """Draws the shape: pickup."""
    length, width = b.rng.uniform(5.1, 5.6), 1.95
    x0, x1, half = -length / 2, length / 2, width / 2
    bed = x0 + length * 0.36
    b.frustum((bed, x1, -half, half), 0.4,
              (bed, x1 - 0.1, -half + 0.04, half - 0.04), 1.1, colour)
    b.box((x0, bed), (-half, half), (0.4, 0.72), colour)
    for y in ((-half, -half + 0.08), (half - 0.08, half)):
        b.box((x0, bed), y, (0.72, 1.12), colour)
    b.box((x0, x0 + 0.08), (-half, half), (0.72, 1.12), colour)
    b.frustum((bed, x1 - 1.3, -half + 0.06, half - 0.06), 1.1,
              (bed + 0.15, x1 - 2.1, -half + 0.2, half - 0.2), 1.78, GLASS)
    b.box((bed + 0.1, x1 - 2.05), (-half + 0.2, half - 0.2), (1.76, 1.84),
          colour)
    if b.rng.random() < 0.5:
        b.box((x0 + 0.3, bed - 0.2), (-0.7, 0.7), (0.72, 1.35),
              (120, 92, 60))
    for x in (x0 + 1.05, x1 - 0.95):
        for side in (-1, 1):
            b.wheel(x, side * (half - 0.1), 0.4, 0.26)
    lights(b, x0, x1 - 0.02, width, 0.7)


def police_car(b: MeshBuilder, colour: Colour) -> None:
    """Draws the shape: police car."""
    _car(b, (235, 235, 236), (4.8, 1.88, 1.5), (0.14, 0.74, 0.3, 0.56), 0.92)
    for axis, y in (("+y", 0.94), ("-y", -0.94)):
        b.panel(axis, y, (-1.0, 1.1), (0.5, 0.86), (28, 50, 120))
    b.box((-0.45, -0.15), (-0.55, 0.0), (1.5, 1.63), (30, 60, 230))
    b.box((-0.45, -0.15), (0.0, 0.55), (1.5, 1.63), (225, 25, 30))


def ambulance(b: MeshBuilder, colour: Colour) -> None:
    """Draws the shape: ambulance."""
    b.box((-3.1, 1.2), (-1.08, 1.08), (0.45, 2.6), WHITE)
    b.frustum((1.2, 3.0, -1.0, 1.0), 0.45, (1.2, 2.9, -0.95, 0.95), 1.2,
              WHITE)
    b.frustum((1.2, 2.4, -0.95, 0.95), 1.2, (1.2, 1.7, -0.85, 0.85), 2.15,
              GLASS)
    for axis, y in (("+y", 1.092), ("-y", -1.092)):
        b.panel(axis, y, (-3.05, 1.15), (1.15, 1.5), (220, 60, 30))
        b.panel(axis, y * 1.002, (-1.2, -0.9), (1.7, 2.4), (200, 30, 30))
        b.panel(axis, y * 1.002, (-1.4, -0.7), (1.95, 2.2), (200, 30, 30))
    b.box((0.7, 1.1), (-0.9, 0.9), (2.6, 2.75), (40, 70, 230))
    for x in (-1.9, 2.0):
        for side in (-1, 1):
            b.wheel(x, side * 0.95, 0.38, 0.26)
    lights(b, -3.1, 2.97, 2.1, 0.7)
