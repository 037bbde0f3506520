"""The brain run of outlier scoring.

The scores stand on the objects, where the App filters by them; the run keeps
them too, compactly and by label id, so that a later run that writes the same
fields, or an edit, does not take away what this one found.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from bson import ObjectId

from raremine.brain.errors import RaremineError
from raremine.brain.runs import (
    MiningStage,
    MiningStageConfig,
    MiningStageResults,
)


class OutlierScoringConfig(MiningStageConfig):
    """Configuration of outlier scoring: see ``MiningStageConfig``."""


class OutlierScoring(MiningStage):
    """Life cycle of an outlier scoring on a dataset."""


class OutlierScoringResults(MiningStageResults):
    """What was found: load it with ``dataset.load_brain_results(key)``."""

    @property
    def label_ids(self) -> np.ndarray:
        """The (n,) str ids of the scored objects."""
        packed = self.arrays["label_ids"].tobytes().hex()
        ids = [packed[i : i + 24] for i in range(0, len(packed), 24)]
        return np.array(ids, dtype="U24")

    @property
    def methods(self) -> tuple[str, ...]:
        """The methods that scored them."""
        return tuple(self.data["thresholds"])

    @property
    def thresholds(self) -> dict[str, float]:
        """The score above which each method flags an object."""
        return dict(self.data["thresholds"])

    def scores(self, method: str) -> np.ndarray:
        """Returns a method's (n,) float64 scores, higher = more unusual.

        Args:
            method: one of ``methods``, or "outlier_score" for the fused one

        Raises:
            RaremineError: if the run has no scores of that name
        """
        have = (*self.methods, "outlier_score")
        if method not in have:
            raise RaremineError(
                f"Run '{self.key}' has no scores of '{method}'; choose one "
                f"of {', '.join(have)}."
            )
        return np.asarray(self.arrays[method])

    @property
    def outlier(self) -> np.ndarray:
        """The (n,) bool of objects that the fusion flags."""
        return np.asarray(self.arrays["outlier"])

    def flags(self, method: str) -> np.ndarray:
        """Returns the (n,) bool of objects that a method flags."""
        return self.scores(method) > self.data["thresholds"][method]


def result_arrays(
    label_ids: np.ndarray,
    scores: Mapping[str, np.ndarray],
    outlier_score: np.ndarray,
    outlier: np.ndarray,
) -> dict[str, Any]:
    """Returns the arrays that the results hold.

    Args:
        label_ids: (n,) str
        scores: method → (n,) float
        outlier_score: (n,) float
        outlier: (n,) bool
    """
    packed = b"".join(ObjectId(str(i)).binary for i in label_ids)
    return {
        "label_ids": np.frombuffer(packed, np.uint8).reshape(-1, 12),
        **scores,
        "outlier_score": outlier_score,
        "outlier": outlier,
    }
