"""Loads of what was loaded, or half loaded, before."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import fiftyone as fo
import numpy as np
import pytest

from raremine.brain.crop_index import create_index
from raremine.brain.errors import RaremineError
from raremine.brain.nuscenes import loader
from raremine.brain.nuscenes.store import all_slices

from .conftest import Dataroot
from .loading import NAME, by_slice, contents, files, load

pytestmark = pytest.mark.usefixtures("no_loaded_datasets")


def test_loading_again_gives_the_same(tiny: Dataroot) -> None:
    tiny.write()
    first = contents(load(tiny))
    assert contents(load(tiny, overwrite=True)) == first


def test_converted_clouds_are_reused_and_damaged_ones_made_anew(
    tiny: Dataroot,
) -> None:
    tiny.write()
    load(tiny)
    media = tiny.path.parent / "media"
    before = files(media)
    clouds = [n for n in before if n.endswith(".pcd")]
    assert len(before) == 18 and len(clouds) == 6
    (media / clouds[0]).write_bytes(before[clouds[0]][0][:-7])
    load(tiny, overwrite=True)
    after = files(media)
    assert {n: c for n, (c, _) in after.items()} == {
        n: c for n, (c, _) in before.items()
    }
    changed = {n for n in after if after[n] != before[n]}
    assert changed == {clouds[0]}


def test_a_replaced_dataset_leaves_no_vectors(
    tiny: Dataroot, tmp_path: Path
) -> None:
    tiny.write()
    folder = tmp_path / "vectors"
    index = create_index(
        *(load(tiny), "ground_truth", "vec"),
        embedder=None,
        params={},
        index_dir=str(folder),
    )
    index.append(np.zeros((1, 2)), ["0" * 24], ["1" * 24])
    assert list(folder.glob("*.lance"))
    again = load(tiny, overwrite=True)
    assert not list(folder.glob("*.lance"))
    assert again.list_brain_runs() == []


def test_name_taken(tiny: Dataroot) -> None:
    tiny.write()
    load(tiny, scenes="scene-0061")
    with pytest.raises(RaremineError, match=r"append=True .*overwrite=True"):
        load(tiny)
    assert len(fo.load_dataset(NAME)) == 3


def test_append_adds_only_what_is_new(tiny: Dataroot) -> None:
    tiny.write()
    whole = contents(load(tiny))
    load(tiny, scenes="scene-0061", overwrite=True)
    kept = fo.load_dataset(NAME)
    sample = kept.first()
    sample.tags = ["mine"]
    sample.save()
    dataset = load(tiny, append=True)
    assert len(dataset) == 6
    assert set(by_slice(dataset).values()) == {6}
    assert dataset.match_tags("mine").values("id") == [sample.id]
    found = contents(dataset)
    found[sample.sample_data_token]["tags"] = []
    assert found == whole
    again = load(tiny, append=True)
    assert contents(again).keys() == whole.keys()
    assert again.info["raremine"]["counts"]["frames"] == 6


def test_append_refuses_what_does_not_fit(tiny: Dataroot) -> None:
    tiny.write()
    load(tiny, channels="CAM_FRONT", scenes="scene-0061", ground_truth=False)
    with pytest.raises(RaremineError, match="same channels"):
        load(tiny, append=True, ground_truth=False)
    with pytest.raises(RaremineError, match="without ground truth"):
        load(tiny, append=True, channels="CAM_FRONT")
    assert by_slice(fo.load_dataset(NAME)) == {"CAM_FRONT": 3}
    fo.delete_dataset(NAME)
    fo.Dataset(NAME)
    with pytest.raises(RaremineError, match="not made by load_nuscenes"):
        load(tiny, append=True)


class BoomError(Exception):
    pass


def fail_after(batches: int) -> Any:
    """A progress function that fails at a later batch."""
    calls = []

    def progress(done: int, total: int) -> None:
        calls.append((done, total))
        if len(calls) > batches:
            raise BoomError

    return progress


def test_a_failed_load_leaves_nothing(
    tiny: Dataroot, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny.write()
    monkeypatch.setattr(loader, "BATCH", 2)
    with pytest.raises(BoomError):
        load(tiny, progress=fail_after(1))
    assert fo.list_datasets(f"{NAME}*") == []

    before = contents(load(tiny, scenes="scene-0061"))
    for options in ({"append": True}, {"overwrite": True}):
        with pytest.raises(BoomError):
            load(tiny, progress=fail_after(0), **options)
        assert fo.list_datasets(f"{NAME}*") == [NAME]
        dataset = fo.load_dataset(NAME)
        assert contents(dataset) == before
        assert dataset.info["raremine"]["state"] == "complete"


def test_a_killed_load_is_told_and_can_be_finished(
    tiny: Dataroot, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny.write()
    whole = contents(load(tiny))
    fo.delete_dataset(NAME)
    monkeypatch.setattr(loader, "BATCH", 2)
    # a kill leaves no time to take anything back
    monkeypatch.setattr(loader, "undo_load", lambda *args: None)
    with pytest.raises(BoomError):
        load(tiny, progress=fail_after(1))
    dataset = fo.load_dataset(NAME)
    half = all_slices(dataset).match({"sample_token": "sample-10"})
    dataset.delete_samples(half.values("id")[:3])
    assert len(all_slices(dataset)) == 4 * 7 - 3
    with pytest.raises(RaremineError, match="interrupted"):
        load(tiny)
    finished = load(tiny, append=True)
    assert contents(finished) == whole
    assert finished.info["raremine"]["state"] == "complete"


def test_ctrl_c_leaves_a_load_that_can_be_completed(tiny: Dataroot) -> None:
    tiny.write()

    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        load(tiny, progress=stop, scenes="scene-0061")
    assert fo.load_dataset(NAME).info["raremine"]["state"] == "loading"
    dataset = load(tiny, append=True)
    assert set(by_slice(dataset).values()) == {6}
    assert dataset.info["raremine"]["state"] == "complete"
    # one that was to replace another leaves that other
    with pytest.raises(KeyboardInterrupt):
        load(tiny, progress=stop, overwrite=True)
    assert fo.list_datasets(f"{NAME}*") == [NAME]
    assert len(fo.load_dataset(NAME)) == 6
