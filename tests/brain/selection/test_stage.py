"""Selecting on a real grouped dataset: tags, runs, views."""

from __future__ import annotations

import asyncio

import fiftyone as fo
import pytest

from raremine.brain.columns import all_slices
from raremine.brain.errors import MissingStageError, RaremineError
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


def test_saved_views_show_whole_groups(dataset: fo.Dataset) -> None:
    chosen = select_frames(dataset, {"target": 0.2}, name="mine")
    save_mining_views(dataset, chosen)
    names = save_mining_views(dataset, chosen)
    assert names == ["Target", "Rare", "Target/Rare selection"]
    assert set(names) <= set(dataset.list_saved_views())
    # 15 target frames; of the others, those of 12, 16, 20, 24 are rare
    for name, count in zip(names, (15, 4, 4), strict=True):
        view = dataset.load_saved_view(name)
        assert view.media_type == "group"
        for channel in dataset.group_slices:
            dataset.group_slice = channel
            assert len(dataset.load_saved_view(name)) == count
        dataset.group_slice = dataset.default_group_slice
        cameras = view.select_group_slices(media_type="image")
        assert len(cameras) == 2 * count
    shown = dataset.load_saved_view(names[2]).values("sample_token")
    assert sorted(shown) == sorted(chosen.tokens)

    save_mining_views(dataset)
    assert len(dataset.load_saved_view(names[2])) == 19
    delete_selection(dataset, "mine")
    with pytest.raises(MissingStageError, match="tag 'mine'"):
        save_mining_views(dataset, chosen)


def test_the_app_s_server_pages_the_views(dataset: fo.Dataset) -> None:
    """The App asks for one slice at a time; `select_groups` fails here."""
    from fiftyone.server.filters import GroupElementFilter, SampleFilter
    from fiftyone.server.samples import paginate_samples

    chosen = select_frames(dataset, {"target": 0.2}, name="mine")
    names = save_mining_views(dataset, chosen)

    def shown(name: str, channel: str) -> int:
        page = paginate_samples(
            dataset.name,
            dataset.load_saved_view(name)._serialize(),
            None,
            100,
            sample_filter=SampleFilter(
                group=GroupElementFilter(
                    slice=channel, id=None, slices=[channel]
                )
            ),
            pagination_data=True,
        )
        return len(asyncio.run(page).edges)

    for channel in dataset.group_slices:
        assert [shown(name, channel) for name in names] == [15, 4, 4]
