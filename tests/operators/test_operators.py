"""Every operator: registered, its form right, its one call right."""

from __future__ import annotations

import inspect
from typing import Any

import fiftyone as fo
import fiftyone.operators as foo
import pytest
from fiftyone.operators.executor import ExecutionContext, ExecutionError
from fiftyone.operators.registry import OperatorRegistry

import raremine.brain as rmb
from raremine.brain.evaluation.report import MiningReport
from raremine.brain.selection.result import Pick, Selection, Shortage
from raremine.operators import OPERATORS, PANELS, VIEWERS

PLUGIN = "@raremine/raremine"
STAGES = [operator.stage for operator in OPERATORS]
OTHERS = [other().config.name for other in (*VIEWERS, *PANELS)]

# Parameters that operators offer and that are no keyword of the function:
# parts of a recipe or of a model, and keywords passed through **kwargs.
EXTRA = {
    "select_frames": {
        *("random_share", "target_share", "rare_share", "components"),
        *("preset", "quotas", "balance", "top_up"),
        *("max_frames_per_scene", "min_gap_seconds", "max_similarity"),
        *("exclude_selection", "exclude_file", "pool"),
        *("field", "embeddings"),
    },
    "export_selection": {"overwrite"},
    "detect_and_embed": {
        *("conf", "iou", "imgsz", "max_det", "classes"),
        *("padding", "min_size"),
    },
    "evaluate_mining": {
        *("paper_field", "min_height", "min_visibility", "min_points"),
    },
    "mine": {
        "random_share",
        "target_share",
        "rare_share",
        "pretrained",
        "captions",
    },
}


RISKS = {
    # it reads
    "compare_selections": "low",
    # "overwrite" deletes a dataset, or files; a model replaces a file
    "load_nuscenes": "high",
    "export_selection": "high",
    "fit_outliers": "high",
    # tags, views and a run are gone for good
    "delete_selection": "high",
}


def _uri(name: str) -> str:
    return f"{PLUGIN}/{name}"


def _inputs(name: str, dataset: fo.Dataset | None, **request: Any) -> Any:
    operator = foo.get_operator(_uri(name))
    names = {"dataset_name": dataset.name} if dataset is not None else {}
    ctx = ExecutionContext({**names, **request}, operator_uri=_uri(name))
    return operator.resolve_type(ctx, "inputs")


def test_all_operators_are_registered_without_errors() -> None:
    registry = OperatorRegistry()
    ours = registry.list_operators(builtin=False)
    names = [o.name for o in ours if o.plugin_name == PLUGIN]
    assert sorted(names) == sorted(STAGES + OTHERS)
    assert registry.list_errors() == []


def test_there_is_one_operator_per_sdk_function() -> None:
    # reading what is stored is a list in the forms, not an operator
    readers = {"list_selections", "load_selection", "plan_export"}
    assert set(STAGES) == set(rmb.__all__) - readers


@pytest.mark.parametrize("name", STAGES)
def test_every_operator_can_be_delegated_and_declares_its_risk(
    name: str,
) -> None:
    config = foo.get_operator(_uri(name)).config
    assert config.allow_immediate_execution
    assert config.allow_delegated_execution
    assert not config.default_choice_to_delegated
    assert config.risk_level.value == RISKS.get(name, "medium")
    assert config.label
    assert config.description


@pytest.mark.parametrize("name", STAGES)
def test_forms_ask_for_the_functions_parameters_with_its_defaults(
    name: str, mined: fo.Dataset
) -> None:
    known = inspect.signature(getattr(rmb, name)).parameters
    extra = EXTRA.get(name, set())
    properties = _inputs(name, mined).type.properties
    asked = {
        key: value
        for key, value in properties.items()
        if key != "view_target" and type(value.type).__name__ != "Void"
    }
    assert set(asked) - set(known) == extra
    for key, value in asked.items():
        if key in known and key not in ("seeds", "embedder", "embeddings"):
            default = known[key].default
            if default in (None, inspect.Parameter.empty):
                continue
            if isinstance(default, tuple):
                default = list(default)
            assert value.default == default, key


@pytest.mark.parametrize("name", STAGES)
def test_forms_explain_their_parameters(name: str, mined: fo.Dataset) -> None:
    properties = _inputs(name, mined).type.properties
    for key, value in properties.items():
        if key == "view_target" or type(value.type).__name__ == "Void":
            continue
        assert value.view is None or value.view.description, key


@pytest.mark.parametrize("name", sorted(set(STAGES) - {"load_nuscenes"}))
def test_without_a_dataset_the_form_says_so(name: str) -> None:
    properties = _inputs(name, None).type.properties
    assert [p.invalid for p in properties.values()] == [True]


