"""raremine: rare objects of driving data sets, mined into training splits.

This folder is a FiftyOne plugin and, installed, the package ``raremine``.
"""

from __future__ import annotations

from typing import Any


def register(p: Any) -> None:
    """Registers operators and panels with FiftyOne.

    They come from the installed package and not from this folder's copy of
    it, because FiftyOne finds brain runs again by their importable name.

    Args:
        p: FiftyOne's plugin context
    """
    try:
        from raremine.operators import OPERATORS, PANELS, VIEWERS
    except ModuleNotFoundError as error:
        if error.name not in ("raremine", "raremine.operators"):
            raise
        raise ModuleNotFoundError(
            "The plugin @raremine/raremine needs its Python package in the "
            "environment that runs FiftyOne: run `pip install -e FOLDER` "
            "with the plugin's folder.",
            name=error.name,
        ) from None
    for operator in (*OPERATORS, *VIEWERS, *PANELS):
        p.register(operator)
