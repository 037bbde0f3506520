"""A data set becomes a FiftyOne dataset."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import fiftyone as fo


def load_nuscenes(
    dataroot: str | Path,
    version: str,
    name: str,
    *,
    scenes: Sequence[str] | str | None = None,
    split: Sequence[str] | str | None = None,
    splits: str | Path | Mapping[str, Sequence[str]] | None = None,
    max_scenes: int | None = None,
    channels: Sequence[str] | str | None = None,
    radar: bool = False,
    sweeps: int = 0,
    ground_truth: bool = True,
    media: str = "link",
    media_dir: str | Path | None = None,
    missing: str = "skip",
    append: bool = False,
    overwrite: bool = False,
    workers: int | None = None,
    progress: Any = None,
    **kwargs: Any,
) -> fo.Dataset:
    """Loads a nuScenes dataroot as a grouped dataset.

    Full documentation: :func:`raremine.brain.nuscenes.loader.load_nuscenes`.

    Args:
        dataroot: folder that holds the version folder, samples and maps
        version: version folder, such as "v1.0-mini"
        name: name of the dataset to create
        scenes (None): scene names or tokens, None = all
        split (None): official split(s), None = all
        splits (None): your own splits: scene names by split, or a JSON file
        max_scenes (None): load at most this many scenes, the first by name
        channels (None): sensor channels, None = cameras and LiDARs
        radar (False): whether to add radar point clouds
        sweeps (0): LiDAR sweeps before each keyframe to merge into its cloud
        ground_truth (True): whether to load annotations
        media ("link"): "link" keeps images where they are, "copy" copies
            them into ``media_dir``
        media_dir (None): folder for point clouds, 3D scenes and thumbnails,
            None = beside FiftyOne's datasets
        missing ("skip"): "skip" or "error" for files and rows that the
            tables refer to and that do not exist
        append (False): add the scenes that the dataset lacks
        overwrite (False): replace a dataset of that name
        workers (None): processes that convert clouds, None = one a core
        progress (None): None, a bool, or a function (done, total)
        **kwargs: further options of the loader

    Returns:
        the persistent dataset, one group a keyframe

    Raises:
        DatarootError: if the dataroot is absent, incomplete or malformed
        RaremineError: if the name is taken
    """
    from raremine.brain.nuscenes.loader import load_nuscenes as load

    return load(
        dataroot,
        version,
        name,
        scenes=scenes,
        split=split,
        splits=splits,
        max_scenes=max_scenes,
        channels=channels,
        radar=radar,
        sweeps=sweeps,
        ground_truth=ground_truth,
        media=media,
        media_dir=media_dir,
        missing=missing,
        append=append,
        overwrite=overwrite,
        workers=workers,
        progress=progress,
        **kwargs,
    )
