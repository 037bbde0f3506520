"""Export formats, one module each, found by name."""

from __future__ import annotations

from importlib import import_module

from raremine.brain.errors import RaremineError
from raremine.brain.selection.exporters.job import Exporter

_MODULES = {
    "coco": "coco",
    "fiftyone": "fiftyone_dataset",
    "mmdet3d": "mmdet3d",
    "nuscenes": "nuscenes",
    "openpcdet": "openpcdet",
    "tokens": "tokens",
    "yolo": "yolo",
}
"""Module of each format. It is imported when the format is asked for."""

_OWN: dict[str, Exporter] = {}


def register_format(name: str, exporter: Exporter) -> None:
    """Adds a format of one's own, or replaces one.

    Args:
        name: its name for ``export_selection``
        exporter: the format
    """
    _OWN[name] = exporter


def formats() -> list[str]:
    """Returns the names of the formats that can be exported."""
    return sorted({*_MODULES, *_OWN})


def exporter(name: str) -> Exporter:
    """Returns a format.

    A format's module calls it ``EXPORTER``.

    Raises:
        RaremineError: if there is none of that name
    """
    if name in _OWN:
        return _OWN[name]
    if name not in _MODULES:
        raise RaremineError(
            f"There is no export format '{name}'; choose one of "
            f"{', '.join(formats())}."
        )
    module = import_module(f"{__name__}.{_MODULES[name]}")
    found: Exporter = module.EXPORTER
    return found
