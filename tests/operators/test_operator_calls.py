"""Running an operator is one call of the SDK with what was set."""

from __future__ import annotations

from typing import Any

import fiftyone as fo
import fiftyone.operators as foo
import pytest
from fiftyone.operators.executor import ExecutionError

COLLECTION_STAGES = {
    "detect_objects": {"model": "yolov8n.pt", "conf": 0.3, "classes": ["car"]},
    "embed_objects": {"model": "ViT-B-16", "normalize": False},
    "detect_and_embed": {"detector": "yolov8n.pt", "engine": "ray"},
    "locate_objects": {"workers": 1, "overwrite": True},
    "map_objects": {"method": "pca", "seed": 3},
    "caption_objects": {"candidates": "all", "dtype": "float16"},
    "score_outliers": {"methods": ["knn", "lof"], "share": 0.1},
    "match_concepts": {"evidence": "image", "targets": ["truck"]},
    "score_novelty": {"pooling": "min", "min_count": 2},
    "rank_pareto": {"signals": ["knn", "-confidence"]},
}
HAS_PROGRESS = {
    *("detect_objects", "embed_objects", "detect_and_embed"),
    *("locate_objects", "caption_objects"),
}


def _uri(name: str) -> str:
    return f"@raremine/raremine/{name}"


@pytest.fixture
def vectors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        fo.Dataset, "list_brain_runs", lambda self, **_: ["objects_clip"]
    )


@pytest.mark.usefixtures("vectors")
@pytest.mark.parametrize("name", COLLECTION_STAGES)
def test_a_stage_is_called_once_with_what_was_set(
    name: str, mined: fo.Dataset, stage: Any
) -> None:
    double = stage(name)
    params = COLLECTION_STAGES[name]
    result = foo.execute_operator(
        _uri(name), dict(dataset=mined), params=dict(params)
    )
    expected = dict(params)
    if name in HAS_PROGRESS:
        expected["progress"] = None
    assert double.arguments == expected
    assert double.samples.media_type == "group"
    assert double.samples._root_dataset.name == mined.name
    assert result.result["stage"] == name


def test_options_of_the_parts_go_to_the_parts(
    mined: fo.Dataset, stage: Any
) -> None:
    double = stage("detect_and_embed")
    foo.execute_operator(
        _uri("detect_and_embed"),
        dict(dataset=mined),
        params={"conf": 0.4, "classes": ["car"], "padding": 0.2},
    )
    assert double.arguments == {
        "detect": {"conf": 0.4, "classes": ["car"]},
        "embed": {"padding": 0.2},
        "progress": None,
    }


@pytest.mark.usefixtures("vectors")
def test_a_reference_is_written_where_asked(
    mined: fo.Dataset, stage: Any
) -> None:
    double = stage("fit_outliers")
    foo.execute_operator(
        _uri("fit_outliers"),
        dict(dataset=mined),
        params={"path": "usual.npz", "methods": ["knn"]},
    )
    assert double.arguments == {"methods": ["knn"]}
    assert double.others == ("usual.npz",)


@pytest.mark.usefixtures("vectors")
@pytest.mark.parametrize("name", ["score_outliers", "fit_outliers"])
def test_limits_of_methods_are_typed(
    mined: fo.Dataset, stage: Any, name: str
) -> None:
    double = stage(name)
    params = {
        "methods": ["knn", "lof"],
        "thresholds": ["knn iqr 1.5", "lof: percentile, 95"],
        "exact": "approximate",
    }
    expected = {
        "methods": ["knn", "lof"],
        "thresholds": {"knn": ("iqr", 1.5), "lof": ("percentile", 95.0)},
        "exact": False,
    }
    if name == "fit_outliers":
        params["path"] = "usual.npz"
    else:
        params["weights"] = ["knn 2.5", "lof: 1"]
        expected["weights"] = {"knn": 2.5, "lof": 1.0}
    foo.execute_operator(_uri(name), dict(dataset=mined), params=dict(params))
    assert double.arguments == expected
    for text in ("knn", "knn iqr much"):
        with pytest.raises(ExecutionError, match="such as 'knn iqr 1.5'"):
            foo.execute_operator(
                _uri(name),
                dict(dataset=mined),
                params={**params, "thresholds": [text]},
            )


@pytest.mark.usefixtures("vectors")
def test_a_search_shows_what_it_finds(mined: fo.Dataset, stage: Any) -> None:
    found = mined.select_group_slices("CAM_BACK")
    double = stage("search_objects", found)
    result = foo.execute_operator(
        _uri("search_objects"),
        dict(dataset=mined),
        params={"query": "a truck", "k": 5},
    )
    assert double.arguments == {"query": "a truck", "k": 5}
    assert result.result == {"stage": "search_objects", "objects": len(found)}
    (trigger,) = result.executor._requests
    assert trigger.operator_uri.endswith("set_view")
    assert trigger.params["view"] == found._serialize()


def test_empty_inputs_of_the_app_mean_the_sdks_default(
    mined: fo.Dataset, stage: Any
) -> None:
    double = stage("detect_objects")
    params = {"model": "", "device": "", "classes": [], "batch_size": None}
    foo.execute_operator(
        _uri("detect_objects"), dict(dataset=mined), params=params
    )
    assert double.arguments == {"progress": None}


def test_false_and_zero_are_values(mined: fo.Dataset, stage: Any) -> None:
    double = stage("detect_objects")
    params = {"conf": 0, "overwrite": False}
    foo.execute_operator(
        _uri("detect_objects"), dict(dataset=mined), params=params
    )
    assert double.arguments == {**params, "progress": None}


def test_an_unknown_parameter_is_refused(
    mined: fo.Dataset, stage: Any
) -> None:
    double = stage("detect_objects")
    with pytest.raises(ExecutionError, match="no parameter 'modle'"):
        foo.execute_operator(
            _uri("detect_objects"),
            dict(dataset=mined),
            params={"modle": "yolov8n.pt"},
        )
    assert double.calls == []


def test_a_value_out_of_range_is_refused(
    mined: fo.Dataset, stage: Any
) -> None:
    double = stage("detect_objects")
    with pytest.raises(ExecutionError, match="conf"):
        foo.execute_operator(
            _uri("detect_objects"), dict(dataset=mined), params={"conf": 2}
        )
    assert double.calls == []


def test_operators_are_called_like_the_sdk(
    mined: fo.Dataset, stage: Any
) -> None:
    double = stage("detect_objects")
    detect = foo.get_operator(_uri("detect_objects"))
    result = detect(mined, "yolov8n.pt", conf=0.3)
    assert result.result["objects"] == 2
    expected = {"model": "yolov8n.pt", "conf": 0.3, "progress": None}
    assert double.arguments == expected
    with pytest.raises(TypeError, match="1 positional"):
        detect(mined, "yolov8n.pt", "objects")


def test_load_is_called_without_a_dataset(
    dataset: fo.Dataset, stage: Any, tmp_path: Any
) -> None:
    double = stage("load_nuscenes", lambda *_, **__: dataset)
    load = foo.get_operator(_uri("load_nuscenes"))
    load(tmp_path, "v1.0-mini", name="mini")
    assert double.arguments["dataroot"] == str(tmp_path)
    assert double.arguments["name"] == "mini"
