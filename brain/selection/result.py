"""What a selection is: the chosen keyframes and why each is in."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from raremine.brain.errors import RaremineError

if TYPE_CHECKING:
    import pandas as pd

FORMAT = 2
"""Version of the stored form."""

READABLE = (1, 2)
"""Versions that can be read: 1 had no quotas and no counts of what held
frames back."""


@dataclass(frozen=True)
class Pick:
    """One chosen keyframe.

    Attributes:
        sample_token: nuScenes sample token
        scene: scene name
        split: split the frame belongs to, "" if the data set has none
        component: the recipe's component that chose it, or "top_up"
        score: what it was ranked by, None where it was drawn
        concepts: target and rare concepts that speak for it
        why: one readable sentence
    """

    sample_token: str
    scene: str
    split: str
    component: str
    score: float | None
    concepts: tuple[str, ...]
    why: str


@dataclass(frozen=True)
class Shortage:
    """A component that found fewer frames than it asked for.

    Attributes:
        component: its name
        asked: frames it asked for
        taken: frames it got
        reason: one readable sentence
        concept (""): the concept whose quota is not met, "" where it is the
            component's share
        held_back ({}): how many frames that would have done were kept out,
            by what kept them: ``already_chosen``, ``excluded``,
            ``max_frames_per_scene``, ``min_gap_seconds``,
            ``max_similarity``, or ``share`` where a quota's component had
            taken its share before
    """

    component: str
    asked: int
    taken: int
    reason: str
    concept: str = ""
    held_back: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Selection:
    """The outcome of the split rule.

    Attributes:
        name: its name, which is also the tag on the samples
        picks: the chosen keyframes, in the order in which they were chosen
        shortages: shares and quotas that are not met
        notes: what else the user should know
        pool_size: number of frames that the shares refer to
        seed: the seed
        recipe: the recipe, as ``Recipe.to_dict`` gives it
    """

    name: str
    picks: tuple[Pick, ...]
    shortages: tuple[Shortage, ...]
    notes: tuple[str, ...]
    pool_size: int
    seed: int
    recipe: Mapping[str, Any] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.picks)

    @property
    def tokens(self) -> list[str]:
        """Sample tokens, in the order in which they were chosen."""
        return [pick.sample_token for pick in self.picks]

    @property
    def counts(self) -> dict[str, int]:
        """Frames by component."""
        counts: dict[str, int] = {}
        for pick in self.picks:
            counts[pick.component] = counts.get(pick.component, 0) + 1
        return counts

    def table(self) -> pd.DataFrame:
        """Returns one row per chosen frame, in order."""
        import pandas as pd

        columns = list(Pick.__dataclass_fields__)
        return pd.DataFrame(
            [[getattr(p, c) for c in columns] for p in self.picks],
            columns=columns,
        )

    def to_dict(self) -> dict[str, Any]:
        """Returns the selection as plain values for JSON."""
        return {"format": FORMAT, **json.loads(json.dumps(asdict(self)))}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Selection:
        """Rebuilds a selection from ``to_dict``.

        Raises:
            RaremineError: if the data is not a selection of this version
        """
        try:
            if data["format"] not in READABLE:
                raise RaremineError(
                    f"The selection is stored in format {data['format']}, "
                    f"this version reads up to {FORMAT}; select the frames "
                    "again."
                )
            return cls(
                name=data["name"],
                picks=tuple(
                    Pick(**{**p, "concepts": tuple(p["concepts"])})
                    for p in data["picks"]
                ),
                shortages=tuple(Shortage(**s) for s in data["shortages"]),
                notes=tuple(data["notes"]),
                pool_size=data["pool_size"],
                seed=data["seed"],
                recipe=dict(data["recipe"]),
            )
        except (KeyError, TypeError) as error:
            raise RaremineError(
                f"This is not a stored selection ({error!r}); select the "
                "frames again."
            ) from error
