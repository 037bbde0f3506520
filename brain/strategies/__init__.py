"""Strategies: ways to order keyframes, for selection and evaluation alike.

A family of strategies is one module; importing it registers them.
"""

from raremine.brain.strategies import signals
from raremine.brain.strategies.concepts import DEFAULT, PAPER
from raremine.brain.strategies.drawn import RANDOM
from raremine.brain.strategies.embeddings import CORE_SET, uniqueness
from raremine.brain.strategies.oracle import ORACLE
from raremine.brain.strategies.orders import by_group, by_score, joined
from raremine.brain.strategies.registry import (
    DETECTOR_CLASS,
    EMBEDDING,
    Order,
    Strategy,
    available,
    by_column,
    choose,
    needed_columns,
    of_field,
    register,
    registered,
    strategy,
)

__all__ = [
    "CORE_SET",
    "DEFAULT",
    "DETECTOR_CLASS",
    "EMBEDDING",
    "ORACLE",
    "PAPER",
    "RANDOM",
    "Order",
    "Strategy",
    "available",
    "by_column",
    "by_group",
    "by_score",
    "choose",
    "joined",
    "needed_columns",
    "of_field",
    "register",
    "registered",
    "signals",
    "strategy",
    "uniqueness",
]