@pytest.mark.parametrize(
    "name", ["embed_objects", "score_outliers", "match_concepts"]
)
def test_without_objects_the_form_names_the_stage_before(
    name: str, dataset: fo.Dataset
) -> None:
    properties = _inputs(name, dataset).type.properties
    assert properties["no_detections_yet"].invalid
    with pytest.raises(ExecutionError, match="run 'Detect objects' first"):
        foo.execute_operator(_uri(name), dict(dataset=dataset))


def test_vectors_are_offered_by_their_brain_keys(mined: fo.Dataset) -> None:
    properties = _inputs("score_outliers", mined).type.properties
    assert properties["no_embeddings_yet"].invalid


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


def test_load_opens_the_new_dataset(dataset: fo.Dataset, stage: Any) -> None:
    double = stage("load_nuscenes", lambda *_, **__: dataset)
    params = {
        "dataroot": "/data/nuscenes",
        "version": "v1.0-mini",
        "name": "mini",
        "split": ["mini_val"],
    }
    result = foo.execute_operator(_uri("load_nuscenes"), params=params)
    assert double.arguments == {**params, "progress": None}
    assert result.result == {
        "stage": "load_nuscenes",
        "dataset": dataset.name,
        "frames": 3,
        "slices": dataset.group_slices,
        "failures": 0,
    }
    requests = result.executor.to_json()["requests"]
    opened = [r for r in requests if "open_dataset" in r["operator_uri"]]
    assert opened[0]["params"]["dataset"] == dataset.name


def test_load_needs_to_know_what_and_how(stage: Any) -> None:
    stage("load_nuscenes")
    with pytest.raises(ExecutionError, match="version"):
        foo.execute_operator(
            _uri("load_nuscenes"), params={"dataroot": "/a", "name": "b"}
        )


@pytest.fixture
def selection() -> Selection:
    picks = [
        Pick(f"frame-{i}", "scene", "train", part, None, (), "why")
        for i, part in enumerate(["random", "target", "target"])
    ]
    short = Shortage("rare", 2, 0, "there are none")
    return Selection("s", tuple(picks), (short,), ("note",), 10, 0)


@pytest.mark.parametrize(
    ("params", "recipe"),
    [
        ({}, {"random": 0.1, "target": 0.1}),
        ({"target_share": 0.2}, {"target": 0.2}),
        (
            {"random_share": 0.0, "rare_share": 0.3},
            {"random": 0.0, "rare": 0.3},
        ),
        ({"recipe": "r.yml", "random_share": 0.1}, "r.yml"),
    ],
)
def test_shares_become_a_recipe(
    params: dict[str, Any],
    recipe: Any,
    mined: fo.Dataset,
    stage: Any,
    selection: Selection,
) -> None:
    double = stage("select_frames", selection)
    result = foo.execute_operator(
        _uri("select_frames"),
        dict(dataset=mined),
        params={"name": "s", "top_up": "random", **params},
    )
    args, arguments = double.calls[0]
    assert args[1] == recipe
    assert arguments == {"name": "s", "top_up": "random"}
    assert result.result == {
        "selection": "s",
        "frames": 3,
        "pool_size": 10,
        "by_component": {"random": 1, "target": 2},
        "shortages": [
            {
                "component": "rare",
                "asked": 2,
                "taken": 0,
                "reason": "there are none",
            }
        ],
        "notes": ["note"],
    }


def test_export_passes_the_selection_and_the_format(
    mined: fo.Dataset, stage: Any, tmp_path: Any
) -> None:
    double = stage("export_selection", tmp_path / "s.json")
    result = foo.execute_operator(
        _uri("export_selection"),
        dict(dataset=mined),
        params={"out_dir": str(tmp_path), "overwrite": True},
    )
    args, arguments = double.calls[0]
    assert args[1:] == (None, "tokens")
    assert arguments == {
        "out_dir": str(tmp_path),
        "overwrite": True,
        "progress": None,
    }
    assert result.result == {"path": str(tmp_path / "s.json")}


