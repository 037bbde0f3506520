"""Durations as people say them."""

from __future__ import annotations


def in_words(seconds: float) -> str:
    """Words a duration, no more exactly than it is worth.

    Args:
        seconds: s

    Returns:
        such as "under a second", "40 s", "12 min", "3 h 20 min"
    """
    if seconds < 1:
        return "under a second"
    if seconds < 90:
        return f"{round(seconds)} s"
    minutes = round(seconds / 60)
    if minutes < 90:
        return f"{minutes} min"
    hours, rest = divmod(round(minutes / 10) * 10, 60)
    if hours >= 48:
        return f"{round(hours / 24)} days"
    return f"{hours} h {rest} min" if rest else f"{hours} h"
