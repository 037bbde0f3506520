"""From a name, a file or a model object to a model that can be used."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Set
from pathlib import Path
from typing import Any

from raremine.brain.errors import ModelError
from raremine.brain.models.chat_protocol import is_server
from raremine.brain.models.huggingface_captioner import HuggingFaceCaptioner
from raremine.brain.models.protocols import Captioner, Detector, Embedder
from raremine.brain.models.server_captioner import ServerCaptioner
from raremine.brain.models.weights import is_local

_SERVER_DEFAULTS = {"concurrency", "api_key_env"}
"""Options of a server that have a default wherever they can be set."""


def _options(kind: type) -> frozenset[str]:
    parameters = inspect.signature(kind).parameters.values()
    return frozenset(
        p.name for p in parameters if p.kind is p.KEYWORD_ONLY
    )


_HERE_OPTIONS = _options(HuggingFaceCaptioner)
_SERVER_OPTIONS = _options(ServerCaptioner)

CAPTIONER_OPTIONS = _HERE_OPTIONS | _SERVER_OPTIONS | {"served_model"}
"""What ``captioner_factory`` takes beside the model."""


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


def captioner_factory(
    model: str | Path | Mapping[str, Any] | Captioner,
    served_model: str | None = None,
    **options: Any,
) -> Callable[[], Captioner]:
    """Returns what makes a captioner, in this process or in another.

    Args:
        model: hub id or local folder of an image-text-to-text model; the
            address of an OpenAI-compatible server
            (``http://localhost:8000/v1``); a dict with ``server`` (that
            address), ``model`` (its name there) and any option of
            ``ServerCaptioner``; or any ``Captioner``, which is taken as it is
        served_model (None): the model's name at a server
        **options: of ``HuggingFaceCaptioner`` or ``ServerCaptioner``; None
            means the default

    Raises:
        ModelError: if an option does not fit the kind of captioner
    """
    options = {k: v for k, v in options.items() if v is not None}
    if isinstance(model, Mapping):
        given = dict(model)
        model = given.pop("server", None)
        if not is_server(model):
            raise ModelError(
                "A captioner given as a dict needs 'server', an address such "
                "as http://localhost:8000/v1, and 'model', its name there."
            )
        served_model = given.pop("model", None) or served_model
        options |= given
    if is_server(model):
        _check_options(options, _SERVER_OPTIONS, "a server")
        return _Server(str(model), served_model, options)
    if not isinstance(model, (str, Path)):
        return _Given(model)
    if served_model:
        raise ModelError(
            f"served_model names a model at a server, but '{model}' is not "
            "the address of one, such as http://localhost:8000/v1."
        )
    for name in _SERVER_DEFAULTS:
        options.pop(name, None)
    _check_options(options, _HERE_OPTIONS, f"a model loaded here ({model})")
    return _HuggingFace(_absolute(str(model)), options)


def _check_options(
    options: Mapping[str, Any], known: Set[str], what: str
) -> None:
    foreign = sorted(set(options) - known)
    if foreign:
        raise ModelError(
            f"{', '.join(foreign)} cannot be set for {what}; it takes "
            f"{', '.join(sorted(known))}."
        )


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


class _HuggingFace:
    def __init__(self, model: str, options: dict[str, Any]) -> None:
        self._model = model
        self._options = options

    def __call__(self) -> Captioner:
        return HuggingFaceCaptioner(self._model, **self._options)


class _Server:
    def __init__(
        self, address: str, model: str | None, options: dict[str, Any]
    ) -> None:
        self._address = address
        self._model = model
        self._options = options

    def __call__(self) -> Captioner:
        return ServerCaptioner(self._address, self._model, **self._options)


class _Given:
    def __init__(self, model: Any) -> None:
        self._model = model

    def __call__(self) -> Any:
        return self._model
