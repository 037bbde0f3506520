"""Every operator: registered, delegable, its form right."""

from __future__ import annotations

import inspect
from typing import Any

import fiftyone as fo
import fiftyone.operators as foo
import pytest
from fiftyone.operators.executor import ExecutionContext, ExecutionError
from fiftyone.operators.registry import OperatorRegistry

import raremine.brain as rmb
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
