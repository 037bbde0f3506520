"""Finds objects by a text: the crops whose vectors fit it best."""

from __future__ import annotations

from typing import Any

import fiftyone as fo
import fiftyone.core.patches as fop

from raremine.brain.columns import require_objects, resolve
from raremine.brain.crop_index import open_index
from raremine.brain.crop_vectors import check_stored
from raremine.brain.errors import RaremineError


def search(
    samples: Any,
    query: str,
    *,
    field: str = "objects",
    embeddings: str = "objects_clip",
    k: int = 50,
    name: str | None = None,
) -> fo.PatchesView:
    """Returns the objects that fit a text, the best first.

    See :func:`raremine.brain.search_objects`.
    """
    if not query.strip():
        raise RaremineError("Say what to look for, such as 'an excavator'.")
    if k < 1:
        raise RaremineError(f"k={k}; give the number of objects to show.")
    scope = resolve(samples, field)
    dataset = scope.dataset
    require_objects(scope, field)
    index = open_index(dataset, embeddings)
    if index.config.patches_field != field:
        raise RaremineError(
            f"Embeddings '{embeddings}' are of field "
            f"'{index.config.patches_field}', not of '{field}'."
        )
    if not index.config.supports_prompts:
        raise RaremineError(
            f"Embeddings '{embeddings}' were made by a model that cannot be "
            "loaded again, so they take no text. Embed with an open_clip "
            "model by its name or folder."
        )
    check_stored(dataset, index)
    patches = samples
    if not isinstance(samples, fop.PatchesView):
        patches = scope.images.to_patches(field)
    if not len(patches):
        raise RaremineError("There are no objects here to look through.")
    found = patches.sort_by_similarity(
        query.strip(), k=min(k, len(patches)), brain_key=embeddings
    )
    if name:
        dataset.save_view(
            name,
            found,
            description=f"Objects that fit '{query.strip()}' best",
            overwrite=True,
        )
    return found
