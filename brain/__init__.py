"""The raremine SDK: ``import raremine.brain as rmb``.

One function a stage, and ``mine`` for all of them. ``samples`` is any
FiftyOne collection: a grouped dataset, a grouped or flat view, one slice, or
a patches view; a grouped collection always means ALL of its image slices.
A stage writes its results on the objects (``field``), returns a small summary
(counts, failures, seconds), and does only what is missing when it is run
again.

Bodies are imported when they are called, so that importing the SDK is cheap.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import fiftyone as fo

    from raremine.brain.concepts.vocabulary import Vocabulary
    from raremine.brain.evaluation.ground_truth import TruthFilter
    from raremine.brain.evaluation.stage import MiningReport
    from raremine.brain.models.protocols import (
        Captioner,
        Detector,
        Embedder,
    )
    from raremine.brain.progress import ProgressArgument
    from raremine.brain.selection.comparison import SelectionComparison
    from raremine.brain.selection.export import ExportPlan
    from raremine.brain.selection.result import Selection

__all__ = [
    "caption_objects",
    "compare_selections",
    "correct_objects",
    "delete_selection",
    "detect_and_embed",
    "detect_objects",
    "embed_frames",
    "embed_objects",
    "evaluate_mining",
    "export_selection",
    "fit_outliers",
    "list_selections",
    "load_nuscenes",
    "load_selection",
    "map_objects",
    "match_concepts",
    "mine",
    "plan_export",
    "rank_pareto",
    "score_novelty",
    "score_outliers",
    "search_objects",
    "select_frames",
]


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
        overwrite (False): redo images that have objects already
        engine ("local"): "local", or "ray" for Ray Data: media and weights
            then have to be where every machine of the cluster sees them
        actors (None): models that work at the same time, "ray" only; None =
            one a GPU, or one for every two cores
        workers (2): threads for each of decoding and cutting
        progress (None): None, a bool, or a function (done, total, label)

    Returns:
        summary with ``images``, ``objects``, ``skipped``, ``failures``,
        ``failed`` and ``seconds``

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
    from raremine.brain.detection_and_embedding import run_both

    return run_both(
        samples,
        detector,
        embedder,
        pretrained,
        field=field,
        brain_key=brain_key,
        detect=dict(detect or {}),
        embed=dict(embed or {}),
        overwrite=overwrite,
        engine=engine,
        actors=actors,
        workers=workers,
        progress=progress,
    )


def search_objects(
    samples: Any,
    query: str,
    *,
    field: str = "objects",
    embeddings: str = "objects_clip",
    k: int = 50,
    name: str | None = None,
) -> fo.PatchesView:
    """Finds the objects whose crops fit a text, over all cameras.

    The text is encoded by the model that made the vectors, which is loaded
    where the search runs; nothing is asked of a network.

    Args:
        samples: any collection with embedded objects, or their patches
        query: what to look for, such as "an excavator"
        field ("objects"): detections field
        embeddings ("objects_clip"): brain key of the vectors
        k (50): most objects to show
        name (None): name of a saved view to keep the result as

    Returns:
        view of the objects' patches, the best fitting first

    Raises:
        MissingStageError: if there are no such objects or vectors
        RaremineError: if the text is empty, the vectors are of another field
            or made by a model that cannot be loaded again
    """
    from raremine.brain.search import search

    return search(
        samples, query, field=field, embeddings=embeddings, k=k, name=name
    )


def score_outliers(
    samples: Any,
    *,
    field: str = "objects",
    embeddings: str = "objects_clip",
    methods: Sequence[str] = ("knn", "class_rarity"),
    fusion: str = "fisher",
    weights: Mapping[str, float] | None = None,
    share: float = 0.2,
    k: int = 100,
    seed: int = 42,
    thresholds: Mapping[str, Sequence[Any]] | None = None,
    exact: bool | None = None,
    model: str | Path | None = None,
    brain_key: str = "objects_outliers",
    overwrite: bool = False,
) -> dict[str, Any]:
    """Scores how unusual each object is.

    Writes one raw score a method (higher = more unusual), ``outlier`` (the
    fused flag), ``outlier_by`` (the methods that flagged it) and
    ``outlier_score`` (the fused one, in (0, 1)).

    Args:
        samples: any collection with embedded objects
        field ("objects"): detections field
        embeddings ("objects_clip"): brain key of the vectors
        methods (("knn", "class_rarity")): any of isolation_forest, knn,
            lof, class_lof, tsne_knn, umap_knn, class_rarity
        fusion ("fisher"): fisher or mean_rank flag the top share of the
            fused score; union, intersection or majority join the methods'
            own flags
        weights (None): method → weight in fisher and mean_rank; None = 3 for
            knn in fisher, 1 for all others
        share (0.2): share of the objects that is flagged, by each method and
            by the fused score; of tied scores none rather than too many
        k (100): neighbours of knn, lof and the maps' scores; should exceed
            the number of crops that show one and the same object
        seed (42): seed of isolation_forest and tsne_knn
        thresholds (None): other limits by method, such as
            ``{"knn": ("iqr", 1.5)}`` (third quartile plus 1.5 interquartile
            ranges) or ``("percentile", 95)``
        exact (None): whether nearest neighbours are searched exactly; None =
            up to 20,000 objects
        model (None): file that ``fit_outliers`` has written: objects are
            scored against those of its reference set, by its own methods
            and limits, not against each other
        brain_key ("objects_outliers"): brain key of the run
        overwrite (False): redo it although nothing has changed

    Returns:
        summary with ``objects``, ``outliers``, ``by_<method>``,
        ``without_vector``, ``unscored`` (their vector is not finite) and
        ``seconds``

    Raises:
        MissingStageError: if there are no embeddings under that key
        RaremineError: if a method, the fusion or a threshold is unknown
    """
    from raremine.brain.outliers.stage import score

    return score(
        samples,
        field=field,
        embeddings=embeddings,
        methods=methods,
        fusion=fusion,
        weights=weights,
        share=share,
        k=k,
        seed=seed,
        thresholds=thresholds,
        exact=exact,
        model=model,
        brain_key=brain_key,
        overwrite=overwrite,
    )


def fit_outliers(
    samples: Any,
    path: str | Path,
    *,
    field: str = "objects",
    embeddings: str = "objects_clip",
    methods: Sequence[str] = ("knn", "class_rarity"),
    share: float = 0.2,
    k: int = 100,
    seed: int = 42,
    thresholds: Mapping[str, Sequence[Any]] | None = None,
    exact: bool | None = None,
) -> dict[str, Any]:
    """Learns what is usual from a reference set, such as last month's data.

    ``score_outliers(samples, model=path)`` then scores other objects against
    it. The file holds arrays and settings only, nothing that could run.

    Args:
        samples: the reference set, any collection with embedded objects
        path: file of the model, an older one is replaced
        field ("objects"): detections field
        embeddings ("objects_clip"): brain key of the vectors
        methods (("knn", "class_rarity")): any of isolation_forest, knn,
            lof, class_lof, class_rarity; maps cannot take new points
        share (0.2): share of the reference objects above each method's limit
        k (100): neighbours of knn and lof
        seed (42): seed of whatever is random
        thresholds (None): other limits by method, see ``score_outliers``
        exact (None): how neighbours are searched, see ``score_outliers``

    Returns:
        summary with ``objects``, ``unscored``, ``without_vector``, ``path``
        and ``seconds``

    Raises:
        MissingStageError: if there are no embeddings under that key
        RaremineError: if no object has a vector or a setting is wrong
    """
    from raremine.brain.outliers.stage import fit_reference

    return fit_reference(
        samples,
        path,
        field=field,
        embeddings=embeddings,
        methods=methods,
        share=share,
        k=k,
        seed=seed,
        thresholds=thresholds,
        exact=exact,
    )


def map_objects(
    samples: Any,
    *,
    field: str = "objects",
    embeddings: str = "objects_clip",
    method: str | None = None,
    brain_key: str = "objects_map",
    seed: int = 51,
    exact: bool | None = None,
    k: int | None = None,
    perplexity: float | None = None,
    onto: str | None = None,
    overwrite: bool = False,
) -> dict[str, Any]:
    """Lays the crops of all cameras out on a map for the Embeddings panel.

    Full documentation: :mod:`raremine.brain.maps.stage`.

    Args:
        samples: any collection with embedded objects
        field ("objects"): detections field
        embeddings ("objects_clip"): brain key of the vectors
        method (None): umap, tsne or pca; None = umap, or that of ``onto``
        brain_key ("objects_map"): key of FiftyOne's visualization run
        seed (51): seed of the layout
        exact (None): exact or approximate neighbours, None = by their number
        k (None): neighbours of umap, None = 15, the object itself counted
        perplexity (None): of tsne, None = min(30, max(5, n - 1))
        onto (None): brain key of a map whose points are kept; only objects
            without one are placed on it
        overwrite (False): redo it although nothing has changed

    Returns:
        summary with ``objects``, ``placed``, ``skipped``, ``not_finite``
        (objects without a point), ``method`` and ``seconds``

    Raises:
        MissingStageError: if there are no embeddings, or no map to place on
        RaremineError: if a value is not possible, the key is taken, or a map
            to place on was made of other vectors
    """
    from raremine.brain.maps.stage import lay_out

    return lay_out(
        samples,
        field=field,
        embeddings=embeddings,
        method=method,
        brain_key=brain_key,
        seed=seed,
        exact=exact,
        k=k,
        perplexity=perplexity,
        onto=onto,
        overwrite=overwrite,
    )


def caption_objects(
    samples: Any,
    model: str | Mapping[str, Any] | Captioner = "Qwen/Qwen2-VL-2B-Instruct",
    *,
    served_model: str | None = None,
    field: str = "objects",
    candidates: str | Iterable[str] = "outliers",
    prompt: str = "default",
    padding: float = 0.1,
    hint: bool = True,
    device: str | None = None,
    dtype: str | None = None,
    attention: str | None = None,
    batch_size: int | None = None,
    max_new_tokens: int = 96,
    min_pixels: int | None = None,
    max_pixels: int | None = None,
    concurrency: int = 16,
    api_key_env: str = "OPENAI_API_KEY",
    price_per_million_tokens: float | Sequence[float] | None = None,
    estimate_only: bool = False,
    retry: str | Iterable[str] | None = None,
    overwrite: bool = False,
    workers: int = 2,
    progress: ProgressArgument = None,
) -> dict[str, Any]:
    """Captions candidate objects with a vision-language model.

    Writes ``caption``, ``caption_class``, ``caption_keywords``,
    ``caption_raw``, ``caption_status`` (ok, unparsable, refused, failed,
    skipped), ``caption_reason`` and ``caption_model``. A rerun asks again
    only for captions that are not ok.

    Args:
        samples: any collection with objects
        model ("Qwen/Qwen2-VL-2B-Instruct"): hub id or local folder of an
            image-text-to-text model, address of an OpenAI-compatible server
            (http://localhost:8000/v1), a dict with ``server`` and more
            options of ``ServerCaptioner``, or any ``Captioner``
        served_model (None): the model's name at a server, None = its only one
        field ("objects"): detections field
        candidates ("outliers"): "outliers", "outliers_or_rare" (also
            detector classes below 5 % of all objects), "all", or label ids
        prompt ("default"): "default" (short JSON), "paper" (one class), or
            the text of a prompt of your own
        padding (0.1): margin of a crop on each side, share of the box
        hint (True): whether the prompt names the detector's class
        device (None): torch device, None = a GPU if there is one
        dtype (None): torch dtype, None = bfloat16 on a GPU (float16 where it
            has none), else float32
        attention (None): "sdpa", "flash_attention_2" or "eager", None = sdpa
        batch_size (None): crops in one generation, None = chosen; at a
            server the crops handed over at a time
        max_new_tokens (96): longest answer
        min_pixels (None): smallest image the processor makes
        max_pixels (None): largest image the processor makes or a server gets
        concurrency (16): requests to a server under way at a time
        api_key_env ("OPENAI_API_KEY"): environment variable with a server's
            key, "" = none; the key itself is never stored
        price_per_million_tokens (None): for an estimate of a server's cost;
            two numbers = of the prompt's and of the answer's tokens
        estimate_only (False): stop after the first batch and tell what all
            will take
        retry (None): statuses to ask for again, of failed, refused and
            unparsable; None = all of them
        overwrite (False): redo captions that are ok
        workers (2): decoding threads
        progress (None): None, a bool, or a function (done, total, label)

    Returns:
        summary with ``objects``, ``status`` (counts by status), ``skipped``,
        ``failures``, ``failed`` and ``seconds``; from a server also
        ``estimate`` (crops, seconds, tokens, cost, told by the first batch)
        and ``usage`` (tokens and cost of this run)

    Raises:
        ModelError: if the model is absent or of another kind, or a server
            refuses the key, lacks the model or has stopped answering
        MissingStageError: if candidates need outliers and none were scored
    """
    from raremine.brain.captions.stage import caption
    from raremine.brain.models.loading import captioner_factory

    make = captioner_factory(
        model,
        served_model,
        device=device,
        dtype=dtype,
        attention=attention,
        batch_size=batch_size,
        max_new_tokens=max_new_tokens,
        min_pixels=min_pixels,
        max_pixels=max_pixels,
        concurrency=concurrency,
        api_key_env=api_key_env,
    )
    return caption(
        samples,
        make(),
        field=field,
        candidates=candidates,
        prompt=prompt,
        padding=padding,
        hint=hint,
        overwrite=overwrite,
        retry=retry,
        price_per_million_tokens=price_per_million_tokens,
        estimate_only=estimate_only,
        workers=workers,
        progress=progress,
    )


def match_concepts(
    samples: Any,
    vocabulary: str | Path | Mapping[str, Any] | Vocabulary | None = None,
    *,
    field: str = "objects",
    evidence: str = "both",
    embeddings: str = "objects_clip",
    embedder: Embedder | None = None,
    weighting: str = "calibrated",
    targets: Sequence[str] | None = None,
    margin: float = 0.05,
    only_captioned: bool = False,
    trust_detector: bool = True,
    group_threshold: float | None = None,
    pool_scenes: bool = True,
) -> dict[str, Any]:
    """Decides each object's concept and group, and says why.

    Writes ``concept``, ``concept_score``, ``concept_margin``, ``runner_up``,
    ``ambiguous``, ``group`` (target, rare or common), ``target_score``,
    ``target_evidence`` and ``reason`` on the objects, and ``mining_group``,
    ``target_concepts`` and ``mining_score`` on every sample of a keyframe.

    Args:
        samples: any collection with objects
        vocabulary (None): None = the shipped driving vocabulary, "paper", a
            YAML file, or the same as a dict
        field ("objects"): detections field
        evidence ("both"): "text" (captions), "image" (crops) or "both"
        embeddings ("objects_clip"): brain key of the crops' vectors
        embedder (None): encodes the vocabulary, None = the one that made
            the vectors
        weighting ("calibrated"): calibrated, fixed or adaptive
        targets (None): target concepts, None = the vocabulary's
        margin (0.05): best minus second score below which an object is
            ``ambiguous``
        only_captioned (False): leave objects without a caption out (common)
        trust_detector (True): whether the detector's class counts: as the
            text evidence of an object without a caption (``calibrated``),
            and, if it is itself a target concept, to make it a target
        group_threshold (None): None = the group of the best concept; else
            the least ``target_score`` (or target plus rare score) of the
            group, such as .8 in preset ``default``
        pool_scenes (True): weigh how sure an object's group is with what the
            crops of its scene say that look like it. The result is
            ``target_evidence``, by which frames are ranked; concept and
            group stay those of the object itself.

    Returns:
        summary with ``objects``, ``target``, ``rare``, ``common``,
        ``ambiguous``, ``named_by_caption`` and ``seconds``

    Raises:
        VocabularyError: if the vocabulary is not valid
        MissingStageError: if there are no objects or no embeddings
    """
    from raremine.brain.concepts.stage import match_objects

    return match_objects(
        samples,
        vocabulary,
        field=field,
        evidence=evidence,
        embeddings=embeddings,
        embedder=embedder,
        weighting=weighting,
        targets=targets,
        margin=margin,
        only_captioned=only_captioned,
        trust_detector=trust_detector,
        group_threshold=group_threshold,
        pool_scenes=pool_scenes,
    )


def correct_objects(
    samples: Any,
    concept: str | None = None,
    *,
    group: str | None = None,
    labels: Iterable[str] | None = None,
    field: str = "objects",
    vocabulary: Any = None,
    clear: bool = False,
) -> dict[str, Any]:
    """Sets the concept or group of objects by hand.

    ``match_concepts`` never overwrites it: such objects have
    ``concept_source`` "human", all others "evidence".

    Args:
        samples: the objects: a patches view or any collection of them
        concept (None): what they are
        group (None): common, rare or target; None = the concept's
        labels (None): ids of the only labels to correct
        field ("objects"): detections field
        vocabulary (None): as for ``match_concepts``, None = that of the last
            match
        clear (False): take earlier corrections back instead; the next
            ``match_concepts`` decides again

    Returns:
        summary with ``objects`` and ``corrected_in_all``

    Raises:
        MissingStageError: if there are no objects
        RaremineError: if the concept or group is unknown, neither is given,
            or a label is not there; nothing is changed then
    """
    from raremine.brain.concepts.correction import correct

    return correct(
        samples,
        concept,
        group=group,
        labels=labels,
        field=field,
        vocabulary=vocabulary,
        clear=clear,
    )


def score_novelty(
    samples: Any,
    *,
    field: str = "objects",
    pooling: str = "mean",
    min_count: int = 1,
    source: str = "both",
    per: str = "object",
    min_in_scene: int = 1,
    ngrams: int = 2,
    stop_words: Sequence[str] = (),
    keep_words: Sequence[str] = (),
    brain_key: str | None = None,
) -> dict[str, Any]:
    """Scores each captioned object by how rare its keywords are (VLMine).

    Writes ``keywords`` and ``novelty`` = -log(pooled frequency / N); the
    run's results hold the keyword table.

    Args:
        samples: any collection with captioned objects; counted are these
        field ("objects"): detections field
        pooling ("mean"): "mean" or "min" of the keywords' frequencies
        min_count (1): keywords of fewer objects do not count
        source ("both"): keywords from the "model", from the caption by
            "rules", or "both"
        per ("object"): what frequency and N count: "object", or "scene", for
            which a thing seen in forty keyframes of a scene is one sighting
        min_in_scene (1): keywords of fewer objects in each of their scenes do
            not count: what is seen once and never again is often made up
        ngrams (2): longest keyword in words
        stop_words (()): words or phrases that are no keywords, besides the
            built-in list
        keep_words (()): words of the built-in list that are keywords
        brain_key (None): brain key of the run, None = ``<field>_novelty``

    Returns:
        summary with ``objects``, ``keywords`` and ``seconds``

    Raises:
        MissingStageError: if there are no captions
        RaremineError: if a setting is wrong, or scenes are to be counted and
            the dataset names none
    """
    from raremine.brain.novelty.stage import score_keywords

    return score_keywords(
        samples,
        field=field,
        pooling=pooling,
        min_count=min_count,
        source=source,
        per=per,
        min_in_scene=min_in_scene,
        ngrams=ngrams,
        stop_words=stop_words,
        keep_words=keep_words,
        brain_key=brain_key,
    )


def rank_pareto(
    samples: Any,
    signals: Sequence[str] = ("outlier_score", "novelty"),
    *,
    field: str = "objects",
    missing: str = "last",
    brain_key: str | None = None,
) -> dict[str, Any]:
    """Ranks objects by several signals at once (VLMine's Pareto mining).

    Writes ``pareto_front``, 0 for objects that no other beats in all signals,
    and ``pareto_order``, the place by front and inside it by mean rank: the
    places below b are the choice for a budget of b objects.

    Args:
        samples: any collection with scored objects; compared are these
        signals (("outlier_score", "novelty")): numeric fields, higher = more
            worth mining: of the objects or, where they have none of that
            name, of their images; "frame:uniqueness" is the image's anyway,
            and a minus ("-confidence") turns one around
        field ("objects"): detections field
        missing ("last"): an object without a value comes "last" in that
            signal, whatever its direction, or is left out ("skip"); one
            without any value is always left out
        brain_key (None): brain key of the run, None = ``<field>_pareto``

    Returns:
        summary with ``objects``, ``fronts``, ``first_front``,
        ``without_signal`` and ``seconds``

    Raises:
        MissingStageError: if a signal has not been computed
        RaremineError: if a signal holds no numbers or is named twice
    """
    from raremine.brain.novelty.ranking import rank

    return rank(
        samples, signals, field=field, missing=missing, brain_key=brain_key
    )


def select_frames(
    dataset: fo.Dataset,
    recipe: Mapping[str, Any] | str | Path | None = None,
    *,
    name: str,
    seed: int | None = None,
    **kwargs: Any,
) -> Selection:
    """Selects the keyframes of a training split.

    Full documentation: :func:`raremine.brain.selection.stage.select_frames`.

    Args:
        dataset: the dataset
        recipe (None): shares of all train frames by component, such as
            ``{"random": .1, "target": .1}``, or a YAML file; None = repeat
            the selection of that name
        name: name of the selection, also its tag
        seed (None): seed of everything that is drawn, None = the recipe's,
            or else 0
        **kwargs: further options of the selection

    Returns:
        a ``Selection``

    Raises:
        RecipeError: if the recipe cannot be carried out
    """
    from raremine.brain.selection.stage import select_frames as select

    return select(dataset, recipe, name=name, seed=seed, **kwargs)


def list_selections(dataset: fo.Dataset) -> list[str]:
    """Returns the names of a dataset's selections, the oldest first.

    Args:
        dataset: the dataset
    """
    from raremine.brain.selection.stage import list_selections as names

    return names(dataset)


def load_selection(dataset: fo.Dataset, name: str | None = None) -> Selection:
    """Returns a selection of a dataset.

    Args:
        dataset: the dataset
        name (None): its name, None = the one that was made last

    Raises:
        MissingStageError: if there is no such selection
    """
    from raremine.brain.selection.stage import load_selection as load

    return load(dataset, name)


def compare_selections(
    dataset: fo.Dataset,
    a: Selection | str,
    b: Selection | str,
    *,
    field: str = "objects",
    classes: str | None = None,
) -> SelectionComparison:
    """Compares two selections: overlap, class balance, scene coverage.

    Full documentation:
    :func:`raremine.brain.selection.compare.compare_selections`.

    Args:
        dataset: the dataset
        a: name of the first selection
        b: name of the second selection
        field ("objects"): objects whose classes are counted: the mined ones,
            or annotations such as ``ground_truth``
        classes (None): the objects' attribute that holds the class, None =
            ``concept`` where the objects have one, else ``label``

    Returns:
        a ``SelectionComparison``

    Raises:
        MissingStageError: if there is no such selection, or no such objects
    """
    from raremine.brain.selection.compare import compare_selections as compare

    return compare(dataset, a, b, field=field, classes=classes)


def delete_selection(dataset: fo.Dataset, name: str) -> dict[str, Any]:
    """Deletes a selection: its tags, its saved views and its run.

    Args:
        dataset: the dataset
        name: name of the selection

    Returns:
        what went: ``selection``, ``frames``, ``views``

    Raises:
        MissingStageError: if there is no such selection
    """
    from raremine.brain.selection.stage import delete_selection as delete

    return delete(dataset, name)


def export_selection(
    dataset: fo.Dataset,
    selection: Selection | str | None,
    format: str,
    out_dir: str | Path,
    **options: Any,
) -> Path:
    """Exports a selection for training code.

    Full documentation:
    :func:`raremine.brain.selection.export.export_selection`.

    Args:
        dataset: the dataset
        selection: a ``Selection``, its name, or None for the last one
        format: "tokens" (sample tokens as JSON and CSV), "mmdet3d" and
            "openpcdet" (info files), "nuscenes" (a smaller dataroot),
            "coco", "yolo" (2D boxes), "fiftyone" (a dataset)
        out_dir: folder to write to; the export is a folder in it
        **options: ``overwrite`` (False), ``progress`` and the options of
            the format, see docs/exports.md

    Returns:
        path of the file or folder that training code is pointed to

    Raises:
        RaremineError: if the format or an option is unknown, the export
            exists already, or the disk is too small
    """
    from raremine.brain.selection.export import export_selection as export

    return export(dataset, selection, format, out_dir, **options)


def plan_export(
    dataset: fo.Dataset,
    selection: Selection | str | None,
    format: str,
    out_dir: str | Path,
    **options: Any,
) -> ExportPlan:
    """Tells where an export would go and how much disk it needs.

    Takes what ``export_selection`` takes and writes nothing.

    Args:
        dataset: the dataset
        selection: a ``Selection``, its name, or None for the last one
        format: as for ``export_selection``
        out_dir: folder to write to
        **options: options of the format

    Returns:
        an ``ExportPlan`` with ``destination``, ``bytes``, ``free`` and
        ``exists``

    Raises:
        RaremineError: as ``export_selection``
    """
    from raremine.brain.selection.export import plan_export as plan

    return plan(dataset, selection, format, out_dir, **options)


def evaluate_mining(
    dataset: fo.Dataset,
    strategies: Any = None,
    budgets: Sequence[float] = (0.05, 0.1, 0.2, 0.3),
    *,
    seeds: Iterable[int] = range(20),
    targets: Sequence[str] | None = None,
    field: str = "objects",
    also: Mapping[str, str] | None = None,
    gt_field: str = "ground_truth",
    embeddings: str | None = None,
    splits: str | Sequence[str] | None = None,
    keep: TruthFilter | Mapping[str, float] | None = None,
    min_iou: float = 0.5,
    rare_share: float = 0.01,
    resamples: int = 1000,
    out_dir: str | Path | None = None,
    brain_key: str = "mining_evaluation",
    progress: ProgressArgument = None,
) -> MiningReport:
    """Measures how much target ground truth mining strategies find.

    Each strategy orders the frames of the pool; a budget takes the first
    share of them. None but the oracle sees the ground truth.

    See docs/evaluation.md for what each number means.

    Args:
        dataset: a mined dataset with ground truth
        strategies (None): names, or functions ``(frames, seed) -> order`` by
            name; None = random, oracle, our own, every single score that the
            objects have, and those that compare frame embeddings if there
            are any
        budgets ((.05, .1, .2, .3)): shares of the pool's frames
        seeds (range(20)): seeds of whatever is drawn: random orders and ties
        targets (None): target classes, or nuScenes categories; None =
            construction vehicle, bicycle, motorcycle, trailer, truck
        field ("objects"): the mined detections
        also (None): prefix → another field, mined in another way, for a
            strategy named like the prefix: ``{"paper": "objects_paper"}``.
            None = that one, where there is a field named so
        gt_field ("ground_truth"): the ground truth boxes of the cameras
        embeddings (None): brain key of the vectors that frames are compared
            by; None = ``{field}_clip``, or ``frames_clip`` where there is no
            such run
        splits (None): splits that form the pool; None = the train splits,
            or every frame where the data set has no splits
        keep (None): which boxes count, a ``TruthFilter`` or a dict with any
            of ``min_height``, ``min_visibility``, ``min_points``
        min_iou (0.5): overlap from which an object shows an annotated box
        rare_share (0.01): objects of a category with less than this share of
            the annotated boxes are rare
        resamples (1000): resampled sets of scenes behind the intervals
        out_dir (None): folder for the report as ``report.html`` and
            ``report.json``, and its figures
        brain_key ("mining_evaluation"): where the report is recorded
        progress (None): None, a bool, or a function (done, total, label)

    Returns:
        the report

    Raises:
        MissingStageError: if there is no ground truth or a strategy needs a
            stage that has not run
        RaremineError: if no frame of the pool holds a target, or a budget or
            seed is not valid
    """
    from raremine.brain.evaluation.stage import evaluate_mining as evaluate

    return evaluate(
        dataset,
        strategies,
        budgets,
        seeds=seeds,
        targets=targets,
        field=field,
        also=also,
        gt_field=gt_field,
        embeddings=embeddings,
        splits=splits,
        keep=keep,
        min_iou=min_iou,
        rare_share=rare_share,
        resamples=resamples,
        out_dir=out_dir,
        brain_key=brain_key,
        progress=progress,
    )


def mine(
    dataset: fo.Dataset,
    preset: str = "default",
    *,
    detector: str | Mapping[str, Any] | Detector = "yolov8l.pt",
    embedder: str | Mapping[str, Any] | Embedder | None = None,
    captioner: str
    | Mapping[str, Any]
    | Captioner
    | None = "Qwen/Qwen2-VL-2B-Instruct",
    vocabulary: str | Path | Mapping[str, Any] | None = None,
    targets: Sequence[str] | None = None,
    recipe: Mapping[str, Any] | str | Path | None = None,
    field: str = "objects",
    name: str | None = None,
    seed: int | None = None,
    out_dir: str | Path | None = None,
    evaluate: bool | None = None,
    overwrite: bool = False,
    progress: ProgressArgument = None,
) -> dict[str, Any]:
    """Runs every stage: from images to a selected, exported training split.

    Models are loaded before anything is written, so that a wrong path costs
    seconds and not the night. A second run does only what is missing.

    Args:
        dataset: a dataset with camera images, as ``load_nuscenes`` makes it
        preset ("default"): "default", or "paper" for the pipeline of arXiv
            2512.05482 as published
        detector ("yolov8l.pt"): weights, options of ``detect_objects`` as a
            dict with ``model``, or any ``Detector``
        embedder (None): None = ViT-B-32 with laion2b_s34b_b79k; a local
            folder, options of ``embed_objects`` as a dict with ``model`` and
            ``pretrained``, or any ``Embedder``
        captioner ("Qwen/Qwen2-VL-2B-Instruct"): hub id or folder, options of
            ``caption_objects`` as a dict with ``model``, any ``Captioner``,
            or None to mine without captions (image evidence alone)
        vocabulary (None): as for ``match_concepts``, None = the preset's
        targets (None): target concepts, None = the vocabulary's
        recipe (None): as for ``select_frames``, None = random 10 % and
            target 10 % by rank
        field ("objects"): detections field; brain keys are named after it
        name (None): name of the selection and its tag, None = ``mined``
        seed (None): seed of the selection and of sub-sampling, None = the
            recipe's, or else 0
        out_dir (None): folder for the token list, None = no export
        evaluate (None): whether to measure against ground truth, None = if
            there is any
        overwrite (False): redo every stage
        progress (None): None, a bool, or a function (done, total, label)

    Returns:
        dict with ``preset``, ``images``, ``objects``, ``groups``,
        ``stages`` (summaries), ``seconds`` by stage, ``selection``,
        ``views``, ``export`` and ``evaluation``

    Raises:
        RaremineError: with one sentence on what was wrong and what to do
    """
    from raremine.brain.pipeline import run_pipeline

    return run_pipeline(
        dataset,
        preset,
        detector=detector,
        embedder=embedder,
        captioner=captioner,
        vocabulary=vocabulary,
        targets=targets,
        recipe=recipe,
        field=field,
        name=name,
        seed=seed,
        out_dir=out_dir,
        evaluate=evaluate,
        overwrite=overwrite,
        progress=progress,
    )
