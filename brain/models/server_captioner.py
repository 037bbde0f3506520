"""Any OpenAI-compatible server (vLLM, transformers serve …) as a captioner.

Plain httpx, which FiftyOne brings: one kind of request is all that is needed,
and what a failure means for a crop or for the run has to be decided anyway.
"""

from __future__ import annotations

import asyncio
import os
import random
import time
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

import numpy as np

from raremine.brain.errors import ModelError
from raremine.brain.models.chat_connection import ChatConnection
from raremine.brain.models.chat_protocol import (
    RejectedError,
    TryAgainError,
    question,
)
from raremine.brain.models.crop_encoding import FORMATS, data_url
from raremine.brain.models.own_thread import run_in_own_thread
from raremine.brain.models.protocols import Answer

BATCHES_UNDER_WAY = 4
"""Crops handed over at a time, in multiples of the requests under way: the
places of quick answers are filled while slow ones are waited for."""

FIRST_WAIT = 0.5
"""Seconds before the first retry; each further one waits twice as long."""

LONGEST_WAIT = 60.0
"""Seconds between two tries at most, also where a server asks for more."""

FIRST_RETRIES = 2
"""Retries of the first question: a wrong address shall not take minutes."""


class ServerCaptioner:
    """A vision-language model behind an OpenAI-compatible server.

    Requests run concurrently and are decoded greedily. What may pass (HTTP
    408, 409, 425, 429, 5xx, no connection, time-out, half an answer) is asked
    again with exponential back-off and jitter, or after the server's
    Retry-After; a crop that is never answered fails alone. A wrong key, model
    or address ends the run, and so does a server that answers no crop any
    more.

    Args:
        base_url: such as ``http://localhost:8000/v1``
        model (None): the model's name at the server, None = its only one
        api_key (None): None = from the environment variable; never stored
        api_key_env ("OPENAI_API_KEY"): that variable, "" = send no key
        concurrency (16): requests under way at a time
        batch_size (None): crops handed over at a time, None = 4 × concurrency
        max_new_tokens (96): longest answer
        max_pixels (None): larger crops are scaled down to this area
        image_format ("png"): "png" (lossless) or "jpeg" (quality 95)
        json_schema (None): whether to ask the server to keep to the JSON
            schema, None = if it takes one
        timeout (120.0): seconds for one request
        retries (5): further tries of a request

    Raises:
        ModelError: if the address is none, httpx is absent, or the server
            does not say which model it has
    """

    def __init__(
        self,
        base_url: str,
        model: str | None = None,
        *,
        api_key: str | None = None,
        api_key_env: str = "OPENAI_API_KEY",
        concurrency: int = 16,
        batch_size: int | None = None,
        max_new_tokens: int = 96,
        max_pixels: int | None = None,
        image_format: str = "png",
        json_schema: bool | None = None,
        timeout: float = 120.0,
        retries: int = 5,
    ) -> None:
        if concurrency < 1 or retries < 0 or timeout <= 0:
            raise ModelError(
                "A server needs concurrency ≥ 1, retries ≥ 0 and timeout > 0."
            )
        if image_format not in FORMATS:
            raise ModelError(
                f"Unknown image format '{image_format}'; choose one of "
                f"{', '.join(FORMATS)}."
            )
        if api_key is None and api_key_env:
            api_key = os.environ.get(api_key_env)
        self._server = ChatConnection(
            base_url, api_key or None, timeout, concurrency
        )
        self.base_url = self._server.base_url
        self._concurrency = concurrency
        self._retries = retries
        self._settings: dict[str, Any] = {
            "max_new_tokens": max_new_tokens,
            "max_pixels": max_pixels,
            "image_format": image_format,
            "json_schema": json_schema,
        }
        self.batch_size = batch_size or concurrency * BATCHES_UNDER_WAY
        self._schema: Mapping[str, Any] | None = None
        self._tokens_key = "max_tokens"
        self._resume_at = 0.0
        self._unanswered = 0
        self._model = model or self._only_model()
        # a server may know its model by a path on its machine
        path = PurePosixPath(self._model)
        self.name = path.name if path.is_absolute() else self._model

    def caption(
        self, crops: Sequence[np.ndarray], prompts: Sequence[str]
    ) -> list[str]:
        """Answers one prompt a crop.

        Args:
            crops: (h, w, 3) uint8 RGB, any sizes
            prompts: one prompt a crop

        Returns:
            the answers, stripped, in the order of the crops

        Raises:
            ModelError: if a crop gets no answer
        """
        answers = self.ask(crops, prompts)
        for answer in answers:
            if answer.error:
                raise ModelError(f"Server {self.base_url}: {answer.error}")
        return [answer.text or answer.refusal or "" for answer in answers]

    def identity(self) -> dict[str, Any]:
        """Returns the model's name and settings; the address is no part.

        The same model behind another address answers the same.
        """
        return {"model": self.name, **self._settings}

    def prepare(self, schema: Mapping[str, Any] | None = None) -> None:
        """Asks one question about a grey image, before any real one.

        Finds out whether the server is there, has the model, takes the key,
        and which optional parts of the protocol it takes.

        Args:
            schema (None): JSON schema for all answers, where the server
                keeps to one

        Raises:
            ModelError: if no question can be asked
        """
        wanted = self._settings["json_schema"]
        self._schema = None if wanted is False else schema
        grey = np.full((56, 56, 3), 127, np.uint8)
        while True:
            try:
                run_in_own_thread(self._try_once(grey))
                return
            except RejectedError as error:
                reason = str(error)
            if (
                "max_completion_tokens" in reason
                and self._tokens_key == "max_tokens"
            ):
                self._tokens_key = "max_completion_tokens"
            elif self._schema is not None and wanted is None:
                self._schema = None
            else:
                raise ModelError(
                    f"Server {self.base_url} does not take questions about "
                    f"images for '{self._model}' ({reason}). Serve a "
                    "vision-language model."
                )

    @property
    def asks_for_schema(self) -> bool:
        """Whether questions ask the server to keep to a JSON schema."""
        return self._schema is not None

    def ask(
        self, crops: Sequence[np.ndarray], prompts: Sequence[str]
    ) -> list[Answer]:
        """Answers one prompt a crop; one bad crop costs only itself.

        Args:
            crops: (h, w, 3) uint8 RGB, any sizes
            prompts: one prompt a crop

        Returns:
            an answer a crop, in their order

        Raises:
            ModelError: if no crop can be answered (key, model, address,
                credit, or a server that has stopped answering)
        """
        if not crops:
            return []
        return run_in_own_thread(self._ask(crops, prompts))

    async def _ask(
        self, crops: Sequence[np.ndarray], prompts: Sequence[str]
    ) -> list[Answer]:
        places = asyncio.Semaphore(self._concurrency)
        async with self._server.client() as client:

            async def one(crop: np.ndarray, prompt: str) -> Answer:
                async with places:
                    return await self._answer(client, crop, prompt)

            tasks = [
                asyncio.create_task(one(crop, prompt))
                for crop, prompt in zip(crops, prompts, strict=True)
            ]
            try:
                return await asyncio.gather(*tasks)
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)

    async def _answer(
        self, client: Any, crop: np.ndarray, prompt: str
    ) -> Answer:
        try:
            body = await asyncio.to_thread(self._question, crop, prompt)
            answer = await self._patiently(client, body, self._retries)
        except RejectedError as error:
            return Answer(error=str(error))
        except TryAgainError as error:
            self._count_unanswered(error)
            tries = self._retries + 1
            return Answer(error=f"{error} (tried {tries} times)")
        except (ValueError, OSError) as error:
            if isinstance(error, ModelError):
                raise
            return Answer(error=f"{type(error).__name__}: {error}")
        self._unanswered = 0
        return answer

    async def _patiently(
        self, client: Any, body: dict[str, Any], retries: int
    ) -> Answer:
        """Asks again what may pass."""
        for done in range(retries + 1):
            # one request that was told to wait holds the others back too
            while (hold := self._resume_at - time.monotonic()) > 0:
                await asyncio.sleep(hold)
            try:
                return await self._server.ask(client, body)
            except TryAgainError as error:
                if done == retries:
                    raise
                if error.wait is not None:
                    wait = min(error.wait, LONGEST_WAIT)
                    self._resume_at = max(
                        self._resume_at, time.monotonic() + wait
                    )
                # jitter: requests that failed together do not come together
                backoff = FIRST_WAIT * 2.0**done
                await asyncio.sleep(
                    min(backoff, LONGEST_WAIT) * random.uniform(0.5, 1.0)
                )
        raise AssertionError("unreachable")

    def _count_unanswered(self, error: TryAgainError) -> None:
        self._unanswered += 1
        if self._unanswered >= max(2 * self._concurrency, 16):
            raise ModelError(
                f"Server {self.base_url} has answered none of the last "
                f"{self._unanswered} crops ({error}). Earlier captions are "
                "kept; run again to go on, with a longer timeout or a lower "
                "concurrency if it was overloaded."
            ) from None

    async def _try_once(self, crop: np.ndarray) -> None:
        body = self._question(crop, "What is this?")
        async with self._server.client() as client:
            try:
                await self._patiently(
                    client, body, min(self._retries, FIRST_RETRIES)
                )
            except TryAgainError as error:
                raise ModelError(
                    f"Server {self.base_url} does not answer ({error}). "
                    "Check that it runs, and its address."
                ) from error

    def _only_model(self) -> str:
        names = run_in_own_thread(self._server.model_names())
        if len(names) == 1:
            return names[0]
        raise ModelError(
            f"Server {self.base_url} has {len(names)} models"
            f"{': ' if names else ''}{', '.join(sorted(names)[:10])}. "
            "Pass one as served_model."
        )

    def _question(self, crop: np.ndarray, prompt: str) -> dict[str, Any]:
        return question(
            self._model,
            prompt,
            data_url(
                crop,
                self._settings["image_format"],
                self._settings["max_pixels"],
            ),
            max_tokens=self._settings["max_new_tokens"],
            tokens_key=self._tokens_key,
            schema=self._schema,
        )
