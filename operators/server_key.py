"""The key of a model server, from FiftyOne's secrets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from raremine.brain.models.chat_protocol import is_server

DEFAULT_SECRET = "OPENAI_API_KEY"
"""The secret that fiftyone.yml declares."""


def with_server_key(
    ctx: Any, name: str, arguments: Mapping[str, Any]
) -> dict[str, Any]:
    """Adds the key that FiftyOne keeps as a secret, if it does.

    It goes into the call alone: parameters of a run are stored. Other names
    are looked up in the environment, since a plugin has the secrets only that
    it declares.

    Args:
        ctx: the operator's context
        name: the argument that may be the address of a server
        arguments: the user's arguments

    Returns:
        the argument to call with, by its name; nothing where the arguments
        can stay as they are
    """
    server = arguments.get(name)
    secret = arguments.get("api_key_env", DEFAULT_SECRET)
    if not is_server(server) or secret != DEFAULT_SECRET:
        return {}
    key = ctx.secret(secret)
    return {name: {"server": server, "api_key": key}} if key else {}
