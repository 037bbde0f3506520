"""How the points of a t-SNE map repel one another, in linear time.

The sum over all pairs is a convolution with a smooth kernel, computed on a
grid by FFT (Linderman et al., Nature Methods 2019). Three things make it
several times faster than openTSNE's at a smaller error: cubic splines in
place of piecewise parabolas need a coarser grid; the force is convolved as
such (openTSNE convolves its three or four terms); the sum over all pairs is
read off the transform (Parseval).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

SPACING = 0.5
"""Distance of grid nodes; the kernels' own scale is 1."""

LEAST_NODES = 100
"""Nodes across a map that is smaller than the kernels."""

MOST_NODES = 2048
"""Nodes across a map at most: one far point must not fill the memory."""

FEW = 300
"""Points up to which all pairs are summed one by one."""

LEAST_WEIGHT = 1e-3
"""Weight of the others that a point feels at least, on average.

Where points have neighbours they feel far more; this bounds a step that the
grid's error would otherwise decide.
"""

NODES_STEP = 16
"""Grids grow in steps, so that kernels are transformed rarely."""

POINTS_AT_ONCE = 1 << 16
SPLINE = 4
"""Nodes in each direction that a cubic spline touches."""


@dataclass(frozen=True)
class Grid:
    """A square periodic grid, twice as wide as what lies on it.

    Args:
        origin: (2,) lower corner of what lies on it
        spacing: distance of nodes
        nodes: nodes in each direction
    """

    origin: np.ndarray
    spacing: float
    nodes: int


