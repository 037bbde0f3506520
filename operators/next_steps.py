"""What a user will want to do after a run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from raremine.operators.failures import failure_views

URI = "@raremine/raremine"


@dataclass(frozen=True)
class Step:
    """A button below a result.

    Attributes:
        name: its key in the result
        label: what is on it
        operator: URI of what it runs
        params: with these parameters
        prompt: whether the operator's form is shown first
    """

    name: str
    label: str
    operator: str
    params: Mapping[str, Any] = field(default_factory=dict)
    prompt: bool = True


NEXT: Mapping[str, tuple[str, str]] = {
    "load_nuscenes": ("mine", "Mine rare objects"),
    "detect_objects": ("embed_objects", "Embed objects"),
    "embed_objects": ("score_outliers", "Score outliers"),
    "detect_and_embed": ("score_outliers", "Score outliers"),
    "embed_frames": ("select_frames", "Select frames"),
    "locate_objects": ("match_concepts", "Match concepts"),
    "score_outliers": ("caption_objects", "Caption objects"),
    "fit_outliers": ("score_outliers", "Score outliers"),
    "map_objects": ("caption_objects", "Caption objects"),
    "caption_objects": ("match_concepts", "Match concepts"),
    "match_concepts": ("score_novelty", "Score novelty"),
    "correct_objects": ("select_frames", "Select frames"),
    "score_novelty": ("rank_pareto", "Rank by Pareto fronts"),
    "rank_pareto": ("select_frames", "Select frames"),
    "select_frames": ("evaluate_mining", "Evaluate mining"),
    "compare_selections": ("export_selection", "Export selection"),
    "delete_selection": ("select_frames", "Select frames"),
    "evaluate_mining": ("export_selection", "Export selection"),
    "mine": ("evaluate_mining", "Evaluate mining"),
}
"""The sensible step after each operator, and its label. An export ends the
row, and a search is looked at."""


def steps_after(
    stage: str, dataset: Any, results: Mapping[str, Any], field: str
) -> list[Step]:
    """Returns the buttons below a result.

    Args:
        stage: the operator that ran
        dataset: the dataset, None if there is none
        results: what it returned
        field: the detections field it worked on
    """
    steps = []
    if dataset is not None:
        for failed, view in failure_views(dataset, results, field).items():
            what = failed.replace("_", " ")
            steps.append(
                Step(
                    f"failures_of_{failed}",
                    f"Show what failed: {what}",
                    "set_view",
                    {"view": view._serialize()},
                    prompt=False,
                )
            )
        saved = set(dataset.list_saved_views())
        for name in results.get("views") or ():
            if name in saved:
                steps.append(
                    Step(
                        f"view_{len(steps)}",
                        f"Open view: {name}",
                        "set_view",
                        # not by name: the App may not know of it yet
                        {"view": dataset.load_saved_view(name)._serialize()},
                        prompt=False,
                    )
                )
    if stage in NEXT and not results.get("error"):
        operator, label = NEXT[stage]
        params = {"field": field} if field != "objects" else {}
        steps.append(
            Step("next_step", f"Next: {label}", f"{URI}/{operator}", params)
        )
    return steps
