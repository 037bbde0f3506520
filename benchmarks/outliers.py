"""Outlier scores and maps: seconds and memory by size, beside scikit-learn.

    python3 run.py bench outliers [--json FILE] [--quick] [--million]
                                  [--sklearn-100k] [--maps-100k] [--dir DIR]
                                  [--only PART ...]

The vectors are made up: clustered unit vectors of 512 dimensions. Each way
runs in a fresh process and reads them as a memory map.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks._measure import in_fresh_process, machine, table, write_json
from benchmarks._outlier_methods import write_vectors

SIZES = (10_000, 30_000, 100_000)
QUICK_SIZES = (5_000, 25_000)
BESIDE = (10_000, 20_000)
QUICK_BESIDE = (5_000,)
MILLION = 1_000_000

LINEAR = (
    "class_rarity",
    "isolation_forest",
    "graph",
    "graph of 100",
    "knn",
    "lof",
    "class_lof",
    "default",
    "set",
)
LARGEST_MAP = 30_000
"""Objects up to which t-SNE and UMAP are timed: it takes minutes beyond."""

MILLIONS = ("isolation_forest", "graph of 100", "default", "set")
"""What is timed with a million objects as well."""

MAPS = ("map pca", "map tsne", "map umap")
MAP_RIVALS = {"map tsne": "sklearn tsne", "map umap": "umap-learn"}
MAPS_BESIDE = (20_000,)
QUICK_MAPS_BESIDE = (3_000,)
JUDGED = 5000
"""Objects of a map of which it is judged whether they kept neighbours."""

JUDGED_NEIGHBORS = 12

PARTS = ("scale", "beside", "agreement", "maps", "maps_beside")

RIVALS = ("knn", "lof", "isolation_forest")
TOTAL = "knn + lof + isolation_forest"


class Runner:
    """Runs ways in fresh processes, on vectors made once for each size.

    Args:
        folder: where vectors and scores lie
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def vectors(self, count: int) -> np.ndarray:
        """Returns the vectors, as a memory map."""
        return np.load(self._vectors(count), mmap_mode="r")

    def _vectors(self, count: int) -> Path:
        vectors = self._folder / f"vectors-{count}.npy"
        if not vectors.exists():
            partial = vectors.with_suffix(".partial")
            write_vectors(partial, count)
            partial.rename(vectors)
        return vectors

    def run(self, way: str, count: int) -> dict[str, Any]:
        """Returns what the process told of itself."""
        vectors = self._vectors(count)
        print(f"  {count:,}: {way} ...", flush=True)
        # a home of its own, or it would find the graph of the way before
        with tempfile.TemporaryDirectory(dir=self._folder) as home:
            return in_fresh_process(
                "benchmarks._outlier_methods",
                way,
                str(vectors),
                str(self._scores(way, count)),
                environment={"RAREMINE_HOME": home},
            )

    def scores(self, way: str, count: int) -> dict[str, np.ndarray]:
        """Returns the scores of a way that has run."""
        with np.load(self._scores(way, count)) as archive:
            return {name: archive[name] for name in archive.files}

    def _scores(self, way: str, count: int) -> Path:
        return self._folder / f"scores-{way.replace(' ', '-')}-{count}.npz"


def slope(sizes: Sequence[int], seconds: Sequence[float]) -> float | None:
    """Returns the exponent of growth: log seconds against log size."""
    if len(sizes) < 2:
        return None
    return float(np.polyfit(np.log(sizes), np.log(seconds), 1)[0])


def measure_scale(
    runner: Runner, sizes: Sequence[int]
) -> list[dict[str, Any]]:
    """Runs each of our methods at each size, a million with some of them."""
    rows = []
    for way in LINEAR:
        own = [n for n in sizes if n < MILLION or way in MILLIONS]
        rows.append(_growth(runner, "raremine", way, own, sizes))
    return rows


def measure_maps(
    runner: Runner, sizes: Sequence[int], largest: int
) -> list[dict[str, Any]]:
    """Makes each kind of map at each size, their graph included.

    Args:
        runner: runs ways
        sizes: numbers of objects
        largest: objects up to which t-SNE and UMAP maps are made
    """
    rows = []
    for way in MAPS:
        own = [n for n in sizes if way == "map pca" or n <= largest]
        rows.append(_growth(runner, "maps", way, own, sizes))
    return rows


def measure_maps_beside(
    runner: Runner, sizes: Sequence[int]
) -> list[dict[str, Any]]:
    """Makes the maps of scikit-learn, of umap-learn alone, and ours."""
    rows = []
    for count in sizes:
        for way, rival in MAP_RIVALS.items():
            theirs, ours = runner.run(rival, count), runner.run(way, count)
            rows.append(
                {
                    "beside": rival,
                    "objects": count,
                    "theirs s": theirs["seconds"],
                    "raremine s": ours["seconds"],
                    "times faster": theirs["seconds"] / ours["seconds"],
                    "theirs MB": round(theirs["peak_mb"]),
                    "raremine MB": round(ours["peak_mb"]),
                    "trustworthiness, theirs": _digits(
                        _faithfulness(runner, rival, count)
                    ),
                    "trustworthiness, raremine": _digits(
                        _faithfulness(runner, way, count)
                    ),
                }
            )
    return rows


def _faithfulness(runner: Runner, way: str, count: int) -> float:
    """Returns how many of a sample's neighbours on a map are real ones."""
    from sklearn.manifold import trustworthiness

    rows = np.random.default_rng(0).choice(
        count, min(count, JUDGED), replace=False
    )
    vectors = np.array(runner.vectors(count)[np.sort(rows)])
    points = runner.scores(way, count)["points"][np.sort(rows)]
    return float(
        trustworthiness(vectors, points, n_neighbors=JUDGED_NEIGHBORS)
    )


