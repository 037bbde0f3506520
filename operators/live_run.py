"""An immediate run that the App can watch: its progress, then its result.

FiftyOne shows progress of immediate runs only if they are generators of
messages. The work is done in a thread; this generator, which the App's
request drives, says how far it is. Such a run is not ended after ten
minutes as others are, but it ends with the request: closing the page
cancels it.
"""

from __future__ import annotations

import contextlib
import contextvars
import queue
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import fiftyone.operators.types as types
from fiftyone.operators.executor import InvocationRequest
from fiftyone.operators.message import GeneratedMessage, MessageType

from raremine.operators.cancellation import Cancellation, RunCancelledError
from raremine.operators.progress import Reporter

SHOW_AFTER = 1.5
"""Seconds of work before a bar appears: shorter runs just end."""

ALIVE_EVERY = 1.0
"""Seconds after which an unchanged bar is sent again: only a message that is
sent tells whether anybody still reads."""

SHOWN = "shown"
"""Mark of a result that was shown by the run itself."""

Work = Callable[[Reporter, Cancellation], Mapping[str, Any]]


class _Line(GeneratedMessage):
    """A line of the stream, as the App reads it."""

    def __init__(self, content: Mapping[str, Any]) -> None:
        super().__init__()
        self._content = dict(content)

    def to_json(self) -> dict[str, Any]:
        """Returns the line."""
        return self._content


def run_live(
    ctx: Any,
    work: Work,
    output: Callable[[Mapping[str, Any]], types.Property],
) -> Iterator[GeneratedMessage]:
    """Works in a thread and yields what the App is to show.

    Args:
        ctx: FiftyOne's execution context
        work: gets a reporter and a cancellation, returns the result
        output: lays out a result
    """
    told: queue.SimpleQueue[tuple[str, Any]] = queue.SimpleQueue()
    cancellation = Cancellation()

    def show(share: float, text: str) -> None:
        told.put(("progress", {"progress": share, "label": text}))

    def do() -> None:
        try:
            result = work(Reporter(show, cancellation), cancellation)
        except RunCancelledError:
            told.put(("result", None))
        except Exception as error:
            trace = traceback.format_exc()
            told.put(("error", {"error": trace, "error_message": str(error)}))
        else:
            told.put(("result", result))

    context = contextvars.copy_context()
    thread = threading.Thread(
        target=context.run, args=(do,), name="raremine-run", daemon=True
    )
    thread.start()
    start = sent = time.monotonic()
    latest: Mapping[str, Any] = {"label": "Starting"}
    shown = False
    try:
        while True:
            with contextlib.suppress(queue.Empty):
                kind, value = told.get(timeout=ALIVE_EVERY / 4)
                if kind == "error":
                    yield _Line(value)
                    return
                if kind == "result":
                    yield from _end(ctx, value, output, shown)
                    return
                latest, sent = value, 0.0
            now = time.monotonic()
            if now - start >= SHOW_AFTER and now - sent >= ALIVE_EVERY:
                shown, sent = True, now
                yield _operate(ctx, "set_progress", latest)
    finally:
        # nobody reads any more: the page was closed
        cancellation.cancel()


def _end(
    ctx: Any,
    result: Mapping[str, Any] | None,
    output: Callable[[Mapping[str, Any]], types.Property],
    shown: bool,
) -> Iterator[GeneratedMessage]:
    """Yields what the work asked the App to do, and its result."""
    requests = ctx.executor.to_json()["requests"]
    for request in requests:
        yield _invoke(InvocationRequest(**request))
    if result is None:
        return
    # a window that FiftyOne opens for the result is lost when the App turns
    # to another dataset, and the form stands there again
    turns = any(r["operator_uri"] == "open_dataset" for r in requests)
    if shown or turns:
        # in the place of the bar, which would stay beside a second window
        params = {"outputs": output(result).to_json(), "results": result}
        yield _operate(ctx, "show_output", params)
        result = {**result, SHOWN: True}
    yield _Line({"cls": "ExecutionResult", "body": result})


def _operate(
    ctx: Any, name: str, params: Mapping[str, Any]
) -> GeneratedMessage:
    return _invoke(InvocationRequest(name, dict(params)))


def _invoke(request: InvocationRequest) -> GeneratedMessage:
    return GeneratedMessage(
        MessageType.SUCCESS, cls=InvocationRequest, body=request
    )
