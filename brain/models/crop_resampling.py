"""Brings crops of any size to a model's input, pixel for pixel as Pillow.

One crop at a time with Pillow itself, or a whole batch with matrix products
on any torch device. Both follow the same placement (resize, then centre crop
or pad) and compute only what survives it: a crop of 10 × 4000 pixels never
becomes an image 90,000 pixels long.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

if TYPE_CHECKING:
    import torch

SUPPORT = {"bilinear": 1.0, "bicubic": 2.0}
"""Radius of each filter, in pixels of the larger grid (Pillow's values)."""

WEIGHT_STEPS = 1 << 22
"""Pillow stores a filter's weights as multiples of 1 / 2^22."""

COARSE_STEPS = 1 << 11
"""Steps of a weight's coarse half; the fine half is what remains of it."""

LOST_PIXELS = 1 << 18
"""Pixels that Pillow may compute in vain, 1.5 ms of them; for thinner crops
the matrix products, which compute none, are faster."""

SMALLEST_SIDE = 64
"""Pixels; shorter sides share a product, as starting one costs more."""

BATCH_BYTES = 256 * 2**20
"""Memory that one batch of matrix products may take."""


@dataclass(frozen=True)
class Axis:
    """What happens to a crop along one axis.

    Attributes:
        length: pixels of the crop
        resized: pixels after resizing, all of them
        start: first resized pixel that the input shows
        kept: resized pixels that the input shows
        before: pixels of fill in front of them
    """

    length: int
    resized: int
    start: int
    kept: int
    before: int

    @property
    def scale(self) -> float:
        """Pixels of the crop per resized pixel."""
        return self.length / self.resized

    def reach(self, support: float) -> tuple[int, int]:
        """Returns the first crop pixel that matters and the one after."""
        radius = support * max(self.scale, 1.0)
        first = (self.start + 0.5) * self.scale - radius
        last = (self.start + self.kept - 0.5) * self.scale + radius
        return max(int(first), 0), min(int(last) + 1, self.length)


@dataclass(frozen=True)
class CropResampling:
    """Resize, then centre crop or pad, as torchvision and open_clip do.

    Attributes:
        size: (height, width) of the result
        resize: what ``target`` means: "edge" = the shorter side becomes
            ``target[0]`` (torchvision's ``Resize(int)``), "ratio" = keep the
            aspect ratio so that the image covers or fits ``target``
            (open_clip's ``ResizeKeepRatio``), "exact" = become ``target``
        target: (height, width)
        longest: for "ratio": 0 = cover the target, 1 = fit into it
        interpolation: antialiased filter
        fill: level of the pixels around an image smaller than ``size``
    """

    size: tuple[int, int]
    resize: Literal["edge", "ratio", "exact"]
    target: tuple[int, int]
    longest: float = 0.0
    interpolation: Literal["bilinear", "bicubic"] = "bicubic"
    fill: int = 0

    def place(self, height: int, width: int) -> tuple[Axis, Axis]:
        """Returns what happens to the rows and columns of a crop."""
        rows, columns = self._resized(height, width)
        return (
            _placed(height, rows, self.size[0]),
            _placed(width, columns, self.size[1]),
        )

    def _resized(self, height: int, width: int) -> tuple[int, int]:
        if self.resize == "exact":
            return self.target
        if self.resize == "edge":
            edge = self.target[0]
            if width <= height:
                return int(edge * height / width), edge
            return edge, int(edge * width / height)
        ratios = (height / self.target[0], width / self.target[1])
        ratio = max(ratios) * self.longest + min(ratios) * (1 - self.longest)
        # a crop 10 × 4000 that is to fit 224 × 224 would keep no pixel of
        # its short side (open_clip's own transform raises)
        return max(round(height / ratio), 1), max(round(width / ratio), 1)


def resample_crop(crop: np.ndarray, how: CropResampling) -> np.ndarray:
    """Resamples one crop; safe in any thread.

    The levels are those of Pillow's resize of the whole crop followed by the
    centre crop. Pillow's own ``box`` would not give them: it is held in
    single precision, and in Pillow 13 it may change the order of the passes.

    Args:
        crop: (h, w, 3) uint8 RGB, from 1 × 1 on
        how: size, placement and filter

    Returns:
        (height, width, 3) uint8
    """
    from PIL import Image

    rows, columns = how.place(*crop.shape[:2])
    first, second = rows, columns
    if not (vertical_first := _vertical_first(rows, columns)):
        first, second = columns, rows
    lost = (first.resized - first.kept) * second.length
    lost += (second.resized - second.kept) * first.kept
    if lost > LOST_PIXELS:
        levels = resample_crops([crop], how)[0].permute(1, 2, 0)
        return levels.contiguous().numpy()
    image = Image.fromarray(crop)
    resample = Image.Resampling[how.interpolation.upper()]
    # one pass a call, so that the second sees only what survives the first
    for vertical in sorted((0, 1), reverse=vertical_first):
        if vertical:
            image = image.resize((image.width, rows.resized), resample)
            top, bottom = rows.start, rows.start + rows.kept
            image = image.crop((0, top, image.width, bottom))
        else:
            image = image.resize((columns.resized, image.height), resample)
            left, right = columns.start, columns.start + columns.kept
            image = image.crop((left, 0, right, image.height))
    pixels = np.asarray(image)
    if pixels.shape[:2] == how.size:
        return pixels
    framed = np.full((*how.size, 3), how.fill, np.uint8)
    framed[
        rows.before : rows.before + rows.kept,
        columns.before : columns.before + columns.kept,
    ] = pixels
    return framed


def resample_crops(
    crops: Sequence[np.ndarray],
    how: CropResampling,
    *,
    device: Any = "cpu",
    memory: int = BATCH_BYTES,
) -> torch.Tensor:
    """Resamples crops of any sizes with a few large matrix products.

    Each axis is one product with a matrix of Pillow's weights per crop,
    rounded to 8 bits after each pass as Pillow does. Crops of similar size
    share a product: a side is padded to the next of 64, 128, 256, … pixels.

    Pillow sums in integers; here each weight is the sum of two of at most 11
    bits, so that single precision (and TF32) holds every sum exactly and the
    result is Pillow's own, whatever the device's order of adding. Beyond 64
    crop pixels per result pixel a sum may miss by 2^-21 of a level.

    Args:
        crops: (h, w, 3) uint8 RGB, from 1 × 1 on
        how: size, placement and filter
        device ("cpu"): torch device that computes and holds the result
        memory (256 MiB): bytes of one product's operands; a crop that needs
            more goes alone

    Returns:
        (n, 3, height, width) uint8 on ``device``
    """
    import torch

    shape = (len(crops), 3, *how.size)
    result = torch.empty(shape, dtype=torch.uint8, device=device)
    jobs = [_Job.of(n, crop, how) for n, crop in enumerate(crops)]
    for batch in _batches(jobs, how, memory):
        pixels = _windows(batch, crops, device)
        rows, row_shown = _weights(batch, 0, how, device)
        columns, column_shown = _weights(batch, 1, how, device)
        levels = _product(pixels, rows, columns, batch[0].vertical_first)
        if how.fill:
            shown = row_shown[:, None, :, None] & column_shown[:, None, None]
            levels = torch.where(shown, levels, float(how.fill))
        numbers = torch.tensor([job.number for job in batch], device=device)
        result[numbers] = levels.to(torch.uint8)
    return result


@dataclass(frozen=True)
class _Job:
    """One crop of a batch: its rows and columns, and those that matter."""

    number: int
    axes: tuple[Axis, Axis]
    first: tuple[int, int]
    padded: tuple[int, int]
    vertical_first: bool

    @classmethod
    def of(cls, number: int, crop: np.ndarray, how: CropResampling) -> _Job:
        rows, columns = how.place(*crop.shape[:2])
        top, bottom = rows.reach(SUPPORT[how.interpolation])
        left, right = columns.reach(SUPPORT[how.interpolation])
        return cls(
            number,
            (rows, columns),
            (top, left),
            (_ceiled(bottom - top), _ceiled(right - left)),
            _vertical_first(rows, columns),
        )


def _placed(length: int, resized: int, size: int) -> Axis:
    """Centres one axis as torchvision's ``CenterCrop`` does."""
    if resized < size:
        return Axis(length, resized, 0, resized, (size - resized) // 2)
    # Python's round: a half goes to the even neighbour, there as here
    return Axis(length, resized, round((resized - size) / 2.0), size, 0)


def _vertical_first(rows: Axis, columns: Axis) -> bool:
    """Whether Pillow resizes this crop vertically before horizontally.

    Each pass rounds to 8 bits, so the order shows. Up to Pillow 12 it is
    always horizontal first; from 13 on (python-pillow pull request 9549) a
    height that shrinks by much more than the width goes first. The condition
    was found by experiment on 2,500 sizes; the tests hold it against Pillow.
    """
    import PIL

    if int(PIL.__version__.split(".")[0]) < 13:
        return False
    narrowed = max(columns.length - columns.resized, 0)
    return rows.length - rows.resized > 2 * narrowed


def _ceiled(length: int) -> int:
    """Returns the next power of two."""
    return max(1 << (length - 1).bit_length(), SMALLEST_SIDE)


def _batches(
    jobs: Sequence[_Job], how: CropResampling, memory: int
) -> Iterator[list[_Job]]:
    """Yields jobs that share a product."""
    alike: dict[Any, list[_Job]] = defaultdict(list)
    for job in jobs:
        alike[job.vertical_first, job.padded].append(job)
    height, width = how.size
    for (_, (rows, columns)), group in alike.items():
        # a half-resampled crop exists in two halves, weights in double too
        halfway = max(rows * width, height * columns)
        pixels = 40 * rows * columns + 48 * (halfway + height * width)
        weights = 40 * (height * rows + width * columns)
        count = max(memory // (pixels + weights), 1)
        for start in range(0, len(group), count):
            yield group[start : start + count]


def _windows(
    batch: Sequence[_Job], crops: Sequence[np.ndarray], device: Any
) -> torch.Tensor:
    """Cuts what matters out of each crop → (n, h, w, 3) uint8.

    Crops travel end to end, so that no padding does; what lies beyond a
    window is any pixel, and has no weight.
    """
    import torch

    flat = np.concatenate([crops[job.number].reshape(-1, 3) for job in batch])
    pixels = torch.from_numpy(flat).to(device)
    heights, widths = np.array(
        [[axis.length for axis in job.axes] for job in batch]
    ).T
    tops, lefts = np.array([job.first for job in batch]).T
    areas = heights * widths
    starts = np.cumsum(areas) - areas + widths * tops + lefts
    start, stride = torch.from_numpy(np.stack([starts, widths])).to(device)
    height, width = batch[0].padded
    rows = torch.arange(height, device=device) * stride[:, None]
    columns = torch.arange(width, device=device)
    places = (start[:, None] + rows)[:, :, None] + columns
    return pixels[places.clamp_(max=len(flat) - 1)]


def _weights(
    batch: Sequence[_Job], side: int, how: CropResampling, device: Any
) -> tuple[torch.Tensor, torch.Tensor]:
    """Computes Pillow's weights of one axis for a batch.

    Source: Pillow's Resample.c. The filter is widened by the factor of
    reduction, centred on the middle of the resized pixel, cut at the image's
    border, normalised, and rounded to steps of 2^-22. Bicubic is Keys'
    kernel with a = -0.5.

    Args:
        batch: n crops whose windows are padded alike
        side: 0 = rows, 1 = columns
        how: gives the size and the filter
        device: torch device

    Returns:
        (n, 2 * size, padded) float32 weights, the coarse halves before the
        fine ones, zero where fill is shown, and (n, size) bool, False there
    """
    import torch

    size, padded = how.size[side], batch[0].padded[side]
    values = [
        (axis.length, axis.scale, axis.start, axis.kept, axis.before, first)
        for axis, first in ((job.axes[side], job.first[side]) for job in batch)
    ]
    table = torch.tensor(values, dtype=torch.float64, device=device)
    length, scale, start, kept, before, first = table.T[:, :, None]
    place = torch.arange(size, dtype=torch.float64, device=device) - before
    shown = (place >= 0) & (place < kept)
    centre = (place + start + 0.5) * scale
    pixel = torch.arange(padded, dtype=torch.float64, device=device) + first
    widened = scale.clamp(min=1.0)
    x = (pixel[:, None] - centre[:, :, None] + 0.5).abs_()
    x *= 1.0 / widened[:, :, None]
    if how.interpolation == "bilinear":
        weights = (1.0 - x).clamp_(min=0.0)
    else:
        near = (1.5 * x - 2.5) * x * x + 1
        far = (((x - 5) * x + 8) * x - 4) * -0.5
        weights = torch.where(x < 1, near, torch.where(x < 2, far, 0.0))
    inside = (pixel < length)[:, None] & shown[:, :, None]
    weights = torch.where(inside, weights, 0.0)
    total = weights.sum(2, keepdim=True)
    weights /= torch.where(total == 0, 1.0, total)
    weights *= WEIGHT_STEPS
    weights += torch.copysign(torch.full_like(weights, 0.5), weights)
    weights.trunc_().div_(WEIGHT_STEPS)
    coarse = (weights * COARSE_STEPS).round_().div_(COARSE_STEPS)
    halves = torch.cat([coarse, weights.sub_(coarse)], dim=1)
    return halves.to(torch.float32), shown


def _product(
    pixels: torch.Tensor,
    rows: torch.Tensor,
    columns: torch.Tensor,
    vertical_first: bool,
) -> torch.Tensor:
    """Applies both passes → (n, 3, height, width), whole levels.

    Args:
        pixels: (n, h, w, 3) uint8
        rows: (n, 2 * height, h) weights
        columns: (n, 2 * width, w) weights
        vertical_first: order of the passes
    """
    count, h, w, _ = pixels.shape
    height, width = rows.shape[1] // 2, columns.shape[1] // 2
    across = columns.transpose(1, 2)
    if vertical_first:
        flat = pixels.reshape(count, h, w * 3).to(rows.dtype)
        half = _whole(rows @ flat, 1).view(count, height, w, 3)
        lines = half.transpose(2, 3).reshape(count, height * 3, w)
        levels = _whole(lines @ across, 2)
    else:
        lines = pixels.transpose(2, 3).reshape(count, h * 3, w)
        half = _whole(lines.to(rows.dtype) @ across, 2)
        levels = _whole(rows @ half.view(count, h, 3 * width), 1)
    return levels.view(count, height, 3, width).transpose(1, 2)


def _whole(sums: torch.Tensor, axis: int) -> torch.Tensor:
    """Adds coarse and fine sums along an axis, rounded to 8 bits."""
    coarse, fine = sums.chunk(2, dim=axis)
    coarse = coarse + 0.5
    whole = coarse.floor()
    # whole levels apart, what is left of both has bits enough
    return (coarse.sub_(whole).add_(fine).floor_() + whole).clamp_(0, 255)
