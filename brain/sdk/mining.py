"""Every stage runs in one go."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import fiftyone as fo

    from raremine.brain.models.protocols import Captioner, Detector, Embedder
    from raremine.brain.progress import ProgressArgument


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
