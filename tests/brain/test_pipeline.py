"""All stages in a row, with models that read the paint."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import fiftyone as fo
import pytest

import raremine.brain as rmb
from raremine.brain import pipeline
from raremine.brain.columns import read_objects
from raremine.brain.errors import (
    MissingStageError,
    ModelError,
    RaremineError,
    VocabularyError,
)
from raremine.brain.models.server_captioner import ServerCaptioner
from tests.brain.fakes import (
    FakeCaptioner,
    FakeDetector,
    FakeEmbedder,
    Killed,
    painted_dataset,
    scatter,
    truncate,
    values,
)

NAMES = [
    *["car"] * 9,
    *["person"] * 5,
    *["truck", "bicycle", "traffic light", "dog", "bench"],
]
CAMERAS = ("CAM_FRONT", "CAM_BACK", "CAM_LEFT")
RECIPE = {"random": 0.5}

STAGES = [
    *("detect_objects", "embed_objects", "score_outliers", "map_objects"),
    *("caption_objects", "match_concepts", "score_novelty", "rank_pareto"),
]


@pytest.fixture(autouse=True)
def quick_map(monkeypatch: pytest.MonkeyPatch) -> None:
    """UMAP's first call compiles for many seconds; it has its own tests."""
    from raremine.brain import presets

    for name in ("default", "paper"):
        monkeypatch.setitem(presets.PRESETS[name], "map", {"method": "pca"})


def world(folder: Path, names: list[str], **kwargs: Any) -> fo.Dataset:
    frames = scatter(names, cameras=CAMERAS, per_image=2)
    return painted_dataset(
        folder, frames, cameras=CAMERAS, **{"truth": True, **kwargs}
    )


def models() -> dict[str, Any]:
    return {
        "detector": FakeDetector(),
        "embedder": FakeEmbedder(),
        "captioner": FakeCaptioner(),
    }


def mine(dataset: fo.Dataset, preset: str = "default", **kwargs: Any) -> dict:
    return rmb.mine(dataset, preset, **{"recipe": RECIPE, **kwargs})


@pytest.mark.parametrize("preset", ["default", "paper"])
@pytest.mark.parametrize("captions", [True, False])
def test_a_preset_runs_to_the_end(
    tmp_path: Path, preset: str, captions: bool
) -> None:
    dataset = world(tmp_path / "images", NAMES)
    used = models() if captions else {**models(), "captioner": None}
    out = mine(dataset, preset, **used, out_dir=tmp_path / "out")
    assert (out["images"], out["frames"]) == (12, 4)
    assert out["objects"] == len(NAMES)
    assert sum(out["groups"].values()) == len(NAMES)
    assert out["failures"] == 0
    ran = [s["stage"] for s in out["stages"] if s["stage"] in STAGES]
    without = {"caption_objects", "score_novelty"}
    assert ran == [s for s in STAGES if captions or s not in without]
    assert Path(out["export"]).exists()
    assert out["evaluation"] is not None
    assert json.loads(json.dumps(out["evaluation"]))
    assert set(out["views"]) == {"Target", "Rare", "Target/Rare selection"}
    table = read_objects(dataset, names=["label", "group", "reason"])
    by_label = dict(zip(table["label"], table["group"], strict=True))
    if preset == "default":
        assert by_label["truck"] == "target"
        # of the bicycle the detector is half sure, and nobody else saw it
        assert (by_label["bicycle"] == "target") == captions
        assert by_label["dog"] == "rare"
        assert by_label["car"] == by_label["traffic light"] == "common"
    for reason in table["reason"]:
        assert reason
        assert "nan" not in reason
        assert "None" not in reason
    runs = dataset.list_brain_runs()
    assert {"objects_detect", "objects_clip", "objects_outliers"} <= set(runs)
    for key in runs:
        assert dataset.load_brain_results(key) is not None
        assert dataset.get_brain_info(key).config.type


