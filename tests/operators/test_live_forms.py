"""Forms as a person sees them: choices, warnings at the question, notices."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fiftyone as fo
import fiftyone.operators as foo
import fiftyone.operators.types as types
import pytest
from fiftyone.operators.executor import ExecutionContext

import raremine.brain as rmb
from raremine.brain.columns import all_slices
from raremine.operators import OPERATORS
from raremine.operators import amounts as counting
from raremine.operators.estimates import Estimate, estimate, remember
from raremine.operators.forms import answers

PLUGIN = "@raremine/raremine"

Ask = Callable[..., dict[str, types.Property]]


@pytest.fixture(autouse=True)
def in_app(monkeypatch: pytest.MonkeyPatch) -> None:
    """What FiftyOne sets in the process that serves the App."""
    monkeypatch.setenv("FIFTYONE_SERVER", "1")


@pytest.fixture
def ask(mined: fo.Dataset) -> Ask:
    """Resolve an operator's form; sections are flattened."""

    def resolve(name: str, /, **params: Any) -> dict[str, types.Property]:
        uri = f"{PLUGIN}/{name}"
        ctx = ExecutionContext(
            {"dataset_name": mined.name, "params": params}, operator_uri=uri
        )
        form = foo.get_operator(uri).resolve_type(ctx, "inputs")
        found: dict[str, types.Property] = {}
        for key, question in form.type.properties.items():
            if key.startswith("section_"):
                found.update(question.type.properties)
                # a folded section is one that the App can open
                assert question.view.to_json()["collapsible"]
            else:
                found[key] = question
        return found

    return resolve


@pytest.mark.parametrize("name", [o.stage for o in OPERATORS])
def test_every_form_can_be_shown_and_sent_as_json(name: str, ask: Ask) -> None:
    for question in ask(name).values():
        json.dumps(question.to_json())


