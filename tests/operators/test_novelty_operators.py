"""Forms of novelty and Pareto, and real runs through them."""

from __future__ import annotations

from typing import Any

import fiftyone as fo
import fiftyone.operators as foo
from fiftyone.operators.executor import ExecutionContext

import raremine.brain as rmb

PLUGIN = "@raremine/raremine"


def inputs(name: str, dataset: fo.Dataset) -> Any:
    uri = f"{PLUGIN}/{name}"
    ctx = ExecutionContext({"dataset_name": dataset.name}, operator_uri=uri)
    return foo.get_operator(uri).resolve_type(ctx, "inputs").type.properties


def test_the_novelty_form_has_every_option(mined: fo.Dataset) -> None:
    form = inputs("score_novelty", mined)
    for name in ("per", "min_in_scene", "ngrams", "stop_words", "keep_words"):
        assert form[name].view.description or form[name].view.label, name
    assert form["per"].type.values == ["object", "scene"]


def test_every_number_is_suggested_as_a_signal(mined: fo.Dataset) -> None:
    mined.add_sample_field("uniqueness", fo.FloatField)
    mined.add_sample_field("place", fo.StringField)
    form = inputs("rank_pareto", mined)
    choices = [choice.value for choice in form["signals"].view.choices]
    assert {"confidence", "-confidence", "frame:uniqueness"} <= set(choices)
    assert len(choices) == len(set(choices))
    assert not any(
        "place" in choice or "label" in choice for choice in choices
    )
    # many numbers an image are no signal of the image
    assert not any("detections" in choice for choice in choices)
    assert form["missing"].type.values == ["last", "skip"]


def test_a_dataset_without_objects_still_shows_the_form(
    dataset: fo.Dataset,
) -> None:
    assert "signals" in inputs("rank_pareto", dataset)


def test_every_slice_is_ranked_by_a_field_of_its_image(
    mined: fo.Dataset,
) -> None:
    images = mined.select_group_slices(media_type="image")
    mined.add_sample_field("uniqueness", fo.FloatField)
    scores = dict(zip(images.values("id"), range(6), strict=True))
    mined.set_values("uniqueness", scores, key_field="id")
    result = foo.execute_operator(
        f"{PLUGIN}/rank_pareto",
        {"dataset": mined},
        params={"signals": ["-frame:uniqueness"], "missing": "skip"},
    )
    assert result.result["objects"] == 12
    fronts = images.values("objects.detections.pareto_front")
    assert fronts == [[place, place] for place in range(6)]


def test_options_reach_the_keywords(mined: fo.Dataset) -> None:
    images = mined.select_group_slices(media_type="image")
    for name, value in (
        ("caption", "a red car on asphalt"),
        ("caption_status", "ok"),
        ("caption_keywords", []),
    ):
        images.set_values(
            f"objects.detections.{name}", [[value] * 2] * 6, dynamic=True
        )
    foo.execute_operator(
        f"{PLUGIN}/score_novelty",
        {"dataset": mined},
        params={"stop_words": ["asphalt"], "keep_words": ["on"], "ngrams": 1},
    )
    results = mined.load_brain_results("objects_novelty")
    assert results.keywords == ("car", "on", "red")
    # what the sidebar of the camera slices filters by
    schema = images.get_field_schema(flat=True)
    assert isinstance(schema["objects.detections.keywords"], fo.ListField)
    assert rmb.score_novelty(mined)["keywords"] == 4
