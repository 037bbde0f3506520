"""What a stage asks of a model: three small protocols.

Stages know nothing of a model library; tests and users pass anything that
keeps one of these contracts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np


@dataclass(frozen=True)
class DetectedBoxes:
    """What a detector found on one image.

    Attributes:
        boxes: (k, 4) float32 x1, y1, x2, y2 in pixels of the image
        confidence: (k,) float32 in [0, 1]
        class_id: (k,) int64 index into the detector's ``class_names``
    """

    boxes: np.ndarray
    confidence: np.ndarray
    class_id: np.ndarray


@runtime_checkable
class Detector(Protocol):
    """Finds objects on images."""

    name: str
    class_names: Sequence[str]
    batch_size: int

    def detect(self, images: Sequence[np.ndarray]) -> list[DetectedBoxes]:
        """Detects on RGB images ((h, w, 3) uint8), one result an image."""
        ...

    def identity(self) -> dict[str, Any]:
        """Returns what makes this model's results: names, hashes, settings."""
        ...


@runtime_checkable
class PreparingDetector(Detector, Protocol):
    """A detector whose images other threads can make ready for it."""

    def prepare(self, image: np.ndarray) -> Any:
        """Makes one RGB image ready; safe in any thread, holds no image."""
        ...

    def detect_prepared(self, prepared: Sequence[Any]) -> list[DetectedBoxes]:
        """Detects on what ``prepare`` made, one result an image."""
        ...


@runtime_checkable
class Embedder(Protocol):
    """Maps image crops and texts into one vector space."""

    name: str
    dim: int
    logit_scale: float
    batch_size: int

    def embed_images(self, crops: Sequence[np.ndarray]) -> np.ndarray:
        """Embeds RGB crops → (n, dim) float32, not normalised."""
        ...

    def embed_texts(self, texts: Sequence[str]) -> np.ndarray:
        """Embeds texts → (n, dim) float32, L2-normalised."""
        ...

    def identity(self) -> dict[str, Any]:
        """Returns what makes this model's results: names, hashes, settings."""
        ...


@runtime_checkable
class PreparingEmbedder(Embedder, Protocol):
    """An embedder whose crops other threads can make ready for it."""

    def prepare(self, crop: np.ndarray) -> Any:
        """Makes one RGB crop ready; safe in any thread."""
        ...

    def embed_prepared(self, prepared: Sequence[Any]) -> np.ndarray:
        """Embeds what ``prepare`` made → (n, dim) float32."""
        ...


@runtime_checkable
class Captioner(Protocol):
    """Answers a prompt about an image crop."""

    name: str
    batch_size: int

    def caption(
        self, crops: Sequence[np.ndarray], prompts: Sequence[str]
    ) -> list[str]:
        """Answers one prompt a crop (RGB, (h, w, 3) uint8), greedily."""
        ...

    def identity(self) -> dict[str, Any]:
        """Returns what makes this model's results: names, hashes, settings."""
        ...


@dataclass(frozen=True)
class Answer:
    """What became of one question to a captioner.

    Attributes:
        text (""): what the model wrote
        error (None): why there is no answer; the other crops have theirs
        refusal (None): the model's refusal, where it says so apart
        cut_off (False): whether the answer stopped at the longest allowed
        tokens (None): how many the prompt and the answer had, if known
    """

    text: str = ""
    error: str | None = None
    refusal: str | None = None
    cut_off: bool = False
    tokens: tuple[int, int] | None = None


@runtime_checkable
class AnsweringCaptioner(Captioner, Protocol):
    """A captioner that answers many crops at a time, each on its own.

    A ``ModelError`` says that no crop can be answered, and ends the run.
    """

    def prepare(self, schema: Mapping[str, Any] | None = None) -> None:
        """Checks that questions can be asked; JSON schema of the answers."""
        ...

    def ask(
        self, crops: Sequence[np.ndarray], prompts: Sequence[str]
    ) -> list[Answer]:
        """Answers one prompt a crop; one bad crop costs only itself."""
        ...
