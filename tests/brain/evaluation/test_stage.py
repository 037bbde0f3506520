"""Evaluation end to end on a grouped dataset."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import fiftyone as fo
import numpy as np
import pytest

from raremine.brain.columns import read_objects, write_objects
from raremine.brain.errors import MissingStageError, RaremineError
from raremine.brain.evaluation.plots import (
    class_figure,
    drawn_strategies,
    overlap_figure,
    recall_figure,
    save_figures,
    signal_figure,
)
from raremine.brain.evaluation.report import METRICS, MiningReport
from raremine.brain.evaluation.stage import evaluate_mining, load_report
from tests.brain.grouped import Keyframe, grouped_dataset

N = 40


@pytest.fixture(scope="module")
def dataset() -> Iterator[fo.Dataset]:
    """40 train frames, 8 of them with a truck, of which mining finds 6.

    Ground truth is on one camera and what was mined on the other. Ten more
    frames, all with trucks, are val.
    """
    keyframes = []
    for i in range(N + 10):
        truth = [{"label": "car", "instance_token": f"car{i}"}]
        mined = [{"label": "car", "confidence": 0.9, "group": "common"}]
        if i % 5 == 0:
            truth.append(
                {
                    "label": "truck",
                    "instance_token": f"truck{i // 10}",
                    "visibility": "v80-100",
                    "num_lidar_pts": 5,
                }
            )
        if i % 5 == 0 and i >= 10:
            mined.append(
                {
                    "label": "truck" if i >= 20 else "train",
                    "confidence": 0.4,
                    "group": "target",
                    "concept": "truck",
                    "concept_score": 0.8,
                    "outlier_score": 1.0 + i,
                }
            )
        keyframes.append(
            Keyframe(
                f"token{i:02d}",
                scene=f"scene-{i // 10}",
                split="val" if i >= N else "train",
                objects={"CAM_BACK": mined},
                truth={"CAM_FRONT": truth},
            )
        )
    dataset = grouped_dataset(keyframes)
    yield dataset
    dataset.delete()


@pytest.fixture(scope="module")
def report(dataset: fo.Dataset) -> MiningReport:
    return evaluate_mining(dataset, budgets=(0.1, 0.2), seeds=range(200))


def test_known_recall(report: MiningReport) -> None:
    # 20 % of 40 are 8 frames: the 6 found of 8, and 2 of the other 34
    for name in ("default", "concept_group", "outlier_score"):
        assert report.recall(name, 0.2) == pytest.approx(
            (6 + 2 * 2 / 34) / 8, abs=0.02
        )
    assert report.recall("oracle", 0.2) == 1
    assert report.recall("oracle", 0.1) == 0.5
    # 20 % of the frames hold 20 % of the truth, on average
    assert report.recall("random", 0.2) == pytest.approx(0.2, abs=0.04)
    # four detections with the detector's own class truck
    assert report.recall("detector_class", 0.1, "truck") == 0.5
    # four trucks, each in two frames; the oracle needs 4 frames for them
    assert report.recall("oracle", 0.1, metric="instance_recall") == 1
    expected = 1 - (36 / 40 * 35 / 39)
    assert report.recall(
        "random", 0.1, metric="instance_recall"
    ) == pytest.approx(expected, abs=0.04)


def test_the_table_is_tidy_and_complete(report: MiningReport) -> None:
    table = report.table
    keys = ["strategy", "budget", "target", "metric"]
    assert list(table.columns) == [*keys, "mean", "std", "low", "high"]
    assert not table.duplicated(keys).any()
    assert set(table.metric) == set(METRICS)
    assert set(table.target) >= {"all", "truck", "trailer"}
    rows = table[(table.strategy == "random") & (table.budget == 0.2)]
    cells = rows.set_index(["metric", "target"])["mean"]
    assert cells["frame_lift", "all"] == pytest.approx(1, abs=0.2)
    assert np.isnan(cells["frame_recall", "trailer"])
    assert cells["precision", "all"] == pytest.approx(0.2, abs=0.04)
    assert cells["frame_recall_area", "all"] == pytest.approx(0.1, abs=0.02)
    spread = rows.set_index(["metric", "target"])["std"]
    assert spread["frame_recall", "all"] > 0.05
    assert report.meta["truth"]["frames_with_target"] == 8
    assert report.meta["splits"] == ["train"]
    with pytest.raises(RaremineError, match="budget 0.3"):
        report.recall("random", 0.3)


def test_the_report_is_recorded(
    dataset: fo.Dataset, report: MiningReport, tmp_path: Path
) -> None:
    again = load_report(dataset)
    assert again.to_dict() == report.to_dict()
    info = dataset.get_brain_info("mining_evaluation")
    assert info.config.type == "raremine_evaluation"
    assert info.config.params["budgets"] == [0.1, 0.2]
    text = report.to_json(tmp_path / "report.json")
    assert json.loads(text) == json.loads(
        (tmp_path / "report.json").read_text()
    )
    assert "NaN" not in text
    with pytest.raises(MissingStageError, match="'other'"):
        load_report(dataset, "other")


def test_the_val_split_can_be_judged_by_name(dataset: fo.Dataset) -> None:
    report = evaluate_mining(
        dataset,
        ["random"],
        [0.5],
        seeds=[0],
        splits="val",
        brain_key="on_val",
    )
    assert report.meta["truth"]["frames"] == 10
    assert report.meta["splits"] == ["val"]
    assert np.isnan(report.table["std"]).all()


def test_figures(report: MiningReport, tmp_path: Path) -> None:
    paths = save_figures(report, tmp_path / "figures")
    assert [p.stem for p in paths] == [
        *("recall", "classes", "signals", "overlap")
    ]
    assert all(p.stat().st_size > 5000 for p in paths)
    figure = recall_figure(report, ["random", "default"], "truck")
    left, right = figure.axes
    assert [line.get_label() for line in left.lines] == ["random", "default"]
    budget, recall = left.lines[0].get_data()
    assert budget[-1] == 0.2
    assert recall[-1] == pytest.approx(0.2, abs=0.05)
    assert "Target instances: truck" in right.get_title()
    bars = class_figure(report, 0.1, ["oracle"], "frame_recall").axes[0]
    # classes without ground truth are left out
    assert [t.get_text() for t in bars.get_xticklabels()] == ["all", "truck"]
    assert [bar.get_height() for bar in bars.patches] == [0.5, 0.5]
    lift = class_figure(report, 0.1, ["oracle"]).axes[0]
    assert [bar.get_height() for bar in lift.patches] == [5, 5]


def test_figures_show_what_is_worth_showing(report: MiningReport) -> None:
    drawn = drawn_strategies(report)
    assert {"random", "oracle", "default"} <= set(drawn)
    # by what frames it orders like ours, only the name differs
    assert "mining_score" in report.meta["strategies"]
    assert "mining_score" not in drawn
    for figure, table in (
        (overlap_figure(report), report.overlap_table),
        (signal_figure(report), report.signal_table),
    ):
        names = [n.replace("_", " ") for n in table.columns]
        axes = figure.axes[0]
        assert [t.get_text() for t in axes.get_xticklabels()] == names
    table = report.overlap_table
    assert table.loc["default", "mining_score"] > 0.5
    # 8 random ones of 40 frames twice
    assert table.loc["random", "random"] == pytest.approx(0.11, abs=0.03)


def test_every_file_of_a_report(dataset: fo.Dataset, tmp_path: Path) -> None:
    evaluate_mining(
        dataset,
        ["random", "default", "oracle"],
        [0.2],
        seeds=range(2),
        brain_key="with_files",
        out_dir=tmp_path / "out",
    )
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == {
        *("report.html", "report.json"),
        *("recall.png", "classes.png", "signals.png", "overlap.png"),
    }
    (tmp_path / "file").write_text("")
    with pytest.raises(RaremineError, match="cannot be written.*file"):
        evaluate_mining(
            dataset,
            ["random"],
            [0.2],
            seeds=[0],
            brain_key="with_files",
            out_dir=tmp_path / "file",
        )


def test_mined_objects_against_ground_truth(report: MiningReport) -> None:
    """Ground truth is on the one camera and what was mined on the other."""
    counts = report.meta["objects"]["objects"]
    assert counts["objects"] == N + 6
    assert counts["matched"] == 0
    # all boxes are alike: those of an image are one thing, found again
    assert counts["unmatched"] == N + 6
    assert counts["boxes"]["truck"] == 8
    assert counts["boxes_found"]["truck"] == 0
    assert report.objects == []


def test_a_second_field_is_measured_beside_the_first() -> None:
    """The paper's field sees the trucks, ours sees none of them."""
    frames = []
    for i in range(40):
        truck = i % 4 == 0
        truth = [{"label": "truck", "bounding_box": [0.1, 0.1, 0.2, 0.2]}]
        frames.append(
            Keyframe(
                f"t{i:02d}",
                scene=f"s{i // 4}",
                objects={
                    "CAM_BACK": [
                        {
                            "label": "car",
                            "confidence": 0.5,
                            "group": "common",
                            "outlier_score": float(i),
                            "bounding_box": [0.1, 0.1, 0.2, 0.2],
                        }
                    ]
                },
                truth={"CAM_BACK": truth if truck else []},
            )
        )
    dataset = grouped_dataset(frames)
    view = dataset.select_group_slices("CAM_BACK")
    view.clone_sample_field("objects", "objects_paper")
    table = read_objects(dataset, "objects_paper", ["label"])
    token = np.array([int(t[1:]) for t in table["sample_token"]])
    write_objects(
        dataset,
        "objects_paper",
        table,
        {
            "group": np.where(token % 4, "common", "target").tolist(),
            "outlier_score": np.where(token % 4, 0.0, 1.0),
        },
    )
    options = {"budgets": [0.25], "seeds": range(3)}
    report = evaluate_mining(dataset, **options)
    assert report.meta["also"] == {"paper": "objects_paper"}
    assert report.recall("paper", 0.25) == 1
    assert report.recall("default", 0.25) < 0.5
    better = report.compare("paper", "default", "frame_recall")
    assert better["low"] > 0 and better["better_scenes"] == 1
    scores = report.object_table.set_index(
        ["field", "score", "truth", "among"]
    ).auroc
    assert scores["objects_paper", "outlier_score", "target", "all"] == 1
    assert scores["objects", "outlier_score", "target", "all"] < 0.6

    again = evaluate_mining(
        dataset, ["late", "default"], also={"late": "objects_paper"}, **options
    )
    assert again.recall("late", 0.25) == 1
    assert again.meta["objects"].keys() == {"objects", "objects_paper"}
    alone = evaluate_mining(dataset, also={}, **options)
    assert "paper" not in alone.meta["strategies"]
    with pytest.raises(RaremineError, match="no objects in field 'nowhere'"):
        evaluate_mining(dataset, also={"x": "nowhere"}, **options)
    dataset.delete()


