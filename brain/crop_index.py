"""The vectors of object crops: a LanceDB similarity index of FiftyOne.

FiftyOne's own LanceDB backend answers similarity and text queries in the App.
Six things are ours: a table is opened by its name (FiftyOne finds ten in a
folder), the folder is stored with the run (FiftyOne forgets it, so another
process would look in the system's temporary folder), vectors are
appended instead of rewriting the whole table for each batch, a search reads
them once instead of copying what a view shows of them, text queries are
encoded by the embedder that made the vectors, local ones included, and the
clone of a dataset, which names the same table, gets a copy when either
of the two is changed.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import fiftyone as fo
import fiftyone.brain as fob
import numpy as np
from bson import ObjectId
from fiftyone.brain.internal.core.lancedb import (
    LanceDBSimilarity,
    LanceDBSimilarityConfig,
    LanceDBSimilarityIndex,
)
from fiftyone.core.odm import get_db_conn

from raremine.brain.errors import MissingStageError
from raremine.brain.home import raremine_home
from raremine.brain.id_set import IdSet
from raremine.brain.index_queries import IndexQueries

REMOVED_AT_ONCE = 5000
"""Vectors named in one deletion: a condition has to be parsed."""

ROWS_AT_ONCE = 8192
"""Vectors read together."""


class CropIndexConfig(LanceDBSimilarityConfig):
    """Configuration of a crop index.

    Args:
        index_dir (None): LanceDB's folder
        embedder (None): model, pretrained: how to load the text encoder
        params (None): every parameter that decided the vectors
        dtype ("float32"): how vectors are stored, or "float16"
        **kwargs: as for FiftyOne's LanceDB backend
    """

    def __init__(
        self,
        index_dir: str | None = None,
        embedder: Mapping[str, Any] | None = None,
        params: Mapping[str, Any] | None = None,
        dtype: str = "float32",
        **kwargs: Any,
    ) -> None:
        self.dtype = dtype
        self.index_dir = index_dir or str(raremine_home() / "lancedb")
        self.embedder = dict(embedder or {})
        self.params = dict(params or {})
        kwargs.pop("uri", None)
        super().__init__(uri=self.index_dir, **kwargs)

    @property
    def supports_least_similarity(self) -> bool:
        """Whether the least similar can be asked for."""
        return True


class CropIndex(LanceDBSimilarity):
    """Life cycle of a crop index on a dataset."""

    def initialize(self, samples: Any, brain_key: str) -> CropIndexResults:
        """Opens the index."""
        return CropIndexResults(samples, self.config, brain_key, backend=self)

    def cleanup(self, samples: Any, key: str) -> None:
        """Deletes the vectors together with the run."""
        CropIndexResults(samples, self.config, key, backend=self).cleanup()


class CropIndexResults(IndexQueries, LanceDBSimilarityIndex):
    """The index itself."""

    _table: Any
    _model: Any
    _is_own = False

    def _initialize(self) -> None:
        """Opens the table by its name.

        FiftyOne looks the name up in LanceDB's listing, which ends after ten
        tables: the eleventh index in a folder would seem to be empty.
        """
        import lancedb

        name = self.config.table_name
        try:
            Path(self.config.index_dir).mkdir(parents=True, exist_ok=True)
        except OSError:
            # the dataset was imported from a machine with other folders
            self.config.index_dir = str(raremine_home() / "lancedb")
            self.config.uri = self.config.index_dir
        self._db = lancedb.connect(self.config.uri)
        exists = self._folder(name).is_dir()
        self._table = self._db.open_table(name) if exists else None

    @property
    def is_stored(self) -> bool:
        """Whether the index's folder holds its table."""
        return self._table is not None

    def cleanup(self) -> None:
        """Deletes the vectors; a clone of the dataset keeps them."""
        name = self.config.table_name
        if not self._is_shared() and self._folder(name).is_dir():
            self._db.drop_table(name)
        self._table = None

    def _folder(self, table_name: str) -> Path:
        return Path(self.config.uri) / f"{table_name}.lance"

    def _is_shared(self) -> bool:
        """Whether another run, such as a clone's, names the same table."""
        dataset = self.samples._root_dataset
        named = {"config.table_name": self.config.table_name}
        runs = get_db_conn().runs.find(named, {"_dataset_id": 1, "key": 1})
        own = (str(dataset._doc.id), self.key)
        return any((str(r["_dataset_id"]), r["key"]) != own for r in runs)

    def _make_own(self) -> None:
        """Copies a table that another run names too, before a change."""
        if self._is_own:
            return
        if self._is_shared():
            old = self._folder(self.config.table_name)
            self.config.table_name = f"{self.key}_{ObjectId()}"
            name = self.config.table_name
            if old.is_dir():
                shutil.copytree(old, self._folder(name))
                self._table = self._db.open_table(name)
            self.save_config()
        self._is_own = True

    def add_to_index(
        self,
        embeddings: np.ndarray,
        sample_ids: Sequence[str],
        label_ids: Sequence[str] | None = None,
        overwrite: bool = True,
        allow_existing: bool = True,
        warn_existing: bool = False,
        reload: bool = True,
    ) -> None:
        """Appends vectors; a label that is already there gets the new one.

        Args:
            embeddings: (n, d) float
            sample_ids: n sample ids
            label_ids: n label ids
            overwrite (True): False keeps the vector of a label already there
            allow_existing (True): accepted for FiftyOne's interface
            warn_existing (False): accepted for FiftyOne's interface
            reload (True): whether to refresh the current view
        """
        ids = sample_ids if label_ids is None else label_ids
        rows = self._rows(embeddings, sample_ids, ids)
        self._make_own()
        if self._table is None:
            self._table = self._db.create_table(self.config.table_name, rows)
        else:
            merge = self._table.merge_insert("id")
            if overwrite:
                merge = merge.when_matched_update_all()
            merge.when_not_matched_insert_all().execute(rows)
        if reload:
            self.reload()

    def append(
        self,
        vectors: np.ndarray,
        sample_ids: Sequence[str],
        label_ids: Sequence[str],
    ) -> None:
        """Adds vectors of labels that have none, whatever is there already.

        ``add_to_index`` looks through the whole table for each batch; this
        takes the same time for the first and for the millionth.

        Args:
            vectors: (n, d) float
            sample_ids: n sample ids
            label_ids: n label ids, none of them in the index
        """
        rows = self._rows(vectors, sample_ids, label_ids)
        self._make_own()
        if self._table is None:
            self._table = self._db.create_table(self.config.table_name, rows)
        else:
            self._table.add(rows)

    def _rows(
        self,
        vectors: np.ndarray,
        sample_ids: Sequence[str],
        label_ids: Sequence[str],
    ) -> Any:
        import pyarrow as pa

        dtype = np.dtype(self.config.dtype)
        vectors = np.ascontiguousarray(vectors, dtype=dtype)
        return pa.table(
            {
                "id": pa.array([str(i) for i in label_ids]),
                "sample_id": pa.array([str(i) for i in sample_ids]),
                "vector": pa.FixedSizeListArray.from_arrays(
                    pa.array(vectors.reshape(-1)), vectors.shape[1]
                ),
            }
        )

    def clear(self) -> None:
        """Removes all vectors; the index stays."""
        self._make_own()
        self.cleanup()
        self.reload()

    def remove_from_index(
        self,
        sample_ids: Sequence[str] | None = None,
        label_ids: Sequence[str] | None = None,
        allow_missing: bool = True,
        warn_missing: bool = False,
        reload: bool = True,
    ) -> None:
        """Removes the vectors of the given labels (or samples)."""
        column, ids = "id", label_ids
        if ids is None:
            column, ids = "sample_id", sample_ids
        ids = [] if ids is None or self._table is None else list(ids)
        if ids:
            self._make_own()
        for start in range(0, len(ids), REMOVED_AT_ONCE):
            names = ids[start : start + REMOVED_AT_ONCE]
            listed = ", ".join(f"'{i}'" for i in names)
            self._table.delete(f"{column} IN ({listed})")
        if reload:
            self.reload()

    def label_vectors(self) -> tuple[np.ndarray, np.ndarray]:
        """Returns all label ids (n,) str and their vectors (n, d) float32."""
        ids: list[str] = []
        blocks = [np.empty((0, 0), np.float32)]
        for names, block in self.vector_batches():
            ids.extend(names.to_pylist())
            blocks.append(block)
        blocks = blocks[1:] or blocks
        return np.array(ids, dtype=str), np.concatenate(blocks)

    def stored_ids(self) -> set[str]:
        """Returns the label ids that have a vector."""
        return set(self._stored())

    def stored_set(self) -> IdSet:
        """Returns the label ids that have a vector, packed."""
        return IdSet(self._stored())

    def _stored(self) -> Iterator[str]:
        for ids in self.id_batches():
            yield from ids.to_pylist()

    def id_batches(self) -> Iterator[Any]:
        """Yields the label ids that have a vector, as Arrow arrays."""
        if self._table is not None:
            for batch in _batches(self._table.search(), ["id"]):
                yield batch["id"]

    def vector_batches(self) -> Iterator[tuple[Any, np.ndarray]]:
        """Yields label ids, an Arrow array, and their (b, d) float32."""
        for ids, _, vectors in self.located_batches():
            yield ids, vectors

    def located_batches(self) -> Iterator[tuple[Any, Any, np.ndarray]]:
        """Yields label ids, sample ids, Arrow arrays, and (b, d) float32."""
        if self._table is not None:
            yield from self._blocks(self._table.search())

    def _blocks(self, query: Any) -> Iterator[tuple[Any, Any, np.ndarray]]:
        for batch in _batches(query, ["id", "sample_id", "vector"]):
            values = batch["vector"].flatten().to_numpy(zero_copy_only=False)
            rows = values.astype(np.float32, copy=False)
            yield batch["id"], batch["sample_id"], rows.reshape(len(batch), -1)


