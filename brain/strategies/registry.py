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
from dataclasses import dataclass, replace
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

EMBEDDING = "embedding"
"""Frame column: (f, d) one vector a frame, NaN where it has none."""


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

    @property
    def about(self) -> str:
        """What it does, in one line: the first of its function's text."""
        text = (self.order.__doc__ or "").strip()
        return text.splitlines()[0] if text else ""

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

_RANKED_BY_OTHERS = {
    *(DETECTOR_CLASS, "uncertainty", "uncertainty_mean"),
    *("novelty", "pareto_rank"),
}
"""Columns that a registered strategy ranks by under another name."""

_OF_FRAMES = {EMBEDDING}
"""Columns that do not come from a detections field."""


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

    def decorate(order: Order) -> Order:
        register(Strategy(name, order, tuple(needs), needs_truth, conditional))
        return order

    return decorate


def register(made: Strategy) -> None:
    """Makes a strategy known by its name; an earlier one is replaced."""
    _REGISTRY[made.name] = made


def registered() -> dict[str, Strategy]:
    """Returns every registered strategy by name, usable here or not."""
    return dict(_REGISTRY)


def available(frames: FrameTable) -> dict[str, Strategy]:
    """Returns every strategy that these frames have the columns for.

    These are the registered ones, and one for each other numeric column of
    the field in question (not of another one, ``PREFIX.NAME``).
    """
    numeric = numeric_columns(frames)
    present = set(numeric) | {
        name
        for name, values in frames.columns.items()
        if values.dtype.kind in "OU"
        or (values.ndim > 1 and np.isfinite(values).any())
    }
    found = {
        name: s for name, s in _REGISTRY.items() if set(s.needs) <= present
    }
    for name in numeric:
        if name not in {*found, *_RANKED_BY_OTHERS} and "." not in name:
            found[name] = by_column(name)
    return found


def needed_columns(
    strategies: Sequence[str | Strategy] | Mapping[str, Order] | str | None,
) -> set[str]:
    """Returns the frame columns that strategies rank by.

    Args:
        strategies: what a user asks for, as ``choose`` takes it; a name that
            is not registered is that of a column. None and functions need
            what is there.
    """
    if strategies is None or isinstance(strategies, Mapping):
        return set()
    if isinstance(strategies, str):
        strategies = [strategies]
    needs: set[str] = set()
    for item in strategies:
        found = _REGISTRY.get(item) if isinstance(item, str) else item
        needs.update(found.needs if found else {str(item)})
    return needs


def choose(
    frames: FrameTable,
    strategies: Sequence[str | Strategy] | Mapping[str, Order] | str | None,
) -> list[Strategy]:
    """Finds the strategies that a user asks for.

    Args:
        frames: the keyframes
        strategies: names, of numeric columns too, ``Strategy`` objects, or
            functions by name; None = all that ``available`` returns

    Raises:
        RaremineError: if there is no strategy of that name
        MissingStageError: if the frames lack the columns it needs
    """
    known = available(frames)
    columns = numeric_columns(frames)
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
        elif item in columns and item not in _REGISTRY:
            chosen.append(by_column(item))
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


def by_column(column: str, name: str | None = None) -> Strategy:
    """Returns the strategy that ranks by one numeric frame column.

    Args:
        column: the column, higher = more wanted
        name (None): the strategy's name, None = the column's
    """

    def order(frames: FrameTable, seed: int) -> np.ndarray:
        return by_score(frames, frames[column], seed)

    order.__doc__ = f"By the frame column {column}."
    return Strategy(name or column, order, (column,))


def of_field(base: Strategy, prefix: str, name: str) -> Strategy:
    """Returns a strategy that does the same on another detections field.

    A data set may have been mined twice, into two fields. The frame columns
    of the other field bear its prefix: ``paper.mining_score``; see
    ``read_frames(also=)``.

    Args:
        base: what to do
        prefix: of the columns to do it on
        name: the new strategy's name
    """

    def order(frames: FrameTable, *args: Any, **kwargs: Any) -> np.ndarray:
        own = {
            key.removeprefix(f"{prefix}."): values
            for key, values in frames.columns.items()
            if key.startswith(f"{prefix}.") or key in _OF_FRAMES
        }
        return base.order(replace(frames, columns=own), *args, **kwargs)

    about = base.about.removesuffix(".")
    order.__doc__ = f"{about}; of the field read as '{prefix}'."
    needs = tuple(
        n if n in _OF_FRAMES else f"{prefix}.{n}" for n in base.needs
    )
    return Strategy(name, order, needs, base.needs_truth, base.conditional)


def _completed(order: np.ndarray, n: int, seed: int) -> np.ndarray:
    """Puts the rows that an order leaves out behind, as the seed draws."""
    rows = seeded_order(n, seed, "rest")
    return np.concatenate(
        [order.astype(np.int64), rows[~np.isin(rows, order)]]
    )
