"""Captioning: every candidate keeps its row, whatever the model says."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import fiftyone as fo
import numpy as np
import pytest
from fiftyone import ViewField as F

import raremine.brain as rmb
from raremine.brain.captions import stage
from raremine.brain.captions.stage import COLUMNS
from raremine.brain.columns import read_objects, write_objects
from raremine.brain.errors import MissingStageError, RaremineError
from raremine.brain.objects import ObjectTable, object_array
from raremine.brain.runs import load_results, run_params
from tests.brain.fakes import (
    Color,
    FakeCaptioner,
    FakeDetector,
    Killed,
    class_of,
    color_of,
    colors_of,
    painted_dataset,
    scatter,
    truncate,
    values,
)

NAMES = ["car", "person", "truck", "dog", "bus", "bench", "bicycle", "car"]


@pytest.fixture
def dataset(tmp_path: Path) -> fo.Dataset:
    dataset = painted_dataset(tmp_path, scatter(NAMES, per_image=2))
    rmb.detect_objects(dataset, FakeDetector())
    return dataset


def by_color(dataset: fo.Dataset, *names: str) -> dict[Color, tuple]:
    colors = colors_of(dataset)
    table = read_objects(dataset, names=names)
    return {
        colors[label_id]: tuple(table[name][row] for name in names)
        for row, label_id in enumerate(table.label_id)
    }


@pytest.mark.parametrize("batch_size", [1, 3, 32])
def test_every_crop_gets_its_own_caption(
    dataset: fo.Dataset, batch_size: int
) -> None:
    summary = rmb.caption_objects(
        dataset, FakeCaptioner(batch_size=batch_size), candidates="all"
    )
    assert summary["status"] == {"ok": len(NAMES)}
    got = by_color(
        dataset,
        *("caption", "caption_keywords", "caption_model", "caption_raw"),
    )
    assert len(got) == len(NAMES)
    for color, (text, keywords, model, raw) in got.items():
        name = class_of(color)
        assert text == f"A {name} number{color[1]}x{color[2]}."
        assert keywords == [name]
        assert model == "fake-captioner"
        assert raw == FakeCaptioner.answer(color)


def test_the_detector_s_class_is_a_hint(dataset: fo.Dataset) -> None:
    captioner = FakeCaptioner()
    rmb.caption_objects(dataset, captioner, candidates="all")
    asked = dict(zip(captioner.seen, captioner.prompts, strict=True))
    assert "'truck'" in asked[color_of("truck", 2)]
    assert "'pedestrian'" in asked[color_of("person", 1)]
    captioner = FakeCaptioner()
    rmb.caption_objects(
        dataset, captioner, candidates="all", hint=False, overwrite=True
    )
    assert not any("detector called it" in p for p in captioner.prompts)


def test_a_caption_that_fails_keeps_its_object(
    dataset: fo.Dataset, tmp_path: Path
) -> None:
    colors = colors_of(dataset)
    bad, refuses = color_of("dog", 3), color_of("bus", 4)
    rambles = color_of("bench", 5)
    truncate(tmp_path / "CAM_FRONT/000.png")  # car 0 and person 1
    captioner = FakeCaptioner(
        fails_on=lambda color: color == bad,
        answers={refuses: "I'm sorry, I cannot process it.", rambles: "??"},
    )
    summary = rmb.caption_objects(dataset, captioner, candidates="all")
    assert summary["status"] == {
        "ok": 3,
        "failed": 3,
        "refused": 1,
        "unparsable": 1,
    }
    assert summary["failures"] == 5
    table = read_objects(
        dataset, names=["caption", "caption_status", "caption_reason"]
    )
    assert len(table) == len(NAMES)
    got = {
        colors[i]: (table["caption_status"][r], table["caption_reason"][r])
        for r, i in enumerate(table.label_id)
    }
    assert got[bad] == (
        "failed",
        "RuntimeError: the model cannot take this crop",
    )
    assert got[refuses][0] == "refused"
    assert got[rambles][0] == "unparsable"
    assert "truncated" in got[color_of("car", 0)][1]
    for row, status in enumerate(table["caption_status"]):
        assert (table["caption"][row] is not None) == (status == "ok")


def test_a_rerun_asks_only_for_what_is_not_ok(dataset: fo.Dataset) -> None:
    refuses = color_of("bus", 4)
    rmb.caption_objects(
        dataset,
        FakeCaptioner(answers={refuses: "Sorry."}),
        candidates="all",
    )
    captioner = FakeCaptioner()
    summary = rmb.caption_objects(dataset, captioner, candidates="all")
    assert captioner.seen == [refuses]
    assert summary["skipped"] == len(NAMES) - 1
    assert by_color(dataset, "caption_status")[refuses] == ("ok",)
    assert by_color(dataset, "caption_reason")[refuses] == (None,)
    rmb.caption_objects(dataset, captioner, candidates="all")
    assert captioner.seen == [refuses]


def test_other_settings_are_refused(dataset: fo.Dataset) -> None:
    rmb.caption_objects(dataset, FakeCaptioner(), candidates="all")
    other = FakeCaptioner(settings={"dtype": "float16"})
    with pytest.raises(RaremineError, match=r"\(captioner\).*overwrite=True"):
        rmb.caption_objects(dataset, other, candidates="all")
    with pytest.raises(RaremineError, match=r"\(prompt\)"):
        rmb.caption_objects(
            dataset, FakeCaptioner(), candidates="all", prompt="paper"
        )
    assert other.seen == []
    rmb.caption_objects(dataset, other, candidates="all", overwrite=True)
    assert len(other.seen) == len(NAMES)
    params = run_params(dataset, "objects_captions")
    assert params["captioner"]["dtype"] == "float16"


def test_overwriting_leaves_no_caption_of_other_settings(
    dataset: fo.Dataset,
) -> None:
    rmb.caption_objects(dataset, FakeCaptioner(), candidates="all")
    cars = [
        i for i, c in colors_of(dataset).items() if class_of(c) == "car"
    ]
    # same settings: only the chosen ones are redone, the others are as good
    rmb.caption_objects(
        dataset, FakeCaptioner(), candidates=cars, overwrite=True
    )
    assert Counter(s for _, s in values(dataset, "caption_status")) == {
        "ok": len(NAMES)
    }
    rmb.caption_objects(
        dataset,
        FakeCaptioner(),
        candidates=cars,
        prompt="paper",
        overwrite=True,
    )
    for color, (status, text) in by_color(
        dataset, "caption_status", "caption"
    ).items():
        is_car = class_of(color) == "car"
        assert status == ("ok" if is_car else "skipped")
        assert text == ("Car." if is_car else None)
    one = dataset.select_group_slices("CAM_BACK")
    with pytest.raises(RaremineError, match="outside this view"):
        rmb.caption_objects(
            one, FakeCaptioner(), candidates="all", overwrite=True
        )


def test_a_kill_loses_one_batch_and_a_rerun_finishes(
    dataset: fo.Dataset,
) -> None:
    with pytest.raises(Killed):
        rmb.caption_objects(
            dataset,
            FakeCaptioner(batch_size=2, kill_after=6),
            candidates="all",
        )
    got = by_color(dataset, *COLUMNS)
    done = [row for row in got.values() if row[COLUMNS.index("caption")]]
    assert len(done) == 6
    for row in done:
        full = dict(zip(COLUMNS, row, strict=True))
        assert full["caption_status"] == "ok"
        assert full["caption_raw"] and full["caption_model"]
    with pytest.raises(RaremineError, match=r"\(prompt\)"):
        rmb.caption_objects(
            dataset, FakeCaptioner(), candidates="all", prompt="paper"
        )
    captioner = FakeCaptioner()
    rmb.caption_objects(dataset, captioner, candidates="all")
    assert len(captioner.seen) == 2
    assert {s for _, s in values(dataset, "caption_status")} == {"ok"}


def test_too_few_answers_shift_nothing(dataset: fo.Dataset) -> None:
    class Lazy(FakeCaptioner):
        def caption(self, crops: list, prompts: list) -> list[str]:
            return super().caption(crops, prompts)[: max(len(crops) - 1, 1)]

    rmb.caption_objects(dataset, Lazy(), candidates="all")
    for color, (raw,) in by_color(dataset, "caption_raw").items():
        assert raw == FakeCaptioner.answer(color)


def test_who_is_no_candidate_is_skipped(dataset: fo.Dataset) -> None:
    table = read_objects(dataset)
    flags = [row in (1, 4) for row in range(len(table))]
    write_objects(dataset, "objects", table, {"outlier": flags})
    summary = rmb.caption_objects(dataset, FakeCaptioner())
    assert summary["objects"] == 2
    status = read_objects(dataset, names=["caption_status"])["caption_status"]
    assert [s == "ok" for s in status] == flags
    assert set(status) == {"ok", "skipped"}


def test_candidates_by_flag_class_or_id() -> None:
    n = 60
    labels = ["car"] * 50 + ["truck"] * 8 + ["dog"] * 2
    table = ObjectTable(
        np.array([f"id{i}" for i in range(n)]),
        np.array(["s"] * n),
        {
            "label": object_array(labels),
            "outlier": object_array([i == 7 for i in range(n)]),
        },
    )

    def chosen(candidates: object) -> list[int]:
        return np.flatnonzero(stage.candidate_rows(table, candidates)).tolist()

    assert chosen("outliers") == [7]
    # 2 of 60 dogs are under 5 %, 8 of 60 trucks are not
    assert chosen("outliers_or_rare") == [7, 58, 59]
    assert chosen("all") == list(range(n))
    assert chosen(["id3", "unknown"]) == [3]
    with pytest.raises(RaremineError, match="Unknown candidates 'some'"):
        chosen("some")


@pytest.mark.parametrize("candidates", ["outliers", "outliers_or_rare", "all"])
def test_no_objects_need_no_captions(
    tmp_path: Path, candidates: str
) -> None:
    dataset = painted_dataset(tmp_path, [{}])
    with pytest.raises(MissingStageError, match="run detect_objects first"):
        rmb.caption_objects(dataset, FakeCaptioner(), candidates=candidates)
    rmb.detect_objects(dataset, FakeDetector())
    summary = rmb.caption_objects(
        dataset, FakeCaptioner(), candidates=candidates
    )
    assert summary["objects"] == 0


def test_unscored_objects_have_no_outliers(dataset: fo.Dataset) -> None:
    with pytest.raises(MissingStageError, match="run score_outliers first"):
        rmb.caption_objects(dataset, FakeCaptioner())


def test_patches_caption_their_own(dataset: fo.Dataset) -> None:
    patches = dataset.select_group_slices(media_type="image").to_patches(
        "objects"
    )
    captioner = FakeCaptioner()
    cars = patches.match(F("objects.label") == "car")
    rmb.caption_objects(cars, captioner, candidates="all")
    assert [class_of(color) for color in captioner.seen] == ["car", "car"]
    others = {
        status
        for _, label, status in values(dataset, "label", "caption_status")
        if label != "car"
    }
    assert others == {None}


def test_deleting_the_run_deletes_its_fields(dataset: fo.Dataset) -> None:
    rmb.caption_objects(dataset, FakeCaptioner(), candidates="all")
    assert load_results(dataset, "objects_captions")["status"] == {"ok": 8}
    dataset.delete_brain_run("objects_captions")
    left = [p for p in dataset.get_field_schema(flat=True) if "caption" in p]
    assert left == []
