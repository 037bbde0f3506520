"""The catalogue: every shape with its nuScenes category and colours."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np

from demo import figures, machines, scenery, trucks, vehicles
from demo.mesh import Colour, Mesh, MeshBuilder

COLOURS: dict[str, Colour] = {
    "white": (224, 225, 224),
    "silver": (174, 178, 183),
    "grey": (112, 115, 119),
    "black": (42, 43, 47),
    "blue": (42, 76, 146),
    "red": (174, 36, 34),
    "yellow": (232, 178, 32),
    "orange": (226, 116, 30),
    "green": (54, 112, 62),
    "brown": (112, 76, 48),
    "beige": (202, 182, 142),
    "pink": (206, 104, 136),
    "purple": (98, 60, 120),
}
CAR = ("white", "silver", "grey", "black", "blue", "red", "white", "black",
       "grey", "green", "brown", "beige", "orange", "yellow")
WORK = ("white", "white", "red", "blue", "yellow", "orange", "green", "grey")
SITE = ("yellow", "yellow", "yellow", "orange", "orange", "red", "green",
        "white")
CLOTHES = ("white", "grey", "black", "blue", "red", "yellow", "orange",
           "green", "brown", "beige", "pink", "purple")
VEST = ("orange", "yellow", "orange")
FUR = ("brown", "black", "beige", "white", "grey")
STRIPES = ("red", "orange", "red")
TOYS = ("red", "orange", "white", "blue", "yellow", "green", "black")

Builder = Callable[[MeshBuilder, Colour], None]


@dataclass(frozen=True)
class Kind:
    """One entry of the catalogue.

    Attributes:
        build: Draws the shape into a builder.
        category: nuScenes category; "" for scenery, never annotated.
        palette: Names of the colours it comes in.
        slot: Where it belongs: "lane", "cycle", "walk", "site", "road" ...
        cycle: True if it can carry a rider.
    """

    build: Callable[..., None]
    category: str
    palette: tuple[str, ...]
    slot: str
    cycle: bool = False


@dataclass(frozen=True)
class Shape:
    """A built shape: its mesh and what is known about it."""

    name: str
    category: str
    colour: str
    rider: bool
    mesh: Mesh


_F, _M, _S, _T, _V = figures, machines, scenery, trucks, vehicles
KINDS: dict[str, Kind] = {
    "sedan": Kind(_V.sedan, "vehicle.car", CAR, "lane"),
    "hatchback": Kind(_V.hatchback, "vehicle.car", CAR, "lane"),
    "suv": Kind(_V.suv, "vehicle.car", CAR, "lane"),
    "van": Kind(_V.van, "vehicle.car", CAR, "lane"),
    "pickup": Kind(_V.pickup, "vehicle.truck", CAR, "lane"),
    "box truck": Kind(_T.box_truck, "vehicle.truck", WORK, "lane"),
    "dump truck": Kind(_T.dump_truck, "vehicle.truck", WORK, "lane"),
    "tanker": Kind(_T.tanker, "vehicle.truck", WORK, "lane"),
    "flatbed truck": Kind(_T.flatbed_truck, "vehicle.truck", WORK, "lane"),
    "cement mixer": Kind(_T.cement_mixer, "vehicle.truck", WORK, "lane"),
    "semi truck": Kind(_T.tractor, "vehicle.truck", WORK, "lane"),
    "city bus": Kind(_T.city_bus, "vehicle.bus.rigid", WORK, "lane"),
    "articulated bus": Kind(_T.bus_front, "vehicle.bus.bendy", WORK, "lane"),
    "articulated bus rear": Kind(
        _T.bus_rear, "vehicle.bus.bendy", WORK, "tow"),
    "box trailer": Kind(_T.box_trailer, "vehicle.trailer", WORK, "tow"),
    "flatbed trailer": Kind(
        _T.flatbed_trailer, "vehicle.trailer", WORK, "tow"),
    "utility trailer": Kind(
        _T.utility_trailer, "vehicle.trailer", WORK, "tow"),
    "police car": Kind(
        _V.police_car, "vehicle.emergency.police", ("white",), "lane"),
    "ambulance": Kind(
        _V.ambulance, "vehicle.emergency.ambulance", ("white",), "lane"),
    "excavator": Kind(_M.excavator, "vehicle.construction", SITE, "site"),
    "bulldozer": Kind(_M.bulldozer, "vehicle.construction", SITE, "site"),
    "wheel loader": Kind(
        _M.wheel_loader, "vehicle.construction", SITE, "site"),
    "mobile crane": Kind(
        _M.mobile_crane, "vehicle.construction", SITE, "site"),
    "forklift": Kind(_M.forklift, "vehicle.construction", SITE, "site"),
    "road roller": Kind(_M.road_roller, "vehicle.construction", SITE, "site"),
    "adult standing": Kind(
        _F.adult_standing, "human.pedestrian.adult", CLOTHES, "walk"),
    "adult walking": Kind(
        _F.adult_walking, "human.pedestrian.adult", CLOTHES, "walk"),
    "adult with umbrella": Kind(
        _F.adult_umbrella, "human.pedestrian.adult", CLOTHES, "walk"),
    "child": Kind(_F.child, "human.pedestrian.child", CLOTHES, "walk"),
    "construction worker": Kind(
        _F.worker, "human.pedestrian.construction_worker", VEST, "crew"),
    "police officer": Kind(
        _F.police_officer, "human.pedestrian.police_officer", ("blue",),
        "walk"),
    "stroller": Kind(
        _F.stroller, "human.pedestrian.stroller", CLOTHES, "walk"),
    "wheelchair": Kind(
        _F.wheelchair, "human.pedestrian.wheelchair", CLOTHES, "walk"),
    "kick scooter": Kind(
        _F.kick_scooter, "human.pedestrian.personal_mobility", CLOTHES,
        "cycle"),
    "bicycle": Kind(_F.bicycle, "vehicle.bicycle", TOYS, "cycle", True),
    "cargo bicycle": Kind(
        _F.cargo_bicycle, "vehicle.bicycle", TOYS, "cycle", True),
    "motorbike": Kind(_F.motorbike, "vehicle.motorcycle", TOYS, "cycle",
                      True),
    "scooter": Kind(_F.scooter, "vehicle.motorcycle", TOYS, "cycle", True),
    "jersey barrier": Kind(
        _M.jersey, "movable_object.barrier", ("grey",), "zone"),
    "plastic barrier": Kind(
        _M.plastic_barrier, "movable_object.barrier",
        ("red", "white", "orange"), "zone"),
    "fence barrier": Kind(
        _M.fence_barrier, "movable_object.barrier", STRIPES, "zone"),
    "traffic cone": Kind(
        _M.cone, "movable_object.trafficcone", ("orange",), "zone"),
    "dog": Kind(_F.dog, "animal", FUR, "walk"),
    "deer": Kind(_F.deer, "animal", ("brown",), "verge"),
    "tyre": Kind(_F.tyre, "movable_object.debris", ("black",), "road"),
    "cardboard boxes": Kind(
        _F.cardboard, "movable_object.debris", ("brown",), "road"),
    "planks": Kind(_F.planks, "movable_object.debris", ("brown",), "road"),
    "garbage bin": Kind(
        _F.garbage_bin, "movable_object.pushable_pullable",
        ("green", "grey", "blue", "brown"), "kerb"),
    "shopping cart": Kind(
        _F.shopping_cart, "movable_object.pushable_pullable", CLOTHES,
        "kerb"),
    "bicycle rack": Kind(
        _F.bicycle_rack, "static_object.bicycle_rack", ("grey",), "kerb"),
    "building": Kind(_S.building, "", ("grey",), "scenery"),
    "tree": Kind(_S.tree, "", ("green",), "scenery"),
    "hedge": Kind(_S.hedge, "", ("green",), "scenery"),
    "street lamp": Kind(_S.street_lamp, "", ("grey",), "scenery"),
    "sign": Kind(_S.sign, "", ("grey",), "scenery"),
    "traffic light": Kind(_S.traffic_light, "", ("grey",), "scenery"),
    "kiosk": Kind(_S.kiosk, "", ("red", "yellow", "orange", "green", "blue"),
                  "scenery"),
    "dumpster": Kind(_S.dumpster, "", ("yellow", "green", "blue", "orange"),
                     "scenery"),
    "container": Kind(_S.container, "", ("red", "blue", "green", "orange",
                                         "grey", "yellow"), "scenery"),
    "billboard": Kind(_S.billboard, "", CAR, "scenery"),
    "statue": Kind(_S.statue, "", ("grey",), "scenery"),
    "bus shelter": Kind(_S.bus_shelter, "", ("grey",), "scenery"),
    "post box": Kind(_S.post_box, "", ("yellow", "red", "blue"), "scenery"),
    "bollard": Kind(_S.bollard, "", ("white", "red"), "scenery"),
    "bench": Kind(_S.bench, "", ("brown",), "scenery"),
    "dirt heap": Kind(_S.dirt_heap, "", ("brown",), "scenery"),
}


VARIANTS = 10


@cache
def scenery_shape(name: str, variant: int) -> Shape:
    """One of ``VARIANTS`` ready pieces of scenery.

    Houses and trees repeat between scenes as they do in a town, and need
    to be built once a process only.
    """
    number = list(KINDS).index(name)
    rng = np.random.default_rng(np.random.SeedSequence([23, number, variant]))
    return make_shape(name, rng)


def make_shape(
    name: str,
    rng: np.random.Generator,
    colour: str | None = None,
    rider: bool = False,
) -> Shape:
    """Builds one shape of the catalogue.

    Args:
        name: Key of ``KINDS``.
        rng: Source of its size, colour and details.
        colour (None): Colour name; None draws one of its palette.
        rider (False): Seat a rider; ignored where there is no seat.

    Returns:
        The shape; its mesh is centred over the origin, feet at z = 0.
    """
    kind = KINDS[name]
    if colour is None:
        colour = kind.palette[int(rng.integers(len(kind.palette)))]
    tone = np.array(COLOURS[colour]) * rng.uniform(0.9, 1.06)
    tone = np.clip(tone + rng.normal(0, 5, 3), 8, 250)
    paint = (float(tone[0]), float(tone[1]), float(tone[2]))
    builder = MeshBuilder(rng)
    if kind.cycle:
        kind.build(builder, paint, rider)
    else:
        kind.build(builder, paint)
    label = "articulated bus" if name == "articulated bus rear" else name
    return Shape(
        name=label,
        category=kind.category,
        colour=colour,
        rider=rider and kind.cycle,
        mesh=builder.build(),
    )