@pytest.mark.parametrize("name", [o.stage for o in OPERATORS])
def test_what_is_asked_in_the_app_is_what_a_script_can_give(
    name: str, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    def names() -> set[str]:
        return {
            key
            for key, question in ask(name).items()
            if type(question.type).__name__ != "Void"
            and not isinstance(question.view, types.HiddenView)
        }

    seen = names() - {"view_target"}
    monkeypatch.delenv("FIFTYONE_SERVER")
    assert seen <= names()


TAKEN = "taken-by-a-test"

WRONG: list[tuple[str, dict[str, Any], str, str]] = [
    ("load_nuscenes", {"dataroot": "/no/such"}, "dataroot", "no folder"),
    ("load_nuscenes", {"dataroot": "/"}, "dataroot", "no version folder"),
    ("load_nuscenes", {"name": TAKEN}, "name", "already"),
    ("load_nuscenes", {"append": True, "overwrite": True}, "append", "excl"),
    ("load_nuscenes", {"splits": "/no/such.json"}, "splits", "no file"),
    ("detect_objects", {"model": "/no/such.pt"}, "model", "nothing at"),
    ("detect_objects", {"model": "resnet50"}, "model", "neither a file"),
    ("detect_objects", {"field": "my objects"}, "field", "cannot name"),
    ("detect_objects", {"field": "sample_token"}, "field", "other than"),
    ("embed_objects", {"model": "/no/such"}, "model", "nothing at"),
    ("embed_objects", {"pretrained": "/no/x.pt"}, "pretrained", "no file"),
    ("embed_objects", {"brain_key": "1st"}, "brain_key", "cannot name"),
    ("detect_and_embed", {"detector": "/no.pt"}, "detector", "nothing at"),
    ("score_outliers", {"methods": ["knm"]}, "methods", "no method 'knm'"),
    ("score_outliers", {"weights": ["knn"]}, "weights", "cannot be read"),
    ("score_outliers", {"thresholds": ["x"]}, "thresholds", "cannot be read"),
    (
        "score_outliers",
        {"methods": ["knn"], "weights": ["lof 2"]},
        "weights",
        "not among",
    ),
    ("score_outliers", {"model": "/no.npz"}, "model", "no file"),
    ("score_outliers", {"brain_key": "a b"}, "brain_key", "cannot name"),
    ("fit_outliers", {"path": "usual.npz"}, "path", "whole path"),
    ("caption_objects", {"model": "qwen"}, "model", "neither a folder"),
    (
        "caption_objects",
        {"candidates": "outliers"},
        "candidates",
        "not scored yet",
    ),
    ("match_concepts", {"vocabulary": "/no.yml"}, "vocabulary", "No vocab"),
    ("match_concepts", {"targets": ["ufo"]}, "targets", "ufo"),
    ("match_concepts", {"evidence": "text"}, "evidence", "no captions"),
    ("rank_pareto", {"signals": ["fame"]}, "signals", "'fame'"),
    ("select_frames", {"exclude_file": "/no"}, "exclude_file", "no file"),
    ("export_selection", {"out_dir": "out"}, "out_dir", "whole path"),
    ("evaluate_mining", {"budgets": [0.1, 2]}, "budgets", "2 is no share"),
    ("evaluate_mining", {"strategies": ["luck"]}, "strategies", "'luck'"),
    ("mine", {"detector": "/no.pt"}, "detector", "nothing at"),
    ("mine", {"captioner": "qwen"}, "captioner", "neither"),
    (
        "mine",
        {"random_share": 0.7, "target_share": 0.7},
        "random_share",
        "1.40",
    ),
]


@pytest.mark.parametrize(("name", "params", "question", "words"), WRONG)
def test_what_is_wrong_is_told_at_the_question(
    ask: Ask, name: str, params: dict[str, Any], question: str, words: str
) -> None:
    taken = fo.Dataset(TAKEN)
    try:
        asked = ask(name, **params)[question]
    finally:
        taken.delete()
    assert asked.invalid
    assert words in asked.error_message


RIGHT: list[tuple[str, dict[str, Any]]] = [
    ("load_nuscenes", {"name": "some-new-name"}),
    ("detect_objects", {"model": "yolov8n.pt", "field": "new_objects"}),
    ("detect_and_embed", {"embedder": "ViT-B-16", "pretrained": "openai"}),
    ("caption_objects", {"model": "a/b", "candidates": "all"}),
    ("caption_objects", {"model": "http://localhost/v1", "candidates": "all"}),
    ("match_concepts", {"vocabulary": "paper", "targets": ["truck"]}),
    ("evaluate_mining", {"budgets": [0.1, 1.0]}),
    ("mine", {"captions": False, "captioner": "not asked for"}),
    ("mine", {"random_share": 0.5, "target_share": 0.5}),
]


@pytest.mark.parametrize(("name", "params"), RIGHT)
def test_what_is_right_is_not_called_wrong(
    ask: Ask, name: str, params: dict[str, Any]
) -> None:
    asked = ask(name, **params)
    assert not [key for key in params if asked[key].invalid]


def test_what_would_be_replaced_or_deleted_is_told(
    ask: Ask, mined: fo.Dataset
) -> None:
    mined.save_view("Trucks", mined.select_group_slices("CAM_FRONT"))
    assert "the_name_is_in_use" not in ask("search_objects", name="Cars")
    told = ask("search_objects", name="Trucks")["the_name_is_in_use"]
    assert "'Trucks' will be replaced" in told.view.description

    samples = all_slices(mined)
    samples.set_values("split", ["train"] * len(samples))
    samples.set_values("scene_name", ["s"] * len(samples))
    for name, share in (("few", 0.4), ("all", 1.0)):
        rmb.select_frames(mined, {"random": share}, name=name)
    for params, words in (
        ({}, "'few' goes from its keyframes (1)"),
        ({"name": "all"}, "(3)"),
    ):
        told = ask("delete_selection", **params)["what_will_be_done"]
        assert words in told.view.description
    told = ask("compare_selections")["what_will_be_done"].view.description
    assert "'few' with 'all': 1 and 3 keyframes" in told


def test_a_list_of_splits_is_not_called_a_file(ask: Ask) -> None:
    assert "File" in ask("load_nuscenes")["splits"].view.label
    assert ask("evaluate_mining")["splits"].view.label == "Splits"


def test_the_search_has_a_button_where_there_is_something_to_search(
    mined: fo.Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    operator = foo.get_operator(f"{PLUGIN}/search_objects")
    request = {"dataset_name": mined.name}
    ctx = ExecutionContext(request, operator_uri=operator.uri)
    assert operator.resolve_placement(ctx) is None
    monkeypatch.setattr(fo.Dataset, "list_brain_runs", lambda *_, **__: ["x"])
    placement = operator.resolve_placement(ctx)
    assert placement.place == types.Places.SAMPLES_GRID_ACTIONS
    assert placement.view.prompt


def test_a_script_is_told_by_the_sdk_and_not_by_the_form(
    ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("FIFTYONE_SERVER")
    assert not ask("detect_objects", model="/no/such.pt")["model"].invalid


def test_answers_come_flat_out_of_their_sections() -> None:
    params = {"field": "objects", "section_limits": {"k": 3}, "section_x": {}}
    assert answers(params) == {"field": "objects", "k": 3}


def test_a_run_of_the_app_gets_its_sections_flat(
    mined: fo.Dataset, stage: Any
) -> None:
    double = stage("detect_objects")
    foo.execute_operator(
        f"{PLUGIN}/detect_objects",
        dict(dataset=mined),
        params={
            "conf": 0.4,
            "section_detector_options": {"iou": 0.6, "classes": []},
        },
    )
    assert double.arguments == {"conf": 0.4, "iou": 0.6, "progress": None}


@pytest.fixture
def dataroot(tmp_path: Path) -> Path:
    version = tmp_path / "v1.0-demo"
    version.mkdir()
    scenes = [
        {"name": f"scene-000{n}", "nbr_samples": 40, "token": str(n)}
        for n in range(3)
    ]
    (version / "scene.json").write_text(json.dumps(scenes))
    channels = ["CAM_FRONT", "CAM_BACK", "LIDAR_TOP"]
    sensors = [{"channel": channel} for channel in channels]
    (version / "sensor.json").write_text(json.dumps(sensors))
    splits = {"train": ["scene-0000", "scene-0001"], "val": ["scene-0002"]}
    (version / "splits.json").write_text(json.dumps(splits))
    return tmp_path


def test_a_dataroot_offers_what_lies_in_it(ask: Ask, dataroot: Path) -> None:
    given = {"dataroot": str(dataroot)}
    asked = ask("load_nuscenes", **given)
    assert asked["version"].default == "v1.0-demo"
    chosen = {**given, "version": "v1.0-demo", "split": ["train"]}
    asked = ask("load_nuscenes", **chosen)
    told = asked["what_will_be_done"].view.description
    assert "80 keyframes of 2 scenes: 160 images of 2 cameras" in told
    offered = [c.value for c in asked["split"].view.choices]
    assert offered == ["train", "val"]
    wrong = ask("load_nuscenes", **{**chosen, "split": ["test"]})
    assert "no split 'test'" in wrong["split"].error_message
    none = ask("load_nuscenes", **{**chosen, "scenes": ["scene-0002"]})
    assert none["nothing_would_be_loaded"].invalid


def test_a_broken_table_breaks_no_form(ask: Ask, dataroot: Path) -> None:
    (dataroot / "v1.0-demo" / "scene.json").write_text("{")
    asked = ask("load_nuscenes", dataroot=str(dataroot), version="v1.0-demo")
    assert not asked["dataroot"].invalid


def test_long_runs_are_to_be_scheduled(
    mined: fo.Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    uri = f"{PLUGIN}/detect_objects"
    operator = foo.get_operator(uri)
    ctx = ExecutionContext(
        {"dataset_name": mined.name, "params": {}}, operator_uri=uri
    )
    options = operator.resolve_execution_options(ctx)
    assert options.allow_immediate_execution
    assert options.allow_delegated_execution
    assert not options.default_choice_to_delegated
    many = counting.Amount(200_000, 6)
    monkeypatch.setattr(type(operator), "amount", lambda *_: many)
    assert operator.resolve_execution_options(ctx).default_choice_to_delegated
    form = operator.resolve_type(ctx, "inputs").type.properties
    told = form["what_will_be_done"].view.description
    assert "200,000 images of 6 cameras" in told
    assert "Better schedule it" in told


def test_earlier_runs_say_how_long_the_next_takes(mined: fo.Dataset) -> None:
    before = estimate(mined, "score_outliers", 1000)
    assert before is not None
    assert not before.measured
    assert "rough guess" in str(before)
    remember(
        mined, {"stage": "score_outliers", "objects": 500, "seconds": 50.0}
    )
    assert estimate(mined, "score_outliers", 1000) == Estimate(100.0, True)
    remember(
        mined,
        {"stages": [{"stage": "embed_objects", "objects": 10, "seconds": 5}]},
    )
    assert estimate(mined, "embed_objects", 4) == Estimate(2.0, True)
    # too short to say anything, or nothing done
    remember(mined, {"stage": "rank_pareto", "objects": 10, "seconds": 0.1})
    remember(mined, {"stage": "map_objects", "objects": 0, "seconds": 9.0})
    for stage in ("rank_pareto", "map_objects"):
        assert not estimate(mined, stage, 10).measured


def test_larger_weights_take_longer(tmp_path: Path) -> None:
    small, large = tmp_path / "s.pt", tmp_path / "l.pt"
    small.write_bytes(b"0" * 1000)
    large.write_bytes(b"0" * 100_000)

    def seconds(model: Path) -> float:
        found = estimate(None, "detect_objects", 10**6, model)
        assert found is not None
        return found.seconds

    assert 50 < seconds(large) / seconds(small) < 101
