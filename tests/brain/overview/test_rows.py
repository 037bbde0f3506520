"""The most unusual objects, the scatter's points and their pictures."""

from __future__ import annotations

import base64
import io
from pathlib import Path
from typing import Any

import fiftyone as fo
import pytest
from PIL import Image

from raremine.brain.overview.crops import LONGEST_SIDE, thumbnails
from raremine.brain.overview.fields import read_field
from raremine.brain.overview.histogram import count_grid
from raremine.brain.overview.rows import (
    ObjectRow,
    first_fronts,
    most_unusual,
    some_objects,
)

BOX = (0.25, 0.25, 0.5, 0.5)


def _unusual(dataset: fo.Dataset, **options: Any) -> list[ObjectRow]:
    field = read_field(dataset, "objects")
    grid = count_grid(dataset, field, ["outlier_score"])
    return most_unusual(dataset, field, "outlier_score", grid, **options)


def test_the_highest_scores_come_first(dataset: fo.Dataset) -> None:
    rows = _unusual(dataset)
    scores = [row.numbers["outlier_score"] for row in rows]
    assert scores == sorted(scores, reverse=True)
    assert scores[:2] == [0.99, 0.99]
    assert {row.texts["concept"] for row in rows[:2]} == {"animal"}
    assert rows[0].camera == "CAM_FRONT"
    assert rows[0].scene in ("scene-0", "scene-2")


def test_a_group_alone(dataset: fo.Dataset) -> None:
    rows = _unusual(dataset, group="target")
    assert [row.texts["concept"] for row in rows] == ["truck"] * 5
    assert _unusual(dataset, group="nothing") == []


def test_few_rows_are_enough(dataset: fo.Dataset) -> None:
    assert len(_unusual(dataset, most=3)) == 3


def test_a_scene_shows_the_same_thing_twice_at_most(
    dataset: fo.Dataset,
) -> None:
    dataset.select_group_slices(
        dataset.group_slices, _allow_mixed=True
    ).set_field("scene_name", "one").save("scene_name")
    rows = _unusual(dataset, group="target")
    assert len(rows) == 2
    # without scenes every image is one of its own
    dataset.delete_sample_field("scene_name")
    assert len(_unusual(dataset, group="target")) == 5


def test_the_scatter_has_the_first_fronts_in_order(
    dataset: fo.Dataset,
) -> None:
    field = read_field(dataset, "objects")
    rows = first_fronts(dataset, field, 4)
    assert [row.numbers["pareto_order"] for row in rows] == [0, 1, 2, 3]
    assert len(first_fronts(dataset, field, 100)) == 7


def test_some_others_are_bounded(dataset: fo.Dataset) -> None:
    field = read_field(dataset, "objects")
    assert 0 < len(some_objects(dataset, field, 5)) <= 5


def _row(path: Path, box: tuple[float, ...] = BOX) -> ObjectRow:
    return ObjectRow("l", "s", str(path), "", "", box, {})


def test_a_missing_image_costs_its_own_picture_alone(tmp_path: Path) -> None:
    good = tmp_path / "good.png"
    image = Image.new("RGB", (400, 300), (10, 20, 30))
    image.paste((200, 100, 50), (100, 75, 300, 225))
    image.save(good)
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"no image")
    rows = [
        _row(tmp_path / "none.jpg"),
        _row(good),
        _row(broken),
        _row(good, (0.5, 0.5, 0.0, 0.2)),
        _row(good, ()),
        _row(good, (0.0, 0.0, 0.1, 0.1)),
    ]
    found = thumbnails(rows)
    assert [bool(text) for text in found] == [
        *(False, True, False),
        *(False, False, True),
    ]
    head, _, data = found[1].partition(",")
    assert head == "data:image/jpeg;base64"
    crop = Image.open(io.BytesIO(base64.b64decode(data)))
    assert max(crop.size) == LONGEST_SIDE
    middle = crop.getpixel((crop.width // 2, crop.height // 2))
    assert middle == pytest.approx((200, 100, 50), abs=12)
    assert len(found[1]) < 8_000
