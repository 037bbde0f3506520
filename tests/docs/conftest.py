"""A small rendered world, loaded and mined once for all pages."""

from __future__ import annotations

import http.server
import io
import json
import os
import threading
import zipfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import fiftyone as fo
import pytest

import raremine.brain as rmb
from demo.weights_folder import find_models
from demo.world import VERSION, WorldConfig, write_world
from raremine.brain.errors import ModelError
from raremine.brain.presets import preset_settings
from tests.brain.models.chat_stub import Asked, ChatStub, Reply, answer_body
from tests.docs.pages import ROOT
from tests.docs.place import FILES, READ_INFOS, STARTS, UNPACK, Place

# Idle threads of small models sleep instead of spinning: on busy cores the
# pages take a third of the time. Read when torch is imported.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

NAME = "nuscenes"
"""What the pages call their dataset."""

MODELS = {
    "detector": str(FILES["yolov8l.pt"]),
    "embedder": str(FILES["ViT-B-32"]),
    "captioner": str(FILES["Qwen/Qwen2-VL-2B-Instruct"]),
}

WORLD = WorldConfig(
    seed=7, scenes=6, keyframes=1, image_size=(480, 270), rarity=0.4
)
FEW = 2
"""Scenes of the dataset that pages detect on by themselves."""

VERSIONS = ("v1.0-mini", "v1.0-trainval")

_ANSWER = (
    '{"class": "construction_vehicle", "description": '
    '"a yellow excavator at the roadside", "keywords": ["excavator"]}'
)


@pytest.fixture(scope="session")
def dataroot(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A rendered world under the names of nuScenes' versions."""
    root = tmp_path_factory.mktemp("docs-world") / "nuscenes"
    write_world(root, WORLD, workers=2)
    for version in VERSIONS:
        (root / version).mkdir()
        for table in (root / VERSION).glob("*.json"):
            (root / version / table.name).write_bytes(table.read_bytes())
    return root


@pytest.fixture(scope="session")
def loaded(dataroot: Path) -> Iterator[fo.Dataset]:
    """Some of the world as a dataset, nothing mined."""
    splits = json.loads((dataroot / VERSION / "splits.json").read_text())
    scenes = [splits["train"][0], splits["val"][0]]
    yield from _load(dataroot, "docs-loaded", scenes=scenes[:FEW])


@pytest.fixture(scope="session")
def scored(dataroot: Path) -> Iterator[fo.Dataset]:
    """The whole world, detected, embedded and scored as ``mine`` does it."""
    for dataset in _load(dataroot, "docs-scored"):
        settings = preset_settings("default")
        rmb.detect_and_embed(
            dataset,
            MODELS["detector"],
            MODELS["embedder"],
            detect=settings["detect"],
            embed=settings["embed"],
        )
        rmb.score_outliers(dataset, **settings["outliers"])
        yield dataset


@pytest.fixture(scope="session")
def mined(scored: fo.Dataset) -> Iterator[fo.Dataset]:
    """The whole world mined with the default preset."""
    dataset = scored.clone("docs-mined", persistent=True)
    rmb.mine(dataset, evaluate=False, **MODELS)
    yield dataset
    dataset.delete()


@pytest.fixture(scope="session")
def compared(mined: fo.Dataset) -> Iterator[fo.Dataset]:
    """The same, mined with the preset ``paper`` into a second field."""
    dataset = mined.clone("docs-compared", persistent=True)
    rmb.mine(
        dataset, "paper", field="objects_paper", evaluate=False, **MODELS
    )
    yield dataset
    dataset.delete()


def _load(
    dataroot: Path, name: str, **options: Any
) -> Iterator[fo.Dataset]:
    try:
        find_models()
    except ModelError as error:
        pytest.skip(str(error))
    dataset = rmb.load_nuscenes(dataroot, VERSIONS[1], name, **options)
    yield dataset
    dataset.delete()


@pytest.fixture(scope="session")
def infos(
    mined: fo.Dataset,
    dataroot: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> list[Path]:
    """Info files of training code for the whole world, beside its data."""
    out = tmp_path_factory.mktemp("docs-infos")
    every = rmb.select_frames(mined, {"random": 1.0}, name="all frames")
    made = []
    for format in ("mmdet3d", "openpcdet"):
        path = rmb.export_selection(mined, every, format, out)
        for file in path.parent.glob("*.pkl"):
            made.append(dataroot / file.name)
            made[-1].write_bytes(file.read_bytes())
    rmb.delete_selection(mined, "all frames")
    return made


@pytest.fixture(scope="session")
def server() -> Iterator[str]:
    """A server that gives every crop the same caption."""

    def reply(asked: Asked) -> Reply:
        return Reply(answer_body(_ANSWER))

    names = ("Qwen/Qwen2.5-VL-7B-Instruct", "qwen2.5-vl-7b")
    with ChatStub(reply, names) as stub:
        yield stub.address


@pytest.fixture(scope="session")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The plugin's files as an archive behind an address."""
    folder = tmp_path_factory.mktemp("docs-archive")
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as file:
        for pattern in ("*.*", "operators/**/*.py", "brain/**/*.*"):
            for path in sorted(ROOT.glob(pattern)):
                name = path.relative_to(ROOT)
                if path.is_file() and "__pycache__" not in name.parts:
                    file.write(path, Path("raremine-main") / name)
    (folder / "raremine.zip").write_bytes(data.getvalue())

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: Any) -> None:
            pass

    handler = partial(Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as web:
        threading.Thread(target=web.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{web.server_address[1]}/raremine.zip"
        web.shutdown()


@pytest.fixture
def place(
    page: str,
    request: pytest.FixtureRequest,
    dataroot: Path,
    server: str,
    archive: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Place]:
    """A fresh folder and the datasets that a page starts from."""
    (tmp_path / "plugins").mkdir()
    place = Place(tmp_path / "work", server, archive, tmp_path / "plugins")
    place.folder.mkdir()
    place.prepare(dataroot, packed=page in UNPACK)
    if page in READ_INFOS:
        for file in request.getfixturevalue("infos"):
            (place.folder / file.name).symlink_to(file)
    before = set(fo.list_datasets())
    start = STARTS.get(page, "mined")
    if start != "none":
        request.getfixturevalue(start).clone(NAME, persistent=True)
    monkeypatch.chdir(place.folder)
    monkeypatch.setenv("RAREMINE_HOME", str(tmp_path / "home"))
    yield place
    for name in set(fo.list_datasets()) - before:
        if not name.startswith("docs-"):
            fo.delete_dataset(name)
