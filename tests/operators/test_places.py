"""Every operator, from every place a user may stand: never the wrong set."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import fiftyone as fo
import fiftyone.operators as foo
import pytest
from fiftyone import ViewField as F
from fiftyone.operators.executor import ExecutionContext, ExecutionError

import raremine.brain as rmb
from raremine.brain.columns import read_objects, resolve
from raremine.operators import OPERATORS
from raremine.operators.selection_settings import PRESETS

PLUGIN = "@raremine/raremine"

ON_A_TARGET: Mapping[str, Mapping[str, Any]] = {
    "detect_objects": {},
    "embed_objects": {},
    "embed_frames": {},
    "detect_and_embed": {},
    "locate_objects": {},
    "search_objects": {"query": "a truck"},
    "score_outliers": {},
    "fit_outliers": {"path": "/tmp/usual.npz"},
    "map_objects": {},
    "caption_objects": {},
    "match_concepts": {},
    "score_novelty": {},
    "rank_pareto": {},
}
"""Operators that work on what the user chooses, with what they must know."""

ON_ALL: Mapping[str, Mapping[str, Any]] = {
    "select_frames": {"name": "s", "preset": next(iter(PRESETS))},
    "compare_selections": {"a": "a", "b": "b"},
    "delete_selection": {"name": "a"},
    "export_selection": {"out_dir": "/tmp/out"},
    "evaluate_mining": {},
    "mine": {},
}
"""Operators whose answer is about all keyframes, wherever the user stands."""

ON_LABELS = {"correct_objects"}
"""Selected objects alone."""

TRUCKS = {
    "objects.detections.label": {
        "values": ["truck"],
        "exclude": False,
        "isMatching": False,
    }
}


class StoppedError(RuntimeError):
    """The call was seen; its result does not matter."""


@pytest.fixture(autouse=True)
def _vectors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        fo.Dataset,
        "list_brain_runs",
        lambda self, type=None, **_: (
            ["objects_clip"] if type == "similarity" else []
        ),
    )


def cameras(dataset: fo.Dataset) -> fo.DatasetView:
    return dataset.select_group_slices(media_type="image")


def patches(dataset: fo.Dataset) -> fo.DatasetView:
    return cameras(dataset).to_patches("objects")


def front_ids(dataset: fo.Dataset) -> list[str]:
    return dataset.select_group_slices("CAM_FRONT").values("id")


def label(dataset: fo.Dataset) -> dict[str, str]:
    table = read_objects(cameras(dataset), "objects")
    return {
        "label_id": str(table.label_id[0]),
        "sample_id": str(table.sample_id[0]),
        "field": "objects",
    }


def places(dataset: fo.Dataset) -> dict[str, tuple[dict[str, Any], Any]]:
    """Place → what the App sends there, and (images, objects) meant."""
    one = dataset.match(F("sample_token") == "frame-1")
    trucks = patches(dataset).match(F("objects.label") == "truck")
    samples = {"view_target": "SELECTED_SAMPLES"}
    labels = {"view_target": "SELECTED_LABELS"}
    return {
        "the whole dataset": (dict(dataset=dataset), (6, 12)),
        "a keyframe of the grouped view": (dict(view=one), (2, 4)),
        "another slice shown": (
            dict(dataset=dataset, group_slice="CAM_BACK"),
            (6, 12),
        ),
        "one slice": (
            dict(view=dataset.select_group_slices("CAM_BACK")),
            (3, 6),
        ),
        "a flat view": (dict(view=cameras(dataset).limit(4)), (4, 8)),
        "a patches view": (dict(view=trucks), (6, 6)),
        "selected keyframes": (
            dict(
                dataset=dataset,
                selected=front_ids(dataset)[:2],
                params=samples,
            ),
            (4, 8),
        ),
        "selected keyframes under a filter": (
            dict(
                dataset=dataset,
                selected=front_ids(dataset)[:2],
                filters=TRUCKS,
                params=samples,
            ),
            (4, 4),
        ),
        "selected images": (
            dict(
                view=cameras(dataset),
                selected=front_ids(dataset)[:2],
                params=samples,
            ),
            (2, 4),
        ),
        "selected patches": (
            dict(
                view=patches(dataset),
                selected=[str(i) for i in patches(dataset).values("id")[:3]],
                params=samples,
            ),
            (None, 3),
        ),
        "a selected label": (
            dict(
                dataset=dataset,
                selected_labels=[label(dataset)],
                params=labels,
            ),
            (1, 1),
        ),
        "a filter in the sidebar": (
            dict(dataset=dataset, filters=TRUCKS),
            (6, 6),
        ),
    }


WORDS = {
    "the whole dataset": "the whole dataset",
    "another slice shown": "the whole dataset",
    "selected keyframes": "2 selected keyframes",
    "selected keyframes under a filter": "2 selected keyframes",
    "selected images": "2 selected samples",
    "selected patches": "3 selected patches",
    "a selected label": "1 selected label",
}


def test_every_operator_is_in_one_of_the_tables() -> None:
    known = {*ON_A_TARGET, *ON_ALL, *ON_LABELS, "load_nuscenes"}
    assert known == {operator.stage for operator in OPERATORS}
    for operator in OPERATORS:
        assert operator.works_on_view == (operator.stage in ON_A_TARGET)


def _seen(stage: Any, name: str, ctx: dict[str, Any], given: Any) -> Any:
    seen = []

    def look(samples: Any, *_: Any, **__: Any) -> None:
        scope = resolve(samples)
        objects = len(read_objects(samples))
        seen.append((len(scope.images), objects))
        raise StoppedError

    stage(name, look)
    params = {**given, **ctx.pop("params", {})}
    with pytest.raises(ExecutionError, match="StoppedError"):
        foo.execute_operator(f"{PLUGIN}/{name}", ctx, params=params)
    (found,) = seen
    return found


@pytest.mark.parametrize("name", ON_A_TARGET)
def test_what_an_operator_works_on(
    mined: fo.Dataset, stage: Any, name: str
) -> None:
    for place, (ctx, (images, objects)) in places(mined).items():
        found = _seen(stage, name, ctx, ON_A_TARGET[name])
        assert found[1] == objects, place
        assert images is None or found[0] == images, place


@pytest.mark.parametrize("name", ON_ALL)
def test_what_is_about_all_keyframes_does_not_depend_on_the_place(
    mined: fo.Dataset,
    stage: Any,
    name: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(rmb, "list_selections", lambda _: ["a", "b"])
    for place in ("a keyframe of the grouped view", "one slice"):
        ctx, _ = places(mined)[place]
        assert _seen(stage, name, ctx, ON_ALL[name]) == (6, 12), place


def test_objects_are_corrected_by_selection_from_both_kinds_of_view(
    mined: fo.Dataset, stage: Any
) -> None:
    chosen = label(mined)
    for ctx in (
        dict(dataset=mined, selected_labels=[chosen]),
        dict(view=patches(mined), selected=[chosen["label_id"]]),
    ):
        double = stage("correct_objects")
        foo.execute_operator(
            f"{PLUGIN}/correct_objects", ctx, params={"group": "rare"}
        )
        assert double.arguments["labels"] == [chosen["label_id"]]


def test_the_form_tells_what_the_run_works_on(
    mined: fo.Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FIFTYONE_SERVER", "1")
    uri = f"{PLUGIN}/score_outliers"
    for place, (ctx, (images, objects)) in places(mined).items():
        view = ctx.pop("view", None)
        ctx.pop("dataset", None)
        request = {
            "dataset_name": mined.name,
            "view": None if view is None else view._serialize(),
            **ctx,
            # FiftyOne takes the target out of the dict it is given
            "params": dict(ctx.get("params", {})),
        }
        context = ExecutionContext(request, operator_uri=uri)
        form = foo.get_operator(uri).resolve_type(context, "inputs")
        told = form.type.properties["what_will_be_done"].view.description
        assert f"with {objects} object" in told, place
        assert images is None or f": {images} image" in told, place
        assert f"Works on {WORDS.get(place, 'the current view')}:" in told
