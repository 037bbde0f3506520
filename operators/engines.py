"""The part of a form that asks where and how a stage runs."""

from __future__ import annotations

from raremine.brain.stream.engines import KINDS
from raremine.operators.forms import Form


def ask_for_engine(form: Form) -> None:
    """Asks for the engine and its parallelism."""
    form.choice("engine", KINDS)
    form.integer("actors", 1)
    form.integer("workers", 1)
