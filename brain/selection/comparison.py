"""How two selections differ: frames, components, class balance, scenes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from raremine.brain.objects import FrameTable
from raremine.brain.selection.result import Selection

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class SelectionComparison:
    """Two selections, a and b, side by side.

    Attributes:
        a: name of the first
        b: name of the second
        overlap: ``a``, ``b``: frames of each; ``both``, ``only_a``,
            ``only_b``; ``jaccard``: both over either, 1 where both are empty
        components: one row a component: ``component``; ``a``: frames that
            it chose for a, ``a_in_b``: how many of these are in b, whatever
            chose them there; ``b`` and ``b_in_a`` likewise
        classes: one row a class of the pool, the rarest first: ``class``;
            ``frames_a``, ``frames_b``, ``frames_pool`` that hold it;
            ``objects_a``, ``objects_b``, ``objects_pool``; ``share_a``,
            ``share_b``, ``share_pool`` of all these objects
        kl_to_uniform: ``a``, ``b``, ``pool``: the Kullback-Leibler
            divergence of the objects' classes from all classes of the pool
            being equally frequent, in nats: 0 = balanced, log(classes) = one
            class alone, None without objects
        scenes: ``pool``, ``a``, ``b``, ``both``: scenes; ``coverage_a``,
            ``coverage_b``: shares of the pool's scenes; ``most_a``,
            ``most_b``: most frames of one scene
    """

    a: str
    b: str
    overlap: Mapping[str, float]
    components: tuple[Mapping[str, Any], ...]
    classes: tuple[Mapping[str, Any], ...]
    kl_to_uniform: Mapping[str, float | None]
    scenes: Mapping[str, float]

    def to_dict(self) -> dict[str, Any]:
        """Returns the comparison as plain values for JSON."""
        plain = asdict(self)
        for name in ("components", "classes"):
            plain[name] = list(plain[name])
        return plain

    def table(self) -> pd.DataFrame:
        """Returns the class balance, one row a class, the rarest first."""
        import pandas as pd

        return pd.DataFrame(list(self.classes))


def compare(
    a: Selection,
    b: Selection,
    frames: FrameTable,
    pool: np.ndarray,
    object_token: np.ndarray,
    object_class: np.ndarray,
) -> SelectionComparison:
    """Compares two selections of the same data set.

    Args:
        a: the first
        b: the second
        frames: the keyframes
        pool: (f,) bool, frames that either could choose from
        object_token: (n,) sample token of each object
        object_class: (n,) class of each object, None where it has none

    Returns:
        the comparison
    """
    in_a = np.isin(frames.sample_token, a.tokens)
    in_b = np.isin(frames.sample_token, b.tokens)
    groups = {"a": in_a, "b": in_b, "pool": pool}
    balance = {
        name: _class_counts(
            frames.sample_token[rows], object_token, object_class
        )
        for name, rows in groups.items()
    }
    names = sorted(
        set().union(*(counts for _, counts in balance.values())),
        key=lambda c: (balance["pool"][1][c], c),
    )
    totals = {k: sum(counts.values()) for k, (_, counts) in balance.items()}
    classes = tuple(
        {
            "class": name,
            **{f"frames_{k}": balance[k][0][name] for k in groups},
            **{f"objects_{k}": balance[k][1][name] for k in groups},
            **{
                f"share_{k}": balance[k][1][name] / max(totals[k], 1)
                for k in groups
            },
        }
        for name in names
    )
    return SelectionComparison(
        a.name,
        b.name,
        _overlap(set(a.tokens), set(b.tokens)),
        _components(a, b),
        classes,
        {
            k: kl_to_uniform([balance[k][1][name] for name in names])
            for k in groups
        },
        _scenes(frames.scene, in_a, in_b, pool),
    )


def kl_to_uniform(counts: Sequence[int]) -> float | None:
    """Returns how far class counts are from balanced.

    The Kullback-Leibler divergence of p = counts / sum from the uniform
    distribution over k classes, Σ p log(k p), in nats.

    Args:
        counts: objects of each of k classes

    Returns:
        from 0 (all the same) to log(k) (one class alone); None if all are 0
    """
    p = np.asarray(counts, dtype=np.float64)
    if not p.sum():
        return None
    k, p = len(p), p[p > 0] / p.sum()
    return max(float((p * np.log(k * p)).sum()), 0.0)


def _class_counts(
    tokens: np.ndarray, object_token: np.ndarray, object_class: np.ndarray
) -> tuple[Counter[str], Counter[str]]:
    """Counts, by class, frames that hold it and objects."""
    wanted = set(tokens.tolist())
    objects: Counter[str] = Counter()
    seen: set[tuple[str, str]] = set()
    for token, name in zip(object_token, object_class, strict=True):
        if name and token in wanted:
            objects[str(name)] += 1
            seen.add((str(name), token))
    return Counter(name for name, _ in seen), objects


def _overlap(a: set[str], b: set[str]) -> dict[str, float]:
    either = len(a | b)
    return {
        "a": len(a),
        "b": len(b),
        "both": len(a & b),
        "only_a": len(a - b),
        "only_b": len(b - a),
        "jaccard": len(a & b) / either if either else 1.0,
    }


def _components(a: Selection, b: Selection) -> tuple[dict[str, Any], ...]:
    both = set(a.tokens) & set(b.tokens)

    def shared(selection: Selection, name: str) -> int:
        return sum(
            pick.component == name and pick.sample_token in both
            for pick in selection.picks
        )

    return tuple(
        {
            "component": name,
            "a": a.counts.get(name, 0),
            "a_in_b": shared(a, name),
            "b": b.counts.get(name, 0),
            "b_in_a": shared(b, name),
        }
        for name in dict.fromkeys([*a.counts, *b.counts])
    )


def _scenes(
    scene: np.ndarray, in_a: np.ndarray, in_b: np.ndarray, pool: np.ndarray
) -> dict[str, float]:
    a, b, all_of_it = (
        Counter(scene[rows].tolist()) for rows in (in_a, in_b, pool)
    )
    return {
        "pool": len(all_of_it),
        "a": len(a),
        "b": len(b),
        "both": len(set(a) & set(b)),
        "coverage_a": len(a) / max(len(all_of_it), 1),
        "coverage_b": len(b) / max(len(all_of_it), 1),
        "most_a": max(a.values(), default=0),
        "most_b": max(b.values(), default=0),
    }
