"""Objects get their place and size in metres."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from raremine.brain.progress import ProgressArgument


def locate_objects(
    samples: Any,
    *,
    field: str = "objects",
    workers: int | None = None,
    overwrite: bool = False,
    progress: ProgressArgument = None,
) -> dict[str, Any]:
    """Measures how far each object is and how large what is seen of it is.

    The keyframe's LiDAR points are projected into the image; the depth at
    which most points of a box lie, near to where its lower edge stands on
    flat ground, is that of its object. Where less than two points tell it,
    the ground alone does, up to 80 m.
    ``match_concepts`` holds the sizes against those of its concepts.

    Writes ``distance`` (m from the ego, on the ground plane, to the side
    that is seen), ``seen_width`` and ``seen_height`` (m: the box's size
    at that depth, so less than the object's where it is hidden or cut),
    ``lidar_points`` (at that depth, in the inner part of the box) and
    ``located_by`` ("lidar", "ground" or "none").

    Args:
        samples: any collection with objects. Images need
            ``sensor_to_world``, the camera's intrinsics and their size, as
            ``load_nuscenes`` writes them; clouds lie in the world frame
        field ("objects"): detections field
        workers (None): processes that read clouds; None = one a core, at
            most 8
        overwrite (False): measure objects again that were measured
        progress (None): None = FiftyOne's setting, a bool, or a function
            (done, total, label)

    Returns:
        summary with ``objects`` (measured now), ``keyframes``,
        ``by_lidar``, ``by_ground``, ``not_located``, ``failures`` (clouds
        that could not be read) and ``seconds``

    Raises:
        MissingStageError: if there are no objects, or no image says how its
            camera stands
        RaremineError: if the field holds annotations, whose distance is that
            of their cuboids
    """
    from raremine.brain.locating.stage import locate_objects as locate

    return locate(
        samples,
        field=field,
        workers=workers,
        overwrite=overwrite,
        progress=progress,
    )
