"""The sentence that a user reads on an object."""

from __future__ import annotations

import pytest

from raremine.brain.concepts.reasons import reason

FACTS = {
    "caption": "a yellow excavator",
    "label": "truck",
    "concept": "construction vehicle",
    "score": 0.912,
    "runner_up": "truck",
    "runner_up_score": 0.42,
    "outlier_by": ["isolation_forest", "knn"],
    "rank": 3,
    "total": 812,
}


def test_the_whole_sentence() -> None:
    assert reason(**FACTS) == (
        "caption says 'a yellow excavator' → construction vehicle (.91, "
        "next: truck .42); flagged by isolation_forest and knn; 3rd "
        "rarest of 812"
    )


@pytest.mark.parametrize(
    ("changes", "part"),
    [
        ({"caption": None}, "image alone (detector: truck) → construction"),
        ({"ambiguous": True}, "; too close to truck to tell"),
        ({"by_detector": True}, "; the detector says truck, a target"),
        ({"score": 1.0}, "(1.00, next"),
        ({"runner_up": None}, "construction vehicle (.91);"),
        ({"outlier_by": ["lof"]}, "; flagged by lof;"),
        ({"outlier_by": ["a", "b", "c"]}, "flagged by a, b and c"),
        (
            {"concept": None, "caption": None, "asked": False},
            "no concept was asked for (detector: truck)",
        ),
        (
            {"concept": None, "caption": None},
            "neither a caption nor a crop to judge (detector: truck)",
        ),
    ],
)
def test_its_parts(changes: dict[str, object], part: str) -> None:
    sentence = reason(**{**FACTS, **changes})
    assert part in sentence
    assert "nan" not in sentence
    assert "None" not in sentence


def test_what_is_not_known_is_not_said() -> None:
    sentence = reason(**{**FACTS, "outlier_by": [], "rank": None})
    assert "flagged" not in sentence
    assert "rarest" not in sentence


@pytest.mark.parametrize(
    ("rank", "written"),
    [
        (1, "1st"),
        (2, "2nd"),
        (11, "11th"),
        (12, "12th"),
        (13, "13th"),
        (21, "21st"),
        (112, "112th"),
        (1003, "1003rd"),
    ],
)
def test_places(rank: int, written: str) -> None:
    assert f"; {written} rarest of" in reason(**{**FACTS, "rank": rank})