def test_evaluate_shows_recall_of_all_targets(
    mined: fo.Dataset, stage: Any
) -> None:
    def row(target: str, metric: str, mean: float) -> dict[str, Any]:
        return {
            "strategy": "random",
            "budget": 0.2,
            "target": target,
            "metric": metric,
            "mean": mean,
            "std": 0.0,
            "low": 0.45,
            "high": float("nan"),
        }

    rows = [
        row("all", "frame_recall", 0.5),
        row("truck", "frame_recall", 0.6),
        row("all", "scene_coverage", 0.7),
        row("all", "frame_lift", 2.51239),
    ]
    meta = {"notes": ["There is one scene."]}
    double = stage("evaluate_mining", MiningReport(rows, [], meta))
    result = foo.execute_operator(
        _uri("evaluate_mining"),
        dict(dataset=mined),
        params={"seeds": 5, "budgets": [0.2]},
    )
    given = dict(double.arguments)
    del given["progress"]
    assert given == {"seeds": range(5), "budgets": [0.2]}
    assert result.result == {
        "recall": [
            {
                "strategy": "random",
                "budget": 0.2,
                "mean": 0.5,
                "low": 0.45,
                "high": None,
                "lift": 2.5124,
            }
        ],
        "notes": ["There is one scene."],
    }


def test_evaluate_takes_filters_and_a_field_of_the_preset_paper(
    mined: fo.Dataset, stage: Any
) -> None:
    double = stage("evaluate_mining", MiningReport([], [], {}))
    foo.execute_operator(
        _uri("evaluate_mining"),
        dict(dataset=mined),
        params={
            "paper_field": "objects_paper",
            "min_points": 0,
            "min_visibility": 60.0,
            "gt_field": "truth",
        },
    )
    given = dict(double.arguments)
    del given["progress"]
    assert given == {
        "also": {"paper": "objects_paper"},
        "keep": {"min_points": 0, "min_visibility": 60.0},
        "gt_field": "truth",
    }


@pytest.fixture
def mining_result(selection: Selection) -> dict[str, Any]:
    return {
        "preset": "paper",
        "objects": 12,
        "groups": {"target": 1, "rare": 2, "common": 9},
        "stages": [{"stage": "detect_objects", "seconds": 1.5}],
        "selection": selection.to_dict(),
        "evaluation": "{}",
        "export": None,
    }


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({}, {}),
        (
            {"embedder": "ViT-B-16"},
            {
                "embedder": {
                    "model": "ViT-B-16",
                    "pretrained": "laion2b_s34b_b79k",
                }
            },
        ),
        (
            {"pretrained": "openai"},
            {"embedder": {"model": "ViT-B-32", "pretrained": "openai"}},
        ),
        (
            {"embedder": "./clip", "pretrained": "laion2b_s34b_b79k"},
            {"embedder": "./clip"},
        ),
        ({"captions": False, "captioner": "a/b"}, {"captioner": None}),
        ({"captions": True, "captioner": "a/b"}, {"captioner": "a/b"}),
        (
            {"preset": "paper", "vocabulary": "v.yml", "seed": 7},
            {"preset": "paper", "vocabulary": "v.yml", "seed": 7},
        ),
        ({"overwrite": True, "out_dir": "/o"}, None),
    ],
)
def test_mine_puts_models_and_shares_as_the_sdk_wants_them(
    params: dict[str, Any],
    expected: dict[str, Any] | None,
    mined: fo.Dataset,
    stage: Any,
    mining_result: dict[str, Any],
) -> None:
    double = stage("mine", mining_result)
    foo.execute_operator(_uri("mine"), dict(dataset=mined), params=params)
    assert double.arguments == {
        **(params if expected is None else expected),
        "recipe": {"random": 0.1, "target": 0.1},
        "progress": None,
    }


def test_mine_takes_a_servers_key_from_fiftyones_secrets(
    mined: fo.Dataset,
    stage: Any,
    mining_result: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-from-the-secrets")
    double = stage("mine", mining_result)
    address = "http://localhost:8000/v1"
    foo.execute_operator(
        _uri("mine"), dict(dataset=mined), params={"captioner": address}
    )
    assert double.arguments["captioner"] == {
        "server": address,
        "api_key": "sk-from-the-secrets",
    }


def test_mine_returns_what_a_person_reads(
    mined: fo.Dataset, stage: Any, mining_result: dict[str, Any]
) -> None:
    stage("mine", mining_result)
    result = foo.execute_operator(_uri("mine"), dict(dataset=mined)).result
    assert result["groups"] == {"target": 1, "rare": 2, "common": 9}
    assert result["selection"]["frames"] == 3
    assert "picks" not in result["selection"]
    assert "evaluation" not in result


def test_mine_works_on_the_whole_dataset(
    mined: fo.Dataset, stage: Any, mining_result: dict[str, Any]
) -> None:
    double = stage("mine", mining_result)
    foo.execute_operator(_uri("mine"), dict(view=mined.limit(1)))
    assert isinstance(double.samples, fo.Dataset)


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
