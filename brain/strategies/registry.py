"""Mining strategies: ways to order keyframes, registered by name.

A strategy is a function ``(frames, seed) -> order``. It sees the keyframe
table that mining made and never the ground truth; only one registered with
``needs_truth=True`` gets it, as a third argument. Frames that a strategy
cannot tell apart come in a random order of the seed, so that what it owes to
luck shows as spread over the seeds and does not pass for skill.

A new strategy:

    @strategy("brightest", needs=("brightness",))
    def brightest(frames: FrameTable, seed: int) -> np.ndarray:
        return by_score(frames, frames["brightness"], seed)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from raremine.brain.errors import MissingStageError, RaremineError
from raremine.brain.objects import FrameTable
from raremine.brain.ranking import numeric_columns, seeded_order
from raremine.brain.strategies.orders import by_score

if TYPE_CHECKING:
    from raremine.brain.evaluation.ground_truth import FrameTruth

Order = Callable[..., np.ndarray]

DETECTOR_CLASS = "detector_class"
"""Frame column: the surest detection whose own class is a target."""


@dataclass(frozen=True)
class Strategy:
    """A named way to order keyframes.

    Attributes:
        name: its name
        order: ``(frames, seed)`` → (f,) rows, the most wanted first. The
            ground truth comes as a third argument if ``needs_truth``;
            ``chosen`` and ``limit`` come by name if ``conditional``
        needs (()): frame columns without which it cannot work
        needs_truth (False): whether it gets the ground truth
        conditional (False): whether what it wants next depends on what is
            chosen already, as with k-center. It is then told the rows
            ``chosen`` before, (k,) int64, and how many more are wanted,
            ``limit`` (None = all), and may leave out what comes behind
    """

    name: str
    order: Order
    needs: tuple[str, ...] = ()
    needs_truth: bool = False
    conditional: bool = False

    def run(
        self,
        frames: FrameTable,
        seed: int,
        truth: FrameTruth | None = None,
        *,
        chosen: np.ndarray | Sequence[int] = (),
        limit: int | None = None,
    ) -> np.ndarray:
        """Orders the frames and checks that it is an order.

        Args:
            frames: the keyframes, sorted by token
            seed: of whatever is drawn
            truth (None): given to a strategy that needs it
            chosen (()): rows that are chosen already, whoever chose them
            limit (None): only the first so many rows matter, besides the
                chosen ones; what comes behind may be in any order

        Returns:
            (f,) int64, every row once, the most wanted first; rows chosen
            already may stand anywhere

        Raises:
            RaremineError: if the strategy leaves out or repeats a frame, or
                needs the ground truth and gets none
        """
        more: list[Any] = []
        if self.needs_truth:
            if truth is None:
                raise RaremineError(
                    f"Strategy '{self.name}' looks at the ground truth; it "
                    "can be evaluated but selects nothing."
                )
            more.append(truth)
        n = len(frames)
        if not self.conditional:
            order = np.asarray(self.order(frames, seed, *more))
        else:
            taken = np.asarray(chosen, dtype=np.int64)
            order = np.asarray(
                self.order(frames, seed, *more, chosen=taken, limit=limit)
            )
            order = _completed(order, n, seed)
        if not np.array_equal(np.sort(order), np.arange(n)):
            raise RaremineError(
                f"Strategy '{self.name}' must return every one of the "
                f"{n} rows once; it returned {order.shape} values."
            )
        return order.astype(np.int64)


_REGISTRY: dict[str, Strategy] = {}

_SIGNALS_OF_OTHERS = {"pareto_rank", DETECTOR_CLASS}
"""Columns that a registered strategy ranks by under another name."""


def strategy(
    name: str,
    *,
    needs: Sequence[str] = (),
    needs_truth: bool = False,
    conditional: bool = False,
) -> Callable[[Order], Order]:
    """Registers a function as the strategy of that name.

    Args:
        name: what users and recipes call it; an earlier one is replaced
        needs (()): frame columns without which it cannot work
        needs_truth (False): whether it gets the ground truth
        conditional (False): whether it gets the rows chosen already; see
            ``Strategy``
    """

    def register(order: Order) -> Order:
        _REGISTRY[name] = Strategy(
            name, order, tuple(needs), needs_truth, conditional
        )
        return order

    return register


def registered() -> dict[str, Strategy]:
    """Returns every registered strategy by name, usable here or not."""
    return dict(_REGISTRY)


def available(frames: FrameTable) -> dict[str, Strategy]:
    """Returns every strategy that these frames have the columns for.

    These are the registered ones and one for each numeric column.
    """
    present = set(numeric_columns(frames)) | {
        name
        for name, v in frames.columns.items()
        if v.ndim > 1 or v.dtype.kind in "OU"
    }
    found = {
        name: s for name, s in _REGISTRY.items() if set(s.needs) <= present
    }
    for name in numeric_columns(frames):
        if name not in _SIGNALS_OF_OTHERS and name not in found:
            found[name] = _signal(name)
    return found


def choose(
    frames: FrameTable,
    strategies: Sequence[str | Strategy] | Mapping[str, Order] | str | None,
) -> list[Strategy]:
    """Finds the strategies that a user asks for.

    Args:
        frames: the keyframes
        strategies: names, ``Strategy`` objects, or functions by name; None =
            all that the frames have the columns for

    Raises:
        RaremineError: if there is no strategy of that name
        MissingStageError: if the frames lack the columns it needs
    """
    known = available(frames)
    if strategies is None:
        return list(known.values())
    if isinstance(strategies, Mapping):
        return [Strategy(name, order) for name, order in strategies.items()]
    if isinstance(strategies, str):
        strategies = [strategies]
    chosen = []
    for item in strategies:
        if isinstance(item, Strategy):
            chosen.append(item)
        elif item in known:
            chosen.append(known[item])
        elif item in _REGISTRY:
            lacks = ", ".join(
                c for c in _REGISTRY[item].needs if c not in frames.columns
            )
            raise MissingStageError(
                f"Strategy '{item}' ranks by {lacks or 'scores'} that no "
                "frame has; run the stage that makes them first."
            )
        else:
            raise RaremineError(
                f"There is no strategy '{item}'; choose from "
                f"{', '.join(sorted(known))}."
            )
    if not chosen:
        raise RaremineError("No strategy is given; name at least one.")
    return chosen


def _signal(name: str) -> Strategy:
    def order(frames: FrameTable, seed: int) -> np.ndarray:
        return by_score(frames, frames[name], seed)

    return Strategy(name, order, (name,))


def _completed(order: np.ndarray, n: int, seed: int) -> np.ndarray:
    """Puts the rows that an order leaves out behind, as the seed draws."""
    rows = seeded_order(n, seed, "rest")
    return np.concatenate(
        [order.astype(np.int64), rows[~np.isin(rows, order)]]
    )
