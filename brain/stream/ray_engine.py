"""The engine past one machine: the same stages on Ray Data.

Every actor holds one model of each kind and runs the local engine on blocks
of images, which it reads from storage that all machines see. Results come
back to the driver, which alone writes to the database and the index.
"""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from raremine.brain.errors import RaremineError
from raremine.brain.models.protocols import Detector, Embedder
from raremine.brain.stream.crops import CropRule
from raremine.brain.stream.engine import Engine, ImageJob, ImageResult

BLOCK = 64
"""Images that an actor gets at once: many enough to fill its batches."""

ROUND = 20_000
"""Images that are handed to Ray at once, so that the driver's memory does
not grow with the data set."""


class RayEngine:
    """Detects and embeds on streams of images, in the actors of Ray.

    Args:
        detector (None): makes an actor's detector
        embedder (None): makes an actor's embedder
        rule: which objects have a crop, and how it is cut
        workers (2): threads for each of decoding and cutting, in each actor
        exact (True): see ``Engine``
        actors (None): their number; None = one a GPU of the cluster, or else
            one for every two cores

    Raises:
        RaremineError: if Ray is not installed
    """

    def __init__(
        self,
        detector: Callable[[], Detector] | None = None,
        embedder: Callable[[], Embedder] | None = None,
        *,
        rule: CropRule = CropRule(),  # noqa: B008 - it is immutable
        workers: int = 2,
        exact: bool = True,
        actors: int | None = None,
    ) -> None:
        self._ray = import_ray()
        self._actors = actors
        self._settings = {
            "detector": detector,
            "embedder": embedder,
            "rule": rule,
            "workers": workers,
            "exact": exact,
        }

    def run(
        self, jobs: Iterable[ImageJob]
    ) -> Generator[ImageResult, None, None]:
        """Yields one result a job, in the order in which they are done.

        Args:
            jobs: images, read a round at a time

        Raises:
            RaremineError: if an actor failed; the message holds its error
        """
        if not self._ray.is_initialized():
            self._ray.init(include_dashboard=False, log_to_driver=False)
        context = self._ray.data.DataContext.get_current()
        # progress is told by the stage, in images
        context.enable_progress_bars = False
        context.print_on_execution_start = False
        resources = self._resources()
        block: list[dict[str, Any]] = []
        for job in jobs:
            block.append({"job": pickle.dumps(job)})
            if len(block) == ROUND:
                yield from self._round(block, resources)
                block = []
        if block:
            yield from self._round(block, resources)

    def _round(
        self, rows: list[dict[str, Any]], resources: dict[str, Any]
    ) -> Generator[ImageResult, None, None]:
        import ray.data

        count = min(resources["concurrency"], -(-len(rows) // BLOCK))
        done = ray.data.from_items(
            rows, override_num_blocks=max(count, len(rows) // (BLOCK * 8), 1)
        ).map_batches(
            _Actor,
            batch_size=BLOCK,
            batch_format="numpy",
            fn_constructor_kwargs=self._settings,
            **{**resources, "concurrency": count},
        )
        try:
            for batch in done.iter_batches(
                batch_size=None, batch_format="numpy"
            ):
                for one in batch["result"]:
                    # made by our own actors
                    result = pickle.loads(one)
                    if isinstance(result, _Failure):
                        raise RaremineError(
                            "A model failed on a machine of the cluster; "
                            "what was finished is kept. "
                            f"{result.reason}. If files are missing there, "
                            "put media and weights where every machine sees "
                            "them under the same path."
                        )
                    yield result
        except self._ray.exceptions.RayError as error:
            lines = str(error).strip().splitlines() or [type(error).__name__]
            raise RaremineError(
                "Ray failed; what was finished is kept. "
                f"{lines[-1][:300]}. See Ray's own log, and run it again: "
                "only what is missing will be done."
            ) from error

    def _resources(self) -> dict[str, Any]:
        have = self._ray.cluster_resources()
        gpus, cores = int(have.get("GPU", 0)), int(have.get("CPU", 1))
        if self._actors is not None and self._actors < 1:
            raise RaremineError(f"actors={self._actors}; give 1 or more.")
        actors = self._actors or gpus or max(cores // 2, 1)
        each: dict[str, Any] = {"concurrency": actors}
        if gpus:
            each["num_gpus"] = min(1.0, gpus / actors)
        else:
            # Ray itself needs a share of a core to move blocks
            each["num_cpus"] = min(1.0, 0.8 * cores / actors)
        return each


@dataclass(frozen=True)
class _Failure:
    """What an actor met; Ray would hand its traceback on as a text."""

    reason: str


class _Actor:
    """One model of each kind, and the local engine around them."""

    def __init__(
        self,
        detector: Callable[[], Detector] | None,
        embedder: Callable[[], Embedder] | None,
        **settings: Any,
    ) -> None:
        self._engine: Engine | _Failure
        try:
            self._engine = Engine(
                detector() if detector else None,
                embedder() if embedder else None,
                **settings,
            )
        except Exception as error:
            self._engine = _failure(error)

    def __call__(self, batch: dict[str, np.ndarray]) -> dict[str, Any]:
        jobs = [pickle.loads(one) for one in batch["job"]]
        results: list[ImageResult | _Failure] = []
        if isinstance(self._engine, _Failure):
            results.append(self._engine)
        else:
            try:
                results.extend(self._engine.run(jobs))
            except Exception as error:
                results.append(_failure(error))
        packed = np.empty(len(results), dtype=object)
        packed[:] = [pickle.dumps(result) for result in results]
        return {"result": packed}


def _failure(error: Exception) -> _Failure:
    kind = "" if isinstance(error, RaremineError) else type(error).__name__
    text = f"{kind}: {error}" if kind else str(error)
    return _Failure(text.rstrip("."))


def import_ray() -> Any:
    """Imports Ray, which is an optional extra and calls home by default.

    Raises:
        RaremineError: if it is not installed
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        import ray
        import ray.data
        import ray.exceptions
    except ImportError as error:
        raise RaremineError(
            "engine='ray' needs Ray, which is not installed here: "
            "pip install 'raremine[ray]' (or 'ray[data]>=2.40'), or use "
            "engine='local'."
        ) from error
    return ray
