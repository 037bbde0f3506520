"""Strategies: ways to order keyframes, for selection and evaluation alike.

A family of strategies is one module; importing it registers them.
"""

from raremine.brain.strategies import signals
from raremine.brain.strategies.concepts import DEFAULT
from raremine.brain.strategies.drawn import RANDOM
from raremine.brain.strategies.oracle import ORACLE
from raremine.brain.strategies.orders import by_group, by_score, joined
from raremine.brain.strategies.registry import (
    DETECTOR_CLASS,
    Order,
    Strategy,
    available,
    choose,
    registered,
    strategy,
)

__all__ = [
    "DEFAULT",
    "DETECTOR_CLASS",
    "ORACLE",
    "RANDOM",
    "Order",
    "Strategy",
    "available",
    "by_group",
    "by_score",
    "choose",
    "joined",
    "registered",
    "signals",
    "strategy",
]
