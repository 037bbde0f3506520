"""Whether a form or a run belongs to the App, or to a script."""

from __future__ import annotations

import os
from typing import Any


def in_app() -> bool:
    """Whether this is the process that serves the App.

    A form is then looked at by a person while it is filled in. Elsewhere it
    only checks what a script or a stored run has given.
    """
    return bool(os.environ.get("FIFTYONE_SERVER"))


def asked_by_app(ctx: Any) -> bool:
    """Whether the App itself started this run and waits for its messages.

    A panel of ours may also run an operator from Python in that process.

    Args:
        ctx: FiftyOne's execution context
    """
    return (
        in_app() and not ctx.delegated and "operator_uri" in ctx.request_params
    )