@pytest.mark.parametrize("preset", ["default", "paper"])
@pytest.mark.parametrize("n", [0, 1, 2, 5])
def test_few_objects(tmp_path: Path, preset: str, n: int) -> None:
    dataset = world(tmp_path, NAMES[:n], truth=False)
    out = mine(dataset, preset, **models())
    assert out["objects"] == n
    assert sum(out["groups"].values()) == n
    assert out["evaluation"] is None
    assert out["evaluation_skipped"]


def test_a_second_run_calls_no_model(tmp_path: Path) -> None:
    dataset = world(tmp_path, NAMES)
    first = mine(dataset, **models())
    before = values(
        dataset, "label", "outlier_score", "caption", "concept", "reason"
    )
    again = models()
    second = mine(dataset, **again)
    assert again["detector"].images == 0
    assert again["embedder"].crops == 0
    assert again["captioner"].seen == []
    assert second["groups"] == first["groups"]
    assert second["selection"] == first["selection"]
    after = values(
        dataset, "label", "outlier_score", "caption", "concept", "reason"
    )
    assert after == before
    third = models()
    mine(dataset, overwrite=True, **third)
    assert third["detector"].images == 12
    assert third["embedder"].crops == len(NAMES)
    assert third["captioner"].seen
    assert len(values(dataset)) == len(NAMES)


def test_an_interrupted_run_is_finished_by_the_next(tmp_path: Path) -> None:
    dataset = world(tmp_path / "a", NAMES)
    with pytest.raises(Killed):
        mine(
            dataset, **{**models(), "embedder": FakeEmbedder(kill_after=6)}
        )
    with pytest.raises(Killed):
        mine(
            dataset,
            **{
                **models(),
                "captioner": FakeCaptioner(kill_after=2, batch_size=1),
            },
        )
    out = mine(dataset, **models())
    whole = world(tmp_path / "b", NAMES)
    assert mine(whole, **models())["groups"] == out["groups"]

    def shown(dataset: fo.Dataset) -> list[tuple]:
        names = ("outlier_score", "caption", "concept", "novelty", "group")
        return [row[1:] for row in values(dataset, *names)]

    assert shown(dataset) == shown(whole)


def test_ids_and_insertion_order_decide_nothing(tmp_path: Path) -> None:
    got = []
    for reverse in (False, True):
        dataset = world(tmp_path, NAMES, reverse=reverse)
        out = mine(dataset, "paper", **models(), seed=4)
        names = (
            *("kept_early", "tsne_knn", "isolation_forest", "outlier_by"),
            *("caption", "concept", "novelty", "pareto_front", "reason"),
        )
        got.append((values(dataset, *names), out["selection"]["picks"]))
    assert got[0] == got[1]


def test_one_broken_image_costs_itself_only(tmp_path: Path) -> None:
    dataset = world(tmp_path, NAMES)
    truncate(tmp_path / "CAM_BACK/001.png")
    out = mine(dataset, **models())
    assert out["objects"] == len(NAMES) - 2
    assert out["failures"] == 1
    assert out["stages"][0]["failures"] == 1


def test_the_user_s_vocabulary_and_targets(tmp_path: Path) -> None:
    dataset = world(tmp_path, NAMES)
    words = {
        "concepts": [
            {"name": "dog", "group": "rare"},
            {"name": "car", "group": "common"},
        ]
    }
    out = mine(dataset, **models(), vocabulary=words, targets=["dog"])
    table = read_objects(dataset, names=["label", "concept", "group"])
    dog = list(table["label"]).index("dog")
    assert (table["concept"][dog], table["group"][dog]) == ("dog", "target")
    car = list(table["label"]).index("car")
    assert (table["concept"][car], table["group"][car]) == ("car", "common")
    assert set(table["concept"]) == {"dog", "car"}
    assert out["groups"]["target"] == sum(table["group"] == "target")


