"""Which annotated box each mined object shows."""

from __future__ import annotations

from collections.abc import Sequence

import fiftyone as fo
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from raremine.brain import box_matching
from raremine.brain.box_matching import Matches, iou, match_boxes

Box = Sequence[float]


def matches(
    boxes: Sequence[tuple[str, Box, float]],
    truth: Sequence[tuple[str, Box]],
    min_iou: float = 0.5,
) -> Matches:
    return match_boxes(
        np.array([b[0] for b in boxes], dtype=object),
        np.array([b[1] for b in boxes], dtype=float).reshape(-1, 4),
        np.array([b[2] for b in boxes], dtype=float),
        np.array([t[0] for t in truth], dtype=object),
        np.array([t[1] for t in truth], dtype=float).reshape(-1, 4),
        min_iou=min_iou,
    )


def test_known_overlaps() -> None:
    a = np.array([[0, 0, 2, 2], [0, 0, 2, 2], [0, 0, 1, 1], [0, 0, 0, 0]])
    b = np.array([[0, 0, 2, 2], [1, 0, 2, 2], [1, 1, 1, 1], [0, 0, 0, 0]])
    assert iou(a, b).tolist() == [1, 1 / 3, 0, 0]
    assert iou(np.array([[0, 0, np.nan, 1]]), b[:1]).tolist() == [0]


def test_the_surest_object_chooses_first_and_each_box_once() -> None:
    box = [0, 0, 10, 10]
    shifted = [0, 0, 10, 9]
    found = matches(
        [("i", shifted, 0.9), ("i", box, 0.5), ("i", box, 0.4)],
        [("i", box), ("i", [0, 0, 10, 6])],
    )
    # the exact fit of the less sure object is gone; it takes what is left
    assert found.box.tolist() == [0, 1, -1]
    assert found.again.tolist() == [False, False, True]


def test_boxes_of_other_images_do_not_exist() -> None:
    box = [0.1, 0.1, 0.2, 0.2]
    found = matches([("a", box, 0.9), ("c", box, 0.9)], [("b", box)])
    assert found.box.tolist() == [-1, -1]
    assert found.again.tolist() == [False, False]


def test_what_overlaps_too_little_shows_nothing() -> None:
    found = matches([("i", [0, 0, 1, 1], 1.0)], [("i", [0, 0, 1, 2.01])])
    assert found.box.tolist() == [-1] and not found.again.any()
    found = matches([("i", [0, 0, 1, 1], 1.0)], [("i", [0, 0, 1, 2])])
    assert found.box.tolist() == [0]


def test_nothing_to_match() -> None:
    box = [0, 0, 1, 1]
    assert len(matches([], [("i", box)]).box) == 0
    assert matches([("i", box, np.nan)], []).box.tolist() == [-1]


SCENES = st.lists(
    st.tuples(
        st.sampled_from("abc"),
        st.tuples(
            *[st.integers(0, 4)] * 2,
            *[st.integers(1, 5)] * 2,
        ),
        st.floats(0, 1),
    ),
    max_size=12,
)


@settings(max_examples=80, deadline=None)
@given(SCENES, SCENES, st.integers(1, 8))
def test_as_if_done_image_by_image(boxes: list, truth: list, at_once: int):
    truth = [t[:2] for t in truth]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(box_matching, "PAIRS_AT_ONCE", at_once)
        found = matches(boxes, truth)
    free = set(range(len(truth)))
    expected = [-1] * len(boxes)
    for row in sorted(range(len(boxes)), key=lambda r: -boxes[r][2]):
        image, box, _ = boxes[row]
        best = [
            (-overlap, t)
            for t in free
            if truth[t][0] == image
            and (
                overlap := iou(
                    np.array([box], float), np.array([truth[t][1]], float)
                )[0]
            )
            >= 0.5
        ]
        if best:
            expected[row] = min(best)[1]
            free.discard(expected[row])
    assert found.box.tolist() == expected


def test_as_fiftyone_matches_for_coco() -> None:
    """Its evaluation, of boxes that are all of one class."""
    rng = np.random.default_rng(3)
    dataset = fo.Dataset()
    rows, truth = [], []
    for image in range(12):
        true = rng.random((6, 4)) * 0.4 + 0.1
        made = np.repeat(true, 2, axis=0) + rng.normal(0, 0.03, (12, 4))
        sure = rng.permutation(12) / 12
        sample = fo.Sample(f"/none/{image}.jpg")
        sample["truth"] = fo.Detections(
            detections=[
                fo.Detection(label="x", bounding_box=b.tolist()) for b in true
            ]
        )
        sample["made"] = fo.Detections(
            detections=[
                fo.Detection(
                    label="x", bounding_box=b.tolist(), confidence=float(c)
                )
                for b, c in zip(made, sure, strict=True)
            ]
        )
        dataset.add_sample(sample)
        rows += [(image, b, c) for b, c in zip(made, sure, strict=True)]
        truth += [(image, b) for b in true]
    dataset.evaluate_detections(
        "made", gt_field="truth", eval_key="e", iou=0.5, progress=False
    )
    theirs = [
        other != ""
        for sample in dataset.values("made.detections.e_id")
        for other in sample
    ]
    ids = [i for s in dataset.values("truth.detections.id") for i in s]
    partner = [
        ids.index(other) if other else -1
        for sample in dataset.values("made.detections.e_id")
        for other in sample
    ]
    found = matches(rows, truth)
    assert 30 < sum(theirs) < 72
    assert found.box.tolist() == partner
    dataset.delete()
