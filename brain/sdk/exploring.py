"""Vectors make objects searchable by a text and lay them out on a map."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import fiftyone as fo


def search_objects(
    samples: Any,
    query: str,
    *,
    field: str = "objects",
    embeddings: str = "objects_clip",
    k: int = 50,
    name: str | None = None,
) -> fo.PatchesView:
    """Finds the objects whose crops fit a text, over all cameras.

    The text is encoded by the model that made the vectors, which is loaded
    where the search runs; nothing is asked of a network.

    Args:
        samples: any collection with embedded objects, or their patches
        query: what to look for, such as "an excavator"
        field ("objects"): detections field
        embeddings ("objects_clip"): brain key of the vectors
        k (50): most objects to show
        name (None): name of a saved view to keep the result as

    Returns:
        view of the objects' patches, the best fitting first

    Raises:
        MissingStageError: if there are no such objects or vectors
        RaremineError: if the text is empty, the vectors are of another field
            or made by a model that cannot be loaded again
    """
    from raremine.brain.search import search

    return search(
        samples, query, field=field, embeddings=embeddings, k=k, name=name
    )


def map_objects(
    samples: Any,
    *,
    field: str = "objects",
    embeddings: str = "objects_clip",
    method: str | None = None,
    brain_key: str = "objects_map",
    seed: int = 51,
    exact: bool | None = None,
    k: int | None = None,
    perplexity: float | None = None,
    onto: str | None = None,
    overwrite: bool = False,
) -> dict[str, Any]:
    """Lays the crops of all cameras out on a map for the Embeddings panel.

    Full documentation: :mod:`raremine.brain.maps.stage`.

    Args:
        samples: any collection with embedded objects
        field ("objects"): detections field
        embeddings ("objects_clip"): brain key of the vectors
        method (None): umap, tsne or pca; None = umap, or that of ``onto``
        brain_key ("objects_map"): key of FiftyOne's visualization run
        seed (51): seed of the layout
        exact (None): exact or approximate neighbours, None = by their number
        k (None): neighbours of umap, None = 15, the object itself counted
        perplexity (None): of tsne, None = min(30, max(5, n - 1))
        onto (None): brain key of a map whose points are kept; only objects
            without one are placed on it
        overwrite (False): redo it although nothing has changed

    Returns:
        summary with ``objects``, ``placed``, ``skipped``, ``not_finite``
        (objects without a point), ``method`` and ``seconds``

    Raises:
        MissingStageError: if there are no embeddings, or no map to place on
        RaremineError: if a value is not possible, the key is taken, or a map
            to place on was made of other vectors
    """
    from raremine.brain.maps.stage import lay_out

    return lay_out(
        samples,
        field=field,
        embeddings=embeddings,
        method=method,
        brain_key=brain_key,
        seed=seed,
        exact=exact,
        k=k,
        perplexity=perplexity,
        onto=onto,
        overwrite=overwrite,
    )
