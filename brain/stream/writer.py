"""Writing results in a thread of its own, while the models go on."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Generic, TypeVar

Item = TypeVar("Item")


class ChunkWriter(Generic[Item]):
    """Collects items into chunks and writes them in another thread.

    At most one chunk is being written and one waits; more than that stops
    the caller. Whichever way the block ends, by an error or an interrupt
    too, what was put is written before it is left.

    Args:
        write: writes a chunk; what it raises ends the block
        size: weight from which a chunk is full
        weight (None): of an item; None = each weighs 1
    """

    def __init__(
        self,
        write: Callable[[list[Item]], None],
        size: float,
        weight: Callable[[Item], float] | None = None,
    ) -> None:
        self._write = write
        self._size = size
        self._weight = weight or (lambda item: 1.0)
        self._chunk: list[Item] = []
        self._filled = 0.0
        self._queue: queue.Queue[list[Item] | None] = queue.Queue(1)
        self._error: BaseException | None = None
        self._thread = threading.Thread(
            target=self._work, name="writer", daemon=True
        )

    def __enter__(self) -> ChunkWriter[Item]:
        self._thread.start()
        return self

    def put(self, item: Item) -> None:
        """Takes an item.

        Raises:
            BaseException: what writing an earlier chunk raised
        """
        self._chunk.append(item)
        self._filled += self._weight(item)
        if self._filled >= self._size:
            self._hand_over()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._chunk and self._error is None:
            self._queue.put(self._chunk)
        self._queue.put(None)
        self._thread.join()
        if self._error is not None and error is None:
            raise self._error

    def _hand_over(self) -> None:
        if self._error is not None:
            raise self._error
        self._queue.put(self._chunk)
        self._chunk, self._filled = [], 0.0

    def _work(self) -> None:
        while (chunk := self._queue.get()) is not None:
            if self._error is None:
                try:
                    self._write(chunk)
                except BaseException as error:
                    self._error = error
