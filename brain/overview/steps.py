"""Which stage comes next, and which parts wait for it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import fiftyone as fo

from raremine.brain.overview.fields import FIRST_FIELD, MinedField


@dataclass(frozen=True)
class Advice:
    """What to run before there is something to see.

    Attributes:
        operator: name of the operator
        label: what it is called in the App
        text: one sentence: what is missing and what the operator does
        params: what its form begins with
    """

    operator: str
    label: str
    text: str
    params: dict[str, Any] = field(default_factory=dict)


def first_step(dataset: fo.Dataset) -> Advice:
    """Returns what to run on a dataset without any objects."""
    return Advice(
        "mine",
        "Mine rare objects",
        f"Dataset '{dataset.name}' has no detected objects yet. 'Mine rare "
        "objects' runs every step, from detection to the selection.",
    )


def advice(dataset: fo.Dataset, mined: MinedField) -> dict[str, Advice]:
    """Returns for each missing stage what to run.

    Args:
        dataset: the root dataset
        mined: the mined field

    Returns:
        "outliers", "concepts", "novelty", "pareto" → advice, only for what
        is missing; the first one comes first
    """
    name = mined.name
    own = {} if name == FIRST_FIELD else {"field": name}
    vectors = f"{name}_clip"
    with_vectors = {**own, "embeddings": vectors} if own else {}
    missing: dict[str, Advice] = {}
    if not mined.has("outlier_score"):
        missing["outliers"] = _outliers(dataset, name, own, vectors)
    if not mined.has("group"):
        missing["concepts"] = Advice(
            "match_concepts",
            "Match concepts",
            "Objects have no concept and no group (Target, Rare, Common) "
            "yet; 'Match concepts' decides them.",
            with_vectors,
        )
    if not mined.has("novelty"):
        missing["novelty"] = _novelty(mined, own)
    if not mined.has("pareto_front"):
        missing["pareto"] = Advice(
            "rank_pareto",
            "Rank by Pareto fronts",
            "Objects are not ranked yet; 'Rank by Pareto fronts' joins "
            "outlier score and novelty into fronts.",
            own,
        )
    return missing


def _outliers(
    dataset: fo.Dataset, name: str, own: dict[str, Any], vectors: str
) -> Advice:
    keys = dataset.list_brain_runs(type="similarity")
    ours = (dataset.get_brain_info(key).config for key in keys)
    if not any(getattr(c, "patches_field", None) == name for c in ours):
        key = {"brain_key": vectors} if own else {}
        return Advice(
            "embed_objects",
            "Embed objects",
            "Objects have no vectors yet; 'Embed objects' makes them, then "
            "'Score outliers' can tell which are unusual.",
            {**own, **key},
        )
    key = {"brain_key": f"{name}_outliers"} if own else {}
    with_vectors = {"embeddings": vectors} if own else {}
    return Advice(
        "score_outliers",
        "Score outliers",
        "Objects have no outlier scores yet; 'Score outliers' tells how "
        "unusual each one is.",
        {**own, **with_vectors, **key},
    )


def _novelty(mined: MinedField, own: dict[str, Any]) -> Advice:
    if not mined.has("caption_status"):
        return Advice(
            "caption_objects",
            "Caption objects",
            "Objects have no captions yet; 'Caption objects' describes the "
            "unusual ones in words, then 'Score novelty' finds rare words.",
            own,
        )
    return Advice(
        "score_novelty",
        "Score novelty",
        "Captions have no keywords yet; 'Score novelty' tells which words "
        "are rare.",
        own,
    )
