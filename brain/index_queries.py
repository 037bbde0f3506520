"""How FiftyOne's searches are answered from an index of vectors."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from bson import ObjectId

from raremine.brain.errors import RaremineError
from raremine.brain.id_set import IdSet
from raremine.brain.nearest_crops import Block, nearest


class IndexQueries:
    """What every search in the App and in the SDK asks of an index."""

    config: Any
    key: Any
    has_view: bool
    _table: Any
    _model: Any

    def located_batches(self) -> Iterator[Block]:
        """Yields the index, block by block."""
        raise NotImplementedError

    def _blocks(self, query: Any) -> Iterator[Block]:
        raise NotImplementedError

    def _kneighbors(
        self,
        query: Any = None,
        k: int | None = None,
        reverse: bool = False,
        aggregation: str | None = None,
        return_dists: bool = False,
    ) -> tuple[Any, ...]:
        """Answers every search of FiftyOne's, as its backends do.

        Returns:
            sample ids, label ids (None for an index of images) and, if
            asked for, distances: a list each, or one for each query
        """
        if query is None:
            raise ValueError("This index finds neighbors of a query only.")
        vectors, single = self._query_vectors(query)
        if aggregation == "mean":
            vectors, single = vectors.mean(axis=0, keepdims=True), True
        elif aggregation is not None:
            raise ValueError(f"There is no aggregation '{aggregation}'.")
        patches = self.config.patches_field is not None
        among = None
        if self.has_view:
            current = "label_ids" if patches else "sample_ids"
            among = IdSet(getattr(self, f"current_{current}"))
        answers = [
            nearest(
                self.located_batches(),
                vector,
                k,
                metric=self.config.metric,
                among=among,
                farthest=reverse,
            )
            for vector in vectors
        ]
        labels, samples, distances = (
            [part.tolist() for part in parts]
            for parts in zip(*answers, strict=True)
        )
        found: list[Any] = [samples, labels if patches else None, distances]
        if single:
            found = [part and part[0] for part in found]
        return tuple(found if return_dists else found[:2])

    def _query_vectors(self, query: Any) -> tuple[np.ndarray, bool]:
        """Returns (q, d) vectors of a query, and whether it is only one."""
        asked = np.atleast_1d(np.asarray(query))
        if np.issubdtype(asked.dtype, np.number):
            return np.atleast_2d(asked), asked.ndim == 1
        blocks = [np.empty((0, 0), np.float32)]
        if self._table is not None:
            listed = ", ".join(f"'{ObjectId(one)}'" for one in asked)
            rows = self._table.search().where(f"id IN ({listed})")
            blocks = [block for _, _, block in self._blocks(rows)] or blocks
        vectors = np.concatenate(blocks)
        if not len(vectors):
            raise ValueError(
                f"Index '{self.key}' has no vectors of {', '.join(asked)}."
            )
        return vectors, isinstance(query, str)

    def get_model(self) -> Any:
        """Returns the text encoder of the embedder that made the vectors."""
        if self._model is None:
            from raremine.brain.models.open_clip_embedder import (
                OpenClipEmbedder,
            )

            if not self.config.embedder:
                raise RaremineError(
                    f"Index '{self.key}' was made by an embedder that cannot "
                    "be loaded again, so it takes no text queries."
                )
            self._model = TextEncoder(OpenClipEmbedder(**self.config.embedder))
        return self._model


class TextEncoder:
    """The text half of the embedder that made an index's vectors.

    Args:
        embedder: with ``embed_texts``
    """

    def __init__(self, embedder: Any) -> None:
        self._embedder = embedder

    def __enter__(self) -> TextEncoder:
        return self

    def __exit__(self, *args: object) -> None:
        return None

    def embed_prompts(self, prompts: Sequence[str]) -> np.ndarray:
        """Returns the vectors of texts, (n, d) float32."""
        vectors: np.ndarray = self._embedder.embed_texts(list(prompts))
        return vectors
