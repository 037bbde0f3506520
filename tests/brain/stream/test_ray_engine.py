"""Ray: the same results as the local engine, from several actors."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fiftyone as fo
import numpy as np
import pytest

import raremine.brain as rmb
from raremine.brain.crop_index import open_index
from raremine.brain.errors import RaremineError
from tests.brain.fakes import (
    FakeDetector,
    FakeEmbedder,
    painted_dataset,
    scatter,
    truncate,
    values,
)

NAMES = ["car", "person", "truck", "dog", "bus", "bench", "bicycle"] * 6
WRITTEN = ("label", "bounding_box", "confidence", "embedding_status")


@pytest.fixture(scope="module", autouse=True)
def cluster() -> Iterator[Any]:
    """A local Ray of two cores, for all tests here."""
    ray = pytest.importorskip("ray")
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    yield ray
    ray.shutdown()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    painted_dataset(tmp_path, scatter(NAMES, per_image=2))
    return tmp_path


def load(folder: Path) -> fo.Dataset:
    return painted_dataset(folder, scatter(NAMES, per_image=2))


def vectors(dataset: fo.Dataset) -> dict[Any, np.ndarray]:
    """The stored vectors by image and box, which no run decides."""
    index = open_index(dataset, "objects_clip")
    of = dict(zip(*index.label_vectors(), strict=True))
    return {
        key: of.pop(label_id)
        for key, label_id in values(dataset, "id")
        if label_id in of
    }


def assert_same(one: fo.Dataset, other: fo.Dataset) -> None:
    assert values(one, *WRITTEN) == values(other, *WRITTEN)
    ours, theirs = vectors(one), vectors(other)
    assert ours.keys() == theirs.keys()
    for key, vector in ours.items():
        np.testing.assert_allclose(vector, theirs[key], atol=1e-6)


def test_two_actors_find_what_one_process_finds(tmp_path: Path) -> None:
    on_ray, here = load(tmp_path), load(tmp_path)
    truncate(tmp_path / "CAM_BACK/001.png")
    models = FakeDetector(), FakeEmbedder()
    summary = rmb.detect_and_embed(on_ray, *models, engine="ray", actors=2)
    # the models here did nothing
    assert (models[0].images, models[1].crops) == (0, 0)
    local = rmb.detect_and_embed(here, FakeDetector(), FakeEmbedder())
    for stage, counts in local.items():
        for name in set(counts) - {"seconds"}:
            assert summary[stage][name] == counts[name]
    assert summary["detect"]["failures"] == 1
    assert_same(on_ray, here)


def test_the_stages_alone_and_what_is_missing(tmp_path: Path) -> None:
    on_ray, here = load(tmp_path), load(tmp_path)
    one = on_ray.select_group_slices("CAM_BACK")
    rmb.detect_objects(one, FakeDetector())
    summary = rmb.detect_objects(on_ray, FakeDetector(), engine="ray")
    assert summary["skipped"] == len(one)
    rmb.embed_objects(one, FakeEmbedder(), engine="ray", actors=1)
    rmb.embed_objects(on_ray, FakeEmbedder(), engine="ray")
    rmb.detect_objects(here, FakeDetector())
    rmb.embed_objects(here, FakeEmbedder())
    assert_same(on_ray, here)


def test_an_actors_error_is_told_and_a_rerun_goes_on(
    tmp_path: Path,
) -> None:
    class Broken(FakeDetector):
        def detect(self, images: Any) -> Any:
            raise OSError("no weights on this machine")

    dataset = load(tmp_path)
    with pytest.raises(RaremineError, match="no weights on this machine"):
        rmb.detect_objects(dataset, Broken(), engine="ray")
    rmb.detect_objects(dataset, FakeDetector(), engine="ray")
    assert len(values(dataset)) == len(NAMES)
    with pytest.raises(RaremineError, match="actors=0"):
        rmb.detect_objects(
            dataset, FakeDetector(), engine="ray", actors=0, overwrite=True
        )


def test_without_ray_it_says_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset = load(tmp_path)
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(RaremineError, match=r"pip install 'raremine\[ray\]"):
        rmb.detect_objects(dataset, FakeDetector(), engine="ray")
    assert dataset.get_field("objects") is None


def test_real_models_find_the_same_on_ray(
    tmp_path: Path, repo_root: Path
) -> None:
    from PIL import Image

    from demo.config import WorldConfig
    from demo.render import render_images

    world = WorldConfig(seed=5, scenes=2, keyframes=1, image_size=(800, 450))
    paths = []
    for number, picture in enumerate(render_images(world)):
        paths.append(str(tmp_path / f"{number}.jpg"))
        Image.fromarray(picture.image).save(paths[-1], quality=95)
    weights = repo_root / "demo" / "weights"

    def mined(**options: Any) -> fo.Dataset:
        dataset = fo.Dataset()
        dataset.add_samples(fo.Sample(path) for path in paths)
        rmb.detect_and_embed(
            dataset,
            str(weights / "detector.pt"),
            str(weights / "embedder"),
            detect={"imgsz": 640, "device": "cpu"},
            embed={"device": "cpu"},
            **options,
        )
        return dataset

    on_ray, here = mined(engine="ray", actors=2), mined()
    assert len(values(here)) > 10
    ours, theirs = values(on_ray, "label"), values(here, "label")
    assert ours == theirs
    for name, error in (("bounding_box", 1e-5), ("confidence", 1e-4)):
        np.testing.assert_allclose(
            [value for _, value in values(on_ray, name)],
            [value for _, value in values(here, name)],
            atol=error,
        )
    of_ray, of_here = vectors(on_ray), vectors(here)
    assert of_ray.keys() == of_here.keys()
    for key, vector in of_ray.items():
        assert float(vector @ of_here[key]) > 0.99999
