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

from raremine.brain.sdk.describing import (
    caption_objects,
    correct_objects,
    match_concepts,
)
from raremine.brain.sdk.detecting import detect_and_embed, detect_objects
from raremine.brain.sdk.embedding import embed_frames, embed_objects
from raremine.brain.sdk.evaluating import evaluate_mining
from raremine.brain.sdk.exploring import map_objects, search_objects
from raremine.brain.sdk.exporting import export_selection, plan_export
from raremine.brain.sdk.loading import load_nuscenes
from raremine.brain.sdk.locating import locate_objects
from raremine.brain.sdk.mining import mine
from raremine.brain.sdk.scoring import (
    fit_outliers,
    rank_pareto,
    score_novelty,
    score_outliers,
)
from raremine.brain.sdk.selecting import (
    compare_selections,
    delete_selection,
    list_selections,
    load_selection,
    select_frames,
)

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
    "locate_objects",
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

# They are public under this name; help() and pickles are to say it too.
for _name in __all__:
    globals()[_name].__module__ = __name__
del _name
