"""What the run did, how long it took, and what made it."""

from __future__ import annotations

from raremine.brain.report.content import Content
from raremine.brain.report.html import Html, count, element, join, seconds
from raremine.brain.report.parts import panel, section, table
from raremine.brain.report.stages import stage_rows

SHOWN_FAILURES = 12


def stages(content: Content) -> Html:
    """What each stage did, and how long it took."""
    rows = stage_rows(content.result)
    title = "Stages"
    how = (
        "What each stage took in and left, how many inputs it could not "
        "use, and its wall time. A failure costs its own input only."
    )
    if not rows:
        return section(
            title,
            how,
            element(
                "p", "The result of a run was not passed.", class_="empty"
            ),
            id="stages",
        )
    longest = max(max(row.seconds for row in rows), 1e-9)
    times = table(
        ("Stage", "Outcome", "Failures", "Time"),
        [
            (
                element("td", row.title, class_="nowrap"),
                element("td", row.outcome),
                element("td", count(row.failures), class_="n"),
                element(
                    "td",
                    seconds(row.seconds),
                    element(
                        "div",
                        element(
                            "span",
                            class_="bar plain",
                            style=f"width:{row.seconds / longest:.2%}",
                        ),
                        class_="bar-track",
                    ),
                    class_="n",
                ),
            )
            for row in rows
        ],
        numbers={2, 3},
    )
    failed = [(row.title, *f) for row in rows for f in row.failed]
    details = None
    if failed:
        details = element(
            "details",
            element("summary", "The first inputs that could not be used"),
            table(
                ("Stage", "Where", "Reason"),
                [
                    [element("td", value) for value in row]
                    for row in failed[:SHOWN_FAILURES]
                ],
            ),
        )
    return section(
        title,
        how,
        panel(times, details),
        id="stages",
    )


def footer(content: Content) -> Html:
    """What made it."""
    lines = {
        **content.facts,
        "versions": ", ".join(f"{k} {v}" for k, v in content.versions.items()),
    }
    return element(
        "footer",
        element(
            "dl",
            (
                join(element("dt", name), element("dd", value))
                for name, value in lines.items()
            ),
        ),
    )
