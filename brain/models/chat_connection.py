"""One server: its address, its key, and what its failures mean."""

from __future__ import annotations

import asyncio
import ipaddress
from typing import Any

from raremine.brain.errors import ModelError
from raremine.brain.models.chat_protocol import (
    TryAgainError,
    check_status,
    read_answer,
    split_address,
)
from raremine.brain.models.protocols import Answer


class ChatConnection:
    """Sends requests to an OpenAI-compatible server.

    Args:
        address: such as ``http://localhost:8000/v1``; a user and password
            in it are sent as such, instead of the key
        key: the key, None = send none; it is in no message
        timeout: seconds for one request
        connections: open at a time

    Raises:
        ModelError: if the address is none, or httpx is absent
    """

    def __init__(
        self, address: str, key: str | None, timeout: float, connections: int
    ) -> None:
        self._httpx = _httpx()
        self.base_url, self._host, self._user = split_address(address)
        self._key = key
        self._timeout = timeout
        self._connections = connections
        self._ssl: Any = None

    def client(self) -> Any:
        """Returns an ``httpx.AsyncClient``, to be opened and closed."""
        httpx = self._httpx
        if self._ssl is None:
            # reads the certificates, which takes longer than a request
            self._ssl = httpx.create_ssl_context()
        headers = {}
        if self._key and not self._user:
            headers["Authorization"] = f"Bearer {self._key}"
        return httpx.AsyncClient(
            headers=headers,
            auth=httpx.BasicAuth(*self._user) if self._user else None,
            timeout=self._timeout,
            limits=httpx.Limits(max_connections=self._connections),
            verify=self._ssl,
            # a proxy of the environment does not lead to this machine
            trust_env=not _is_here(self._host),
        )

    async def ask(self, client: Any, body: dict[str, Any]) -> Answer:
        """Sends one question.

        Raises:
            TryAgainError: if the same request may succeed later
            RejectedError: if this request is not taken
            ModelError: if no request will be
        """
        url = f"{self.base_url}/chat/completions"
        try:
            # httpx's own limits count anew with every byte that comes
            response = await asyncio.wait_for(
                client.post(url, json=body), self._timeout
            )
        except (TimeoutError, asyncio.TimeoutError):
            raise TryAgainError(
                f"no answer within {self._timeout:g} s"
            ) from None
        except self._httpx.RequestError as error:
            raise TryAgainError(self.told(error)) from error
        self._check(response)
        return read_answer(response.text)

    async def model_names(self) -> list[str]:
        """Returns the names of the models that the server lists.

        Raises:
            ModelError: if it lists none
        """
        try:
            async with self.client() as client:
                response = await client.get(f"{self.base_url}/models")
            self._check(response)
            return [str(model["id"]) for model in response.json()["data"]]
        except ModelError:
            raise
        except Exception as error:
            raise ModelError(
                f"Server {self.base_url} does not say which models it has "
                f"({self.told(error)}). Check that it runs, and its "
                "address, or pass served_model."
            ) from error

    def told(self, error: BaseException) -> str:
        """Returns an error on one line, without secrets."""
        text = self._hide(" ".join(str(error).split()))
        return f"{type(error).__name__}: {text}".removesuffix(": ")

    def _check(self, response: Any) -> None:
        if response.status_code != 200:
            check_status(
                response.status_code,
                self._hide(response.text),
                response.headers.get("retry-after"),
                response.headers.get("location"),
            )

    def _hide(self, text: str) -> str:
        secrets = (self._key, self._user[1] if self._user else None)
        for secret in filter(None, secrets):
            text = text.replace(secret, "***")
        return text


def _is_here(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _httpx() -> Any:
    try:
        import httpx
    except ImportError as error:
        raise ModelError(
            "Captions from a server need httpx: pip install "
            "'raremine[server]'."
        ) from error
    return httpx
