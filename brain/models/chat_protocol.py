"""The chat protocol of OpenAI-compatible servers: pure functions.

What is sent, what comes back, and what a failure means for the crop (ask
again, give this crop up) or for the whole run (stop).
"""

from __future__ import annotations

import datetime
import email.utils
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import SplitResult, urlsplit, urlunsplit

from raremine.brain.errors import ModelError
from raremine.brain.models.protocols import Answer

SHOWN = 200
"""Characters of a server's message that are passed on."""

OVERLOADED = frozenset({408, 409, 425, 429})
"""Client errors that say "later". Server errors all do, except 501 and 505,
which say "never"."""

NO_ACCESS = frozenset({401, 402, 403})

EXHAUSTED = "insufficient_quota"
"""Error code of a 429 that no waiting cures: the account has no credit."""


class TryAgainError(Exception):
    """This request failed, the same one may succeed later.

    Args:
        reason: what happened
        wait (None): seconds that the server asks to wait
    """

    def __init__(self, reason: str, wait: float | None = None) -> None:
        super().__init__(reason)
        self.wait = wait


class RejectedError(Exception):
    """The server does not take this request; others may be taken."""


def is_server(reference: Any) -> bool:
    """Whether a model reference is the address of a server."""
    return isinstance(reference, str) and reference.lower().startswith(
        ("http://", "https://")
    )


def split_address(address: str) -> tuple[str, str, tuple[str, str] | None]:
    """Takes the credentials out of a server's address.

    Args:
        address: such as ``http://localhost:8000/v1``; without a path, ``/v1``
            is meant

    Returns:
        the base URL without credentials, the host, and (user, password) or
        None

    Raises:
        ModelError: if it is no such address; credentials are not repeated
    """
    wrong = ModelError(
        "The server's address cannot be read. Pass one such as "
        "http://localhost:8000/v1, without a query; a key belongs into an "
        "environment variable."
    )
    try:
        parts = urlsplit(address.strip())
        host, port = parts.hostname, parts.port
    except ValueError:
        raise wrong from None
    if not is_server(address.strip()) or not host or parts.query:
        raise wrong
    path = parts.path.rstrip("/").removesuffix("/chat/completions") or "/v1"
    place = f"[{host}]" if ":" in host else host
    if port is not None:
        place += f":{port}"
    user = None
    if parts.username is not None:
        user = (parts.username, parts.password or "")
    clean = SplitResult(parts.scheme.lower(), place, path, "", "")
    return urlunsplit(clean), host, user