def test_filters_may_be_written_as_a_dict(dataset: fo.Dataset) -> None:
    options = {"budgets": [0.2], "seeds": [0], "brain_key": "filtered"}
    report = evaluate_mining(
        dataset, ["random"], keep={"min_points": 5}, **options
    )
    assert report.meta["truth"]["filter"]["min_points"] == 5
    assert report.meta["truth"]["boxes_counted"] == 8
    with pytest.raises(RaremineError, match="6|too small|weaker filter"):
        evaluate_mining(dataset, ["random"], keep={"min_points": 6}, **options)
    with pytest.raises(RaremineError, match="filtered by min_size"):
        evaluate_mining(dataset, ["random"], keep={"min_size": 6}, **options)


def test_why_there_is_no_redundancy(report: MiningReport) -> None:
    assert any("Redundancy" in note for note in report.meta["notes"])
    assert any("4 scenes" in note for note in report.meta["notes"])


def test_progress_counts_strategies(dataset: fo.Dataset) -> None:
    told: list[tuple[int, int, str]] = []
    evaluate_mining(
        dataset,
        ["random", "default"],
        [0.2],
        seeds=[0],
        brain_key="watched",
        progress=lambda *state: told.append(state),
    )
    assert told[-1] == (2, 2, "Measuring strategies")


