"""What a user sees of a run at work, and how it ends."""

from __future__ import annotations

import contextlib
import threading
import time

import pytest

from raremine.brain.progress import (
    Progress,
    StageCancelled,
    checkpoint,
    listening,
    stage_of,
)
from raremine.operators.cancellation import Cancellation, RunCancelledError
from raremine.operators.durations import in_words
from raremine.operators.progress import Reporter


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def shown() -> list[tuple[float, str]]:
    return []


@pytest.fixture
def reporter(clock: Clock, shown: list[tuple[float, str]]) -> Reporter:
    return Reporter(
        lambda share, text: shown.append((share, text)), Cancellation(), clock
    )


def test_stage_done_total_rate_and_time_left(
    reporter: Reporter, clock: Clock, shown: list[tuple[float, str]]
) -> None:
    for second in range(11):
        clock.now = float(second)
        reporter(20 * second, 2000, "Detecting objects")
    assert shown[0] == (0.0, "Detecting objects 0/2,000")
    assert shown[-1] == (
        0.1,
        "Detecting objects 200/2,000 · 20/s · 90 s left".replace(
            "90 s", in_words(90.0)
        ),
    )


def test_a_thousand_reports_a_second_are_one_update(
    reporter: Reporter, clock: Clock, shown: list[tuple[float, str]]
) -> None:
    for report in range(3000):
        clock.now = report / 1000
        reporter(report, 3000, "Embedding objects")
    assert len(shown) == 3
    reporter(3000, 3000, "Embedding objects")
    assert shown[-1][0] == 1.0


def test_a_new_stage_is_shown_at_once_with_its_own_rate(
    reporter: Reporter, clock: Clock, shown: list[tuple[float, str]]
) -> None:
    reporter(5, 10, "Detecting objects")
    clock.now = 0.1
    reporter(0, 10, "Embedding objects")
    assert shown[-1] == (0.0, "Embedding objects 0/10")


def test_the_share_of_a_row_of_stages_is_that_of_all(
    reporter: Reporter, shown: list[tuple[float, str]]
) -> None:
    with listening(reporter):
        with stage_of(3, 10):
            checkpoint("Scoring knn", 1, 2)
        checkpoint("Writing")
    assert shown == [
        (0.25, "Step 3 of 10: Scoring knn 1/2"),
        (0.0, "Writing"),
    ]


def test_bars_of_the_sdk_report_to_whoever_listens(
    reporter: Reporter, shown: list[tuple[float, str]]
) -> None:
    with listening(reporter), Progress(2, "Measuring strategies") as bar:
        bar.add(2)
    assert shown[-1] == (1.0, "Measuring strategies 2/2")
    with Progress(2, "Measuring strategies", False) as bar:
        bar.add(2)
    assert len(shown) == 2


def test_a_checkpoint_without_words_shows_nothing_and_stops_all_the_same() -> (
    None
):
    shown: list[str] = []
    cancellation = Cancellation()
    reporter = Reporter(lambda _, text: shown.append(text), cancellation)
    with listening(reporter):
        checkpoint()
        assert shown == []
        cancellation.cancel()
        with pytest.raises(StageCancelled):
            checkpoint()
    checkpoint()


def test_cancelled_work_is_told_as_such_and_no_exception_hides_it() -> None:
    cancellation = Cancellation()
    cancellation.cancel()
    kept = "what was finished is kept"
    with (
        pytest.raises(RunCancelledError, match=kept),
        cancellation.watching(),
        contextlib.suppress(Exception),
    ):
        cancellation.check()


def test_other_errors_pass_a_watched_run_unchanged() -> None:
    with pytest.raises(ValueError, match="bad"), Cancellation().watching():
        raise ValueError("bad")


def test_nobody_is_interrupted_after_the_work_has_ended() -> None:
    before = threading.active_count()
    cancellation = Cancellation()
    with cancellation.watching():
        pass
    cancellation.cancel()
    end = time.monotonic() + 10
    while threading.active_count() > before and time.monotonic() < end:
        time.sleep(0.05)
    assert threading.active_count() <= before


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.2, "under a second"),
        (42.4, "42 s"),
        (200, "3 min"),
        (7200, "2 h"),
        (12_060, "3 h 20 min"),
        (300_000, "3 days"),
    ],
)
def test_durations_are_worded_no_more_exactly_than_they_are_known(
    seconds: float, words: str
) -> None:
    assert in_words(seconds) == words