def question(
    model: str,
    prompt: str,
    image_url: str,
    *,
    max_tokens: int,
    tokens_key: str = "max_tokens",
    schema: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Returns the body of a request about one image, decoded greedily."""
    image = {"type": "image_url", "image_url": {"url": image_url}}
    body: dict[str, Any] = {
        "model": model,
        "messages": [
            {
                "role": "user",
                "content": [image, {"type": "text", "text": prompt}],
            }
        ],
        "temperature": 0,
        tokens_key: max_tokens,
    }
    if schema is not None:
        body["response_format"] = {
            "type": "json_schema",
            "json_schema": {
                "name": "caption",
                "strict": True,
                "schema": dict(schema),
            },
        }
    return body


def check_status(
    status: int, body: str, retry_after: str | None, location: str | None
) -> None:
    """Says what an HTTP status means.

    Args:
        status: HTTP status
        body: text of the answer
        retry_after: header Retry-After
        location: header Location

    Raises:
        TryAgainError: if the same request may succeed later
        RejectedError: if this request is not taken
        ModelError: if no request will be
    """
    if status == 200:
        return
    if 300 <= status < 400:
        raise ModelError(
            f"The server sends requests on to {location or 'elsewhere'} "
            f"(HTTP {status}), which is not followed. Use its own address."
        )
    # a message about a wrong key may repeat part of it
    if status in NO_ACCESS:
        raise ModelError(
            f"The server refuses access (HTTP {status}). Check the key in "
            "the environment variable or FiftyOne secret that api_key_env "
            "names (OPENAI_API_KEY unless set), and the account."
        )
    code, message = _error(body)
    told = f"HTTP {status}: {message}" if message else f"HTTP {status}"
    if status == 404:
        raise ModelError(
            f"The server does not know the model or the path ({told}). Check "
            "served_model, and that the address ends like "
            "http://host:port/v1."
        )
    if code == EXHAUSTED:
        raise ModelError(
            f"The account at the server has no credit left ({told}). "
            "Captions that are ok are kept; run again when it has."
        )
    if status in OVERLOADED or (status >= 500 and status not in (501, 505)):
        raise TryAgainError(told, seconds_to_wait(retry_after))
    raise RejectedError(told)


def seconds_to_wait(
    header: str | None, now: datetime.datetime | None = None
) -> float | None:
    """Reads a Retry-After header: seconds or a date (RFC 9110, 10.2.3).

    Args:
        header: its value
        now (None): the time, None = now

    Returns:
        seconds ≥ 0, None if the header is absent or unreadable
    """
    if header is None:
        return None
    text = header.strip()
    try:
        # a server may send fractions, which the standard does not know
        seconds = float(text)
    except ValueError:
        try:
            until = email.utils.parsedate_to_datetime(text)
        except (TypeError, ValueError):
            return None
        if until.tzinfo is None:
            until = until.replace(tzinfo=datetime.timezone.utc)
        now = now or datetime.datetime.now(datetime.timezone.utc)
        seconds = (until - now).total_seconds()
    return max(seconds, 0.0) if seconds == seconds else None


def read_answer(body: str) -> Answer:
    """Reads the body of a completed request.

    Raises:
        TryAgainError: if it is half an answer, no JSON, or of another form
    """
    try:
        payload = json.loads(body)
    except (ValueError, RecursionError):
        raise TryAgainError(
            f"the server's answer is no JSON ({len(body)} characters)"
        ) from None
    if not isinstance(payload, Mapping):
        raise TryAgainError("the server's answer is no JSON object")
    if payload.get("error"):
        raise TryAgainError(f"the server says: {_error(body)[1]}")
    try:
        choice = payload["choices"][0]
        message = choice["message"]
        content = message.get("content")
    except (KeyError, IndexError, TypeError, AttributeError):
        raise TryAgainError("the server's answer holds no message") from None
    finish = choice.get("finish_reason")
    refusal = message.get("refusal")
    if finish == "content_filter":
        refusal = refusal or "the server's content filter"
    return Answer(
        text=_text(content),
        refusal=str(refusal) if refusal else None,
        cut_off=finish == "length",
        tokens=_tokens(payload.get("usage")),
    )


def _text(content: Any) -> str:
    """Texts of a message; some servers send them in parts."""
    if isinstance(content, str):
        return content.strip()
    if not isinstance(content, list):
        return ""
    parts = (p.get("text") for p in content if isinstance(p, Mapping))
    return "".join(p for p in parts if isinstance(p, str)).strip()


def _tokens(usage: Any) -> tuple[int, int] | None:
    if not isinstance(usage, Mapping):
        return None
    counts = usage.get("prompt_tokens"), usage.get("completion_tokens")
    if all(isinstance(n, int) and n >= 0 for n in counts):
        return counts  # type: ignore[return-value]
    return None


def _error(body: str) -> tuple[str | None, str]:
    """Code and message of an error, whose form differs between servers."""
    code: str | None = None
    found: Any = body
    try:
        payload = json.loads(body)
    except (ValueError, RecursionError):
        payload = None
    if isinstance(payload, Mapping):
        found = payload.get("error") or payload.get("detail") or payload
    if isinstance(found, Mapping):
        code = str(found.get("code")) if found.get("code") else None
        found = found.get("message") or json.dumps(found)
    return code, " ".join(str(found).split())[:SHOWN]
