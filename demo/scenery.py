"""What stands around and is never annotated: the street and its decoys."""

from __future__ import annotations

import numpy as np

from demo.mesh import LAMP, WINDOW, Colour, MeshBuilder

DARK: Colour = (50, 50, 54)
STEEL: Colour = (128, 131, 134)
GLASS: Colour = (70, 84, 98)
FACADES: tuple[Colour, ...] = (
    (176, 152, 128), (150, 96, 78), (190, 184, 170), (128, 130, 136),
    (206, 190, 150), (112, 92, 84), (160, 166, 160), (196, 140, 96),
    (200, 176, 90), (92, 104, 120))


def building(b: MeshBuilder, colour: Colour) -> None:
    """A house front; its long side lies along x and both sides look alike."""
    rng = b.rng
    length, depth = rng.uniform(9, 18), rng.uniform(7, 10)
    storeys = int(rng.integers(2, 6))
    rise = rng.uniform(2.9, 3.4)
    height = storeys * rise + rng.uniform(0.4, 1.2)
    wall = FACADES[int(rng.integers(len(FACADES)))]
    x, y = (-length / 2, length / 2), (-depth / 2, depth / 2)
    b.box(x, y, (0, height), wall)
    trim = tuple(c * 0.72 for c in wall)
    edge = (trim[0], trim[1], trim[2])
    b.box((x[0] - 0.2, x[1] + 0.2), (y[0] - 0.2, y[1] + 0.2),
          (height, height + 0.35), edge)
    count = int(length // rng.uniform(1.9, 3.2))
    wide = rng.uniform(0.45, 0.8)
    shop = rng.random() < 0.55
    awning = (rng.uniform(40, 220), rng.uniform(30, 180), rng.uniform(30, 120))
    for axis, at in (("+y", y[1] + 0.03), ("-y", y[0] - 0.03)):
        out = 1.0 if axis == "+y" else -1.0
        for level in range(storeys):
            z = level * rise
            if level == 0 and shop:
                for left in np.arange(x[0] + 0.5, x[1] - 2.5, 3.2):
                    b.panel(axis, at, (left, left + 2.5), (0.4, 2.4), GLASS,
                            WINDOW)
                span = sorted((at, at + out * 0.9))
                b.box((x[0] + 0.4, x[1] - 0.4), (span[0], span[1]),
                      (2.45, 2.75), awning)
                continue
            step = length / count
            for i in range(count):
                left = x[0] + (i + 0.5 - wide / 2) * step
                b.panel(axis, at, (left, left + wide * step),
                        (z + 0.9, z + rise - 0.5), GLASS, WINDOW)
    for axis, at in (("+x", x[1] + 0.03), ("-x", x[0] - 0.03)):
        for level in range(storeys):
            z = level * rise
            for left in np.arange(y[0] + 1.2, y[1] - 1.6, 3.0):
                b.panel(axis, at, (left, left + 1.2), (z + 1.0, z + 2.3),
                        GLASS, WINDOW)


def tree(b: MeshBuilder, colour: Colour) -> None:
    """Draws the shape: tree."""
    rng = b.rng
    height = rng.uniform(4.0, 7.5)
    b.jitter = 9.0
    green = (rng.uniform(48, 92), rng.uniform(88, 128), rng.uniform(36, 60))
    if rng.random() < 0.18:
        green = (rng.uniform(150, 190), rng.uniform(95, 130), 44)
    b.cylinder((0, 0, 0), (0, 0, height * 0.6), 0.16, (88, 66, 48), 6, 0.1)
    for _ in range(int(rng.integers(4, 7))):
        r = rng.uniform(0.7, 1.3) * height / 6
        x, y = rng.uniform(-0.9, 0.9, 2) * height / 6
        b.blob((x, y, height * rng.uniform(0.55, 0.85)), (r, r, r * 0.85),
               green, 5, 8, 0.16)


def hedge(b: MeshBuilder, colour: Colour) -> None:
    """Draws the shape: hedge."""
    b.jitter = 8.0
    length = b.rng.uniform(2.5, 6)
    green = (b.rng.uniform(44, 76), b.rng.uniform(82, 110), 44)
    for x in np.arange(-length / 2, length / 2, 0.6):
        b.blob((x, 0, 0.5), (0.55, 0.45, 0.6), green, 3, 7, 0.12)


def street_lamp(b: MeshBuilder, colour: Colour) -> None:
    """A lamp post whose arm reaches out along +x."""
    b.cylinder((0, 0, 0), (0, 0, 6.6), 0.08, STEEL, 6, 0.05)
    b.beam((0, 0, 6.6), (1.6, 0, 6.8), 0.07, 0.07, STEEL)
    b.box((1.2, 1.9), (-0.12, 0.12), (6.74, 6.84), STEEL)
    b.panel("-z", 6.73, (1.2, 1.9), (-0.12, 0.12), (255, 232, 180), LAMP)


def sign(b: MeshBuilder, colour: Colour) -> None:
    """A traffic sign that looks along -x."""
    b.cylinder((0, 0, 0), (0, 0, 2.5), 0.035, STEEL, 5)
    kind = int(b.rng.integers(4))
    if kind == 0:
        b.cylinder((-0.05, 0, 2.3), (-0.03, 0, 2.3), 0.33, (200, 36, 32), 12)
        b.cylinder((-0.07, 0, 2.3), (-0.06, 0, 2.3), 0.23, (236, 236, 232),
                   12)
    elif kind == 1:
        b.box((-0.05, -0.03), (-0.3, 0.3), (2.0, 2.6), (30, 70, 170))
        b.panel("-x", -0.06, (-0.08, 0.08), (2.1, 2.5), (236, 236, 232))
    elif kind == 2:
        points = [[-0.05, -0.36, 2.0], [-0.05, 0.36, 2.0], [-0.05, 0, 2.62]]
        b.face(np.array(points), (236, 190, 40), np.array([0.5, 0, 2.2]))
        b.face(np.array(points), (120, 120, 124), np.array([-0.9, 0, 2.2]))
    else:
        b.cylinder((-0.05, 0, 2.3), (-0.03, 0, 2.3), 0.33, (190, 30, 30), 8)
        b.panel("-x", -0.06, (-0.2, 0.2), (2.24, 2.36), (236, 236, 232))


def traffic_light(b: MeshBuilder, colour: Colour) -> None:
    """Signals that look along -x."""
    b.cylinder((0, 0, 0), (0, 0, 3.4), 0.07, DARK, 6)
    b.box((-0.16, 0.16), (-0.17, 0.17), (2.5, 3.4), (30, 32, 32))
    lit = int(b.rng.integers(2)) * 2
    for i, rgb in enumerate(((40, 220, 90), (240, 180, 40), (240, 40, 30))):
        on = i == lit
        tone = rgb if on else tuple(c * 0.22 for c in rgb)
        z = 2.56 + i * 0.29
        b.panel("-x", -0.175, (-0.1, 0.1), (z, z + 0.2),
                (tone[0], tone[1], tone[2]), LAMP if on else 0)


def kiosk(b: MeshBuilder, colour: Colour) -> None:
    """A booth in a vehicle's colours: easily taken for a van or truck."""
    length = b.rng.uniform(2.4, 4.4)
    x, y = (-length / 2, length / 2), (-1.05, 1.05)
    b.box(x, y, (0, 2.4), colour)
    b.box((x[0] - 0.2, x[1] + 0.2), (-1.25, 1.25), (2.4, 2.6), (224, 222, 216))
    for axis, at in (("+y", 1.065), ("-y", -1.065)):
        b.panel(axis, at, (x[0] + 0.3, x[1] - 0.3), (1.1, 1.95), GLASS,
                WINDOW)
        b.panel(axis, at, (x[0] + 0.1, x[1] - 0.1), (2.05, 2.35),
                (240, 236, 220))


def dumpster(b: MeshBuilder, colour: Colour) -> None:
    """Draws the shape: dumpster."""
    b.frustum((-1.6, 1.6, -0.75, 0.75), 0.1, (-2.1, 2.1, -0.95, 0.95), 1.3,
              colour)
    for x in (-1.2, 0.0, 1.2):
        for y in (-0.9, 0.9):
            b.beam((x, y * 0.86, 0.15), (x, y * 1.05, 1.28), 0.1, 0.1, DARK)
    if b.rng.random() < 0.7:
        b.blob((0, 0, 1.25), (1.6, 0.7, 0.4), (120, 104, 88), rough=0.15)


def container(b: MeshBuilder, colour: Colour) -> None:
    """A shipping container standing on the ground."""
    length = 6.0 if b.rng.random() < 0.6 else 3.0
    x = (-length / 2, length / 2)
    b.box(x, (-1.2, 1.2), (0.05, 2.6), colour)
    tone = tuple(c * 0.8 for c in colour)
    rib = (tone[0], tone[1], tone[2])
    for axis, at in (("+y", 1.213), ("-y", -1.213)):
        for left in np.arange(x[0] + 0.2, x[1] - 0.2, 0.5):
            b.panel(axis, at, (left, left + 0.2), (0.15, 2.5), rib)
    b.panel("-x", x[0] - 0.012, (-0.03, 0.03), (0.15, 2.5), rib)


def billboard(b: MeshBuilder, colour: Colour) -> None:
    """A poster that looks along -x, some with a painted vehicle."""
    for y in (-1.3, 1.3):
        b.cylinder((0, y, 0), (0, y, 1.2), 0.06, STEEL, 5)
    b.box((-0.08, 0.08), (-1.7, 1.7), (0.9, 3.0), (232, 228, 216))
    b.panel("-x", -0.09, (-1.6, 1.6), (1.0, 2.9), (170, 200, 220))
    b.panel("-x", -0.10, (-1.1, 1.0), (1.25, 1.8), colour)
    b.panel("-x", -0.10, (-0.6, 0.5), (1.8, 2.2), colour)
    b.panel("-x", -0.11, (-0.45, 0.35), (1.82, 2.1), (60, 70, 84))
    for y in (-0.8, 0.6):
        b.panel("-x", -0.11, (y - 0.18, y + 0.18), (1.1, 1.42), (30, 30, 32))


def statue(b: MeshBuilder, colour: Colour) -> None:
    """A stone figure on a plinth."""
    stone: Colour = (150, 150, 142)
    b.box((-0.4, 0.4), (-0.4, 0.4), (0, 0.9), (128, 126, 120))
    for y in (-0.1, 0.1):
        b.beam((0, y, 0.9), (0, y, 1.7), 0.16, 0.17, stone)
    b.beam((0, 0, 1.65), (0, 0, 2.3), 0.4, 0.26, stone)
    b.blob((0, 0, 2.5), (0.13, 0.12, 0.16), stone)


def bus_shelter(b: MeshBuilder, colour: Colour) -> None:
    """Draws the shape: bus shelter."""
    b.box((-2.0, 2.0), (-0.75, 0.75), (2.35, 2.5), DARK)
    for x in (-1.9, 1.9):
        b.beam((x, 0.65, 0), (x, 0.65, 2.4), 0.08, 0.08, STEEL)
    b.box((-1.9, 1.9), (0.62, 0.66), (0.4, 2.2), (126, 146, 156))
    b.box((1.86, 1.92), (-0.6, 0.62), (0.3, 2.1), (200, 90, 120))
    b.box((-1.4, 0.9), (0.2, 0.55), (0.42, 0.5), (120, 92, 60))


def post_box(b: MeshBuilder, colour: Colour) -> None:
    """Draws the shape: post box."""
    b.box((-0.22, 0.22), (-0.28, 0.28), (0.5, 1.25), colour)
    b.box((-0.06, 0.06), (-0.06, 0.06), (0, 0.5), DARK)


def bollard(b: MeshBuilder, colour: Colour) -> None:
    """Draws the shape: bollard."""
    b.cylinder((0, 0, 0), (0, 0, 0.85), 0.09, DARK, 7)
    b.cylinder((0, 0, 0.6), (0, 0, 0.75), 0.1, colour, 7)


def bench(b: MeshBuilder, colour: Colour) -> None:
    """Draws the shape: bench."""
    b.box((-0.9, 0.9), (-0.25, 0.25), (0.42, 0.48), (128, 92, 58))
    b.box((-0.9, 0.9), (0.2, 0.27), (0.5, 0.92), (128, 92, 58))
    for x in (-0.75, 0.75):
        b.box((x - 0.05, x + 0.05), (-0.22, 0.25), (0, 0.42), DARK)


def dirt_heap(b: MeshBuilder, colour: Colour) -> None:
    """Draws the shape: dirt heap."""
    k = b.rng.uniform(0.6, 1.5)
    b.jitter = 6.0
    b.cylinder((0, 0, 0), (0, 0, 1.2 * k), 1.8 * k, (126, 100, 70), 9, 0.4)
