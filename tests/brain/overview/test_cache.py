"""What was counted is kept exactly as long as it is true."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import fiftyone as fo
import pytest

from raremine.brain.overview.cache import Cache, version
from raremine.brain.runs import record_run
from tests.brain.grouped import Keyframe, grouped_dataset


class Counter:
    """Counts how often it was asked."""

    def __init__(self) -> None:
        self.asked = 0

    def __call__(self) -> int:
        self.asked += 1
        return self.asked


@pytest.fixture
def other() -> Iterator[fo.Dataset]:
    """A second dataset."""
    dataset = grouped_dataset([Keyframe("one")])
    yield dataset
    dataset.delete()


def _edit(dataset: fo.Dataset) -> None:
    sample = dataset.first()
    sample.objects.detections[0]["group"] = "target"
    sample.save()


def _edit_other_slice(dataset: fo.Dataset) -> None:
    sample = dataset.select_group_slices("CAM_BACK").last()
    sample["sample_token"] = "changed"
    sample.save()


def _delete_sample(dataset: fo.Dataset) -> None:
    dataset.delete_samples([dataset.last().id])


def _record(dataset: fo.Dataset) -> None:
    record_run(dataset, "a_run", "novelty", field="objects")


def _record_again(dataset: fo.Dataset) -> None:
    record_run(dataset, "old_run", "novelty", field="objects")


def _delete_run(dataset: fo.Dataset) -> None:
    dataset.delete_brain_run("old_run")


def _add_field(dataset: fo.Dataset) -> None:
    dataset.add_sample_field("objects.detections.new", fo.FloatField)


def test_an_answer_is_worked_out_once(dataset: fo.Dataset) -> None:
    cache, answer = Cache(), Counter()
    assert cache.about(dataset).get("q", answer) == 1
    assert cache.about(dataset).get("q", answer) == 1
    assert cache.about(dataset).get("another", answer) == 2


@pytest.mark.parametrize(
    "change",
    [
        *(_edit, _edit_other_slice, _delete_sample),
        *(_record, _record_again, _delete_run, _add_field),
    ],
)
def test_whatever_changes_makes_it_ask_again(
    dataset: fo.Dataset, change: Callable[[fo.Dataset], None]
) -> None:
    record_run(dataset, "old_run", "novelty", field="objects")
    cache, answer = Cache(), Counter()
    cache.about(dataset).get("q", answer)
    change(dataset)
    assert not cache.about(dataset).holds("q")
    assert cache.about(dataset).get("q", answer) == 2
    # what can never be asked for again is not kept
    assert len(cache) == 1


def test_looking_does_not_count_as_a_change(dataset: fo.Dataset) -> None:
    before = version(dataset)
    images = dataset.select_group_slices(media_type="image")
    assert len(images.to_patches("objects")) == 37
    fo.load_dataset(dataset.name)
    assert version(dataset) == before


def test_it_is_bounded_and_datasets_do_not_mix(
    dataset: fo.Dataset, other: fo.Dataset
) -> None:
    cache = Cache(most=3)
    cache.about(other).get("q", lambda: "other")
    for number in range(2):
        cache.about(dataset).get(number, lambda: "mine")
    assert cache.about(other).get("q", lambda: "lost") == "other"
    cache.about(dataset).get(2, lambda: "mine")
    assert len(cache) == 3
    # 0 was unused for longest
    assert not cache.about(dataset).holds(0)
    cache.forget(dataset)
    assert len(cache) == 1


def test_a_failure_is_not_kept(dataset: fo.Dataset) -> None:
    cache = Cache()

    def fail() -> int:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        cache.about(dataset).get("q", fail)
    assert cache.about(dataset).get("q", lambda: 7) == 7
