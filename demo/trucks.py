"""Trucks, buses and trailers, built from simple parts."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from demo.mesh import SIGNAL, WINDOW, Colour, MeshBuilder
from demo.vehicles import (
    AMBER,
    DARK,
    GLASS,
    STEEL,
    TAIL,
    WHITE,
    lights,
    side_windows,
)


def cab(
    b: MeshBuilder, x0: float, colour: Colour, width: float = 2.35,
    height: float = 2.6,
) -> float:
    """A flat-nosed truck cab from x0 forwards; returns its front."""
    x1, half = x0 + 1.75, width / 2
    b.box((x0, x1), (-half, half), (0.5, height * 0.56), colour)
    b.frustum((x0, x1, -half, half), height * 0.56,
              (x0, x1 - 0.25, -half + 0.08, half - 0.08), height, colour)
    b.face(
        np.array([
            [x1 + 0.005, -half + 0.15, height * 0.58],
            [x1 + 0.005, half - 0.15, height * 0.58],
            [x1 - 0.19, half - 0.22, height * 0.92],
            [x1 - 0.19, -half + 0.22, height * 0.92]]),
        GLASS, np.array([x0, 0.0, 0.5]))
    for side in (-1, 1):
        axis = "+y" if side > 0 else "-y"
        b.panel(axis, side * (half + 0.012), (x0 + 0.5, x1 - 0.3),
                (height * 0.57, height * 0.82), GLASS, WINDOW)
        y = sorted((side * half, side * (half + 0.18)))
        b.box((x1 - 0.25, x1 - 0.12), (y[0], y[1]),
              (height * 0.6, height * 0.8), DARK)
        b.wheel(x0 + 0.95, side * (half - 0.16), 0.48, 0.3)
    b.panel("+x", x1 + 0.012, (-half * 0.7, half * 0.7), (0.85, 1.2), DARK)
    lights(b, x0, x1, width, 0.6)
    return x1


def chassis(b: MeshBuilder, x0: float, x1: float, axles: list[float],
            half: float = 1.15) -> None:
    """A ladder frame with its wheels and tail lamps."""
    b.box((x0, x1), (-0.45, 0.45), (0.55, 0.85), DARK)
    for x in axles:
        for side in (-1, 1):
            b.wheel(x, side * (half - 0.16), 0.48, 0.34)
    b.box((x0, x0 + 0.12), (-half, half), (0.5, 0.75), DARK)
    for side in (-1, 1):
        y = sorted((side * half, side * half * 0.75))
        b.panel("-x", x0 - 0.012, (y[0], y[1]), (0.53, 0.7), TAIL, SIGNAL)


def cargo_box(
    b: MeshBuilder, x: tuple[float, float], z: tuple[float, float],
    colour: Colour, half: float = 1.22,
) -> None:
    """A closed box with ribs, doors and often a painted band."""
    b.box(x, (-half, half), z, colour)
    shade = tuple(c * 0.82 for c in colour)
    rib = (shade[0], shade[1], shade[2])
    stripe = tuple(b.rng.uniform(20, 230, 3))
    band = b.rng.random() < 0.6
    for axis, y in (("+y", half + 0.012), ("-y", -half - 0.012)):
        for at in np.arange(x[0] + 0.6, x[1] - 0.3, 1.1):
            b.panel(axis, y, (at, at + 0.06), (z[0] + 0.1, z[1] - 0.1), rib)
        if band:
            mid = (z[0] + z[1]) / 2
            b.panel(axis, y * 1.004, (x[0] + 0.5, x[1] - 0.5),
                    (mid - 0.35, mid + 0.35),
                    (stripe[0], stripe[1], stripe[2]))
    b.panel("-x", x[0] - 0.012, (-0.04, 0.04), (z[0] + 0.1, z[1] - 0.1), rib)
    b.panel("-x", x[0] - 0.012, (-half, half), (z[0], z[0] + 0.12), rib)


def box_truck(b: MeshBuilder, colour: Colour) -> None:
    """Draws the shape: box truck."""
    length = b.rng.uniform(3.9, 5.6)
    top = b.rng.uniform(2.9, 3.5)
    body = colour if b.rng.random() < 0.6 else WHITE
    chassis(b, -length, 0.1, [-length + 1.1])
    cargo_box(b, (-length, 0.0), (0.9, top), body)
    cab(b, 0.1, colour, height=2.5)


def dump_truck(b: MeshBuilder, colour: Colour) -> None:
    """Draws the shape: dump truck."""
    chassis(b, -4.6, 0.1, [-3.6, -2.5])
    tub: Colour = colour if b.rng.random() < 0.7 else (120, 124, 128)
    b.frustum((-4.3, -0.15, -0.95, 0.95), 0.95,
              (-4.8, 0.0, -1.22, 1.22), 2.3, tub)
    for y in (1.16, -1.16):
        for x in (-3.9, -2.9, -1.9, -0.9):
            b.beam((x, y * 0.86, 1.0), (x, y * 1.06, 2.28), 0.1, 0.1, DARK)
    b.blob((-2.4, 0, 2.25), (1.9, 1.0, b.rng.uniform(0.15, 0.5)),
           (112, 88, 62), rough=0.1)
    b.beam((-0.2, 0, 2.35), (1.2, 0, 2.6), 2.2, 0.08, tub)
    cab(b, 0.1, colour, height=2.5)


def tanker(b: MeshBuilder, colour: Colour) -> None:
    """Draws the shape: tanker."""
    chassis(b, -6.2, 0.1, [-5.3, -4.2])
    tank: Colour = (196, 199, 202) if b.rng.random() < 0.6 else colour
    b.cylinder((-6.3, 0, 1.95), (-0.1, 0, 1.95), 1.1, tank, 14)
    for x in (-5.0, -3.2, -1.4):
        b.cylinder((x, 0, 1.95), (x + 0.08, 0, 1.95), 1.125, colour, 14)
        b.cylinder((x, 0, 3.0), (x, 0, 3.2), 0.25, DARK, 8)
    b.panel("-x", -6.32, (-0.35, 0.35), (1.6, 2.2), AMBER)
    cab(b, 0.1, colour, height=2.7)


def flatbed_truck(b: MeshBuilder, colour: Colour) -> None:
    """Draws the shape: flatbed truck."""
    chassis(b, -5.4, 0.1, [-4.3])
    b.box((-5.5, 0.0), (-1.2, 1.2), (0.9, 1.05), (110, 84, 58))
    b.box((-0.12, 0.0), (-1.2, 1.2), (1.05, 2.0), STEEL)
    load(b, (-5.2, -0.5), 1.05)
    cab(b, 0.1, colour, height=2.4)


def load(b: MeshBuilder, x: tuple[float, float], z: float) -> None:
    """Something on a flat bed: pipes, timber or crates."""
    pick = b.rng.integers(3)
    if pick == 0:
        for y, up in ((-0.6, 0), (0, 0), (0.6, 0), (-0.3, 1), (0.3, 1)):
            centre = z + 0.28 + up * 0.5
            b.cylinder((x[0], y, centre), (x[1], y, centre), 0.28,
                       (150, 110, 86), 8, cap=DARK)
    elif pick == 1:
        b.box(x, (-0.95, 0.95), (z, z + 0.55), (176, 140, 92))
        b.box(x, (-0.7, 0.7), (z + 0.55, z + 0.95), (165, 128, 84))
    else:
        edges = np.linspace(x[0], x[1], 4)
        for left, right in pairwise(edges):
            tone = b.rng.uniform(80, 170)
            b.box((left + 0.1, right - 0.1), (-0.9, 0.9),
                  (z, z + b.rng.uniform(0.5, 1.3)),
                  (tone, tone * 0.85, tone * 0.6))


def cement_mixer(b: MeshBuilder, colour: Colour) -> None:
    """Draws the shape: cement mixer."""
    chassis(b, -5.6, 0.1, [-4.6, -3.5])
    drum: Colour = colour if b.rng.random() < 0.5 else (214, 212, 205)
    b.cylinder((-1.6, 0, 1.9), (-0.3, 0, 1.75), 1.25, drum, 12, 0.9)
    b.cylinder((-1.6, 0, 1.9), (-3.4, 0, 2.15), 1.25, drum, 12, 1.1)
    b.cylinder((-3.4, 0, 2.15), (-4.9, 0, 2.5), 1.1, drum, 12, 0.5)
    b.cylinder((-1.75, 0, 1.92), (-1.45, 0, 1.88), 1.28, (190, 60, 40), 12)
    b.cylinder((-3.5, 0, 2.16), (-3.25, 0, 2.13), 1.15, (190, 60, 40), 12)
    b.frustum((-5.4, -4.8, -0.3, 0.3), 2.4, (-5.7, -4.7, -0.7, 0.7), 3.2,
              STEEL)
    b.beam((-5.2, 0, 2.3), (-5.7, 0, 1.1), 0.4, 0.1, STEEL)
    cab(b, 0.1, colour, height=2.6)


def tractor(b: MeshBuilder, colour: Colour) -> None:
    """A semi-truck tractor without its trailer."""
    chassis(b, -3.6, 0.1, [-2.9, -1.9])
    b.box((-0.5, 0.1), (-1.15, 1.15), (0.8, 3.0), colour)
    b.cylinder((-0.75, 0.9, 0.9), (-0.75, 0.9, 3.1), 0.09, STEEL, 6)
    b.box((-2.9, -1.9), (-0.5, 0.5), (0.85, 1.05), STEEL)
    cab(b, 0.1, colour, height=3.0)


def city_bus(b: MeshBuilder, colour: Colour) -> None:
    """Draws the shape: city bus."""
    _bus(b, colour, b.rng.uniform(10.2, 11.8), front=True)


def bus_front(b: MeshBuilder, colour: Colour) -> None:
    """Draws the shape: bus front."""
    _bus(b, colour, 8.6, front=True)


def bus_rear(b: MeshBuilder, colour: Colour) -> None:
    """Draws the shape: bus rear."""
    _bus(b, colour, 7.6, front=False)
    b.box((3.8, 4.2), (-1.15, 1.15), (0.5, 2.9), DARK)


def _bus(b: MeshBuilder, colour: Colour, length: float, front: bool) -> None:
    x0, x1, half = -length / 2, length / 2, 1.27
    b.box((x0, x1), (-half, half), (0.35, 3.0), colour)
    b.frustum((x0, x1, -half, half), 3.0,
              (x0 + 0.2, x1 - 0.2, -half + 0.2, half - 0.2), 3.2, WHITE)
    count = int(length // 1.5)
    side_windows(b, (x0 + 0.3, x1 - 0.3), (1.35, 2.45), half, count)
    for axis, y in (("+y", half + 0.014), ("-y", -half - 0.014)):
        b.panel(axis, y, (x0, x1), (0.75, 0.95), WHITE)
    for x in (x1 - 2.0, x1 - length * 0.55):
        b.panel("-y", -half - 0.02, (x, x + 1.1), (0.45, 2.5), GLASS)
    if front:
        b.panel("+x", x1 + 0.012, (-1.1, 1.1), (1.2, 2.5), GLASS, WINDOW)
        b.panel("+x", x1 + 0.014, (-0.8, 0.8), (2.6, 2.9), AMBER, SIGNAL)
    b.panel("-x", x0 - 0.012, (-0.95, 0.95), (1.5, 2.4), GLASS, WINDOW)
    for x in (x0 + length * 0.24, x1 - length * 0.22):
        for side in (-1, 1):
            b.wheel(x, side * (half - 0.15), 0.5, 0.33)
    lights(b, x0, x1 if front else x1 - 0.3, 2.5, 0.55)


def box_trailer(b: MeshBuilder, colour: Colour) -> None:
    """Draws the shape: box trailer."""
    length = b.rng.uniform(8.5, 11.5)
    chassis(b, -length / 2, length / 2 - 2.0,
            [-length / 2 + 1.2, -length / 2 + 2.3])
    cargo_box(b, (-length / 2, length / 2), (0.98, 3.75), colour)
    b.box((length / 2 - 3.0, length / 2 - 2.8), (-0.7, -0.5), (0.0, 0.98),
          DARK)
    b.box((length / 2 - 3.0, length / 2 - 2.8), (0.5, 0.7), (0.0, 0.98),
          DARK)


def flatbed_trailer(b: MeshBuilder, colour: Colour) -> None:
    """Draws the shape: flatbed trailer."""
    chassis(b, -4.5, 3.0, [-3.6, -2.5])
    b.box((-4.6, 4.6), (-1.2, 1.2), (0.9, 1.1), colour)
    b.box((4.4, 4.6), (-1.2, 1.2), (1.1, 1.9), STEEL)
    b.box((2.1, 2.3), (-0.6, 0.6), (0.0, 0.9), DARK)
    load(b, (-4.2, 3.8), 1.1)


def utility_trailer(b: MeshBuilder, colour: Colour) -> None:
    """Draws the shape: utility trailer."""
    b.box((-1.3, 1.0), (-0.75, 0.75), (0.45, 0.55), DARK)
    for y in ((-0.78, -0.72), (0.72, 0.78)):
        b.box((-1.3, 1.0), y, (0.5, 0.95), colour)
    for x in ((-1.32, -1.25), (0.95, 1.02)):
        b.box(x, (-0.75, 0.75), (0.5, 0.95), colour)
    b.beam((1.0, 0.5, 0.5), (2.0, 0, 0.5), 0.08, 0.08, DARK)
    b.beam((1.0, -0.5, 0.5), (2.0, 0, 0.5), 0.08, 0.08, DARK)
    b.box((1.9, 1.98), (-0.04, 0.04), (0.0, 0.5), STEEL)
    for side in (-1, 1):
        b.wheel(-0.25, side * 0.88, 0.32, 0.18)
    b.panel("-x", -1.335, (0.5, 0.72), (0.6, 0.75), TAIL, SIGNAL)
    b.panel("-x", -1.335, (-0.72, -0.5), (0.6, 0.75), TAIL, SIGNAL)
    if b.rng.random() < 0.7:
        b.box((-1.1, 0.7), (-0.6, 0.6), (0.55, b.rng.uniform(0.9, 1.5)),
              (120, 118, 96))
