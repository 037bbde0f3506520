"""The keyword table as a brain run: clones, exports, other processes."""

from __future__ import annotations

import subprocess
import sys
import uuid
from math import log
from pathlib import Path

import fiftyone as fo
import numpy as np
import pytest

import raremine.brain as rmb
from raremine.brain.columns import read_objects, write_objects
from raremine.brain.errors import RaremineError
from raremine.brain.novelty.frequency import keyword_table
from raremine.brain.novelty.run import (
    KeywordNovelty,
    KeywordNoveltyResults,
    ParetoRankingResults,
    keyword_arrays,
)
from tests.brain.fakes import FakeDetector, painted_dataset, scatter


@pytest.fixture
def dataset(tmp_path: Path) -> fo.Dataset:
    dataset = painted_dataset(tmp_path, scatter(["car"] * 5, per_image=1))
    rmb.detect_objects(dataset, FakeDetector())
    texts = ["a red car", "red dogs", "grün, wild", "a red car", None]
    columns = {
        "caption": texts,
        "caption_status": ["ok"] * 4 + ["failed"],
        "caption_keywords": [[]] * 5,
    }
    write_objects(dataset, "objects", read_objects(dataset), columns)
    rmb.score_novelty(dataset, min_count=2, ngrams=1)
    rmb.rank_pareto(dataset, ["novelty", "-confidence"])
    return dataset


def check(dataset: fo.Dataset) -> None:
    results = dataset.load_brain_results("objects_novelty")
    assert isinstance(results, KeywordNoveltyResults)
    assert isinstance(results.config.build(), KeywordNovelty)
    ids = read_objects(dataset).label_id
    table = results.table()
    # the most novel first, what does not count last
    assert table["keyword"].tolist() == ["car", "red", "dog", "grün", "wild"]
    assert table["count"].tolist() == [2, 3, 1, 1, 1]
    np.testing.assert_allclose(
        table["novelty"], [log(2), -log(3 / 4), *[np.nan] * 3]
    )
    assert table["scenes"].tolist() == [1] * 5
    assert table["examples"].tolist() == [
        *([ids[0]], [ids[0]], [ids[1]], [ids[2]], [ids[2]])
    ]
    assert results.objects("red").tolist() == ids[[0, 1, 3]].tolist()
    assert results.objects("grün").tolist() == [ids[2]]
    ranking = dataset.load_brain_results("objects_pareto")
    assert isinstance(ranking, ParetoRankingResults)
    fronts = read_objects(dataset, names=["pareto_front"])["pareto_front"]
    by_id = dict(zip(ranking.label_ids, ranking.fronts, strict=True))
    assert [by_id[i] for i in ids] == fronts.tolist()


def test_the_runs_hold_what_was_found(dataset: fo.Dataset) -> None:
    check(dataset)
    results = dataset.load_brain_results("objects_novelty")
    for word in ("Red", "zebra", ""):
        with pytest.raises(RaremineError, match="found no keyword"):
            results.objects(word)


def test_a_clone_and_an_import_have_the_runs(
    dataset: fo.Dataset, tmp_path: Path
) -> None:
    clone = dataset.clone()
    dataset.export(
        export_dir=str(tmp_path / "export"),
        dataset_type=fo.types.FiftyOneDataset,
        export_media=False,
    )
    imported = fo.Dataset.from_dir(
        str(tmp_path / "export"), fo.types.FiftyOneDataset
    )
    for one in (clone, imported):
        check(one)
    clone.delete_brain_run("objects_novelty")
    assert clone.get_field("objects.detections.keywords") is None
    check(dataset)


def test_another_process_has_the_table(dataset: fo.Dataset) -> None:
    dataset.name = f"fresh-{uuid.uuid4().hex[:8]}"
    dataset.persistent = True
    script = f"""
import fiftyone as fo
dataset = fo.load_dataset({dataset.name!r})
assert dataset.list_brain_runs(type="raremine_novelty") == ["objects_novelty"]
table = dataset.load_brain_results("objects_novelty").table()
assert table["keyword"][0] == "car", table
"""
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    dataset.delete()


def test_without_a_caption_the_table_is_empty(dataset: fo.Dataset) -> None:
    columns = {"caption_status": ["failed"] * 5}
    write_objects(dataset, "objects", read_objects(dataset), columns)
    rmb.score_novelty(dataset)
    results = dataset.load_brain_results("objects_novelty")
    assert results.keywords == ()
    assert len(results.table()) == 0


def test_a_big_table_takes_few_bytes(dataset: fo.Dataset) -> None:
    rng = np.random.default_rng(0)
    words = [[f"w{i}" for i in rng.zipf(1.5, 8)] for _ in range(5000)]
    ids = [f"{i:024x}" for i in rng.integers(0, 1 << 62, 5000)]
    results = dataset.load_brain_results("objects_novelty")
    table = keyword_table(words)
    results.arrays = keyword_arrays(table, table.novelty(), ids)
    stored = sum(map(len, results.serialize()["arrays"].values()))
    # ids and up to eight places an object, and a line a keyword
    assert stored < 5000 * (12 + 8 * 4) + len(table.words) * 40
    first = results.table().iloc[-1]
    assert first["count"] == table.count.max()
