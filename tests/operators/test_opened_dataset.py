"""A run in the App that opens another dataset when it ends."""

from __future__ import annotations

from typing import Any

import fiftyone.operators.types as types
import pytest
from fiftyone.operators.executor import ExecutionContext, Executor

from raremine.operators.live_run import SHOWN, run_live


def _lines(work: Any) -> list[dict[str, Any]]:
    ctx = ExecutionContext({}, executor=Executor())
    lines = run_live(
        ctx,
        lambda reporter, cancellation: work(ctx),
        lambda results: types.Property(types.Object()),
    )
    return [line.to_json() for line in lines]


def _asked(lines: list[dict[str, Any]]) -> list[str]:
    bodies = [line["body"] for line in lines]
    return [b["operator_uri"] for b in bodies if "operator_uri" in b]


@pytest.mark.parametrize("opens", [True, False])
def test_its_result_outlives_the_change_of_page(opens: bool) -> None:
    def work(ctx: Any) -> dict[str, Any]:
        if opens:
            ctx.ops.open_dataset("loaded")
        return {"frames": 12}

    lines = _lines(work)
    result = lines[-1]["body"]
    assert result["frames"] == 12
    if opens:
        assert _asked(lines) == ["open_dataset", "show_output"]
        assert result[SHOWN]
    else:
        assert _asked(lines) == [] and SHOWN not in result
