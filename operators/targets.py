"""Which samples an operator works on."""

from __future__ import annotations

from typing import Any

import fiftyone as fo
import fiftyone.core.media as fom
import fiftyone.core.patches as fop
from bson import ObjectId
from fiftyone import ViewField as F
from fiftyone.operators.constants import ViewTarget
from fiftyone.server.view import get_view

from raremine.brain.columns import all_slices


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
    chosen = _chosen(ctx)
    if chosen == ViewTarget.SELECTED_LABELS:
        return _flat(_visible(ctx)).select_labels(labels=ctx.selected_labels)
    if chosen == ViewTarget.SELECTED_SAMPLES:
        return _selected(ctx)
    if _narrowed(ctx) and chosen in (None, ViewTarget.CURRENT_VIEW):
        return _visible(ctx)
    return ctx.target_view()


def target_words(ctx: Any) -> str:
    """Says in words what was chosen, such as "3 selected samples".

    Args:
        ctx: FiftyOne's execution context
    """
    chosen = _chosen(ctx)
    patches = isinstance(ctx.view, fop.PatchesView)
    if chosen == ViewTarget.SELECTED_LABELS:
        return _counted(len(ctx.selected_labels), "selected label")
    if chosen == ViewTarget.SELECTED_SAMPLES:
        kind = "sample"
        if patches:
            kind = "patch"
        elif ctx.view.media_type == fom.GROUP:
            kind = "keyframe"
        return _counted(len(ctx.selected), f"selected {kind}")
    if chosen == ViewTarget.BASE_VIEW and patches:
        return "all patches of the view"
    if chosen in (ViewTarget.DATASET, ViewTarget.DATASET_VIEW):
        return "the whole dataset"
    return "the current view" if ctx.has_custom_view else "the whole dataset"


def _chosen(ctx: Any) -> Any:
    request = ctx.request_params
    return ctx.params.get("view_target") or request.get("view_target")


def _narrowed(ctx: Any) -> bool:
    request = ctx.request_params
    return bool(request.get("filters") or request.get("extended"))


def _selected(ctx: Any) -> fo.DatasetView:
    """The selected patches or samples; keyframes with all their cameras.

    What the grid of a grouped dataset selects are samples of its slice.
    """
    view = _visible(ctx) if _narrowed(ctx) else ctx.view
    grouped = ctx.view.media_type == fom.GROUP
    if not grouped:
        return view.select(ctx.selected)
    groups = all_slices(ctx.dataset).select(ctx.selected).values("group.id")
    keyframes = [ObjectId(one) for one in dict.fromkeys(groups)]
    return view.match(F("group._id").is_in(keyframes))


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


def _counted(count: int, what: str) -> str:
    if count == 1:
        return f"1 {what}"
    plural = f"{what}es" if what.endswith("ch") else f"{what}s"
    return f"{count:,} {plural}"
