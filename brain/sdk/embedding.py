"""Object crops and whole images become vectors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from raremine.brain.models.protocols import Embedder
    from raremine.brain.progress import ProgressArgument


def embed_objects(
    samples: Any,
    model: str | Embedder = "ViT-B-32",
    pretrained: str | None = "laion2b_s34b_b79k",
    *,
    field: str = "objects",
    brain_key: str = "objects_clip",
    padding: float = 0.05,
    min_size: float = 2,
    normalize: bool = True,
    dtype: str = "float32",
    precision: str | None = None,
    device: str | None = None,
    batch_size: int | None = None,
    index_dir: str | None = None,
    overwrite: bool = False,
    engine: str = "local",
    actors: int | None = None,
    workers: int = 2,
    progress: ProgressArgument = None,
) -> dict[str, Any]:
    """Embeds every object crop that has no vector yet.

    Vectors go into a LanceDB similarity index (``brain_key``), keyed by label
    id, which also answers text queries in the App. An object without a crop
    gets ``embedding_status`` "failed", or "skipped" if it is smaller than
    ``min_size``, and ``embedding_reason``.

    Args:
        samples: any collection with images or their patches
        model ("ViT-B-32"): name that open_clip knows, a local folder, or any
            ``Embedder``
        pretrained ("laion2b_s34b_b79k"): open_clip tag or weights file;
            ignored for a folder that brings its own
        field ("objects"): detections field, also ``ground_truth``
        brain_key ("objects_clip"): brain key of the index
        padding (0.05): margin of a crop on each side, share of the box
        min_size (2): shortest side of a box that is worth a vector, pixels
        normalize (True): whether to store vectors of length one
        dtype ("float32"): how vectors are stored; "float16" takes half the
            space
        precision (None): what the model computes in: "float16" or "bfloat16"
            on a GPU, None = float32
        device (None): torch device, None = a GPU if there is one
        batch_size (None): crops in one forward, None = chosen
        index_dir (None): LanceDB's folder, None = RAREMINE_HOME or
            ``~/.fiftyone/raremine``
        overwrite (False): redo objects that have a vector already
        engine ("local"): "local" or "ray", see ``detect_objects``
        actors (None): models that work at the same time, "ray" only
        workers (2): threads for each of decoding and cutting
        progress (None): None, a bool, or a function (done, total, label)

    Returns:
        summary with ``objects``, ``skipped`` (they have a vector),
        ``too_small``, ``dim``, ``failures``, ``failed`` and ``seconds``

    Raises:
        ModelError: if the model or its weights are absent
        MissingStageError: if ``field`` has no detections
        RaremineError: if the index was made by another model or setting and
            ``overwrite`` is False
    """
    from raremine.brain.embedding import embed
    from raremine.brain.models.loading import embedder_factory
    from raremine.brain.stream.crops import CropRule
    from raremine.brain.stream.engines import choose_engine

    make = embedder_factory(
        model,
        pretrained,
        dtype=precision,
        device=device,
        batch_size=batch_size,
    )
    embedder = make()
    return embed(
        samples,
        embedder,
        field=field,
        brain_key=brain_key,
        padding=padding,
        min_size=min_size,
        normalize=normalize,
        dtype=dtype,
        loader=getattr(embedder, "loader", None),
        index_dir=index_dir,
        overwrite=overwrite,
        engine=choose_engine(
            engine,
            embedder=(embedder, make),
            rule=CropRule(padding, min_size),
            workers=workers,
            actors=actors,
        ),
        progress=progress,
    )


def embed_frames(
    samples: Any,
    model: str | Embedder = "ViT-B-32",
    pretrained: str | None = "laion2b_s34b_b79k",
    *,
    brain_key: str = "frames_clip",
    normalize: bool = True,
    dtype: str = "float32",
    precision: str | None = None,
    device: str | None = None,
    batch_size: int | None = None,
    index_dir: str | None = None,
    overwrite: bool = False,
    engine: str = "local",
    actors: int | None = None,
    workers: int = 2,
    progress: ProgressArgument = None,
) -> dict[str, Any]:
    """Embeds every camera image that has no vector yet, as a whole.

    Vectors go into a LanceDB similarity index (``brain_key``), keyed by
    sample id. It answers text queries over images, in the App and by
    ``sort_by_similarity``, and is what frame-level strategies such as
    ``core_set`` compare keyframes by. An image that cannot be read gets
    ``frame_embedding_status`` "failed" and ``frame_embedding_reason``.

    Args:
        samples: any collection with images
        model ("ViT-B-32"): name that open_clip knows, a local folder, or any
            ``Embedder``
        pretrained ("laion2b_s34b_b79k"): open_clip tag or weights file;
            ignored for a folder that brings its own
        brain_key ("frames_clip"): brain key of the index
        normalize (True): whether to store vectors of length one
        dtype ("float32"): how vectors are stored; "float16" takes half the
            space
        precision (None): what the model computes in: "float16" or "bfloat16"
            on a GPU, None = float32
        device (None): torch device, None = a GPU if there is one
        batch_size (None): images in one forward, None = chosen
        index_dir (None): LanceDB's folder, None = RAREMINE_HOME or
            ``~/.fiftyone/raremine``
        overwrite (False): redo images that have a vector already
        engine ("local"): "local" or "ray", see ``detect_objects``
        actors (None): models that work at the same time, "ray" only
        workers (2): threads for each of decoding and preparing
        progress (None): None, a bool, or a function (done, total, label)

    Returns:
        summary with ``images``, ``skipped`` (they have a vector), ``dim``,
        ``failures``, ``failed`` and ``seconds``

    Raises:
        ModelError: if the model or its weights are absent
        RaremineError: if the index was made by another model or setting and
            ``overwrite`` is False, or holds objects
    """
    from raremine.brain.frame_embedding import WHOLE, embed_images
    from raremine.brain.models.loading import embedder_factory
    from raremine.brain.stream.engines import choose_engine

    make = embedder_factory(
        model,
        pretrained,
        dtype=precision,
        device=device,
        batch_size=batch_size,
    )
    embedder = make()
    return embed_images(
        samples,
        embedder,
        brain_key=brain_key,
        normalize=normalize,
        dtype=dtype,
        loader=getattr(embedder, "loader", None),
        index_dir=index_dir,
        overwrite=overwrite,
        engine=choose_engine(
            engine,
            embedder=(embedder, make),
            rule=WHOLE,
            workers=workers,
            actors=actors,
        ),
        progress=progress,
    )