def grid_around(points: np.ndarray, margin: float = 0.0) -> Grid:
    """Returns a grid for points.

    Args:
        points: (n, 2) finite float64, n >= 1
        margin (0.0): share of their width left free on each side
    """
    from scipy import fft

    low, high = points.min(axis=0), points.max(axis=0)
    width = float((high - low).max())
    low = low - margin * width
    width = max(width * (1 + 2 * margin), 1e-12)
    spacing = max(min(SPACING, width / LEAST_NODES), width / MOST_NODES)
    nodes = int(np.ceil(width / spacing)) + SPLINE
    nodes = -(-nodes // NODES_STEP) * NODES_STEP
    return Grid(low, spacing, int(fft.next_fast_len(2 * nodes, real=True)))


class Repulsion:
    """Forces between points, by kernels kept from call to call.

    With the distance r and d = y_i - y_j, the kernels are the Student t
    weight 1 / (1 + r²) and the force d / (1 + r²)².
    """

    def __init__(self) -> None:
        self._of: tuple[float, int] | None = None
        self._weight = np.empty((0, 0))
        self._force = np.empty((0, 0))
        self._own = 1.0

    def among(self, points: np.ndarray) -> tuple[np.ndarray, float]:
        """Returns what each point feels from all others.

        Args:
            points: (n, 2) finite float64

        Returns:
            (n, 2) float64 sums of d / (1 + r²)² over the other points, and
            the sum of 1 / (1 + r²) over all ordered pairs
        """
        from scipy import fft

        if len(points) <= FEW:
            return _all_pairs(points)
        grid = grid_around(points)
        self._prepare(grid)
        splines = _splines(points, grid)
        charge = fft.rfft2(_spread(splines, grid))
        power = (charge.real**2 + charge.imag**2) * self._weight
        # the half that rfft2 leaves out is the mirror of the other
        both = 2 * power.sum(dtype=np.float64)
        both -= power[:, 0].sum(dtype=np.float64)
        if grid.nodes % 2 == 0:
            both -= power[:, -1].sum(dtype=np.float64)
        pairs = float(both) / grid.nodes**2 - len(points) * self._own
        forces = self._force_fields(charge, grid)
        return _gather(splines, forces), max(pairs, LEAST_WEIGHT * len(points))

    def field_of(self, points: np.ndarray) -> Field:
        """Returns what any point feels from these, which stay.

        Args:
            points: (n, 2) finite float64, n >= 1
        """
        from scipy import fft

        grid = grid_around(points, margin=0.25)
        self._prepare(grid)
        charge = fft.rfft2(_spread(_splines(points, grid), grid))
        shape = (grid.nodes, grid.nodes)
        weights = fft.irfft2(charge * self._weight, s=shape)
        fields = (*self._force_fields(charge, grid), weights.ravel())
        return Field(grid, fields)

    def _force_fields(
        self, charge: np.ndarray, grid: Grid
    ) -> tuple[np.ndarray, np.ndarray]:
        from scipy import fft

        shape = (grid.nodes, grid.nodes)
        half = charge.shape[1]
        # the force along y is that along x, transposed
        across, along = self._force[:, :half], self._force.T[:, :half]
        return (
            fft.irfft2(charge * across, s=shape).ravel(),
            fft.irfft2(charge * along, s=shape).ravel(),
        )

    def _prepare(self, grid: Grid) -> None:
        if self._of == (grid.spacing, grid.nodes):
            return
        from scipy import fft

        nodes = grid.nodes
        step = np.arange(nodes)
        offset = np.where(step <= nodes // 2, step, step - nodes)
        offset = offset * grid.spacing
        weight = 1 / (1 + offset[:, None] ** 2 + offset**2)
        # a cubic spline through values has these coefficients, in the
        # transform; once for the point that acts, once for the other
        at_nodes = (4 + 2 * np.cos(2 * np.pi * step / nodes)) / 6
        sharpen = 1 / (at_nodes[:, None] * at_nodes) ** 2
        half = nodes // 2 + 1
        weight_hat = fft.rfft2(weight).real * sharpen[:, :half]
        force_hat = fft.fft2(offset[:, None] * weight**2).imag * sharpen
        self._weight = weight_hat.astype(np.float32)
        self._force = (1j * force_hat).astype(np.complex64)
        # what a point of unknown place between nodes feels of itself: not
        # quite 1. Products of splines average to splines of order seven.
        turn = 2 * np.pi * step / nodes
        spline = 2416 + 2 * (
            1191 * np.cos(turn) + 120 * np.cos(2 * turn) + np.cos(3 * turn)
        )
        spline /= 5040
        own = fft.fft2(weight).real * sharpen * spline[:, None] * spline
        self._own = float(own.mean())
        self._of = (grid.spacing, nodes)


def _all_pairs(points: np.ndarray) -> tuple[np.ndarray, float]:
    apart = points[:, None] - points
    weight = 1 / (1 + np.einsum("ijk,ijk->ij", apart, apart))
    force = np.einsum("ijk,ij->ik", apart, weight * weight)
    pairs = float(weight.sum()) - len(points)
    return force, max(pairs, 1e-12)


@dataclass(frozen=True)
class Field:
    """Forces and weights that points which stay exert everywhere.

    Args:
        grid: where they are known
        fields: force along x, along y, and weight, at all nodes
    """

    grid: Grid
    fields: tuple[np.ndarray, ...]

    def at(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Returns (m, 2) sums of forces and (m,) sums of weights.

        Args:
            points: (m, 2) finite float64; one off the grid feels what is
                felt at its edge
        """
        width = (self.grid.nodes // 2 - SPLINE) * self.grid.spacing
        within = np.clip(points, self.grid.origin, self.grid.origin + width)
        felt = _gather(_splines(within, self.grid), self.fields)
        return felt[:, :2], np.maximum(felt[:, 2], 1e-12)


Splines = list[tuple[np.ndarray, np.ndarray]]
"""For blocks of points: (b, 16) nodes and (b, 16) weights."""


def _splines(points: np.ndarray, grid: Grid) -> Splines:
    around = np.arange(SPLINE)
    touched = (around[:, None] * grid.nodes + around).ravel()
    blocks = []
    for start in range(0, len(points), POINTS_AT_ONCE):
        place = points[start : start + POINTS_AT_ONCE] - grid.origin
        place /= grid.spacing
        corner = place.astype(np.int32)
        within = place - corner
        weights = (
            _cubic(within[:, 0])[:, :, None] * _cubic(within[:, 1])[:, None]
        )
        first = corner[:, 0] * np.int32(grid.nodes) + corner[:, 1]
        nodes = first[:, None] + touched.astype(np.int32)
        blocks.append((nodes, weights.reshape(len(nodes), -1)))
    return blocks


def _cubic(t: np.ndarray) -> np.ndarray:
    """Returns (b, 4) weights of the uniform cubic B-spline."""
    weights = np.empty((len(t), SPLINE))
    square = t * t
    cube = square * t
    last = cube / 6
    second = 0.5 * cube - square + 2 / 3
    first = 1 / 6 - 0.5 * (t - square) - last
    weights[:, 0] = first
    weights[:, 1] = second
    weights[:, 2] = 1 - first - second - last
    weights[:, 3] = last
    return weights


def _spread(splines: Splines, grid: Grid) -> np.ndarray:
    """Returns the points' unit charges on the grid, float32."""
    charge = np.zeros(grid.nodes**2)
    for nodes, weights in splines:
        charge += np.bincount(
            nodes.ravel(), weights.ravel(), minlength=len(charge)
        )
    return charge.reshape(grid.nodes, -1).astype(np.float32)


def _gather(splines: Splines, fields: tuple[np.ndarray, ...]) -> np.ndarray:
    """Returns (n, len(fields)) float64 values of fields at the points."""
    from scipy import sparse

    parts = []
    for nodes, weights in splines:
        starts = np.arange(len(nodes) + 1, dtype=np.int32) * nodes.shape[1]
        matrix = sparse.csr_matrix(
            (weights.ravel(), nodes.ravel(), starts),
            shape=(len(nodes), len(fields[0])),
        )
        parts.append(np.column_stack([matrix @ field for field in fields]))
    if not parts:
        return np.empty((0, len(fields)))
    return np.concatenate(parts).astype(np.float64, copy=False)
