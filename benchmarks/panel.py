"""The Mining panel on a large dataset: opening it, opening it again, a click.

    python3 run.py bench panel [--json FILE] [--quick]

A mined dataset of trainval's size is made (34,149 keyframes of six cameras,
about a million objects; the images do not exist) and the panel is driven as
the App drives it: by its events, without a browser. Bytes are those of what
the App is sent, as JSON. ``--quick`` makes 2,000 keyframes.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from pathlib import Path
from typing import Any

from benchmarks._measure import (
    in_fresh_process,
    machine,
    table,
    tell,
    write_json,
)

TRAINVAL = 34_149
QUICK = 2_000
PANEL = "@raremine/raremine/mining"


def measure(name: str) -> dict[str, Any]:
    """Opens the panel and clicks, in one process as the App's server is.

    Args:
        name: of a dataset that ``make_dataset`` made
    """
    import fiftyone as fo

    from raremine.brain.overview.conditions import IS, Condition
    from raremine.brain.overview.histogram import beyond_conditions
    from raremine.operators.panel import mining_links as links
    from raremine.operators.panel.mining import Mining
    from raremine.operators.panel.mining_state import (
        Choice,
        read_content,
    )

    dataset = fo.load_dataset(name)
    panel: Any = Mining()
    rows: list[dict[str, Any]] = []
    state: dict[str, Any] = {}

    def event(what: str, method: str, **params: Any) -> None:
        nonlocal state
        start = time.perf_counter()
        state, sent = _send(panel, dataset, method, state, params)
        seconds = time.perf_counter() - start
        rows.append({"event": what, "s": seconds, "KB": round(sent / 1000)})

    event("first opening", "on_load")
    event("opening again", "on_load")
    event("threshold moved", "on_cut_a", value=0.5)
    event("another score", "on_score_a", value="knn")
    content = read_content(dataset, Choice.of(state["choice"]))
    grid, counts = content.grid, content.counts
    if grid is None or counts is None:
        raise RuntimeError(f"The panel read nothing: {content.problems}.")
    # the smallest tail with a few hundred objects
    tail = next(
        b for b in range(grid.axes[0].bins) if grid.beyond(b, None) < 2_000
    )
    smallest = min(counts.bars, key=lambda b: b.count)
    animals = links.objects(smallest.conditions)
    event(f"click: {smallest.count:,} objects of a bar", "on_open", id=animals)
    beyond = beyond_conditions(grid.axes[0], tail)
    count = grid.beyond(tail, None)
    click = f"click: {count:,} objects beyond a threshold"
    event(click, "on_open", id=links.objects(beyond))
    target = (Condition("group", IS, "target"),)
    click = f"click: {counts.groups['target']:,} objects, on their images"
    event(click, "on_open", id=links.objects(target))
    click = f"click: {counts.frames['target']:,} keyframes"
    event(click, "on_open", id=links.frames("target"))
    event("click: a row", "on_row", row=0)
    return {"rows": rows, "objects": counts.objects, "images": counts.images}


def _send(
    panel: Any,
    dataset: Any,
    method: str,
    state: dict[str, Any],
    params: dict[str, Any],
) -> tuple[dict[str, Any], int]:
    """Sends an event as the App does; returns state and bytes of the answer.

    A view of patches is made when it is opened, so that is in the time.
    """
    from fiftyone.operators.executor import ExecutionContext, Executor

    request = {
        "dataset_name": dataset.name,
        "params": {
            "panel_id": "bench",
            "panel_state": state,
            "__method__": method,
            **params,
        },
    }
    ctx = ExecutionContext(request, executor=Executor(), operator_uri=PANEL)
    panel.execute(ctx)
    asked = [call.to_json() for call in ctx.executor._requests]
    failed = [
        call["params"]["message"]
        for call in asked
        if call["operator_uri"].endswith("notify")
        and call["params"].get("variant") != "info"
    ]
    if failed:
        raise RuntimeError(f"{method} failed: {failed}")
    return ctx.panel_state, len(json.dumps(asked))


def main() -> None:
    """Makes the dataset, measures and prints a table."""
    parser = argparse.ArgumentParser(
        prog="run.py bench panel", description=__doc__.splitlines()[0]
    )
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--quick", action="store_true", help="60,000 objects")
    parser.add_argument("--measure", metavar="DATASET", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        tell(lambda: measure(options.measure))
        return
    import fiftyone as fo

    from benchmarks._panel_dataset import make_dataset

    name = f"raremine-bench-{os.getpid()}"
    keyframes = QUICK if options.quick else TRAINVAL
    print(f"  {keyframes:,} keyframes: making the dataset ...", flush=True)
    try:
        make_dataset(name, keyframes)
        print("  measuring ...", flush=True)
        told = in_fresh_process("benchmarks.panel", "--measure", name)
    finally:
        if fo.dataset_exists(name):
            fo.delete_dataset(name)
    here = machine("fiftyone", "pymongo")
    print(f"\n{told['objects']:,} objects on {told['images']:,} images\n")
    print(table(told["rows"]))
    print(f"\npeak of memory: {told['peak_mb']:,.0f} MB")
    print(f"\n{', '.join(f'{k} {v}' for k, v in here.items())}")
    write_json(options.json, {**told, "machine": here})


if __name__ == "__main__":
    main()
