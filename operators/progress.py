"""Progress of a delegated run, and its end when somebody cancels it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


class RunCancelledError(RuntimeError):
    """The run was set to failed from outside while it was at work."""


def progress_of(ctx: Any) -> Callable[..., None] | None:
    """Makes what the SDK's ``progress`` argument wants.

    Args:
        ctx: FiftyOne's execution context

    Returns:
        a function (done, total, label) that moves the run's progress bar and
        raises ``RunCancelledError`` once the run is no longer wanted; None
        in an immediate run, whose progress FiftyOne cannot show
    """
    if not ctx.delegated:
        return None
    run_id = ctx.request_params.get("run_doc")

    def report(done: int, total: int, label: str = "") -> None:
        if run_id is not None and _is_cancelled(run_id):
            raise RunCancelledError(
                "The run was cancelled; what was finished is kept."
            )
        share = done / total if total else 1.0
        ctx.set_progress(progress=share, label=f"{label} {done}/{total}")

    return report


def _is_cancelled(run_id: Any) -> bool:
    from fiftyone.operators.delegated import DelegatedOperationService
    from fiftyone.operators.executor import ExecutionRunState

    run = DelegatedOperationService().get(run_id)
    return run is None or run.run_state == ExecutionRunState.FAILED
