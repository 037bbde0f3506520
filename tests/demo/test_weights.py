"""The shipped weights: there, small, loadable offline, and any good."""

from __future__ import annotations

import re
import socket
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from demo import train_data, train_detector, train_scores
from raremine.brain.captions.prompts import ANSWER_CLASSES

WEIGHTS = Path(__file__).resolve().parents[2] / "demo" / "weights"
LIMIT = 25_000_000
UNSEEN = train_data.WorldSpec(seed=7001, rarity=0.0, scenes=3, keyframes=1)


@pytest.fixture(scope="module", autouse=True)
def offline() -> Iterator[None]:
    """Refuses every connection, so that nothing can be downloaded."""
    patch = pytest.MonkeyPatch()
    for name, value in {
        "HF_HUB_OFFLINE": "1",
        "TRANSFORMERS_OFFLINE": "1",
        "YOLO_OFFLINE": "true",
        "YOLO_AUTOINSTALL": "false",
    }.items():
        patch.setenv(name, value)

    def refuse(self: socket.socket, address: object) -> None:
        if isinstance(address, tuple) and address[0] in ("127.0.0.1", "::1"):
            return connect(self, address)
        raise OSError(f"A model wanted to reach {address}.")

    connect = socket.socket.connect
    patch.setattr(socket.socket, "connect", refuse)
    yield
    patch.undo()


@pytest.fixture(scope="module")
def pictures(
    tmp_path_factory: pytest.TempPathFactory,
) -> list[train_data.Picture]:
    cache = tmp_path_factory.mktemp("worlds")
    train_data.render_worlds([UNSEEN], cache, processes=1)
    return train_data.load_pictures([UNSEEN], cache)


@pytest.fixture(scope="module")
def crops(pictures: list[train_data.Picture]) -> list[train_data.Crop]:
    return [
        c
        for c in train_data.crops(pictures, background=0.3)
        if c.box[3] - c.box[1] >= 20
    ]


def test_weights_are_small_and_documented() -> None:
    files = [p for p in WEIGHTS.rglob("*") if p.is_file()]
    assert sum(p.stat().st_size for p in files) < LIMIT
    assert not [p.name for p in files if ".part" in p.name]
    text = (WEIGHTS / "README.md").read_text(encoding="utf-8")
    for title in ("## Data", "## Detector", "## Embedder", "## Captioner"):
        assert title in text


def test_weights_name_no_folder_of_the_machine_they_come_from() -> None:
    path = re.compile(rb"(?:/work/|/tmp/|/home/|/root/|/Users/|[A-Z]:\\\\)")
    for file in WEIGHTS.rglob("*.*"):
        if file.suffix == ".pt":
            with zipfile.ZipFile(file) as archive:
                names = [n for n in archive.namelist() if n.endswith(".pkl")]
                content = b"".join(archive.read(n) for n in names)
        elif file.suffix in (".json", ".md", ".jinja"):
            content = file.read_bytes()
        else:
            continue
        assert not path.search(content), file


def test_worlds_of_training_test_and_demo_differ() -> None:
    train = {w.seed for w in train_data.TRAIN_WORLDS}
    held_out = {w.seed for w in train_data.HELD_OUT_WORLDS}
    assert not train & held_out
    assert min(train | held_out) >= 1000
    assert UNSEEN.seed not in train | held_out


def test_detector_knows_six_coco_classes_and_finds_them(
    pictures: list[train_data.Picture],
) -> None:
    from ultralytics import YOLO

    model = YOLO(str(WEIGHTS / "detector.pt"), task="detect")
    assert tuple(model.names.values()) == train_detector.NAMES
    large = [
        train_data.Picture(
            p.path,
            tuple(o for o in p.objects if o.box[3] - o.box[1] >= 24),
            p.night,
        )
        for p in pictures
    ]
    scores = train_scores.score_detector(WEIGHTS, large)
    found = [
        scores["recall"][n]
        for n in ("car", "pedestrian")
        if n in scores["recall"]
    ]
    total = sum(n for _, n in found)
    assert total >= 10
    assert sum(r * n for r, n in found) / total > 0.35


def test_embedder_tells_concepts_apart(crops: list[train_data.Crop]) -> None:
    scores = train_scores.score_embedder(WEIGHTS / "embedder", crops)
    right = sum(r * n for r, n in scores["top1"].values()) / len(crops)
    assert len(crops) >= 30
    assert len(scores["top1"]) >= 8
    assert right > 0.5
    assert np.mean(list(scores["retrieval"].values())) > 0.4


def test_captioner_answers_in_valid_json_and_mostly_right(
    crops: list[train_data.Crop],
) -> None:
    scores = train_scores.score_captioner(WEIGHTS / "captioner", crops)
    right = sum(r * n for r, n in scores["class"].values()) / len(crops)
    assert set(scores["class"]) <= set(ANSWER_CLASSES)
    assert scores["json_valid"] > 0.97
    assert right > 0.5
    assert scores["wrong_hint"] > 0.3
    assert scores["paper"] > 0.5
