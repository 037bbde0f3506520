"""What the App shows: one operator a file, thin over the SDK."""

from __future__ import annotations

from raremine.operators.caption_objects import CaptionObjects
from raremine.operators.compare_selections import CompareSelections
from raremine.operators.correct_objects import CorrectObjects
from raremine.operators.delete_selection import DeleteSelection
from raremine.operators.detect_and_embed import DetectAndEmbed
from raremine.operators.detect_objects import DetectObjects
from raremine.operators.embed_frames import EmbedFrames
from raremine.operators.embed_objects import EmbedObjects
from raremine.operators.evaluate_mining import EvaluateMining
from raremine.operators.export_selection import ExportSelection
from raremine.operators.fit_outliers import FitOutliers
from raremine.operators.load_nuscenes import LoadNuscenes
from raremine.operators.locate_objects import LocateObjects
from raremine.operators.map_objects import MapObjects
from raremine.operators.match_concepts import MatchConcepts
from raremine.operators.mine import Mine
from raremine.operators.panel import PANELS
from raremine.operators.rank_pareto import RankPareto
from raremine.operators.score_novelty import ScoreNovelty
from raremine.operators.score_outliers import ScoreOutliers
from raremine.operators.search_objects import SearchObjects
from raremine.operators.select_frames import SelectFrames
from raremine.operators.show_map import ShowMap

OPERATORS = (
    LoadNuscenes,
    DetectObjects,
    EmbedObjects,
    EmbedFrames,
    DetectAndEmbed,
    LocateObjects,
    SearchObjects,
    ScoreOutliers,
    FitOutliers,
    MapObjects,
    CaptionObjects,
    MatchConcepts,
    CorrectObjects,
    ScoreNovelty,
    RankPareto,
    SelectFrames,
    CompareSelections,
    DeleteSelection,
    ExportSelection,
    EvaluateMining,
    Mine,
)

VIEWERS = (ShowMap,)
"""They only show what is there, so no SDK function stands behind them."""

__all__ = ["OPERATORS", "PANELS", "VIEWERS"]
