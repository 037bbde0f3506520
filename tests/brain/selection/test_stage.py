"""Selecting on a real grouped dataset: tags, runs, comparing, deleting."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import fiftyone as fo
import numpy as np
import pytest

from raremine.brain.columns import all_slices
from raremine.brain.errors import MissingStageError, RaremineError
from raremine.brain.selection.compare import compare_selections
from raremine.brain.selection.runs import run_key
from raremine.brain.selection.stage import (
    delete_selection,
    list_selections,
    load_selection,
    select_frames,
)
from raremine.brain.selection.views import save_mining_views
from tests.brain.grouped import Keyframe, grouped_dataset

SLICES = 3


def tagged(dataset: fo.Dataset, name: str) -> list[str]:
    return all_slices(dataset).match_tags(name).values("sample_token")


def test_all_slices_of_the_chosen_frames_are_tagged(
    dataset: fo.Dataset,
) -> None:
    chosen = select_frames(
        dataset, {"random": 0.1, "target": 0.2}, name="mine", seed=1
    )
    assert chosen.pool_size == 20
    assert chosen.counts == {"random": 2, "target": 4}
    assert set(chosen.table().split) == {"train"}
    assert sorted(tagged(dataset, "mine")) == sorted(chosen.tokens * SLICES)
    assert {p.concepts for p in chosen.picks[2:]} == {("trailer",), ("truck",)}

    assert list_selections(dataset) == ["mine"]
    info = dataset.get_brain_info(run_key("mine"))
    assert info.config.type == "raremine_selection"
    assert info.config.params["recipe"]["target"] == 0.2
    assert load_selection(dataset) == chosen


def test_selecting_again_moves_the_tags(dataset: fo.Dataset) -> None:
    first = select_frames(dataset, {"random": 0.3}, name="mine", seed=1)
    other = select_frames(dataset, {"random": 0.3}, name="other", seed=1)
    dataset.rename_brain_run(run_key("mine"), "renamed")
    again = select_frames(dataset, {"random": 0.3}, name="mine", seed=2)
    assert again.tokens != first.tokens
    assert sorted(tagged(dataset, "mine")) == sorted(again.tokens * SLICES)
    assert sorted(tagged(dataset, "other")) == sorted(other.tokens * SLICES)
    assert list_selections(dataset) == ["other", "mine"]
    assert load_selection(dataset) == again
    assert load_selection(dataset, "other") == other

    delete_selection(dataset, "mine")
    assert tagged(dataset, "mine") == []
    assert list_selections(dataset) == ["other"]
    with pytest.raises(MissingStageError, match="it has: other"):
        load_selection(dataset, "mine")


def test_names_that_are_no_identifiers(dataset: fo.Dataset) -> None:
    for name in ("10 % + 10 %", "10 % + 20 %", "ä/../b"):
        select_frames(dataset, {"random": 0.1}, name=name)
    assert len(dataset.list_brain_runs()) == 3
    assert run_key("a-b") != run_key("a b") != run_key("a_b")
    assert all(run_key(n).isidentifier() for n in ("%", "1", "a b", "π"))
    with pytest.raises(RaremineError, match="needs a name"):
        select_frames(dataset, {"random": 0.1}, name=" ")


def test_a_tag_of_the_user_is_left_alone(dataset: fo.Dataset) -> None:
    dataset.match_tags("x", bool=False).limit(2).tag_samples("night")
    with pytest.raises(RaremineError, match="'night' is already on 2 samples"):
        select_frames(dataset, {"random": 0.1}, name="night")
    assert len(tagged(dataset, "night")) == 2


def test_target_needs_the_concept_stage() -> None:
    frames = [
        Keyframe(f"t{i}", objects={"CAM_FRONT": [{"label": "car"}]})
        for i in range(4)
    ]
    dataset = grouped_dataset(frames, summary=False)
    with pytest.raises(MissingStageError, match="match_concepts"):
        select_frames(dataset, {"target": 0.5}, name="mine")
    with pytest.raises(MissingStageError, match="match_concepts"):
        save_mining_views(dataset)
    assert dataset.list_brain_runs() == []
    with pytest.raises(MissingStageError, match="no selection"):
        load_selection(dataset)
    dataset.delete()


def test_a_selection_is_repeated_from_its_record(
    dataset: fo.Dataset,
) -> None:
    """New scores, the same recipe, seed and exclusions."""
    select_frames(dataset, {"random": 0.1}, name="seen")
    first = select_frames(
        dataset,
        {"random": 0.2, "target": 0.2, "seed": 5},
        name="mine",
        exclude_selection="seen",
        max_frames_per_scene=4,
    )
    assert first.seed == 5
    delete_selection(dataset, "seen")
    assert select_frames(dataset, name="mine") == select_frames(
        dataset, first.recipe, name="mine"
    )
    again = load_selection(dataset, "mine")
    assert again.tokens == first.tokens
    assert sorted(tagged(dataset, "mine")) == sorted(first.tokens * SLICES)
    other = select_frames(dataset, name="mine", seed=6)
    assert (other.seed, other.tokens != first.tokens) == (6, True)
    with pytest.raises(MissingStageError, match="has no selection 'x'"):
        select_frames(dataset, name="x")


def test_frames_of_files_and_selections_are_left_out(
    dataset: fo.Dataset, tmp_path: Path
) -> None:
    seen = select_frames(dataset, {"random": 0.25}, name="round 1")
    path = tmp_path / "more.txt"
    path.write_text("token00\n")
    chosen = select_frames(
        dataset,
        {"random": 0.75, "exclude_selection": "round 1"},
        name="round 2",
        exclude_file=path,
    )
    assert not set(chosen.tokens) & {*seen.tokens, "token00"}
    assert any("selection 'round 1': 5" in n for n in chosen.notes)
    assert set(chosen.recipe["exclude"]) == {*seen.tokens, "token00"}
    params = dataset.get_brain_info(run_key("round 2")).config.params
    assert params["recipe"]["exclude_selection"] == ["round 1"]
    assert params["recipe"]["exclude"] == []
    with pytest.raises(MissingStageError, match="no selection 'round 3'"):
        select_frames(
            dataset,
            {"random": 0.1},
            name="round 2",
            exclude_selection=["round 3"],
        )


def test_embeddings_are_read_where_a_recipe_looks_at_them(
    dataset: fo.Dataset,
) -> None:
    """Two places, the two cameras of a frame at the same one."""
    import fiftyone.brain as fob

    with pytest.raises(MissingStageError, match="objects_clip"):
        select_frames(dataset, {"core_set": 0.1}, name="diverse")
    assert list_selections(dataset) == []
    cameras = dataset.select_group_slices(media_type="image")
    late = np.array([t >= "token15" for t in cameras.values("sample_token")])
    fob.compute_similarity(
        cameras,
        embeddings=np.stack([late, ~late], axis=1).astype(float),
        brain_key="frames_clip",
    )
    chosen = select_frames(dataset, {"core_set": 0.1}, name="diverse")
    assert sorted(t >= "token15" for t in chosen.tokens) == [False, True]
    chosen = select_frames(
        dataset, {"random": 1.0, "max_similarity": 0.9}, name="unlike"
    )
    assert sorted(t >= "token15" for t in chosen.tokens) == [False, True]
    assert chosen.shortages[0].held_back == {"max_similarity": 18}


def test_the_detector_s_classes_and_sample_fields_select(
    dataset: fo.Dataset,
) -> None:
    dataset.add_sample_field("brightness", fo.FloatField)
    samples = all_slices(dataset)
    tokens = samples.values("sample_token")
    samples.set_values("brightness", [float(t[5:]) for t in tokens])
    brightest = select_frames(dataset, {"brightness": 0.1}, name="bright")
    assert brightest.tokens == ["token19", "token18"]
    found = select_frames(dataset, {"strategy:detector_class": 0.1}, name="d")
    assert len(found) == 2


@pytest.mark.parametrize("by", ["name", "brain key"])
def test_deleting_leaves_nothing(dataset: fo.Dataset, by: str) -> None:
    mine = dataset.exists("sample_token").limit(3)
    dataset.save_view("of the user", mine)
    before = (dataset.list_brain_runs(), dataset.count_sample_tags())
    select_frames(dataset, {"random": 0.3}, name="a")
    select_frames(dataset, {"target": 0.2}, name="b")
    shown = "Target/Rare selection"
    assert len(dataset.load_saved_view(shown)) == 4

    def delete(name: str) -> None:
        if by == "name":
            delete_selection(dataset, name)
        else:
            dataset.delete_brain_run(run_key(name))

    delete("b")
    assert tagged(dataset, "b") == []
    assert {"Target", "Rare", shown, "a · train", "a · val"} == (
        set(dataset.list_saved_views()) - {"of the user"}
    )
    # the view moves to the selection that is left
    assert len(dataset.load_saved_view(shown)) == 6
    delete("a")
    assert dataset.list_saved_views() == ["of the user"]
    assert before == (dataset.list_brain_runs(), dataset.count_sample_tags())


def test_deleting_says_what_went(dataset: fo.Dataset) -> None:
    select_frames(dataset, {"random": 0.3}, name="a")
    gone = delete_selection(dataset, "a")
    assert gone == {
        "selection": "a",
        "frames": 6,
        "views": [
            *("Rare", "Target", "Target/Rare selection"),
            *("a · train", "a · val"),
        ],
    }
    with pytest.raises(MissingStageError, match="has no selection"):
        delete_selection(dataset, "a")


def test_another_process_loads_the_run_and_its_life_cycle(
    dataset: fo.Dataset,
) -> None:
    select_frames(dataset, {"random": 0.3}, name="mine")
    config = dataset.get_brain_info(run_key("mine")).config
    assert type(config).__name__ == "SelectionRunConfig"
    assert type(config.build()).__name__ == "SelectionRun"
    copy = dataset.clone()
    assert load_selection(copy) == load_selection(dataset)
    delete_selection(copy, "mine")
    assert copy.list_saved_views() == []
    assert len(tagged(dataset, "mine")) == 6 * SLICES
    copy.delete()


def test_what_another_process_selected_is_seen(dataset: fo.Dataset) -> None:
    """As when the App selects and a notebook has the dataset open."""

    def elsewhere(code: str) -> None:
        text = (
            "import sys, fiftyone as fo, raremine.brain as rmb\n"
            f"dataset = fo.load_dataset({dataset.name!r})\n{code}"
        )
        subprocess.run([sys.executable, "-c", text], check=True)

    first = select_frames(dataset, {"random": 0.1}, name="a")
    elsewhere(
        "rmb.select_frames(dataset, {'random': 0.2}, name='b')\n"
        "rmb.select_frames(dataset, {'random': 0.3}, name='a')"
    )
    assert list_selections(dataset) == ["b", "a"]
    assert len(load_selection(dataset, "b")) == 4
    again = load_selection(dataset, "a")
    assert (len(first), len(again)) == (2, 6)
    elsewhere("rmb.delete_selection(dataset, 'b')")
    assert list_selections(dataset) == ["a"]
    delete_selection(dataset, "a")
    assert dataset.list_saved_views() == []


def test_comparing_two_selections(dataset: fo.Dataset) -> None:
    a = select_frames(dataset, {"random": 0.5}, name="a", seed=1)
    b = select_frames(dataset, {"target": 0.5}, name="b")
    compared = compare_selections(dataset, "a", b)
    both = set(a.tokens) & set(b.tokens)
    assert compared.overlap["both"] == len(both)
    counts = {row["class"]: row for row in compared.classes}
    assert set(counts) == {"car", "trailer", "truck", "animal"}
    assert counts["trailer"]["frames_pool"] == 2
    assert counts["car"]["objects_a"] == 10
    assert counts["truck"]["frames_b"] == 8
    by_label = compare_selections(dataset, "a", "b", classes="label")
    assert [row["class"] for row in by_label.classes] == ["truck"]
    assert by_label.kl_to_uniform["a"] == 0
    with pytest.raises(MissingStageError, match="no selection 'c'"):
        compare_selections(dataset, "a", "c")
    with pytest.raises(MissingStageError, match="ground.detections.label"):
        compare_selections(dataset, "a", "b", field="ground")


def test_frames_to_evaluate_on_are_not_written_to(
    dataset: fo.Dataset,
) -> None:
    def held_out() -> list[dict]:
        found = dataset._sample_collection.find({"split": "val"})
        return sorted(found, key=lambda document: document["_id"])

    before = held_out()
    assert len(before) == 10 * SLICES
    select_frames(dataset, {"random": 0.5, "target": 0.5}, name="a")
    select_frames(dataset, {"random": 1.0}, name="a")
    delete_selection(dataset, "a")
    assert held_out() == before
