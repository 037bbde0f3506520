"""Panels of the App: what they remember, what they draw, what a click does."""

from __future__ import annotations

from raremine.operators.panel.mining import Mining
from raremine.operators.panel.object_map import ObjectMap

PANELS = (Mining, ObjectMap)
