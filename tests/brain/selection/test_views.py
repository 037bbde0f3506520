"""Saved views of what was mined and selected."""

from __future__ import annotations

import asyncio

import fiftyone as fo
import pytest

from raremine.brain.columns import all_slices
from raremine.brain.errors import MissingStageError
from raremine.brain.selection.stage import delete_selection, select_frames
from raremine.brain.selection.views import save_mining_views


def test_views_by_split_show_what_to_train_and_what_to_evaluate_on(
    dataset: fo.Dataset,
) -> None:
    chosen = select_frames(dataset, {"random": 0.25}, name="mine")
    train = dataset.load_saved_view("mine · train")
    assert sorted(train.values("sample_token")) == sorted(chosen.tokens)
    val = dataset.load_saved_view("mine · val")
    assert sorted(val.values("sample_token")) == [
        f"token{i}" for i in range(20, 30)
    ]
    for view in (train, val):
        assert view.media_type == "group"
        cameras = view.select_group_slices(media_type="image")
        assert len(cameras) == 2 * len(view)
    told = dataset.get_saved_view_info("mine · val")["description"]
    assert "untouched" in told


def test_views_of_names_that_fiftyone_cannot_tell_apart(
    dataset: fo.Dataset,
) -> None:
    by_name = {}
    for seed, name in enumerate(("a b", "a-b", "%", "&")):
        by_name[name] = select_frames(
            dataset, {"random": 0.3}, name=name, seed=seed
        )
    views = [v for v in dataset.list_saved_views() if v.endswith("train")]
    assert len(views) == 2
    assert len([v for v in dataset.list_saved_views() if "train" in v]) == 4
    for name, chosen in by_name.items():
        (view,) = (
            v
            for v in dataset.list_saved_views()
            if v.startswith(f"{name} · train")
        )
        shown = dataset.load_saved_view(view).values("sample_token")
        assert sorted(shown) == sorted(chosen.tokens)
    # done again, a selection keeps the names of its views
    before = set(dataset.list_saved_views())
    select_frames(dataset, {"random": 0.1}, name="a-b")
    assert set(dataset.list_saved_views()) == before


def test_views_of_splits_that_are_gone_go(dataset: fo.Dataset) -> None:
    select_frames(dataset, {"random": 0.3}, name="mine")
    samples = all_slices(dataset)
    samples.set_values("split", ["train"] * len(samples))
    select_frames(dataset, {"random": 0.3}, name="mine")
    ours = [v for v in dataset.list_saved_views() if v.startswith("mine")]
    assert ours == ["mine · train"]


def test_a_dataset_without_splits_has_one_view(dataset: fo.Dataset) -> None:
    dataset.delete_sample_field("split")
    chosen = select_frames(dataset, {"random": 0.3}, name="mine")
    assert len(chosen) == 9
    assert len(dataset.load_saved_view("mine · no split")) == 9


def test_a_view_of_the_user_s_own_is_left_alone(dataset: fo.Dataset) -> None:
    """FiftyOne takes "target" and "Target" for the same name."""
    dataset.save_view("target", dataset.limit(2))
    for _ in range(2):
        select_frames(dataset, {"target": 0.2}, name="a")
        views = dataset.list_saved_views()
        assert "Target (mined)" in views and "Target" not in views
        assert len(dataset.load_saved_view("target")) == 2
        assert len(dataset.load_saved_view("Target (mined)")) == 15
    delete_selection(dataset, "a")
    assert dataset.list_saved_views() == ["target"]


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
    names = [*save_mining_views(dataset, chosen), "mine · train", "mine · val"]

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
        assert [shown(name, channel) for name in names] == [15, 4, 4, 4, 10]
