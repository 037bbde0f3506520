"""Conditions on objects, written once for counting and for showing.

A bar that counts by one rule and opens by another would show something else
than it says; so both are made from the same conditions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from fiftyone import ViewExpression
from fiftyone import ViewField as F

IS = "is"
AT_LEAST = "at_least"
BELOW = "below"
HOLDS = "holds"

_QUERIES = {IS: "$eq", AT_LEAST: "$gte", BELOW: "$lt", HOLDS: "$eq"}


@dataclass(frozen=True)
class Condition:
    """What an attribute of an object has to be.

    Attributes:
        name: the attribute, such as "group"
        test: ``IS``, ``AT_LEAST``, ``BELOW``, or ``HOLDS`` for a list that
            has to contain the value
        value: what it is compared with
    """

    name: str
    test: str
    value: Any


def query(conditions: Sequence[Condition]) -> dict[str, Any]:
    """Returns conditions as a MongoDB query on one object.

    Args:
        conditions: all have to hold; none = every object
    """
    found: dict[str, Any] = {}
    for one in conditions:
        found.setdefault(one.name, {})[_QUERIES[one.test]] = one.value
    return found


def expression(conditions: Sequence[Condition]) -> ViewExpression:
    """Returns conditions as an expression for ``filter_labels``.

    Args:
        conditions: at least one; all have to hold
    """
    parts = [_part(one) for one in conditions]
    whole = parts[0]
    for part in parts[1:]:
        whole = whole & part
    return whole


def describe(conditions: Sequence[Condition]) -> str:
    """Says conditions in words, such as "group target, knn ≥ 0.4"."""
    words = {IS: " ", AT_LEAST: " ≥ ", BELOW: " < ", HOLDS: " has "}
    return ", ".join(
        one.name.replace("_", " ")
        if one.value is True
        else f"{one.name.replace('_', ' ')}{words[one.test]}{_text(one.value)}"
        for one in conditions
    )


def _part(one: Condition) -> ViewExpression:
    value = F(one.name)
    if one.test == AT_LEAST:
        return value >= one.value
    if one.test == BELOW:
        # MongoDB sorts a missing number below every number
        return (value < one.value) & (value > None)
    if one.test == HOLDS:
        # a list that is missing holds nothing, and $in would refuse it
        return (value > None).if_else(value.contains([one.value]), False)
    return value == one.value


def _text(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
