"""The writer: all is written, whichever way the block ends."""

from __future__ import annotations

import threading

import pytest

from raremine.brain.stream.writer import ChunkWriter


def test_chunks_are_written_in_order_and_none_is_left() -> None:
    written: list[list[int]] = []
    with ChunkWriter(written.append, 3) as writer:
        for number in range(10):
            writer.put(number)
    assert written == [[0, 1, 2], [3, 4, 5], [6, 7, 8], [9]]


def test_heavy_items_fill_a_chunk_sooner() -> None:
    written: list[list[int]] = []
    with ChunkWriter(written.append, 10, float) as writer:
        for number in (4, 5, 6, 20, 1):
            writer.put(number)
    assert written == [[4, 5, 6], [20], [1]]


@pytest.mark.parametrize("kind", [ValueError, KeyboardInterrupt])
def test_what_was_put_before_an_error_is_written(
    kind: type[BaseException],
) -> None:
    written: list[list[int]] = []
    with pytest.raises(kind), ChunkWriter(written.append, 2) as writer:
        for number in range(5):
            writer.put(number)
        raise kind
    assert written == [[0, 1], [2, 3], [4]]


def test_an_error_of_writing_reaches_the_caller_and_stops_it() -> None:
    tried: list[list[int]] = []

    def full(chunk: list[int]) -> None:
        tried.append(chunk)
        raise OSError("no space left")

    put = 0
    with (
        pytest.raises(OSError, match="no space left"),
        ChunkWriter(full, 1) as writer,
    ):
        for number in range(1000):
            writer.put(number)
            put += 1
    assert len(tried) == 1
    assert put < 10


def test_an_error_of_the_last_chunk_is_not_lost() -> None:
    def full(chunk: list[int]) -> None:
        raise OSError("no space left")

    with pytest.raises(OSError), ChunkWriter(full, 100) as writer:
        writer.put(1)


def test_a_slow_disk_stops_the_caller() -> None:
    free = threading.Event()
    put = 0

    def wait(chunk: list[int]) -> None:
        free.wait(60)

    def release() -> None:
        held.append(put)
        free.set()

    held: list[int] = []
    timer = threading.Timer(0.5, release)
    with ChunkWriter(wait, 1) as writer:
        timer.start()
        for number in range(20):
            writer.put(number)
            put += 1
    # one is being written, one waits, one is being handed over
    assert held[0] <= 3
