"""Asks every witness what the objects are, and decides."""

from __future__ import annotations

import fiftyone as fo
import numpy as np

from raremine.brain.concepts.evidence import CropVectors, caption_cosines
from raremine.brain.concepts.matcher import (
    Match,
    detector_evidence,
    match,
)
from raremine.brain.concepts.naming import ConceptNames
from raremine.brain.concepts.sizes import SeenSize, size_evidence
from raremine.brain.concepts.term_vectors import term_vectors
from raremine.brain.concepts.vocabulary import Vocabulary
from raremine.brain.crop_vectors import vectors_of
from raremine.brain.errors import RaremineError
from raremine.brain.locating.ranging import EDGE, LIDAR
from raremine.brain.models.protocols import Embedder
from raremine.brain.objects import ObjectTable

COLUMNS = (
    *("label", "confidence", "caption", "caption_class", "caption_status"),
    *("bounding_box", "seen_height", "seen_width", "located_by"),
)
"""Attributes of the objects that witnesses read."""


def decide(
    dataset: fo.Dataset,
    table: ObjectTable,
    words: Vocabulary,
    model: Embedder,
    *,
    evidence: str,
    embeddings: str,
    weighting: str,
    templates: bool,
    trust_detector: bool,
    use_size: bool,
) -> tuple[Match, np.ndarray, CropVectors | None]:
    """Asks text, image, detector and size, and joins what they say.

    Args:
        dataset: the root dataset
        table: the objects, with ``COLUMNS``
        words: the vocabulary
        model: encodes texts
        evidence: "both", "text" or "image"
        embeddings: brain key of the crops' vectors
        weighting: see ``match``
        templates: whether terms stand in the vocabulary's sentences
        trust_detector: whether its class counts
        use_size: whether a size measured by LiDAR counts

    Returns:
        the decision, the (n,) int64 concept that each caption names (-1 =
        none), and the crops' vectors, None if nobody looked at them
    """
    terms = term_vectors(words, model.embed_texts, templates)
    place = {name: i for i, name in enumerate(words.names)}
    named = np.full(len(table), -1, dtype=np.int64)
    text_cosine = image_cosine = agreement = crops = None
    if evidence != "text" or weighting == "adaptive":
        crops = _crops(dataset, table, embeddings, terms.vectors.shape[1])
    if crops is not None and evidence != "text":
        image_cosine = crops.cosines(terms)
    if evidence != "image":
        captions = [
            str(text) if text and status == "ok" else None
            for text, status in zip(
                table["caption"], table["caption_status"], strict=True
            )
        ]
        names = ConceptNames(words)
        naming = names.concept if weighting == "calibrated" else names.exact
        for row, text in enumerate(captions):
            if text is not None:
                concept = naming(text, table["caption_class"][row])
                named[row] = place[concept] if concept else -1
        text_cosine, agreement = caption_cosines(
            captions, terms, model, crops if weighting == "adaptive" else None
        )
    detected = [words.concept_of(str(label)) for label in table["label"]]
    size = None
    if use_size and evidence != "text":
        sizes = [concept.size for concept in words.concepts]
        size = size_evidence(_seen_size(table), sizes)
    decision = match(
        text_cosine,
        image_cosine,
        named,
        weighting=weighting,
        logit_scale=model.logit_scale,
        image_text_cosine=agreement,
        detector=detector_evidence(
            np.array([place[d] if d else -1 for d in detected], dtype=int),
            np.asarray(table["confidence"], dtype=np.float64),
            len(words.concepts),
        )
        if trust_detector and evidence == "both"
        else None,
        size=size,
        barred=_barred(words, named, size),
    )
    return decision, named, crops


def _barred(
    words: Vocabulary, named: np.ndarray, size: np.ndarray | None
) -> np.ndarray | None:
    """Returns which concepts cannot be told for want of a size."""
    needs = np.array([concept.needs_size for concept in words.concepts])
    if not needs.any():
        return None
    measured = np.zeros(len(named), dtype=bool)
    if size is not None:
        measured = np.isfinite(size).all(axis=1)
    own = named[:, None] == np.arange(len(needs))
    return np.asarray(needs & ~measured[:, None] & ~own)


def _seen_size(table: ObjectTable) -> SeenSize:
    """Returns the sizes that LiDAR has measured.

    Those by the ground are left out: where a street rises, they are wrong,
    and all of its objects in the same way.
    """
    by_lidar = np.asarray(table["located_by"], dtype=object) == LIDAR
    boxes = table["bounding_box"]
    after = boxes[:, :2] + boxes[:, 2:]
    cut = (boxes[:, :2] < EDGE) | (after > 1 - EDGE)
    return SeenSize(
        height=np.where(by_lidar, table["seen_height"], np.nan),
        width=np.where(by_lidar, table["seen_width"], np.nan),
        cut_above=cut[:, 1],
        cut_aside=cut[:, 0],
    )


def _crops(
    dataset: fo.Dataset, table: ObjectTable, embeddings: str, size: int
) -> CropVectors:
    vectors, rows = vectors_of(dataset, embeddings, table)
    if len(rows) and vectors.shape[1] != size:
        raise RaremineError(
            f"Embeddings '{embeddings}' have {vectors.shape[1]} numbers, "
            f"the embedder of the vocabulary makes {size}; pass the embedder "
            "that made them."
        )
    return CropVectors(vectors, rows, len(table))