def _batches(query: Any, columns: list[str]) -> Iterator[Any]:
    rows = query.select(columns).limit(None)
    for batch in rows.to_batches(ROWS_AT_ONCE):
        if len(batch):
            yield batch


def create_index(
    dataset: fo.Dataset,
    field: str | None,
    brain_key: str,
    *,
    embedder: Mapping[str, Any] | None,
    params: Mapping[str, Any],
    index_dir: str | None = None,
    dtype: str = "float32",
) -> CropIndexResults:
    """Creates an empty index on the dataset.

    Args:
        dataset: the root dataset
        field: the detections field, None = of whole images
        brain_key: the brain key
        embedder: model, pretrained to load again for text queries, or None
        params: what decides the vectors
        index_dir (None): LanceDB's folder, None = ``raremine_home()``
        dtype ("float32"): how vectors are stored, or "float16"
    """
    index: CropIndexResults = fob.compute_similarity(
        dataset,
        patches_field=field,
        embeddings=False,
        model=_Placeholder(),
        backend=CropIndexConfig,
        brain_key=brain_key,
        # never a name that was used before: a renamed run keeps its table
        table_name=f"{brain_key}_{ObjectId()}",
        index_dir=index_dir,
        embedder=embedder,
        params=params,
        dtype=dtype,
    )
    index.config.supports_prompts = embedder is not None
    index._model = None
    index._supports_prompts = None
    index.save_config()
    return index


class _Placeholder:
    """Keeps FiftyOne from loading its default model for an empty index."""

    can_embed_prompts = False


def open_index(dataset: fo.Dataset, brain_key: str) -> CropIndexResults:
    """Opens an existing index.

    Raises:
        MissingStageError: if there is none under that key
    """
    index = (
        dataset.load_brain_results(brain_key)
        if dataset.has_brain_run(brain_key)
        else None
    )
    if not isinstance(index, CropIndexResults):
        raise MissingStageError(
            f"Dataset '{dataset.name}' has no embeddings under brain key "
            f"'{brain_key}'; run embed_objects first."
        )
    return index


def delete_vectors(dataset: fo.Dataset) -> None:
    """Deletes the vectors of all indexes of a dataset that is to go.

    FiftyOne deletes a dataset's runs without asking them to clean up, and
    the tables would stay on disk. A clone of the dataset keeps them.

    Args:
        dataset: the root dataset; its runs stay, with nothing in them
    """
    for key in dataset.list_brain_runs():
        config = dataset.get_brain_info(key).config
        # a folder that is not here would be made, only to look into it
        if (
            isinstance(config, CropIndexConfig)
            and Path(config.index_dir).is_dir()
        ):
            config.build().cleanup(dataset, key)
