"""What the Mining panel was asked to show, and everything it reads for it."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

import fiftyone as fo

from raremine.brain.columns import take_in_changes
from raremine.brain.errors import MissingStageError, RaremineError
from raremine.brain.overview import crops, histogram, rows, runs, steps
from raremine.brain.overview.cache import Cache, Memory
from raremine.brain.overview.counts import (
    GROUPS,
    Bar,
    Counts,
    balance,
    count_objects,
)
from raremine.brain.overview.fields import (
    MinedField,
    mined_fields,
    read_field,
)

CACHE = Cache()

ROWS = 12
POINTS = 700
OTHERS = 400
"""Points of the scatter: of the first fronts, and of all others to compare
with. A click sends a plot's points back to the server."""

T = TypeVar("T")

_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Choice:
    """What the user chose; None = the panel's own choice.

    Attributes:
        field: mined field
        score_a: score of the first histogram
        score_b: score of the second one
        cut_a: threshold on the first score
        cut_b: threshold on the second score
        x: signal across the scatter
        y: signal up the scatter
        rank_by: score that the table is ranked by
        rank_group: group that the table shows, None = all
        selection: name of the selection
    """

    field: str | None = None
    score_a: str | None = None
    score_b: str | None = None
    cut_a: float | None = None
    cut_b: float | None = None
    x: str | None = None
    y: str | None = None
    rank_by: str | None = None
    rank_group: str | None = None
    selection: str | None = None

    @classmethod
    def of(cls, stored: Mapping[str, Any] | None) -> Choice:
        """Reads a choice from the panel's state."""
        known = cls.__dataclass_fields__
        return cls(**{k: v for k, v in (stored or {}).items() if k in known})

    def to_dict(self) -> dict[str, Any]:
        """Returns the choice for the panel's state."""
        return dict(self.__dict__)

    def changed(self, **values: Any) -> Choice:
        """Returns the choice with other values.

        What depends on a value that changed is chosen anew.
        """
        if "field" in values and values["field"] != self.field:
            return Choice(field=values["field"])
        if "score_a" in values:
            values["cut_a"] = None
        if "score_b" in values:
            values["cut_b"] = None
        return replace(self, **values)


@dataclass
class Content:
    """Everything that the panel shows. A part that is None has a problem.

    Attributes:
        dataset: its name
        choice: with every choice made
        fields: mined fields
        mined: the chosen one
        advice: missing stage → what to run
        counts: see ``Counts``
        grid: of one or two scores
        table: the most unusual objects
        thumbnails: one each, "" where there is none
        points: of the scatter: first fronts, then some others
        signals: what the Pareto ranking joined
        keywords: the most novel ones
        selections: names
        selection: the chosen one
        balance: its objects by concept
        evaluation: the latest one
        has_truth: whether there is ground truth to evaluate with
        seconds: how long reading took
        problems: part → why it is missing
    """

    dataset: str
    choice: Choice
    fields: list[str]
    mined: MinedField
    advice: dict[str, steps.Advice] = field(default_factory=dict)
    counts: Counts | None = None
    grid: histogram.Grid | None = None
    table: list[rows.ObjectRow] | None = None
    thumbnails: list[str] = field(default_factory=list)
    points: list[rows.ObjectRow] | None = None
    signals: list[str] = field(default_factory=list)
    keywords: list[runs.Keyword] | None = None
    selections: list[str] = field(default_factory=list)
    selection: runs.SelectionSummary | None = None
    balance: tuple[Bar, ...] = ()
    evaluation: runs.Evaluation | None = None
    has_truth: bool = False
    seconds: float = 0.0
    problems: dict[str, str] = field(default_factory=dict)


class NoObjectsError(RaremineError):
    """There is nothing to show yet.

    Args:
        advice: what to run first
    """

    def __init__(self, advice: steps.Advice) -> None:
        super().__init__(advice.text)
        self.advice = advice


def read_content(dataset: fo.Dataset | None, choice: Choice) -> Content:
    """Reads what the panel shows, from the cache where nothing changed.

    A part that cannot be read becomes a problem of its own; the others are
    there all the same.

    Args:
        dataset: the dataset of the App, None if none is open
        choice: what the user chose

    Raises:
        RaremineError: if there is no dataset
        NoObjectsError: if there are no objects in it
    """
    if dataset is None:
        raise RaremineError("Open a dataset first.")
    dataset = dataset._root_dataset
    start = time.perf_counter()
    take_in_changes(dataset)
    memory = CACHE.about(dataset)
    fields = memory.get("fields", lambda: mined_fields(dataset))
    if not fields:
        raise NoObjectsError(steps.first_step(dataset))
    name = choice.field if choice.field in fields else fields[0]
    mined = memory.get(("field", name), lambda: read_field(dataset, name))
    content = Content(
        dataset.name, replace(choice, field=name), list(fields), mined
    )
    _Reader(dataset, memory, content).read()
    content.seconds = time.perf_counter() - start
    return content


