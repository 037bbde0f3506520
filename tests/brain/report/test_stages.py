"""What each stage did, in words."""

from __future__ import annotations

from raremine.brain.report.stages import outcome, stage_rows


def test_counts_in_words() -> None:
    summary = {
        "stage": "caption_objects",
        "objects": 1200,
        "skipped": 0,
        "status": {"ok": 1190, "refused": 10, "failed": 0},
        "failures": 10,
        "failed": [],
        "seconds": 3.0,
    }
    assert outcome(summary) == "1,200 objects, 1,190 ok, 10 refused"


def test_nothing_found_is_said() -> None:
    assert outcome({"stage": "detect_objects", "objects": 0}) == "0 objects"


def test_rows_follow_the_run_and_keep_unknown_stages() -> None:
    result = {
        "seconds": {"render": 9.0, "detect": 2.0, "select": 0.5,
                    "evaluate": 1},
        "stages": [
            {"stage": "detect_objects", "images": 6, "failures": 1,
             "failed": [{"where": "a.jpg", "reason": "truncated"}]},
            {"stage": "render", "scenes": 2},
        ],
        "selection": {
            "pool_size": 40,
            "picks": [{"component": "random"}, {"component": "top_up"}],
        },
        "evaluation": None,
        "evaluation_skipped": "no ground truth",
    }
    rows = stage_rows(result)
    assert [row.name for row in rows] == [
        "render", "detect", "select", "evaluate",
    ]
    assert rows[0].title == "Render"
    assert rows[1].failed == (("a.jpg", "truncated"),)
    assert rows[2].outcome == "2 of 40 frames (1 random + 1 top up)"
    assert rows[3].outcome == "no ground truth"


def test_without_a_run_there_are_no_rows() -> None:
    assert stage_rows({}) == []