def test_mistakes_are_told_before_anything_is_written(
    tmp_path: Path,
) -> None:
    dataset = world(tmp_path / "images", NAMES[:2])
    absent = str(tmp_path / "absent")
    for changes, error, message in [
        ({"preset": "fast"}, RaremineError, "Unknown preset 'fast'"),
        ({"detector": f"{absent}.pt"}, ModelError, f"{absent}.pt"),
        ({"embedder": absent}, ModelError, absent),
        ({"captioner": absent}, ModelError, absent),
        ({"detector": {"conf": 0.5}}, RaremineError, "add 'model'"),
        ({"vocabulary": absent}, VocabularyError, absent),
        ({"targets": ["lama"]}, VocabularyError, "lama"),
    ]:
        with pytest.raises(error, match=message):
            mine(dataset, **{**models(), **changes})
    assert dataset.list_brain_runs() == []
    assert dataset.get_field("objects") is None


def test_an_evaluation_that_was_asked_for_must_be_possible(
    tmp_path: Path,
) -> None:
    dataset = world(tmp_path, NAMES, truth=False)
    out = mine(dataset, **models())
    assert out["evaluation"] is None
    assert out["evaluation_skipped"]
    with pytest.raises(MissingStageError):
        mine(dataset, **models(), evaluate=True)
    out = mine(dataset, **models(), evaluate=False)
    assert out["evaluation_skipped"] == "not asked for"
    # ground truth without any target: nothing was asked, nothing is lost
    cars = world(tmp_path / "cars", ["car"] * 4)
    assert mine(cars, **models())["evaluation"] is None


def test_another_field_is_mined_beside_the_first(tmp_path: Path) -> None:
    dataset = world(tmp_path, NAMES)
    mine(dataset, **models())
    mine(dataset, "paper", **models(), field="published")
    assert len(values(dataset, field="published")) == len(NAMES)
    keys = set(dataset.list_brain_runs())
    assert {"objects_clip", "published_clip"} <= keys
    kept = values(dataset, "kept_early", field="published")
    # two of 19 are of the kept classes, a tenth of all is added
    assert sum(flag for _, flag in kept) == 2 + 2


@pytest.mark.parametrize(
    ("preset", "balance", "pooled"),
    [("default", "scenes", True), ("paper", "rank", False)],
)
def test_a_preset_without_a_recipe_has_its_own(
    tmp_path: Path, preset: str, balance: str, pooled: bool
) -> None:
    dataset = world(tmp_path / "images", NAMES)
    out = mine(dataset, preset, **models(), recipe=None, evaluate=False)
    recipe = rmb.load_selection(dataset, out["selection"]["name"]).recipe
    assert recipe["balance"] == balance
    assert (recipe["random"], recipe["target"]) == (0.1, 0.1)
    evidence = read_objects(dataset, names=["target_evidence"])
    known = [v == v for v in evidence["target_evidence"].tolist()]
    assert all(known) if pooled else not any(known)


def test_captions_see_the_candidates_only(tmp_path: Path) -> None:
    dataset = world(tmp_path, NAMES)
    used = models()
    mine(dataset, **used, evaluate=False)
    table = read_objects(dataset, names=["outlier", "label"])
    # a class below a twentieth of 19 objects has no object at all
    assert len(used["captioner"].seen) == sum(table["outlier"] == True)  # noqa: E712


def test_a_captioner_may_stand_behind_an_address() -> None:
    # nothing is asked before there is something to caption
    settings = {"prompt": "default", "hint": False}
    by_name, options = pipeline._captioner(
        {
            "server": "http://127.0.0.1:9/v1",
            "model": "tiny",
            "concurrency": 3,
            "candidates": "all",
        },
        settings,
    )
    assert isinstance(by_name, ServerCaptioner)
    assert (by_name.name, by_name.batch_size) == ("tiny", 12)
    assert options == {**settings, "candidates": "all"}
    by_address, options = pipeline._captioner(
        {
            "model": "http://127.0.0.1:9/v1",
            "served_model": "tiny",
            "hint": True,
        },
        settings,
    )
    assert isinstance(by_address, ServerCaptioner)
    assert (by_address.name, options["hint"]) == ("tiny", True)
