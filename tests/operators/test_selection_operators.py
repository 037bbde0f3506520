"""Selecting, comparing and deleting in the App."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import fiftyone as fo
import fiftyone.operators as foo
import fiftyone.operators.types as types
import pytest
from fiftyone.operators.executor import ExecutionContext

import raremine.brain as rmb
from raremine.brain.errors import MissingStageError, RaremineError
from raremine.brain.selection.recipe import load_recipe
from raremine.operators.selection_settings import (
    AGAIN,
    FILE,
    LIMITS,
    OWN,
    PRESETS,
)

SELECT = "@raremine/raremine/select_frames"
COMPARE = "@raremine/raremine/compare_selections"
DELETE = "@raremine/raremine/delete_selection"


@pytest.fixture
def frames(dataset: fo.Dataset) -> fo.Dataset:
    """Three keyframes of two scenes, all of the train split."""
    samples = dataset.select_group_slices(
        dataset.group_slices, _allow_mixed=True
    )
    tokens = samples.values("sample_token")
    samples.set_values("split", ["train"] * len(tokens))
    samples.set_values("scene_name", [f"s{t[-1] > '1'}" for t in tokens])
    return dataset


def form(dataset: fo.Dataset, **params: Any) -> dict[str, types.Property]:
    ctx = ExecutionContext(
        {"dataset_name": dataset.name, "params": params}, operator_uri=SELECT
    )
    inputs = foo.get_operator(SELECT).resolve_type(ctx, "inputs")
    return dict(inputs.type.properties)


def visible(dataset: fo.Dataset, **params: Any) -> set[str]:
    return {
        name
        for name, question in form(dataset, **params).items()
        if not isinstance(question.view, types.HiddenView)
    }


def complaint(dataset: fo.Dataset, **params: Any) -> str:
    question = form(dataset, **params).get("this_cannot_be_selected")
    return "" if question is None else str(question.error_message)


def test_presets_come_first_and_the_rest_is_folded(
    frames: fo.Dataset,
) -> None:
    assert foo.get_operator(SELECT).config.dynamic
    assert visible(frames) == {"name", "preset", *LIMITS}
    shares = {"random_share", "target_share", "rare_share"}
    own = visible(frames, preset=OWN, random_share=0.1)
    assert own - {"name", "preset", *LIMITS} == {
        *("components", "quotas"),
        *shares,
    }
    by_file = visible(frames, preset=FILE)
    assert by_file == {"name", "preset", "recipe", *LIMITS}


def test_what_a_script_gives_need_not_be_unfolded(frames: fo.Dataset) -> None:
    assert {"seed", "top_up"} <= visible(frames, seed=0)
    assert "random_share" in visible(frames, random_share=0.2)
    assert "recipe" in visible(frames, recipe="r.yml")


def test_in_the_app_the_limits_are_a_folded_section(
    frames: fo.Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FIFTYONE_SERVER", "1")
    questions = form(frames)
    section = questions["section_limits_exclusions_seed"]
    assert set(section.type.properties) == set(LIMITS)
    assert section.view.to_json()["collapsible"]
    assert not set(LIMITS) & set(questions)


def test_every_preset_is_a_recipe() -> None:
    for name, shares in PRESETS.items():
        recipe = load_recipe(shares)
        assert sum(recipe.shares.values()) == pytest.approx(0.2), name


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"preset": OWN, "random_share": 0.7, "target_share": 0.7}, "1.4"),
        ({"preset": OWN}, "no component"),
        ({"preset": OWN, "components": ["core_set"]}, "like 'core_set 0.05'"),
        ({"preset": OWN, "components": ["core_set 2"]}, "not a share"),
        (
            {"preset": OWN, "rare_share": 0.1, "quotas": ["target bus 1"]},
            "'target', which has no share",
        ),
        (
            {"preset": OWN, "target_share": 0.1, "quotas": ["target bus 0.2"]},
            "more than its share",
        ),
        ({"preset": FILE, "recipe": "/no/such.yml"}, "cannot be read"),
        (
            {"preset": "random 20 %", "pool": ["val"]},
            "for evaluation",
        ),
        ({"preset": "random 20 %", "max_similarity": 1.0}, "between 0 and 1"),
        ({"preset": "random 20 %"}, ""),
        ({"preset": FILE}, ""),
        ({"preset": OWN, "random_share": 0.3}, ""),
    ],
)
def test_the_form_says_what_cannot_be_selected(
    frames: fo.Dataset, params: dict[str, Any], words: str
) -> None:
    said = complaint(frames, **params)
    assert words in said
    assert bool(words) == bool(said)


def test_own_shares_components_and_quotas_become_a_recipe(
    frames: fo.Dataset, stage: Any
) -> None:
    double = stage("select_frames", rmb_selection())
    foo.execute_operator(
        SELECT,
        dict(dataset=frames),
        params={
            "name": "s",
            "preset": OWN,
            "random_share": 0.1,
            "target_share": 0.1,
            "components": ["core_set 0.05", "strategy:lof 0.02"],
            "quotas": ["target construction vehicle 0.01", "core_set bus 5"],
            "min_gap_seconds": 2.0,
            "exclude_selection": ["round 1"],
        },
    )
    (args, arguments) = double.calls[0]
    assert args[1] == {
        "random": 0.1,
        "target": {"share": 0.1, "quotas": {"construction vehicle": 0.01}},
        "core_set": {"share": 0.05, "quotas": {"bus": 5}},
        "strategy:lof": 0.02,
    }
    assert arguments == {
        "name": "s",
        "min_gap_seconds": 2.0,
        "exclude_selection": ["round 1"],
    }


def test_shares_behind_a_preset_do_not_count(
    frames: fo.Dataset, stage: Any
) -> None:
    """The App sends the defaults of folded questions too."""
    double = stage("select_frames", rmb_selection())
    params = {"name": "s", "preset": "random 20 %", "target_share": 0.1}
    foo.execute_operator(SELECT, dict(dataset=frames), params=params)
    assert double.calls[0][0][1] == {"random": 0.2}


def test_a_selection_is_made_compared_repeated_and_deleted(
    frames: fo.Dataset, tmp_path: Path
) -> None:
    path = tmp_path / "recipe.yml"
    path.write_text("random: 0.34\nseed: 3\n")
    select = foo.get_operator(SELECT)
    first = select(frames, name="a", recipe=str(path)).result
    assert (first["selection"], first["frames"]) == ("a", 1)
    select(frames, name="b", random_share=1.0, max_frames_per_scene=1)
    assert rmb.list_selections(frames) == ["a", "b"]
    assert rmb.load_selection(frames, "b").shortages[0].held_back == {
        "max_frames_per_scene": 1
    }

    assert AGAIN in form(frames, name="a")["preset"].type.values
    assert AGAIN not in form(frames, name="c")["preset"].type.values
    again = select(frames, name="a", preset=AGAIN).result
    assert again["by_component"] == first["by_component"]
    assert rmb.load_selection(frames, "a").seed == 3

    compare = foo.get_operator(COMPARE)
    frames.add_sample_field(
        "objects", fo.EmbeddedDocumentField, embedded_doc_type=fo.Detections
    )
    compared = compare(frames, "a", "b").result
    assert compared["overlap"]["a"] == 1
    assert compared["overlap"]["jaccard"] in (0, 0.5)
    assert compared["scenes"]["b"] == 2

    delete = foo.get_operator(DELETE)
    assert delete(frames, "a").result["frames"] == 1
    with pytest.raises(MissingStageError, match="no selection 'a'"):
        delete(frames, "a")
    delete(frames, name="b")
    assert rmb.list_selections(frames) == []
    assert frames.list_saved_views() == []


def test_mistakes_are_the_sdk_s_errors(frames: fo.Dataset) -> None:
    select = foo.get_operator(SELECT)
    with pytest.raises(RaremineError, match="add up to 1.4"):
        select(frames, name="a", random_share=0.7, target_share=0.7)
    with pytest.raises(RaremineError, match="cannot be read"):
        select(frames, name="a", recipe="/no/such.yml")


def test_there_must_be_something_to_compare_or_delete(
    frames: fo.Dataset,
) -> None:
    for uri, name in (
        (COMPARE, "nothing_to_compare"),
        (DELETE, "no_selection"),
    ):
        ctx = ExecutionContext({"dataset_name": frames.name}, operator_uri=uri)
        inputs = foo.get_operator(uri).resolve_type(ctx, "inputs")
        assert inputs.type.properties[name].invalid


def rmb_selection() -> Any:
    from raremine.brain.selection.result import Selection

    return Selection("s", (), (), (), 3, 0)