def test_bad_calls(dataset: fo.Dataset) -> None:
    with pytest.raises(MissingStageError, match="'truth'"):
        evaluate_mining(dataset, gt_field="truth")
    with pytest.raises(RaremineError, match="cannot be both"):
        evaluate_mining(dataset, gt_field="objects")
    with pytest.raises(RaremineError, match="unicorn"):
        evaluate_mining(dataset, targets=["unicorn"])
    with pytest.raises(RaremineError, match="budgets"):
        evaluate_mining(dataset, budgets=[20])
    with pytest.raises(RaremineError, match="seeds"):
        evaluate_mining(dataset, seeds=[])
    with pytest.raises(RaremineError, match="'nope'"):
        evaluate_mining(dataset, ["nope"])
    with pytest.raises(RaremineError, match="resamples"):
        evaluate_mining(dataset, resamples=-1)
    with pytest.raises(MissingStageError, match="'objects_clip'"):
        evaluate_mining(dataset, ["core_set"])
    with pytest.raises(MissingStageError, match="'mine'"):
        evaluate_mining(dataset, embeddings="mine")


def test_before_the_concept_stage_there_are_only_scores() -> None:
    frames = [
        Keyframe(
            f"t{i}",
            objects={"CAM_BACK": [{"label": "car", "outlier_score": 0.1 * i}]},
            truth={"CAM_BACK": [{"label": "truck"}]},
        )
        for i in range(4)
    ]
    dataset = grouped_dataset(frames, summary=False)
    report = evaluate_mining(dataset, budgets=[0.5], seeds=[0])
    assert set(report.meta["strategies"]) == {
        "random",
        "oracle",
        "objects",
        "outlier_score",
    }
    with pytest.raises(MissingStageError, match="mining_group"):
        evaluate_mining(dataset, ["default"])
    dataset.delete()


