"""From a name, a file or a model object to a model that can be used."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from raremine.brain.models.protocols import Detector, Embedder
from raremine.brain.models.weights import is_local


def detector_factory(
    model: str | Path | Detector, **options: Any
) -> Callable[[], Detector]:
    """Returns what makes a detector, in this process or in another.

    Args:
        model: path or name of an Ultralytics model, or any ``Detector``,
            which is taken as it is
        **options: of ``UltralyticsDetector``
    """
    if isinstance(model, str | Path):
        return _Ultralytics(_absolute(str(model)), options)
    return _Given(model)


def embedder_factory(
    model: str | Path | Embedder, pretrained: str | None, **options: Any
) -> Callable[[], Embedder]:
    """Returns what makes an embedder, in this process or in another.

    Args:
        model: a name that open_clip knows, a local folder, or any
            ``Embedder``, which is taken as it is
        pretrained: open_clip tag or weights file; ignored for a folder
        **options: of ``OpenClipEmbedder``
    """
    if isinstance(model, str | Path):
        name = str(model)
        if is_local(name):
            name, pretrained = _absolute(name), None
        elif pretrained is not None:
            pretrained = _absolute(pretrained)
        return _OpenClip(name, pretrained, options)
    return _Given(model)


def _absolute(reference: str) -> str:
    # another process, such as the App's, has another working folder
    if is_local(reference):
        return str(Path(reference).expanduser().resolve())
    return reference


class _Ultralytics:
    def __init__(self, weights: str, options: dict[str, Any]) -> None:
        self._weights = weights
        self._options = options

    def __call__(self) -> Detector:
        from raremine.brain.models.ultralytics_detector import (
            UltralyticsDetector,
        )

        return UltralyticsDetector(self._weights, **self._options)


class _OpenClip:
    def __init__(
        self, name: str, pretrained: str | None, options: dict[str, Any]
    ) -> None:
        self._name = name
        self._pretrained = pretrained
        self._options = options

    def __call__(self) -> Embedder:
        from raremine.brain.models.open_clip_embedder import OpenClipEmbedder

        return OpenClipEmbedder(self._name, self._pretrained, **self._options)


class _Given:
    def __init__(self, model: Any) -> None:
        self._model = model

    def __call__(self) -> Any:
        return self._model
