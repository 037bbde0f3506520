"""Images as a YOLO model takes them: Ultralytics' letterbox, in batches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from raremine.brain.errors import ModelError

PADDING = 114
"""Grey of the letterbox's borders, the one YOLO models are trained with."""


@dataclass(frozen=True)
class PreparedImage:
    """One image made ready for a model.

    Attributes:
        pixels: (H, W, 3) uint8 RGB, letterboxed, contiguous, read-only
        height: of the image it was made from, pixels
        width: of the image it was made from, pixels
    """

    pixels: np.ndarray
    height: int
    width: int


@dataclass(frozen=True)
class InputRules:
    """What a model's input looks like.

    Attributes:
        height: of the input, pixels
        width: of the input, pixels
        rectangle: whether the padding stops at the next multiple of the
            stride instead of filling height × width
        stride: of the model, pixels
        rows: most images of one forward, None = any number
        fixed_rows: whether a forward takes exactly ``rows`` images
    """

    height: int
    width: int
    rectangle: bool
    stride: int = 32
    rows: int | None = None
    fixed_rows: bool = False


def input_rules(backend: Any, imgsz: int) -> InputRules:
    """Returns what a loaded model takes, as Ultralytics' predictor decides.

    Args:
        backend: Ultralytics' ``AutoBackend``
        imgsz: long side asked for, pixels; exports of a fixed size use theirs
    """
    from ultralytics.utils.checks import check_imgsz

    dynamic = bool(getattr(backend, "dynamic", False))
    size = imgsz if dynamic else getattr(backend, "imgsz", imgsz)
    stride = int(backend.stride)
    height, width = check_imgsz(size, stride=stride, min_dim=2)
    rectangle = backend.format == "pt" or dynamic
    if backend.format == "pt":
        return InputRules(height, width, rectangle, stride)
    session = getattr(backend, "session", None)
    if session is None:
        return InputRules(
            height, width, rectangle, stride, int(backend.batch), not dynamic
        )
    # the graph itself knows, also where an export carries no metadata
    rows, _, *sides = session.get_inputs()[0].shape
    if all(isinstance(side, int) for side in sides):
        (height, width), rectangle = sides, False
    fixed = isinstance(rows, int)
    return InputRules(
        height, width, rectangle, stride, rows if fixed else None, fixed
    )


def letterbox(image: np.ndarray, rules: InputRules) -> PreparedImage:
    """Scales an image into a model's input and pads the rest with grey.

    The pixels are those of Ultralytics' ``LetterBox`` on this image alone.
    They are scaled straight into their place: at 1280 pixels that takes a
    third of the time of scaling first and copying into a border then.

    Args:
        image: (h, w, 3) uint8 RGB
        rules: of the model

    Raises:
        ModelError: if this is no RGB image
    """
    import cv2

    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
        raise ModelError(
            f"A detector takes (h, w, 3) uint8 RGB images, not {image.shape} "
            f"{image.dtype}; convert it first."
        )
    height, width = image.shape[:2]
    if not height or not width:
        raise ModelError(
            f"An image of {width}x{height} pixels has nothing to detect."
        )
    scale = min(rules.height / height, rules.width / width)
    inner_h = max(round(height * scale), 1)
    inner_w = max(round(width * scale), 1)
    top, bottom = _borders(rules.height - inner_h, rules)
    left, right = _borders(rules.width - inner_w, rules)
    pixels = np.empty(
        (top + inner_h + bottom, left + inner_w + right, 3), np.uint8
    )
    pixels[:top] = PADDING
    pixels[top + inner_h :] = PADDING
    pixels[:, :left] = PADDING
    pixels[:, left + inner_w :] = PADDING
    inner = pixels[top : top + inner_h, left : left + inner_w]
    if (inner_h, inner_w) == (height, width):
        inner[:] = image
    else:
        cv2.resize(
            np.ascontiguousarray(image),
            (inner_w, inner_h),
            dst=inner,
            interpolation=cv2.INTER_LINEAR,
        )
    pixels.flags.writeable = False
    return PreparedImage(pixels, height, width)


def _borders(free: int, rules: InputRules) -> tuple[int, int]:
    """Shares free pixels between two sides; the odd one goes last."""
    if rules.rectangle:
        free %= rules.stride
    return round(free / 2 - 0.1), round(free / 2 + 0.1)


class BatchMemory:
    """Stacks prepared images into a model's input, in memory it keeps.

    Batches of one size after the other would cost page faults worth several
    times the copying. A batch is only valid until the next one is made.

    Args:
        device: torch device of the model
        half: whether the model takes float16
        channels_last: whether images stay (H, W, 3) in memory; models on the
            CPU that compute so need no reordering
    """

    def __init__(self, device: Any, half: bool, channels_last: bool) -> None:
        self._device = device
        self._half = half
        self._channels_last = channels_last
        self._memory: Any = None

    def batch(self, images: Sequence[PreparedImage], rows: int) -> Any:
        """Returns images of one shape as a model's input.

        Args:
            images: all of one input shape
            rows: of the batch, those past the images are black

        Returns:
            (rows, 3, H, W) float tensor in [0, 1] on the device
        """
        if self._device.type == "cpu":
            return self._on_cpu(images, rows)
        import torch

        height, width, _ = images[0].pixels.shape
        held = self._empty((rows, height, width, 3), torch.uint8)
        self._fill(held.numpy(), images)
        # bytes travel, a quarter of the floats they become
        batch = held.to(self._device, non_blocking=True)
        batch = batch.permute(0, 3, 1, 2).contiguous()
        return (batch.half() if self._half else batch.float()).div_(255)

    def _on_cpu(self, images: Sequence[PreparedImage], rows: int) -> Any:
        import torch

        height, width, _ = images[0].pixels.shape
        if self._channels_last:
            held = self._empty((rows, height, width, 3), torch.float32)
            batch = held.permute(0, 3, 1, 2)
        else:
            batch = self._empty((rows, 3, height, width), torch.float32)
            held = batch.permute(0, 2, 3, 1)
        self._fill(held.numpy(), images)
        return batch.div_(255)

    @staticmethod
    def _fill(held: np.ndarray, images: Sequence[PreparedImage]) -> None:
        for row, image in enumerate(images):
            held[row] = image.pixels
        held[len(images) :] = 0

    def _empty(self, shape: tuple[int, ...], dtype: Any) -> Any:
        import torch

        size = int(np.prod(shape))
        if self._memory is None or self._memory.numel() < size:
            self._memory = torch.empty(
                size, dtype=dtype, pin_memory=self._device.type == "cuda"
            )
        return self._memory[:size].view(shape)