def test_any_flat_dataset_with_two_fields_of_boxes() -> None:
    """No groups, scenes, splits, tokens or instances."""
    rng = np.random.default_rng(0)
    dataset = fo.Dataset()
    for number in range(30):
        box = [0.2, 0.2, 0.3, 0.3]
        label = "dog" if number % 3 == 0 else "cat"
        sample = fo.Sample(f"/none/{number}.jpg")
        sample["labels"] = fo.Detections(
            detections=[fo.Detection(label=label, bounding_box=box)]
        )
        sample["found"] = fo.Detections(
            detections=[
                fo.Detection(
                    label=label,
                    bounding_box=box,
                    confidence=float(rng.random()),
                    outlier_score=float(label == "dog"),
                )
            ]
        )
        dataset.add_sample(sample, dynamic=True)
    report = evaluate_mining(
        dataset,
        budgets=[1 / 3],
        seeds=range(3),
        targets=["dog"],
        field="found",
        gt_field="labels",
    )
    assert report.recall("outlier_score", 1 / 3) == 1
    assert report.recall("detector_class", 1 / 3) == 1
    scores = report.object_table.set_index(["score", "truth", "among"])
    assert scores.auroc["outlier_score", "dog", "all"] == 1
    assert report.meta["objects"]["found"]["matched"] == 30
    assert "one scene" in report.meta["notes"][-1]
    assert report.table.low.isna().all()
    dataset.delete()