class _Reader:
    """Reads part after part."""

    def __init__(
        self, dataset: fo.Dataset, memory: Memory, content: Content
    ) -> None:
        self._dataset = dataset
        self._memory = memory
        self._content = content
        self._mined = content.mined
        self._name = content.mined.name

    def read(self) -> None:
        """Reads everything."""
        dataset, mined, content = self._dataset, self._mined, self._content
        content.advice = self._ask(
            "steps", (), lambda: steps.advice(dataset, mined), {}
        )
        content.counts = self._ask(
            "counts", (), lambda: count_objects(dataset, mined)
        )
        self._scores()
        self._table()
        self._scatter()
        content.keywords = self._ask(
            "keywords", (), lambda: runs.top_keywords(dataset, mined.name)
        )
        self._selection()
        content.evaluation = self._ask(
            "evaluation",
            (),
            lambda: runs.read_evaluation(dataset, mined.name),
        )
        content.has_truth = dataset.get_field("ground_truth") is not None

    def _ask(
        self,
        part: str,
        details: tuple[Any, ...],
        answer: Callable[[], T],
        instead: Any = None,
    ) -> T:
        question = (part, self._name, *details)
        try:
            return self._memory.get(question, answer)
        except MissingStageError as error:
            self._content.problems[part] = str(error)
        except RaremineError as error:
            self._content.problems[part] = str(error)
        except Exception as error:
            # one part that fails must not take the whole panel away
            _logger.exception("The Mining panel could not read %s", part)
            self._content.problems[part] = (
                f"This part could not be read ({type(error).__name__}: "
                f"{error})."
            )
        found: T = instead
        return found

    def _scores(self) -> None:
        scores, content = self._mined.scores, self._content
        choice = content.choice
        if not scores:
            return
        a = choice.score_a if choice.score_a in scores else scores[0]
        others = [s for s in scores if s != a]
        b = choice.score_b if choice.score_b in others else None
        b = b or next(iter(others), None)
        names = [name for name in (a, b) if name]
        content.choice = choice = replace(choice, score_a=a, score_b=b)
        content.grid = grid = self._grid(names)
        if grid is None:
            return
        content.choice = replace(
            choice,
            cut_a=_cut(grid, 0, choice.cut_a),
            cut_b=_cut(grid, 1, choice.cut_b) if b else None,
        )

    def _grid(self, names: list[str]) -> histogram.Grid | None:
        return self._ask(
            "scores",
            tuple(names),
            lambda: histogram.count_grid(self._dataset, self._mined, names),
        )

    def _table(self) -> None:
        scores, content = self._mined.scores, self._content
        choice = content.choice
        # the detector's confidence alone tells nothing unusual
        if not self._mined.has("outlier_score"):
            return
        chosen = choice.rank_by
        by = scores[0] if chosen not in scores else str(chosen)
        groups = GROUPS if self._mined.has("group") else ()
        group = choice.rank_group if choice.rank_group in groups else None
        content.choice = replace(choice, rank_by=by, rank_group=group)
        grid = content.grid
        if grid is None or by not in {axis.name for axis in grid.axes}:
            grid = self._grid([by])
        if grid is None:
            return
        found = self._ask(
            "table",
            (by, group),
            lambda: _with_thumbnails(
                rows.most_unusual(
                    self._dataset,
                    self._mined,
                    by,
                    grid,
                    group=group,
                    most=ROWS,
                )
            ),
        )
        if found is not None:
            content.table, content.thumbnails = found

    def _scatter(self) -> None:
        content, mined = self._content, self._mined
        if not mined.has("pareto_front"):
            return
        dataset, choice = self._dataset, content.choice
        signals = self._ask(
            "signals",
            (),
            lambda: runs.pareto_signals(dataset, mined.name) or [],
            [],
        )
        known = [s for s in signals if s in mined.scores]
        known += [s for s in mined.scores if s not in known]
        content.signals = known
        if len(known) < 2:
            return
        x = choice.x if choice.x in known else known[0]
        y = choice.y if choice.y in known else known[1]
        content.choice = replace(choice, x=x, y=y)
        content.points = self._ask(
            "pareto",
            (),
            lambda: [
                *rows.first_fronts(dataset, mined, POINTS),
                *rows.some_objects(dataset, mined, OTHERS),
            ],
        )

    def _selection(self) -> None:
        dataset, content = self._dataset, self._content
        content.selections = self._ask(
            "selections",
            (),
            lambda: runs.selection_names(dataset, self._name),
            [],
        )
        if not content.selections:
            return
        chosen = content.choice.selection
        if chosen not in content.selections:
            chosen = content.selections[-1]
        name = str(chosen)
        content.choice = replace(content.choice, selection=name)
        content.selection = self._ask(
            "selection",
            (name,),
            lambda: runs.summarise_selection(dataset, name),
        )
        content.balance = self._ask(
            "balance",
            (name,),
            lambda: balance(dataset, self._mined, name),
            (),
        )


def _with_thumbnails(
    found: list[rows.ObjectRow],
) -> tuple[list[rows.ObjectRow], list[str]]:
    return found, crops.thumbnails(found)


def _cut(grid: histogram.Grid, at: int, chosen: float | None) -> float:
    """The threshold, on the grid; unchosen, beyond which 1 % lies."""
    axis = grid.axes[at]
    if chosen is not None:
        return axis.place(axis.nearest(chosen))
    wanted = max(grid.scored(at) * 0.01, 1)
    totals = grid.totals(at)
    beyond = 0
    for number in range(axis.bins - 1, 0, -1):
        beyond += int(totals[number])
        if beyond >= wanted:
            return axis.place(number)
    return axis.place(0)
