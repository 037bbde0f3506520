"""A real server: transformers' own, on this machine, with the demo model.

Its captions must be those of the same model loaded here, through faults that
a proxy puts in front of it.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import fiftyone as fo
import numpy as np
import pytest
from PIL import Image

import raremine.brain as rmb
from raremine.brain.captions.prompts import build_prompt
from raremine.brain.models import server_captioner
from raremine.brain.models.huggingface_captioner import HuggingFaceCaptioner
from raremine.brain.models.server_captioner import ServerCaptioner
from tests.brain.fakes import values
from tests.brain.models.chat_stub import Asked, ChatStub, Reply

pytestmark = pytest.mark.slow

START_SECONDS = 120


@pytest.fixture(scope="module")
def weights(repo_root: Path) -> Path:
    folder = repo_root / "demo" / "weights" / "captioner"
    if not folder.is_dir():
        pytest.skip("demo/weights is absent: run `python demo/train.py`")
    return folder


@pytest.fixture(scope="module")
def address(
    weights: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """`transformers serve`, as a user starts it."""
    pytest.importorskip("fastapi", reason="pip install transformers[serving]")
    log = tmp_path_factory.mktemp("serve") / "log.txt"
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with log.open("wb") as out:
        process = subprocess.Popen(
            [
                str(Path(sys.executable).with_name("transformers")),
                *("serve", str(weights), "--device", "cpu"),
                *("--dtype", "float32", "--host", "127.0.0.1"),
                *("--port", str(port)),
            ],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )
    try:
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                urllib.request.urlopen(
                    f"http://127.0.0.1:{port}/health", timeout=2
                ).close()
                break
            except (OSError, urllib.error.URLError):
                tail = log.read_text(errors="replace")[-2000:]
                assert process.poll() is None, tail
                assert time.monotonic() < deadline, tail
                time.sleep(0.2)
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> fo.Dataset:
    """Rendered pictures with their true boxes as the mined objects."""
    from demo.config import WorldConfig
    from demo.render import render_scene_images

    folder = tmp_path_factory.mktemp("world")
    samples = []
    config = WorldConfig(seed=3, scenes=1, keyframes=1, image_size=(800, 450))
    for number, picture in enumerate(render_scene_images(config, 0)):
        path = folder / f"{number}.png"
        Image.fromarray(picture.image).save(path)
        height, width = picture.image.shape[:2]
        objects = [
            fo.Detection(
                label="car",
                bounding_box=[
                    x1 / width,
                    y1 / height,
                    (x2 - x1) / width,
                    (y2 - y1) / height,
                ],
            )
            for x1, y1, x2, y2 in (o.box for o in picture.objects[:3])
        ]
        samples.append(
            fo.Sample(
                filepath=str(path), objects=fo.Detections(detections=objects)
            )
        )
    dataset = fo.Dataset()
    dataset.add_samples(samples)
    return dataset


def crops_of(world: fo.Dataset) -> list[np.ndarray]:
    crops = []
    for sample in world:
        image = np.asarray(Image.open(sample.filepath))
        for detection in sample.objects.detections:
            x, y, w, h = detection.bounding_box
            left, top = int(x * image.shape[1]), int(y * image.shape[0])
            right = left + max(int(w * image.shape[1]), 1)
            bottom = top + max(int(h * image.shape[0]), 1)
            crops.append(image[top:bottom, left:right])
    return crops


def test_the_answers_are_those_of_the_model_loaded_here(
    address: str, weights: Path, world: fo.Dataset
) -> None:
    crops = [*crops_of(world), np.zeros((1, 1, 3), np.uint8)]
    assert len(crops) > 10
    for kind in ("default", "paper"):
        prompts = [build_prompt(kind, "car")] * len(crops)
        here = HuggingFaceCaptioner(str(weights), device="cpu")
        server = ServerCaptioner(address, str(weights), concurrency=4)
        server.prepare()
        answers = server.ask(crops, prompts)
        expected = here.caption(crops, prompts)
        assert [a.text for a in answers] == expected
        assert len(set(expected)) > 1
        assert all(a.tokens and min(a.tokens) > 0 for a in answers)


def test_faults_before_a_real_server_change_no_caption(
    address: str,
    weights: Path,
    world: fo.Dataset,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(server_captioner, "FIRST_WAIT", 0.01)
    fields = ("caption", "caption_raw", "caption_status")
    rmb.caption_objects(
        world, str(weights), candidates="all", device="cpu"
    )
    here = list(values(world, *fields))
    world.delete_brain_run("objects_captions")
    faults = [
        Reply("", 429, {"Retry-After": "0.1"}),
        Reply("CUDA error", 500),
        Reply(cut=True),
        Reply("<html>502 Bad Gateway</html>", 200),
        Reply('{"choices": []}'),
    ]
    tries: Counter[str] = Counter()

    def through(asked: Asked) -> Reply:
        number = len(tries)
        tries[asked.url] += 1
        if tries[asked.url] == 1 and number % 2:
            return faults[number // 2 % len(faults)]
        request = urllib.request.Request(
            f"{address}/chat/completions",
            json.dumps(asked.body).encode(),
            {"Content-Type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=60) as response:
                return Reply(response.read().decode())
        except urllib.error.HTTPError as error:
            return Reply(error.read().decode(), error.code)

    with ChatStub(through) as proxy:
        summary = rmb.caption_objects(
            world,
            {"server": proxy.address, "model": str(weights)},
            candidates="all",
            concurrency=3,
        )
    assert list(values(world, *fields)) == here
    assert max(tries.values()) == 2
    assert summary["estimate"]["crops"] == len(here)
    assert summary["usage"]["prompt_tokens"] > 0
