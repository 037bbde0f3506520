"""Which samples an operator works on."""

from __future__ import annotations

from typing import Any

import fiftyone as fo
import fiftyone.core.media as fom
from fiftyone.operators.constants import ViewTarget
from fiftyone.server.view import get_view


def target_collection(ctx: Any) -> Any:
    """Returns what the user's choice of target means.

    The whole dataset, the current view, selected samples or selected labels.
    Grouped collections stay grouped, which the SDK takes as all cameras,
    unless labels are filtered or selected: FiftyOne forgets such filters
    when it flattens a grouped view, so they are applied to the flat one.

    Args:
        ctx: FiftyOne's execution context

    Returns:
        a dataset or a view
    """
    collection = ctx.target_view()
    request = ctx.request_params
    chosen = ctx.params.get("view_target") or request.get("view_target")
    if chosen == ViewTarget.SELECTED_LABELS:
        return _flat(_visible(ctx)).select_labels(labels=ctx.selected_labels)
    narrowed = request.get("filters") or request.get("extended")
    if narrowed and chosen in (None, ViewTarget.CURRENT_VIEW):
        return _visible(ctx)
    return collection


def _visible(ctx: Any) -> fo.DatasetView:
    """What the user sees: ``ctx.view`` lacks the filters of a saved view."""
    request = ctx.request_params
    saved = request.get("view_name")
    if saved:
        view = ctx.dataset.load_saved_view(saved)
    else:
        view = get_view(ctx.dataset, stages=request.get("view"))
    filters, extended = request.get("filters"), request.get("extended")
    if not filters and not extended:
        return view
    return get_view(
        ctx.dataset,
        stages=_flat(view)._serialize(),
        filters=filters,
        extended_stages=extended,
    )


def _flat(view: fo.DatasetView) -> fo.DatasetView:
    if view.media_type == fom.GROUP:
        return view.select_group_slices(media_type=fom.IMAGE)
    return view
