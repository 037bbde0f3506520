"""A small HTTP server on this machine that speaks, or breaks, the protocol."""

from __future__ import annotations

import base64
import io
import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np


def answer_body(
    content: Any = "ok",
    *,
    finish: str = "stop",
    usage: tuple[int, int] | None = (100, 10),
    **message: Any,
) -> str:
    """A complete answer of the protocol."""
    body: dict[str, Any] = {
        "choices": [
            {
                "index": 0,
                "finish_reason": finish,
                "message": {
                    "role": "assistant",
                    "content": content,
                    **message,
                },
            }
        ]
    }
    if usage is not None:
        body["usage"] = {
            "prompt_tokens": usage[0],
            "completion_tokens": usage[1],
        }
    return json.dumps(body)


@dataclass
class Reply:
    """What the stub sends back; ``cut`` closes the line in mid answer."""

    body: str = field(default_factory=answer_body)
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    cut: bool = False


@dataclass
class Asked:
    """One request, as the stub understood it."""

    path: str
    headers: dict[str, str]
    body: dict[str, Any]

    @property
    def image(self) -> np.ndarray:
        from PIL import Image

        head, data = self.url.split(",", 1)
        assert head.endswith(";base64")
        return np.asarray(Image.open(io.BytesIO(base64.b64decode(data))))

    @property
    def url(self) -> str:
        return str(self._part("image_url")["url"])

    @property
    def prompt(self) -> str:
        return str(self._part("text"))

    def _part(self, kind: str) -> Any:
        (message,) = self.body["messages"]
        return next(c[kind] for c in message["content"] if c["type"] == kind)


class ChatStub:
    """Answers requests by a function, and keeps what it was asked.

    Args:
        reply: called with each request
        models: names that GET /v1/models lists
    """

    def __init__(
        self,
        reply: Callable[[Asked], Reply],
        models: tuple[str, ...] = ("tiny",),
    ) -> None:
        self.asked: list[Asked] = []
        self.under_way = 0
        self.most_under_way = 0
        self._lock = threading.Lock()
        stub = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_: Any) -> None:
                pass

            def do_GET(self) -> None:
                listed = {"data": [{"id": name} for name in models]}
                self._send(Reply(json.dumps(listed)))

            def do_POST(self) -> None:
                length = int(self.headers["Content-Length"])
                asked = Asked(
                    self.path,
                    {k.lower(): v for k, v in self.headers.items()},
                    json.loads(self.rfile.read(length)),
                )
                with stub._lock:
                    stub.asked.append(asked)
                    stub.under_way += 1
                    stub.most_under_way = max(
                        stub.most_under_way, stub.under_way
                    )
                try:
                    answer = reply(asked)
                finally:
                    with stub._lock:
                        stub.under_way -= 1
                self._send(answer)

            def _send(self, answer: Reply) -> None:
                data = answer.body.encode()
                try:
                    self.send_response(answer.status)
                    self.send_header("Content-Type", "application/json")
                    self.send_header("Content-Length", str(len(data)))
                    for name, value in answer.headers.items():
                        self.send_header(name, value)
                    self.end_headers()
                    self.wfile.write(
                        data[: len(data) // 2] if answer.cut else data
                    )
                except OSError:  # the client has gone
                    self.close_connection = True
                if answer.cut:
                    self.close_connection = True

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.02,), daemon=True
        )

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/v1"

    def __enter__(self) -> ChatStub:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
