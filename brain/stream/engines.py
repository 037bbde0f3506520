"""Which engine a run uses."""

from __future__ import annotations

from collections.abc import Callable

from raremine.brain.errors import RaremineError
from raremine.brain.models.protocols import Detector, Embedder
from raremine.brain.stream.crops import CropRule
from raremine.brain.stream.engine import Engine
from raremine.brain.stream.running import Running

KINDS = ("local", "ray")


def choose_engine(
    kind: str,
    *,
    detector: tuple[Detector, Callable[[], Detector]] | None = None,
    embedder: tuple[Embedder, Callable[[], Embedder]] | None = None,
    rule: CropRule = CropRule(),  # noqa: B008 - it is immutable
    workers: int = 2,
    exact: bool = True,
    actors: int | None = None,
) -> Running:
    """Makes the engine that a user asks for.

    Args:
        kind: "local" or "ray"
        detector (None): the model, and what makes another one elsewhere
        embedder (None): the model, and what makes another one elsewhere
        rule: which objects have a crop, and how it is cut
        workers (2): threads for each of decoding and cutting
        exact (True): see ``Engine``
        actors (None): see ``RayEngine``

    Raises:
        RaremineError: if there is no such engine, or Ray is not installed
    """
    if kind == "local":
        if actors is not None:
            raise RaremineError(
                f"actors={actors} is for engine='ray'; the local engine has "
                "one model of each kind and workers= threads."
            )
        return Engine(
            detector[0] if detector else None,
            embedder[0] if embedder else None,
            rule=rule,
            workers=workers,
            exact=exact,
        )
    if kind == "ray":
        from raremine.brain.stream.ray_engine import RayEngine

        return RayEngine(
            detector[1] if detector else None,
            embedder[1] if embedder else None,
            rule=rule,
            workers=workers,
            exact=exact,
            actors=actors,
        )
    raise RaremineError(
        f"There is no engine '{kind}'; give one of {', '.join(KINDS)}."
    )
