"""Opening the App from a terminal."""

from __future__ import annotations

import socket

import fiftyone as fo
import pytest

from raremine.operators.launch import free_port, has_display, main


@pytest.mark.parametrize(
    ("environ", "platform", "seen"),
    [
        ({}, "linux", False),
        ({"DISPLAY": ":0"}, "linux", True),
        ({"WAYLAND_DISPLAY": "wayland-0"}, "linux", True),
        ({"DISPLAY": ":10", "SSH_CONNECTION": "1 2 3 4"}, "linux", False),
        ({}, "darwin", True),
        ({"SSH_TTY": "/dev/pts/0"}, "darwin", False),
    ],
)
def test_a_browser_is_opened_only_where_it_is_seen(
    environ: dict[str, str], platform: str, seen: bool
) -> None:
    assert has_display(environ, platform) is seen


def test_a_taken_port_is_passed_over() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert free_port(port) > port


def test_a_port_nobody_can_have_is_told() -> None:
    with pytest.raises(SystemExit, match="--port"):
        free_port(70_000)


def test_a_missing_dataset_is_named_with_a_way_out(
    dataset: fo.Dataset,
) -> None:
    with pytest.raises(SystemExit, match=r"python3 run\.py demo"):
        main([])
    with pytest.raises(SystemExit, match="'nowhere'.*" + dataset.name):
        main(["nowhere"])
