"""One readable sentence that says why an object got its group."""

from __future__ import annotations

from collections.abc import Sequence


def reason(
    *,
    caption: str | None,
    label: str | None,
    concept: str | None,
    score: float,
    runner_up: str | None,
    runner_up_score: float,
    outlier_by: Sequence[str],
    rank: int | None,
    total: int,
    ambiguous: bool = False,
    by_detector: bool = False,
    asked: bool = True,
    detector_counts: bool = False,
) -> str:
    """Writes the sentence.

    Args:
        caption: what the vision-language model said, None if it was not asked
        label: the detector's class
        concept: the concept decided, None if the object was not matched
        score: its score
        runner_up: the next concept
        runner_up_score: its score
        outlier_by: methods that flagged the object
        rank: place among all objects by outlier score, 1 = the highest
        total: number of objects ranked
        ambiguous: whether the two best concepts are too close to tell
        by_detector: whether the group follows the detector's class
        asked: whether a concept was to be decided at all
        detector_counts: whether the detector's class was the text evidence

    Returns:
        such as "caption says 'a yellow excavator' → construction vehicle
        (.91, next: truck .42); flagged by isolation_forest and knn; 3rd rarest
        of 812"
    """
    if concept is None:
        why = (
            "neither a caption nor a crop to judge"
            if asked
            else "no concept was asked for"
        )
        parts = [f"{why} (detector: {label})"]
    else:
        source = (
            f"caption says '{caption}'"
            if caption
            else f"no caption, detector says {label}"
            if detector_counts
            else f"image alone (detector: {label})"
        )
        following = (
            f", next: {runner_up} {_short(runner_up_score)}"
            if runner_up
            else ""
        )
        parts = [f"{source} → {concept} ({_short(score)}{following})"]
    if ambiguous and runner_up:
        parts.append(f"too close to {runner_up} to tell")
    if by_detector:
        parts.append(f"the detector says {label}, a target")
    if outlier_by:
        parts.append(f"flagged by {_and(outlier_by)}")
    if rank is not None:
        parts.append(f"{_ordinal(rank)} rarest of {total}")
    return "; ".join(parts)


def _short(value: float) -> str:
    text = f"{value:.2f}"
    return text[1:] if text.startswith("0.") else text


def _and(names: Sequence[str]) -> str:
    if len(names) == 1:
        return names[0]
    return f"{', '.join(names[:-1])} and {names[-1]}"


def _ordinal(number: int) -> str:
    if number % 100 in (11, 12, 13):
        return f"{number}th"
    suffix = {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{suffix}"
