"""Objects are found on the images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from raremine.brain.models.protocols import Detector, Embedder
    from raremine.brain.progress import ProgressArgument


def detect_objects(
    samples: Any,
    model: str | Detector = "yolov8l.pt",
    *,
    field: str = "objects",
    conf: float = 0.25,
    iou: float = 0.45,
    imgsz: int = 1280,
    max_det: int = 50,
    classes: Sequence[str] | None = None,
    half: bool = False,
    device: str | None = None,
    batch_size: int | None = None,
    exact: bool = True,
    overwrite: bool = False,
    engine: str = "local",
    actors: int | None = None,
    workers: int = 2,
    progress: ProgressArgument = None,
) -> dict[str, Any]:
    """Detects objects on every image that has none yet.

    Images go through the detector in batches. An image that cannot be read
    gets ``<field>_status`` "failed" and ``<field>_reason``, and is tried
    again by the next run.

    Args:
        samples: any collection with images
        model ("yolov8l.pt"): path or name of an Ultralytics detection model
            (.pt, .onnx, .engine), or any ``Detector``
        field ("objects"): detections field to write
        conf (0.25): smallest confidence
        iou (0.45): IoU threshold of the non-maximum suppression
        imgsz (1280): long side of the model's input, pixels
        max_det (50): most objects on an image, the most confident ones
        classes (None): the detector's only classes to keep
        half (False): whether the model computes in float16 (GPU only)
        device (None): torch device, None = a GPU if there is one
        batch_size (None): images in one forward, None = chosen
        exact (True): decode at full size; False decodes large JPEGs at a
            fraction that still is ``imgsz``, which is faster and finds
            slightly other boxes
        overwrite (False): redo images that have objects already; what a
            human decided about them goes to the new boxes at their places
        engine ("local"): "local", or "ray" for Ray Data: media and weights
            then have to be where every machine of the cluster sees them
        actors (None): models that work at the same time, "ray" only; None =
            one a GPU, or one for every two cores
        workers (2): threads for each of decoding and cutting
        progress (None): None, a bool, or a function (done, total, label)

    Returns:
        summary with ``images``, ``objects``, ``skipped``, ``failures``,
        ``failed`` and ``seconds``; where corrected objects were detected
        anew, ``corrections_kept`` and ``corrections_without_object``

    Raises:
        ModelError: if the weights are absent or no detection model
        RaremineError: if ``field`` was made by another model or setting and
            ``overwrite`` is False
    """
    from raremine.brain.detection import detect
    from raremine.brain.models.loading import detector_factory
    from raremine.brain.stream.engines import choose_engine

    make = detector_factory(
        model,
        conf=conf,
        iou=iou,
        imgsz=imgsz,
        max_det=max_det,
        classes=classes,
        half=half,
        device=device,
        batch_size=batch_size,
    )
    detector = make()
    return detect(
        samples,
        detector,
        field=field,
        overwrite=overwrite,
        exact=exact,
        engine=choose_engine(
            engine,
            detector=(detector, make),
            workers=workers,
            exact=exact,
            actors=actors,
        ),
        progress=progress,
    )


def detect_and_embed(
    samples: Any,
    detector: str | Detector = "yolov8l.pt",
    embedder: str | Embedder = "ViT-B-32",
    pretrained: str | None = "laion2b_s34b_b79k",
    *,
    field: str = "objects",
    brain_key: str = "objects_clip",
    detect: Mapping[str, Any] | None = None,
    embed: Mapping[str, Any] | None = None,
    overwrite: bool = False,
    engine: str = "local",
    actors: int | None = None,
    workers: int = 2,
    progress: ProgressArgument = None,
) -> dict[str, Any]:
    """Detects objects and embeds their crops in one pass over the images.

    The result is that of ``detect_objects`` and ``embed_objects``; each
    image is read and decoded once. Objects that a run before has found and
    that have no vector yet get theirs.

    Args:
        samples: any collection with images
        detector ("yolov8l.pt"): as for ``detect_objects``
        embedder ("ViT-B-32"): as for ``embed_objects``
        pretrained ("laion2b_s34b_b79k"): as for ``embed_objects``
        field ("objects"): detections field to write
        brain_key ("objects_clip"): brain key of the index
        detect (None): further options of ``detect_objects``: conf, iou,
            imgsz, max_det, classes, half, device, batch_size
        embed (None): further options of ``embed_objects``: padding,
            min_size, normalize, dtype, precision, device, batch_size,
            index_dir
        overwrite (False): redo what is there
        engine ("local"): "local" or "ray", see ``detect_objects``
        actors (None): models that work at the same time, "ray" only
        workers (2): threads for each of decoding and cutting
        progress (None): None, a bool, or a function (done, total, label)

    Returns:
        dict with the two summaries, ``detect`` and ``embed``

    Raises:
        ModelError: if a model or its weights are absent
        RaremineError: if the field or the index was made by another model or
            setting and ``overwrite`` is False, or an option is not known
    """
    from raremine.brain.detection_and_embedding import (
        detect_and_embed as run,
    )
    from raremine.brain.detection_and_embedding import sort_options
    from raremine.brain.models.loading import (
        detector_factory,
        embedder_factory,
    )
    from raremine.brain.stream.crops import CropRule
    from raremine.brain.stream.engines import choose_engine

    options = sort_options(detect or {}, embed or {})
    make_detector = detector_factory(detector, **options.detector)
    make_embedder = embedder_factory(embedder, pretrained, **options.embedder)
    models = make_detector(), make_embedder()
    crop = {"padding", "min_size"} & set(options.stored)
    return run(
        samples,
        *models,
        field=field,
        brain_key=brain_key,
        loader=getattr(models[1], "loader", None),
        overwrite=overwrite,
        engine=choose_engine(
            engine,
            detector=(models[0], make_detector),
            embedder=(models[1], make_embedder),
            rule=CropRule(**{name: options.stored[name] for name in crop}),
            workers=workers,
            actors=actors,
        ),
        progress=progress,
        **options.stored,
    )
