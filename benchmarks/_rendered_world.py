"""A rendered world as a dataset, for as long as a benchmark looks at it."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from demo.config import WorldConfig


@contextmanager
def rendered_world(
    config: WorldConfig, name: str
) -> Iterator[tuple[Any, dict[str, Any]]]:
    """Renders and loads a world; dataset and files go again afterwards.

    Args:
        config: the world
        name: name of the dataset, replaced if there is one

    Yields:
        the dataset, and the demo models as ``mine`` takes them, with the
        index beside the world
    """
    import fiftyone as fo

    import raremine.brain as rmb
    from demo.mining import world_version
    from demo.weights_folder import find_models
    from demo.world import write_world

    models = find_models()
    with tempfile.TemporaryDirectory() as temporary:
        own = Path(temporary)
        root = write_world(own / "world", config, workers=2)
        dataset: Any = rmb.load_nuscenes(
            root,
            world_version(),
            name,
            overwrite=True,
            media_dir=own / "clouds",
        )
        try:
            yield (
                dataset,
                {
                    "detector": models.detector,
                    "embedder": {
                        "model": models.embedder,
                        "index_dir": str(own),
                    },
                    "captioner": models.captioner,
                },
            )
        finally:
            fo.delete_dataset(dataset.name)
