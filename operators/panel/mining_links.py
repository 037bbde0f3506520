"""What a click on the Mining panel opens, written into the thing itself.

Each bar, bin and point carries the rule of its view as text, so a click means
the same on whatever server process answers it, however old the drawing is.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import fiftyone as fo

from raremine.brain.errors import RaremineError
from raremine.brain.overview import views
from raremine.brain.overview.conditions import Condition
from raremine.brain.overview.fields import read_field
from raremine.brain.overview.runs import read_evaluation

IMAGES = '{"see":"images"}'


def objects(conditions: Sequence[Condition], tag: str | None = None) -> str:
    """Links to the objects that meet conditions."""
    tests = [[c.name, c.test, c.value] for c in conditions]
    return _link("objects", tests=tests, **({"tag": tag} if tag else {}))


def frames(group: str) -> str:
    """Links to the keyframes of a group."""
    return _link("frames", group=group)


def selection(name: str, part: str | None = None) -> str:
    """Links to the keyframes of a selection or one of its components."""
    return _link("selection", name=name, part=part)


def found(strategy: str, other: str, budget: float) -> str:
    """Links to what one strategy finds and another does not.

    The budget only tells a curve's points apart: Plotly draws points with
    the same id as one.
    """
    return _link("found", strategy=strategy, other=other, budget=budget)


def _link(see: str, **rule: Any) -> str:
    return json.dumps({"see": see, **rule}, separators=(",", ":"))


def open_link(dataset: fo.Dataset, field: str, link: str) -> views.Opened:
    """Makes the view that a link leads to.

    Args:
        dataset: the root dataset
        field: the mined field
        link: from one of the functions above

    Raises:
        RaremineError: if there is nothing to see any more, or the link says
            nothing
    """
    try:
        rule: dict[str, Any] = json.loads(link)
        see = rule["see"]
    except (TypeError, ValueError, KeyError):
        raise RaremineError(
            "There is no view behind this point; press 'Refresh' and try "
            "again."
        ) from None
    if see == "images":
        return views.open_images(dataset)
    if see == "frames":
        return views.open_frames(
            dataset, read_field(dataset, field), rule["group"]
        )
    if see == "selection":
        return views.open_selection(dataset, rule["name"], rule["part"])
    if see == "found":
        return _open_found(dataset, field, rule["strategy"], rule["other"])
    conditions = [Condition(*test) for test in rule["tests"]]
    return views.open_objects(dataset, field, conditions, tag=rule.get("tag"))


def _open_found(
    dataset: fo.Dataset, field: str, strategy: str, other: str
) -> views.Opened:
    evaluation = read_evaluation(dataset, field)
    if evaluation is None:
        raise RaremineError(
            "The evaluation is gone; run 'Evaluate mining' again."
        )
    ids = evaluation.found.get(strategy, {}).get(other, [])
    return views.open_found(
        dataset,
        evaluation.gt_field,
        ids,
        f"of the ground truth that '{strategy}' finds and '{other}' does "
        f"not, with {evaluation.mark:.0%} of the frames",
    )
