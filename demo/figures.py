"""People, two-wheelers, animals and small things on the road."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from demo.mesh import LAMP, SIGNAL, Colour, MeshBuilder

DARK: Colour = (36, 36, 40)
SKINS: tuple[Colour, ...] = (
    (224, 184, 154), (188, 140, 108), (140, 96, 70), (92, 62, 46))
TROUSERS: tuple[Colour, ...] = (
    (44, 50, 70), (30, 30, 34), (96, 84, 66), (60, 66, 60), (110, 110, 116))


def _pick(b: MeshBuilder, options: tuple[Colour, ...]) -> Colour:
    return options[int(b.rng.integers(len(options)))]


def _person(
    b: MeshBuilder,
    top: Colour,
    height: float = 1.75,
    stride: float = 0.0,
    at: tuple[float, float] = (0.0, 0.0),
    hair: Colour = (40, 32, 28),
    trousers: Colour | None = None,
) -> None:
    """An upright figure; ``stride`` is half the step length (m)."""
    k = height / 1.75
    x, y = at
    legs = _pick(b, TROUSERS) if trousers is None else trousers
    skin = _pick(b, SKINS)
    for side, step in ((-1, stride), (1, -stride)):
        hip = (x, y + side * 0.1 * k, 0.85 * k)
        knee = (x + step * 0.6, y + side * 0.1 * k, 0.45 * k)
        foot = (x + step, y + side * 0.1 * k, 0.04 * k)
        b.beam(knee, hip, 0.16 * k, 0.17 * k, legs)
        b.beam(foot, knee, 0.12 * k, 0.13 * k, legs)
        b.box((foot[0] - 0.08 * k, foot[0] + 0.16 * k),
              (foot[1] - 0.05 * k, foot[1] + 0.05 * k), (0.0, 0.08 * k),
              DARK)
        shoulder = (x, y + side * 0.24 * k, 1.4 * k)
        hand = (x - step * 0.8 + 0.08 * k, y + side * 0.3 * k, 0.85 * k)
        b.beam(hand, shoulder, 0.1 * k, 0.11 * k, top)
        b.blob(hand, (0.05 * k, 0.05 * k, 0.06 * k), skin, 3, 5)
    b.frustum((x - 0.13 * k, x + 0.13 * k, y - 0.18 * k, y + 0.18 * k),
              0.8 * k,
              (x - 0.12 * k, x + 0.12 * k, y - 0.22 * k, y + 0.22 * k),
              1.45 * k, top)
    b.blob((x, y, 1.6 * k), (0.11 * k, 0.09 * k, 0.14 * k), skin, 4, 8)
    b.blob((x - 0.025 * k, y, 1.65 * k), (0.115 * k, 0.1 * k, 0.1 * k), hair,
           3, 8)


def adult_standing(b: MeshBuilder, colour: Colour) -> None:
    """Draws the shape: adult standing."""
    _person(b, colour, b.rng.uniform(1.6, 1.9), 0.03)


def adult_walking(b: MeshBuilder, colour: Colour) -> None:
    """Draws the shape: adult walking."""
    _person(b, colour, b.rng.uniform(1.6, 1.9), b.rng.uniform(0.2, 0.36))
    if b.rng.random() < 0.35:
        b.box((-0.3, -0.14), (-0.16, 0.16), (1.0, 1.4),
              (60, 70, 110))


def adult_umbrella(b: MeshBuilder, colour: Colour) -> None:
    """Draws the shape: adult umbrella."""
    _person(b, _pick(b, TROUSERS), b.rng.uniform(1.6, 1.8), 0.15)
    b.cylinder((0.15, 0.1, 1.2), (0.15, 0.1, 2.1), 0.015, DARK, 5)
    b.cylinder((0.15, 0.1, 1.88), (0.15, 0.1, 2.18), 0.58, colour, 8, 0.03)


def child(b: MeshBuilder, colour: Colour) -> None:
    """Draws the shape: child."""
    _person(b, colour, b.rng.uniform(1.0, 1.35), b.rng.uniform(0.05, 0.2))


def worker(b: MeshBuilder, colour: Colour) -> None:
    """A worker in a warning vest with a helmet."""
    _person(b, colour, 1.75, b.rng.uniform(0.02, 0.2), hair=(240, 220, 60))
    for z in (0.95, 1.15):
        b.box((-0.14, 0.14), (-0.22, 0.22), (z, z + 0.07), (225, 228, 215))
    b.cylinder((0, 0, 1.68), (0, 0, 1.72), 0.16, (240, 220, 60), 8)


def police_officer(b: MeshBuilder, colour: Colour) -> None:
    """Draws the shape: police officer."""
    navy: Colour = (26, 34, 66)
    _person(b, navy, 1.8, 0.06, hair=navy, trousers=navy)
    b.cylinder((0, 0, 1.73), (0, 0, 1.8), 0.15, navy, 8)
    b.box((-0.15, 0.15), (-0.23, 0.23), (1.2, 1.28), (220, 225, 90))


def stroller(b: MeshBuilder, colour: Colour) -> None:
    """Draws the shape: stroller."""
    b.frustum((-0.25, 0.35, -0.22, 0.22), 0.45,
              (-0.35, 0.45, -0.26, 0.26), 0.78, colour)
    b.blob((-0.12, 0, 0.85), (0.28, 0.25, 0.24), colour)
    b.beam((-0.3, 0.2, 0.5), (-0.75, 0.2, 1.0), 0.04, 0.04, DARK)
    b.beam((-0.3, -0.2, 0.5), (-0.75, -0.2, 1.0), 0.04, 0.04, DARK)
    b.beam((-0.75, -0.22, 1.0), (-0.75, 0.22, 1.0), 0.05, 0.05, DARK)
    for x in (-0.35, 0.35):
        for y in (-0.24, 0.24):
            b.wheel(x, y, 0.14, 0.05)
            b.beam((x, y, 0.14), (0, y, 0.5), 0.03, 0.03, DARK)


def wheelchair(b: MeshBuilder, colour: Colour) -> None:
    """Draws the shape: wheelchair."""
    skin = _pick(b, SKINS)
    for side in (-1, 1):
        b.wheel(-0.15, side * 0.3, 0.3, 0.05, (70, 72, 76))
        b.wheel(0.4, side * 0.24, 0.1, 0.05)
        leg = _pick(b, TROUSERS)
        b.beam((0.0, side * 0.11, 0.56), (0.42, side * 0.11, 0.56), 0.15,
               0.15, leg)
        b.beam((0.42, side * 0.11, 0.56), (0.5, side * 0.11, 0.14), 0.12,
               0.12, leg)
        b.beam((-0.08, side * 0.24, 1.05), (0.2, side * 0.26, 0.7), 0.1, 0.1,
               colour)
    b.box((-0.25, 0.25), (-0.24, 0.24), (0.44, 0.52), DARK)
    b.box((-0.3, -0.22), (-0.24, 0.24), (0.5, 1.0), DARK)
    b.frustum((-0.2, 0.06, -0.18, 0.18), 0.52, (-0.2, 0.02, -0.22, 0.22),
              1.12, colour)
    b.blob((-0.06, 0, 1.27), (0.11, 0.1, 0.14), skin)


def kick_scooter(b: MeshBuilder, colour: Colour) -> None:
    """A stand-up scooter with its rider (personal mobility)."""
    _person(b, colour, 1.72, 0.1)
    b.box((-0.4, 0.5), (-0.08, 0.08), (0.08, 0.13), DARK)
    b.beam((0.5, 0, 0.1), (0.4, 0, 1.1), 0.05, 0.05, DARK)
    b.beam((0.4, -0.25, 1.1), (0.4, 0.25, 1.1), 0.04, 0.04, DARK)
    for x in (-0.42, 0.5):
        b.wheel(x, 0, 0.11, 0.06)


def _seated(b: MeshBuilder, colour: Colour, seat: float, reach: float,
            lean: float, helmet: Colour | None) -> None:
    """A rider: hips at (0, seat height), hands ``reach`` ahead."""
    legs = _pick(b, TROUSERS)
    neck = (lean, 0.0, seat + 0.55)
    for side, turn in ((-1, 0.12), (1, -0.08)):
        knee = (0.35, side * 0.14, seat - 0.3 + turn)
        b.beam((0, side * 0.1, seat), knee, 0.15, 0.16, legs)
        b.beam(knee, (0.18 + turn, side * 0.12, seat - 0.65 + turn), 0.12,
               0.12, legs)
        b.beam((neck[0], side * 0.2, neck[2] - 0.05),
               (reach, side * 0.22, seat + 0.12), 0.09, 0.1, colour)
    b.beam((-0.05, 0, seat - 0.05), neck, 0.36, 0.24, colour)
    head = _pick(b, SKINS) if helmet is None else helmet
    b.blob((neck[0] + 0.06, 0, neck[2] + 0.16), (0.13, 0.11, 0.15), head)


def _ring_wheel(b: MeshBuilder, x: float, radius: float) -> None:
    """A spoked wheel: a thin rim of short bars."""
    angle = np.linspace(0, 2 * np.pi, 13)
    for a, c in pairwise(angle):
        start = (x + radius * np.cos(a), 0.0, radius * (1 + np.sin(a)))
        end = (x + radius * np.cos(c), 0.0, radius * (1 + np.sin(c)))
        b.beam(start, end, 0.045, 0.05, (30, 30, 32))
    for a in angle[:-1:3]:
        b.beam((x, 0, radius),
               (x + radius * np.cos(a), 0, radius * (1 + np.sin(a))),
               0.02, 0.02, (150, 150, 154))


def bicycle(b: MeshBuilder, colour: Colour, rider: bool = False) -> None:
    """Draws the shape: bicycle."""
    _ring_wheel(b, -0.52, 0.34)
    _ring_wheel(b, 0.54, 0.34)
    joints = {
        "rear": (-0.52, 0.0, 0.34), "pedal": (-0.06, 0.0, 0.3),
        "seat": (-0.2, 0.0, 0.88), "head": (0.36, 0.0, 0.86),
        "front": (0.54, 0.0, 0.34)}
    for a, c in (("rear", "pedal"), ("rear", "seat"), ("seat", "pedal"),
                 ("pedal", "head"), ("seat", "head"), ("head", "front")):
        b.beam(joints[a], joints[c], 0.05, 0.055, colour)
    b.beam((0.36, 0, 0.86), (0.32, 0, 1.05), 0.04, 0.04, DARK)
    b.beam((0.34, -0.27, 1.05), (0.34, 0.27, 1.05), 0.04, 0.04, DARK)
    b.box((-0.34, -0.08), (-0.07, 0.07), (0.9, 0.97), DARK)
    if rider:
        top = (b.rng.uniform(30, 220), b.rng.uniform(30, 220),
               b.rng.uniform(30, 220))
        _mount(b, top, -0.2, 1.0, 0.55, 0.25)


def cargo_bicycle(b: MeshBuilder, colour: Colour,
                  rider: bool = False) -> None:
    """A bicycle with a transport box before the handlebar."""
    bicycle(b, (50, 52, 56), rider)
    b.frustum((0.5, 1.05, -0.28, 0.28), 0.45, (0.42, 1.15, -0.34, 0.34), 0.95,
              colour)
    _ring_wheel(b, 1.2, 0.25)


def _mount(b: MeshBuilder, top: Colour, x: float, seat: float, reach: float,
           lean: float, helmet: Colour | None = None) -> None:
    first = len(b._verts)
    _seated(b, top, seat, reach, lean, helmet)
    for verts in b._verts[first:]:
        verts[:, 0] += x


def motorbike(b: MeshBuilder, colour: Colour, rider: bool = False) -> None:
    """Draws the shape: motorbike."""
    b.wheel(-0.68, 0, 0.32, 0.17)
    b.wheel(0.72, 0, 0.32, 0.14)
    b.box((-0.3, 0.3), (-0.16, 0.16), (0.25, 0.62), (70, 70, 74))
    b.blob((0.16, 0, 0.82), (0.38, 0.17, 0.17), colour)
    b.frustum((-0.95, -0.1, -0.13, 0.13), 0.72, (-0.95, -0.15, -0.11, 0.11),
              0.84, DARK)
    b.frustum((-1.05, -0.6, -0.1, 0.1), 0.62, (-1.0, -0.6, -0.1, 0.1), 0.76,
              colour)
    b.beam((0.72, 0, 0.32), (0.45, 0, 1.0), 0.12, 0.08, (140, 140, 144))
    b.blob((0.62, 0, 0.9), (0.15, 0.17, 0.17), colour)
    b.beam((0.42, -0.34, 1.04), (0.42, 0.34, 1.04), 0.05, 0.05, DARK)
    b.cylinder((-0.2, -0.2, 0.35), (-0.9, -0.2, 0.42), 0.07,
               (150, 150, 154), 6)
    b.panel("+x", 0.78, (-0.08, 0.08), (0.84, 0.98), (245, 240, 215), LAMP)
    b.panel("-x", -1.06, (-0.07, 0.07), (0.64, 0.74), (200, 30, 26), SIGNAL)
    if rider:
        _mount(b, (40, 42, 48), -0.35, 0.9, 0.75, 0.2,
               (b.rng.uniform(30, 220), b.rng.uniform(30, 220), 60))


def scooter(b: MeshBuilder, colour: Colour, rider: bool = False) -> None:
    """Draws the shape: scooter."""
    b.wheel(-0.6, 0, 0.23, 0.13)
    b.wheel(0.6, 0, 0.23, 0.12)
    b.box((-0.2, 0.4), (-0.16, 0.16), (0.24, 0.33), colour)
    b.frustum((-0.85, -0.15, -0.18, 0.18), 0.35, (-0.8, -0.2, -0.14, 0.14),
              0.72, colour)
    b.box((-0.82, -0.1), (-0.14, 0.14), (0.72, 0.82), DARK)
    b.beam((0.5, 0, 0.25), (0.34, 0, 0.95), 0.34, 0.1, colour)
    b.beam((0.32, -0.3, 1.02), (0.32, 0.3, 1.02), 0.05, 0.05, DARK)
    b.blob((0.38, 0, 1.0), (0.11, 0.12, 0.11), colour)
    b.panel("+x", 0.5, (-0.07, 0.07), (0.94, 1.06), (245, 240, 215), LAMP)
    b.panel("-x", -0.862, (-0.1, 0.1), (0.5, 0.6), (200, 30, 26), SIGNAL)
    if b.rng.random() < 0.4:
        b.box((-1.05, -0.65), (-0.22, 0.22), (0.85, 1.25), colour)
    if rider:
        _mount(b, (b.rng.uniform(40, 200), 70, 90), -0.35, 0.88, 0.65, 0.08,
               (225, 225, 225))


def dog(b: MeshBuilder, colour: Colour) -> None:
    """Draws the shape: dog."""
    k = b.rng.uniform(0.8, 1.25)
    b.blob((0, 0, 0.45 * k), (0.4 * k, 0.15 * k, 0.16 * k), colour)
    b.blob((0.45 * k, 0, 0.62 * k), (0.15 * k, 0.1 * k, 0.11 * k), colour)
    b.beam((0.5 * k, 0, 0.6 * k), (0.7 * k, 0, 0.56 * k), 0.09 * k, 0.09 * k,
           colour)
    b.beam((0.3 * k, 0, 0.5 * k), (0.45 * k, 0, 0.62 * k), 0.13 * k,
           0.14 * k, colour)
    for y in (-0.07, 0.07):
        b.beam((0.38 * k, y, 0.7 * k), (0.36 * k, y * 1.4, 0.78 * k), 0.05,
               0.05, colour)
        for x in (-0.28, 0.28):
            b.beam((x * k, y * 1.3 * k, 0.4 * k),
                   ((x + b.rng.uniform(-0.1, 0.1)) * k, y * 1.3 * k, 0),
                   0.07 * k, 0.07 * k, colour)
    b.beam((-0.38 * k, 0, 0.5 * k), (-0.62 * k, 0, 0.72 * k), 0.05, 0.05,
           colour)


def deer(b: MeshBuilder, colour: Colour) -> None:
    """Draws the shape: deer."""
    b.blob((0, 0, 1.0), (0.62, 0.24, 0.27), colour)
    b.beam((0.5, 0, 1.1), (0.82, 0, 1.55), 0.18, 0.22, colour)
    b.blob((0.92, 0, 1.62), (0.2, 0.1, 0.11), colour)
    for y in (-0.13, 0.13):
        for x in (-0.42, 0.42):
            b.beam((x, y, 0.95), (x + b.rng.uniform(-0.12, 0.12), y, 0.0),
                   0.08, 0.09, colour)
        b.beam((0.86, y * 0.5, 1.68), (0.7, y * 2.0, 2.0), 0.04, 0.04,
               (196, 176, 140))
        b.beam((0.78, y * 1.3, 1.85), (0.95, y * 2.0, 2.0), 0.03, 0.03,
               (196, 176, 140))
    b.blob((-0.62, 0, 1.1), (0.08, 0.07, 0.12), (230, 226, 214))


def tyre(b: MeshBuilder, colour: Colour) -> None:
    """Draws the shape: tyre."""
    b.cylinder((0, 0, 0), (0, 0, 0.26), 0.42, (30, 30, 32), 12,
               cap=(54, 54, 56))
    b.cylinder((0, 0, 0.2), (0, 0, 0.275), 0.22, (90, 84, 76), 10)


def cardboard(b: MeshBuilder, colour: Colour) -> None:
    """Draws the shape: cardboard."""
    for _ in range(int(b.rng.integers(1, 4))):
        x, y = b.rng.uniform(-0.5, 0.5, 2)
        w, d, h = b.rng.uniform(0.3, 0.7, 3)
        b.box((x - w / 2, x + w / 2), (y - d / 2, y + d / 2), (0, h),
              (176, 138, 92))
        b.panel("+z", h + 0.01, (x - 0.04, x + 0.04), (y - d / 2, y + d / 2),
                (206, 176, 128))


def planks(b: MeshBuilder, colour: Colour) -> None:
    """Draws the shape: planks."""
    for i in range(int(b.rng.integers(3, 6))):
        turn = b.rng.uniform(-0.5, 0.5)
        mid = b.rng.uniform(-0.3, 0.3, 2)
        dx, dy = np.cos(turn) * 0.9, np.sin(turn) * 0.9
        z = 0.06 + 0.08 * i
        b.beam((mid[0] - dx, mid[1] - dy, z), (mid[0] + dx, mid[1] + dy, z),
               0.22, 0.07, (164, 124, 78))


def garbage_bin(b: MeshBuilder, colour: Colour) -> None:
    """Draws the shape: garbage bin."""
    b.frustum((-0.25, 0.25, -0.25, 0.25), 0.08, (-0.32, 0.3, -0.3, 0.3), 0.95,
              colour)
    b.frustum((-0.36, 0.33, -0.32, 0.32), 0.95, (-0.34, 0.25, -0.28, 0.28),
              1.06, DARK)
    for side in (-1, 1):
        b.wheel(-0.26, side * 0.2, 0.1, 0.06)


def shopping_cart(b: MeshBuilder, colour: Colour) -> None:
    """Draws the shape: shopping cart."""
    grey: Colour = (150, 153, 158)
    b.frustum((-0.35, 0.4, -0.22, 0.22), 0.45, (-0.45, 0.5, -0.28, 0.28),
              0.95, grey)
    b.box((-0.3, 0.35), (-0.2, 0.2), (0.9, 1.05), colour)
    b.beam((-0.62, -0.27, 1.0), (-0.62, 0.27, 1.0), 0.05, 0.05, (190, 40, 36))
    for y in (-0.2, 0.2):
        b.beam((-0.4, y, 0.9), (-0.62, y, 1.0), 0.04, 0.04, grey)
        for x in (-0.35, 0.4):
            b.beam((x, y, 0.5), (x, y, 0.1), 0.03, 0.03, grey)
            b.wheel(x, y, 0.08, 0.04)


def bicycle_rack(b: MeshBuilder, colour: Colour) -> None:
    """A row of hoops with a few bicycles in it."""
    grey: Colour = (140, 144, 148)
    for i in range(4):
        y = (i - 1.5) * 0.75
        b.beam((-0.4, y, 0), (-0.4, y, 0.8), 0.05, 0.05, grey)
        b.beam((0.4, y, 0), (0.4, y, 0.8), 0.05, 0.05, grey)
        b.beam((-0.4, y, 0.8), (0.4, y, 0.8), 0.05, 0.05, grey)
        if b.rng.random() < 0.7:
            first = len(b._verts)
            bicycle(b, tuple(b.rng.uniform(30, 200, 3)))
            for verts in b._verts[first:]:
                verts[:, 1] += y + 0.2