def _growth(
    runner: Runner,
    title: str,
    way: str,
    own: Sequence[int],
    sizes: Sequence[int],
) -> dict[str, Any]:
    told = {count: runner.run(way, count) for count in own}
    row: dict[str, Any] = {title: way}
    for count in sizes:
        row[f"{count:,} s"] = _of(told.get(count), "seconds")
    for count in sizes:
        row[f"{count:,} MB"] = _of(told.get(count), "peak_mb")
    row["slope"] = slope(own, [told[n]["seconds"] for n in own])
    return row


def _of(told: dict[str, Any] | None, name: str) -> float | None:
    return None if told is None else float(told[name])


def measure_beside(
    runner: Runner, sizes: Sequence[int]
) -> list[dict[str, Any]]:
    """Runs the same methods of scikit-learn, and of ours in one go."""
    from scipy.stats import spearmanr

    rows = []
    for count in sizes:
        rivals = {n: runner.run(f"sklearn {n}", count) for n in RIVALS}
        ours = {n: runner.run(n, count) for n in RIVALS}
        ours[TOTAL] = runner.run("set", count)
        seconds = {n: told["seconds"] for n, told in rivals.items()}
        seconds[TOTAL] = sum(seconds.values())
        peak = {n: told["peak_mb"] for n, told in rivals.items()}
        peak[TOTAL] = max(peak.values())
        for name in (*RIVALS, TOTAL):
            agreement = None
            if name != TOTAL:
                theirs = runner.scores(f"sklearn {name}", count)[name]
                own = runner.scores(name, count)[name]
                agreement = float(spearmanr(own, theirs)[0])
            rows.append(
                {
                    "beside scikit-learn": name,
                    "objects": count,
                    "scikit-learn s": seconds[name],
                    "raremine s": ours[name]["seconds"],
                    "times faster": seconds[name] / ours[name]["seconds"],
                    "scikit-learn MB": round(peak[name]),
                    "raremine MB": round(ours[name]["peak_mb"]),
                    "rank correlation": _digits(agreement),
                }
            )
    return rows


def measure_agreement(
    runner: Runner, sizes: Sequence[int]
) -> list[dict[str, Any]]:
    """Holds the scores of approximate neighbours against exact ones."""
    from scipy.stats import spearmanr

    rows = []
    for count in sizes:
        fast = runner.run("set", count)
        exact = runner.run("exact set", count)
        own, true = (
            runner.scores("set", count),
            runner.scores("exact set", count),
        )
        for name in ("knn", "lof"):
            tenth = count // 10
            top = set(np.argsort(-own[name])[:tenth].tolist())
            rows.append(
                {
                    "approximate neighbours": name,
                    "objects": count,
                    "set s": fast["seconds"],
                    "exact set s": exact["seconds"],
                    "rank correlation": _digits(
                        float(spearmanr(own[name], true[name])[0])
                    ),
                    "same top tenth": len(
                        top & set(np.argsort(-true[name])[:tenth].tolist())
                    )
                    / tenth,
                }
            )
    return rows


def _digits(value: float | None) -> str | None:
    return None if value is None else f"{value:.5f}"


def main() -> None:
    """Runs all parts and prints a table of each."""
    parser = argparse.ArgumentParser(
        prog="run.py bench outliers", description=__doc__.splitlines()[0]
    )
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument(
        "--quick", action="store_true", help="small sizes, about two minutes"
    )
    parser.add_argument(
        "--million",
        action="store_true",
        help="also a million objects, without maps (2 GB of vectors)",
    )
    parser.add_argument(
        "--sklearn-100k",
        action="store_true",
        help="scikit-learn at 100,000 as well, several minutes",
    )
    parser.add_argument(
        "--maps-100k",
        action="store_true",
        help="t-SNE and UMAP maps of 100,000 as well, several minutes",
    )
    parser.add_argument(
        "--only", nargs="+", choices=PARTS, default=PARTS, metavar="PART"
    )
    parser.add_argument(
        "--dir",
        type=Path,
        help="keep vectors here and use them again",
    )
    options = parser.parse_args()
    sizes = QUICK_SIZES if options.quick else SIZES
    beside = QUICK_BESIDE if options.quick else BESIDE
    agreement = sizes[-1:]
    maps_beside = QUICK_MAPS_BESIDE if options.quick else MAPS_BESIDE
    largest = 100_000 if options.maps_100k else LARGEST_MAP
    if options.sklearn_100k:
        beside = (*beside, 100_000)
    if options.million:
        sizes = (*sizes, MILLION)
    with tempfile.TemporaryDirectory(prefix="raremine-bench-") as temporary:
        runner = Runner(options.dir or Path(temporary))
        measures = {
            "scale": lambda: measure_scale(runner, sizes),
            "beside": lambda: measure_beside(runner, beside),
            "agreement": lambda: measure_agreement(runner, agreement),
            "maps": lambda: measure_maps(runner, sizes, largest),
            "maps_beside": lambda: measure_maps_beside(runner, maps_beside),
        }
        parts = {name: measures[name]() for name in options.only}
    here = machine(
        *("faiss-cpu", "scikit-learn", "umap-learn", "openTSNE", "numpy")
    )
    for rows in parts.values():
        print(f"\n{table(rows)}")
    print(f"\n{', '.join(f'{k} {v}' for k, v in here.items())}")
    write_json(options.json, {**parts, "machine": here})


if __name__ == "__main__":
    main()
