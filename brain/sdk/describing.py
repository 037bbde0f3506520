"""Objects get their captions, concepts and groups."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from raremine.brain.concepts.vocabulary import Vocabulary
    from raremine.brain.models.protocols import Captioner, Embedder
    from raremine.brain.progress import ProgressArgument


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
    use_size: bool = True,
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
        use_size (True): whether a height and width that ``locate_objects``
            has measured by LiDAR are held against those that the vocabulary
            gives its concepts (``calibrated`` only)

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
        use_size=use_size,
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
