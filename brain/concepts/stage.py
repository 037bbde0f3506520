"""Decides concept, group and reason of each object and writes them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import fiftyone as fo
import fiftyone.core.fields as fof
import numpy as np

from raremine.brain.columns import (
    Scope,
    declare_columns,
    read_objects,
    require_objects,
    resolve,
    write_objects,
)
from raremine.brain.concepts.correction import (
    BY_EVIDENCE,
    BY_HUMAN,
    apply_corrections,
)
from raremine.brain.concepts.evidence import CropVectors
from raremine.brain.concepts.groups import group_score, groups_by_score
from raremine.brain.concepts.judging import COLUMNS, decide
from raremine.brain.concepts.matcher import Match
from raremine.brain.concepts.reasons import reason
from raremine.brain.concepts.scenes import pool_in_scenes
from raremine.brain.concepts.vocabulary import Vocabulary, load_vocabulary
from raremine.brain.crop_index import open_index
from raremine.brain.decisions import DECIDED_COLUMNS
from raremine.brain.errors import RaremineError
from raremine.brain.frames import write_frame_summary
from raremine.brain.models.protocols import Embedder
from raremine.brain.objects import ObjectTable, object_array
from raremine.brain.runs import check_key, record_run
from raremine.brain.summary import StageSummary

EVIDENCE = ("both", "text", "image")

COLUMN_TYPES: dict[str, type[fof.Field]] = {
    "concept": fof.StringField,
    "concept_score": fof.FloatField,
    "concept_margin": fof.FloatField,
    "ambiguous": fof.BooleanField,
    "runner_up": fof.StringField,
    "group": fof.StringField,
    "target_score": fof.FloatField,
    "rare_score": fof.FloatField,
    "target_evidence": fof.FloatField,
    "rare_evidence": fof.FloatField,
    "reason": fof.StringField,
    "concept_source": fof.StringField,
}

FRAME_FIELDS = ("mining_group", "target_concepts", "mining_score")


def match_objects(
    samples: Any,
    vocabulary: Any = None,
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
    """Matches every object against the vocabulary.

    See :func:`raremine.brain.match_concepts`.
    """
    summary = StageSummary("match_concepts")
    if evidence not in EVIDENCE:
        raise RaremineError(
            f"Unknown evidence '{evidence}'; choose {', '.join(EVIDENCE)}."
        )
    words = load_vocabulary(vocabulary)
    groups = words.groups(targets)
    scope = resolve(samples, field)
    check_key(scope.dataset, f"{field}_concepts", "concepts")
    table = _read(scope, field)
    if only_captioned:
        asked = np.array(
            [s not in (None, "skipped") for s in table["caption_status"]],
            dtype=bool,
        )
    else:
        asked = np.ones(len(table), dtype=bool)
    dataset = scope.dataset
    model = embedder or _text_encoder(dataset, embeddings)
    decision, named, crops = decide(
        dataset,
        table,
        words,
        model,
        evidence=evidence,
        embeddings=embeddings,
        weighting=weighting,
        templates=weighting == "calibrated",
        trust_detector=trust_detector,
        use_size=use_size,
    )
    columns = _columns(table, decision, words, asked, margin)
    for name in ("target", "rare"):
        members = np.array([groups[n] == name for n in words.names])
        columns[f"{name}_score"] = np.where(
            asked, group_score(decision.total, members, weighting), np.nan
        )
    columns["group"] = (
        _groups_by_concept(
            table, columns, words, groups, asked & trust_detector
        )
        if group_threshold is None
        else groups_by_score(
            columns["target_score"], columns["rare_score"], group_threshold
        )
    )
    columns["reason"] = _reasons(
        table,
        columns,
        decision,
        groups,
        asked,
        read_captions=evidence != "image",
        detector_counts=trust_detector
        and evidence == "both"
        and weighting == "calibrated",
    )
    columns["concept_source"] = [
        BY_EVIDENCE if name else None for name in columns["concept"]
    ]
    columns = {name: object_array(values) for name, values in columns.items()}
    by_hand = apply_corrections(columns, table, groups)
    columns |= _in_scenes(table, columns, crops if pool_scenes else None)
    declare_columns(dataset, field, COLUMN_TYPES)
    write_objects(dataset, field, table, columns)
    write_frame_summary(dataset, field)
    counts = {
        name: sum(1 for g in columns["group"] if g == name)
        for name in ("target", "rare", "common")
    }
    root = f"{field}.detections"
    record_run(
        dataset,
        f"{field}_concepts",
        "concepts",
        field=field,
        fields=[*(f"{root}.{c}" for c in COLUMN_TYPES), *FRAME_FIELDS],
        params={
            "vocabulary": words.source,
            "concepts": {c.name: groups[c.name] for c in words.concepts},
            "evidence": evidence,
            "embeddings": embeddings,
            "weighting": weighting,
            "margin": margin,
            "only_captioned": only_captioned,
            "trust_detector": trust_detector,
            "group_threshold": group_threshold,
            "pool_scenes": pool_scenes and crops is not None,
            "use_size": use_size,
        },
        results={"groups": counts},
    )
    summary.count(
        objects=len(table),
        **counts,
        ambiguous=sum(map(bool, columns["ambiguous"])),
        named_by_caption=int((named >= 0).sum()),
        by_hand=by_hand,
    )
    return summary.to_dict()


def _read(scope: Scope, field: str) -> ObjectTable:
    require_objects(scope, field)
    return read_objects(
        scope,
        field,
        [
            *COLUMNS,
            *("outlier_by", "outlier_score"),
            *DECIDED_COLUMNS,
        ],
    )


def _text_encoder(dataset: fo.Dataset, embeddings: str) -> Any:
    index = open_index(dataset, embeddings)
    from raremine.brain.models.open_clip_embedder import OpenClipEmbedder

    if not index.config.embedder:
        raise RaremineError(
            f"Embeddings '{embeddings}' do not say which model made them; "
            "pass embedder=."
        )
    return OpenClipEmbedder(**index.config.embedder)


def _in_scenes(
    table: ObjectTable,
    columns: dict[str, np.ndarray],
    crops: CropVectors | None,
) -> dict[str, np.ndarray]:
    """Returns the groups' evidence; a human's word stays what it is.

    It is heard for the crops that look alike, too.
    """
    names = ("target", "rare")
    if crops is None:
        return {f"{n}_evidence": np.full(len(table), np.nan) for n in names}
    own = np.stack([columns[f"{n}_score"] for n in names], axis=1)
    own = own.astype(np.float64)
    pooled = pool_in_scenes(own, crops, table["scene_name"])
    said = columns["concept_source"] == BY_HUMAN
    pooled[said] = own[said]
    return {f"{n}_evidence": pooled[:, i] for i, n in enumerate(names)}


def _columns(
    table: ObjectTable,
    decision: Match,
    words: Vocabulary,
    asked: np.ndarray,
    margin: float,
) -> dict[str, Any]:
    names = [*words.names, None]
    known = asked & (decision.best >= 0)
    return {
        "concept": [
            names[i] if a else None
            for i, a in zip(decision.best, asked, strict=True)
        ],
        "concept_score": np.where(known, decision.score, np.nan),
        "concept_margin": np.where(known, decision.margin, np.nan),
        "ambiguous": [
            bool(k and m < margin)
            for k, m in zip(known, decision.margin, strict=True)
        ],
        "runner_up": [
            names[i] if a else None
            for i, a in zip(decision.second, asked, strict=True)
        ],
    }


def _groups_by_concept(
    table: ObjectTable,
    columns: dict[str, Any],
    words: Vocabulary,
    groups: dict[str, str],
    trusted: np.ndarray,
) -> list[str]:
    """The best concept's group; a trusted detector's target makes one."""
    out = []
    for name, label, trust in zip(
        columns["concept"], table["label"], trusted, strict=True
    ):
        own = groups[name] if name else "common"
        if trust and own != "target":
            detected = words.concept_of(str(label))
            if detected and groups[detected] == "target":
                own = "target"
        out.append(own)
    return out


def _reasons(
    table: ObjectTable,
    columns: dict[str, Any],
    decision: Match,
    groups: dict[str, str],
    asked: np.ndarray,
    *,
    read_captions: bool,
    detector_counts: bool,
) -> list[str]:
    score = np.asarray(table["outlier_score"], dtype=np.float64)
    ranked = np.isfinite(score)
    place = np.zeros(len(table), dtype=int)
    order = np.argsort(-score[ranked], kind="stable")
    place[np.flatnonzero(ranked)[order]] = np.arange(1, ranked.sum() + 1)
    out = []
    for row in range(len(table)):
        concept = columns["concept"][row]
        by_detector = columns["group"][row] == "target" and (
            concept is None or groups[concept] != "target"
        )
        by = table["outlier_by"][row]
        out.append(
            reason(
                caption=table["caption"][row]
                if read_captions and table["caption_status"][row] == "ok"
                else None,
                label=table["label"][row],
                concept=concept,
                score=float(columns["concept_score"][row]),
                runner_up=columns["runner_up"][row],
                runner_up_score=float(decision.second_score[row]),
                outlier_by=by if isinstance(by, list) else (),
                rank=int(place[row]) if ranked[row] else None,
                total=int(ranked.sum()),
                ambiguous=columns["ambiguous"][row],
                by_detector=by_detector,
                asked=bool(asked[row]),
                detector_counts=detector_counts,
            )
        )
    return out
