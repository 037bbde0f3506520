"""The brain runs of keyword novelty and of Pareto ranking.

What stands on the objects can be filtered in the App; the runs keep what was
found compactly and by label id, the keyword table above all.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from bson import ObjectId

from raremine.brain.errors import RaremineError
from raremine.brain.novelty.frequency import KeywordTable
from raremine.brain.runs import (
    MiningStage,
    MiningStageConfig,
    MiningStageResults,
)

if TYPE_CHECKING:
    import pandas as pd


class KeywordNoveltyConfig(MiningStageConfig):
    """Configuration of keyword novelty: see ``MiningStageConfig``."""


class KeywordNovelty(MiningStage):
    """Life cycle of a keyword novelty run on a dataset."""


class KeywordNoveltyResults(MiningStageResults):
    """The keywords: load it with ``dataset.load_brain_results(key)``."""

    @property
    def label_ids(self) -> np.ndarray:
        """The (n,) str ids of the captioned objects."""
        return unpack_ids(self.arrays["label_ids"])

    @property
    def keywords(self) -> tuple[str, ...]:
        """All keywords in alphabetical order."""
        text = self.arrays["keywords"].tobytes().decode()
        return tuple(text.split("\n")) if text else ()

    def table(self) -> pd.DataFrame:
        """Returns the keyword table, the most novel keyword first.

        Returns:
            a data frame with ``keyword``, ``count`` (objects), ``scenes``,
            ``novelty`` (-log(frequency / N); NaN for a keyword seen too
            rarely to count, these stand last) and ``examples`` (label ids
            from different scenes)
        """
        import pandas as pd

        ids = self.label_ids
        frame = pd.DataFrame(
            {
                "keyword": np.array(self.keywords, dtype=object),
                "count": self.arrays["count"],
                "scenes": self.arrays["scenes"],
                "novelty": self.arrays["novelty"],
                "examples": [
                    [str(ids[row]) for row in rows if row >= 0]
                    for rows in self.arrays["examples"]
                ],
            }
        )
        return frame.sort_values(
            ["novelty", "count", "keyword"], ascending=[False, True, True]
        ).reset_index(drop=True)

    def objects(self, keyword: str) -> np.ndarray:
        """Returns the label ids of the objects that carry a keyword.

        Args:
            keyword: one of ``keywords``

        Raises:
            RaremineError: if no caption has it
        """
        words = np.array(self.keywords, dtype=object)
        at = int(np.searchsorted(words, keyword))
        if at == len(words) or words[at] != keyword:
            raise RaremineError(
                f"Run '{self.key}' found no keyword '{keyword}'; its table() "
                "lists them all, in lower case and as singulars."
            )
        start, stop = self.arrays["starts"][at : at + 2]
        return np.asarray(self.label_ids[self.arrays["rows"][start:stop]])


class ParetoRankingConfig(MiningStageConfig):
    """Configuration of a Pareto ranking: see ``MiningStageConfig``."""


class ParetoRanking(MiningStage):
    """Life cycle of a Pareto ranking on a dataset."""


class ParetoRankingResults(MiningStageResults):
    """The fronts: load it with ``dataset.load_brain_results(key)``."""

    @property
    def label_ids(self) -> np.ndarray:
        """The (n,) str ids of the ranked objects, the most wanted first."""
        return unpack_ids(self.arrays["label_ids"])

    @property
    def fronts(self) -> np.ndarray:
        """The (n,) int64 fronts of ``label_ids``, ascending."""
        sizes = self.arrays["front_sizes"]
        return np.repeat(np.arange(len(sizes)), sizes)


def keyword_arrays(
    table: KeywordTable, novelty: np.ndarray, label_ids: Sequence[str]
) -> dict[str, np.ndarray]:
    """Returns the arrays that the results of keyword novelty hold.

    Args:
        table: the keywords of n objects
        novelty: (k,) float64 of each keyword
        label_ids: n label ids
    """
    text = "\n".join(table.words).encode()
    return {
        "label_ids": pack_ids(label_ids),
        "keywords": np.frombuffer(text, np.uint8),
        "count": table.count.astype(np.int32),
        "scenes": table.scenes.astype(np.int32),
        "novelty": novelty,
        "starts": table.starts,
        "rows": table.rows.astype(np.int32),
        "examples": table.examples.astype(np.int32),
    }


def pack_ids(label_ids: Sequence[str] | np.ndarray) -> np.ndarray:
    """Returns (n, 12) uint8."""
    packed = b"".join(ObjectId(str(i)).binary for i in label_ids)
    return np.frombuffer(packed, np.uint8).reshape(-1, 12)


def unpack_ids(packed: np.ndarray) -> np.ndarray:
    """Returns (n,) str."""
    text = packed.tobytes().hex()
    ids = [text[i : i + 24] for i in range(0, len(text), 24)]
    return np.array(ids, dtype="U24")
