"""open_clip behind the embedder protocol, with weights made here."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import uuid
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import raremine.brain as rmb
from raremine.brain.columns import read_objects
from raremine.brain.crop_index import open_index
from raremine.brain.crop_vectors import vectors_of
from raremine.brain.errors import ModelError, RaremineError
from raremine.brain.models.open_clip_embedder import OpenClipEmbedder
from raremine.brain.models.protocols import PreparingEmbedder
from tests.brain.fakes import FakeDetector, painted_dataset, scatter

NAME = "tiny-raremine-test"

CONFIG: dict[str, Any] = {
    "embed_dim": 24,
    "vision_cfg": {
        "image_size": 32,
        "layers": 2,
        "width": 64,
        "patch_size": 8,
    },
    "text_cfg": {
        "context_length": 77,
        "vocab_size": 49408,
        "width": 64,
        "heads": 2,
        "layers": 2,
    },
}


@pytest.fixture(scope="module")
def net(tmp_path_factory: pytest.TempPathFactory) -> Any:
    import open_clip
    import torch

    config = tmp_path_factory.mktemp("config") / f"{NAME}.json"
    config.write_text(json.dumps(CONFIG))
    open_clip.add_model_config(config)
    torch.manual_seed(0)
    return open_clip.create_model(NAME).eval()


@pytest.fixture(scope="module")
def folder(net: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """NAME.json beside NAME.safetensors."""
    from safetensors.torch import save_file

    folder = tmp_path_factory.mktemp("tiny")
    (folder / f"{NAME}.json").write_text(json.dumps(CONFIG))
    save_file(net.state_dict(), folder / f"{NAME}.safetensors")
    return folder


@pytest.fixture(scope="module")
def own_folder(net: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The layout that open_clip itself writes."""
    preprocess = {"mean": [0.5, 0.5, 0.5], "std": [0.25, 0.25, 0.25]}
    return _own_layout(tmp_path_factory.mktemp("own"), net, CONFIG, preprocess)


def _own_layout(
    folder: Path, net: Any, config: dict[str, Any], preprocess: dict[str, Any]
) -> Path:
    from safetensors.torch import save_file

    (folder / "open_clip_config.json").write_text(
        json.dumps({"model_cfg": config, "preprocess_cfg": preprocess})
    )
    save_file(net.state_dict(), folder / "open_clip_model.safetensors")
    return folder


@pytest.fixture(scope="module")
def embedder(folder: Path) -> OpenClipEmbedder:
    return OpenClipEmbedder(str(folder), device="cpu")


def crops() -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    shapes = [(50, 80), (1, 1), (3, 200), (224, 10), (32, 32)]
    return [rng.integers(0, 255, (*s, 3), dtype=np.uint8) for s in shapes]


def test_crops_are_embedded_as_open_clip_does(
    embedder: OpenClipEmbedder, net: Any
) -> None:
    import open_clip
    import torch

    assert isinstance(embedder, PreparingEmbedder)
    assert embedder.dim == 24
    transform = open_clip.image_transform(32, is_train=False)
    with torch.inference_mode():
        expected = net.encode_image(
            torch.stack([transform(Image.fromarray(c)) for c in crops()])
        ).numpy()
    got = embedder.embed_images(crops())
    assert got.dtype == np.float32
    np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-5)
    for crop, vector in zip(crops(), got, strict=True):
        (alone,) = embedder.embed_images([crop])
        np.testing.assert_allclose(alone, vector, rtol=1e-4, atol=1e-5)


EXTREMES = [
    (1, 1),
    (2, 300),
    (300, 2),
    (10, 4000),
    (224, 224),
    (1600, 900),
    (45, 30),
    (700, 210),
]

CHOICES = [
    (mode, interpolation, size)
    for mode in ("shortest", "longest", "squash")
    for interpolation in ("bicubic", "bilinear", "random")
    for size in (32, (32, 48), (48, 32))
    # enough to meet every value with every other
    if interpolation == "bilinear" or (size == 32) == (mode != "shortest")
]


@pytest.mark.parametrize(("mode", "interpolation", "size"), CHOICES)
def test_every_preprocessing_of_open_clip_is_reproduced(
    tmp_path: Path, mode: str, interpolation: str, size: Any
) -> None:
    import open_clip
    import torch

    config = json.loads(json.dumps(CONFIG))
    config["vision_cfg"]["image_size"] = size
    name = f"tiny-{uuid.uuid4().hex[:8]}"
    (tmp_path / f"{name}.json").write_text(json.dumps(config))
    open_clip.add_model_config(tmp_path / f"{name}.json")
    torch.manual_seed(1)
    net = open_clip.create_model(name).eval()
    preprocess = {
        "interpolation": interpolation,
        "resize_mode": mode,
        "mean": [0.4, 0.5, 0.6],
        "std": [0.2, 0.25, 0.3],
        "fill_color": 90,
    }
    own = tmp_path / "own"
    own.mkdir()
    _own_layout(own, net, config, preprocess)
    _, transform = open_clip.create_model_from_pretrained(f"local-dir:{own}")
    rng = np.random.default_rng(0)
    images = [
        rng.integers(0, 256, (*shape, 3), dtype=np.uint8) for shape in EXTREMES
    ]
    known = [n for n, crop in enumerate(images) if _taken(transform, crop)]
    assert mode == "longest" or len(known) == len(images)
    with torch.inference_mode():
        expected = net.encode_image(
            torch.stack([transform(Image.fromarray(images[n])) for n in known])
        ).numpy()
    for resampling in ("pillow", "batched"):
        embedder = OpenClipEmbedder(
            str(own),
            device="cpu",
            resampling=resampling,  # type: ignore[arg-type]
        )
        prepared = [embedder.prepare(image) for image in images]
        assert all(ready.dtype == np.uint8 for ready in prepared)
        got = embedder.embed_prepared(prepared)
        assert np.isfinite(got).all()
        np.testing.assert_allclose(got[known], expected, atol=1e-5)
        assert _cosine(got[known], expected).min() > 0.9999


def _taken(transform: Any, crop: np.ndarray) -> bool:
    try:
        transform(Image.fromarray(crop))
    except ValueError:
        return False
    return True


def _cosine(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    lengths = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    return np.asarray((a * b).sum(1) / lengths)


def test_the_demo_s_embedder_sees_what_open_clip_shows_it() -> None:
    import open_clip
    import torch

    folder = Path(__file__).parents[3] / "demo/weights/embedder"
    demo = OpenClipEmbedder(str(folder), device="cpu")
    net, transform = open_clip.create_model_from_pretrained(
        "raremine-demo-clip",
        pretrained=str(folder / "raremine-demo-clip.safetensors"),
    )
    net.eval()
    with torch.inference_mode():
        expected = net.encode_image(
            torch.stack([transform(Image.fromarray(c)) for c in crops()])
        ).numpy()
    got = demo.embed_images(crops())
    np.testing.assert_allclose(got, expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("change", ["more", "filter", "fewer", "other"])
def test_a_transform_that_is_not_known_is_applied_as_it_is(
    folder: Path, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    import open_clip
    import torch
    from torchvision import transforms

    make = open_clip.create_model_from_pretrained

    def changed(*args: Any, **options: Any) -> Any:
        net, transform = make(*args, **options)
        parts = list(transform.transforms)
        if change == "more":
            parts.insert(2, transforms.Grayscale(3))
        elif change == "filter":
            parts[0].interpolation = transforms.InterpolationMode.LANCZOS
        elif change == "fewer":
            parts = [transforms.Resize((32, 32)), transforms.ToTensor()]
        else:
            return net, lambda image: transform(image.rotate(90))
        return net, transforms.Compose(parts)

    monkeypatch.setattr(open_clip, "create_model_from_pretrained", changed)
    embedder = OpenClipEmbedder(
        str(folder), device="cpu", resampling="batched"
    )
    _, transform = changed(NAME, str(folder / f"{NAME}.safetensors"))
    with torch.inference_mode():
        expected = embedder._net.encode_image(
            torch.stack([transform(Image.fromarray(c)) for c in crops()])
        ).numpy()
    np.testing.assert_allclose(
        embedder.embed_images(crops()), expected, rtol=1e-4, atol=1e-5
    )


def test_crops_beyond_a_batch_are_embedded_in_several(folder: Path) -> None:
    whole = OpenClipEmbedder(str(folder), device="cpu", batch_size=99)
    small = OpenClipEmbedder(str(folder), device="cpu", batch_size=2)
    np.testing.assert_allclose(
        small.embed_images(crops()),
        whole.embed_images(crops()),
        rtol=1e-4,
        atol=1e-5,
    )


def test_half_precision_is_part_of_the_identity(
    embedder: OpenClipEmbedder, folder: Path
) -> None:
    same = OpenClipEmbedder(str(folder), device="cpu", dtype="float32")
    assert same.identity() == embedder.identity()
    assert same.loader == embedder.loader
    assert "dtype" not in same.identity()
    half = OpenClipEmbedder(str(folder), device="cpu", dtype="bfloat16")
    assert half.identity() == {**same.identity(), "dtype": "bfloat16"}
    got, full = half.embed_images(crops()), same.embed_images(crops())
    assert got.dtype == np.float32
    assert (got != full).any()
    assert _cosine(got, full).min() > 0.99
    text = ["a car"]
    np.testing.assert_array_equal(
        half.embed_texts(text), same.embed_texts(text)
    )
    again = OpenClipEmbedder(**half.loader, device="cpu")
    assert again.identity() == half.identity()


def test_options_that_do_not_exist_are_told(folder: Path) -> None:
    with pytest.raises(ModelError, match="dtype is 'int8'; pass one of"):
        OpenClipEmbedder(str(folder), dtype="int8")
    with pytest.raises(ModelError, match="resampling is 'opencv'"):
        OpenClipEmbedder(
            str(folder),
            resampling="opencv",  # type: ignore[arg-type]
        )


@pytest.mark.parametrize(
    "crop",
    [
        np.zeros((4, 4), np.uint8),
        np.zeros((4, 4, 4), np.uint8),
        np.zeros((0, 4, 3), np.uint8),
        np.zeros((4, 4, 3), np.float32),
    ],
)
def test_what_is_no_rgb_crop_is_told(
    embedder: OpenClipEmbedder, crop: np.ndarray
) -> None:
    with pytest.raises(ModelError, match="Convert the image to RGB first"):
        embedder.prepare(crop)


def test_texts_are_embedded_as_open_clip_does(
    embedder: OpenClipEmbedder, net: Any
) -> None:
    import open_clip
    import torch

    texts = [f"a photo of number {n}" for n in range(300)]
    with torch.inference_mode():
        tokens = open_clip.get_tokenizer(NAME)(texts)
        expected = net.encode_text(tokens, normalize=True).numpy()
    got = embedder.embed_texts(texts)
    np.testing.assert_allclose(got, expected, atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(got, axis=1), 1, atol=1e-5)
    assert embedder.logit_scale == pytest.approx(1 / 0.07)


def test_nothing_in_nothing_out(embedder: OpenClipEmbedder) -> None:
    assert embedder.embed_images([]).shape == (0, 24)
    assert embedder.embed_texts([]).shape == (0, 24)


def test_open_clip_s_own_layout_brings_its_preprocessing(
    own_folder: Path, net: Any
) -> None:
    import open_clip
    import torch

    own = OpenClipEmbedder(str(own_folder), device="cpu")
    transform = open_clip.image_transform(
        32, is_train=False, mean=(0.5, 0.5, 0.5), std=(0.25, 0.25, 0.25)
    )
    with torch.inference_mode():
        expected = net.encode_image(
            torch.stack([transform(Image.fromarray(c)) for c in crops()])
        ).numpy()
    np.testing.assert_allclose(
        own.embed_images(crops()), expected, rtol=1e-4, atol=1e-5
    )


def test_a_known_name_takes_a_weights_file(folder: Path) -> None:
    weights = folder / f"{NAME}.safetensors"
    named = OpenClipEmbedder(NAME, str(weights), device="cpu")
    assert named.identity()["pretrained"] == f"{NAME}.safetensors"
    np.testing.assert_array_equal(
        named.embed_images(crops()),
        OpenClipEmbedder(str(folder), device="cpu").embed_images(crops()),
    )


@pytest.mark.parametrize("layout", ["folder", "own_folder"])
def test_other_weights_are_another_identity(
    layout: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    from safetensors.torch import load_file, save_file

    source: Path = request.getfixturevalue(layout)
    copy = tmp_path / source.name
    shutil.copytree(source, copy)
    before = OpenClipEmbedder(str(source), device="cpu").identity()
    assert OpenClipEmbedder(str(copy), device="cpu").identity() == before
    (weights,) = copy.glob("*.safetensors")
    state = load_file(weights)
    state["logit_scale"] += 1
    save_file(state, weights)
    after = OpenClipEmbedder(str(copy), device="cpu").identity()
    assert after["sha256"] != before["sha256"]


def test_missing_weights_are_never_random(
    tmp_path: Path, folder: Path
) -> None:
    absent = tmp_path / "absent"
    with pytest.raises(ModelError, match=f"No embedder model at '{absent}'"):
        OpenClipEmbedder(str(absent))
    with pytest.raises(ModelError, match=f"'{tmp_path}' holds no open_clip"):
        OpenClipEmbedder(str(tmp_path))
    with pytest.raises(ModelError, match="knows no model 'ViT-Q'"):
        OpenClipEmbedder("ViT-Q", "laion2b_s34b_b79k")
    with pytest.raises(ModelError, match="needs pretrained weights"):
        OpenClipEmbedder(NAME)
    with pytest.raises(ModelError, match=f"No embedder weights at '{absent}'"):
        OpenClipEmbedder(NAME, str(absent))
    with pytest.raises(ModelError, match=r"is a file; pass the folder"):
        OpenClipEmbedder(str(folder / f"{NAME}.safetensors"))
    with pytest.raises(ModelError, match="'no_such_tag' could not be loaded"):
        OpenClipEmbedder(NAME, "no_such_tag")


@pytest.mark.parametrize("content", [b"", b"no weights at all" * 9])
def test_broken_weights_are_told(
    tmp_path: Path, folder: Path, content: bytes
) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    weights = copy / f"{NAME}.safetensors"
    weights.write_bytes(content)
    with pytest.raises(ModelError, match=f"{weights}"):
        OpenClipEmbedder(str(copy))


def test_weights_of_another_shape_are_told(
    tmp_path: Path, folder: Path
) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    (copy / f"{NAME}.json").write_text(json.dumps({**CONFIG, "embed_dim": 32}))
    with pytest.raises(ModelError, match="could not be loaded"):
        OpenClipEmbedder(str(copy))


def test_text_search_in_a_fresh_process_without_network(
    tmp_path: Path, folder: Path
) -> None:
    names = ["car", "person", "truck", "dog", "bus", "bench", "bicycle"]
    model = tmp_path / "model"
    shutil.copytree(folder, model)
    dataset = painted_dataset(tmp_path / "images", scatter(names))
    dataset.name = f"search-{uuid.uuid4().hex[:8]}"
    dataset.persistent = True
    rmb.detect_objects(dataset, FakeDetector())
    rmb.embed_objects(dataset, str(model), index_dir=str(tmp_path / "index"))
    query = "an excavator"
    table = read_objects(dataset)
    vectors, rows = vectors_of(dataset, "objects_clip", table)
    text = OpenClipEmbedder(str(folder)).embed_texts([query])[0]
    best = table.label_id[rows[np.argsort(-(vectors @ text))]][:3].tolist()

    # found elsewhere, the same weights answer as well
    moved = tmp_path / "elsewhere" / "model"
    moved.parent.mkdir()
    model.rename(moved)
    summary = rmb.embed_objects(dataset, str(moved))
    assert summary["skipped"] == len(names)
    script = f"""
import fiftyone as fo
dataset = fo.load_dataset({dataset.name!r})
images = dataset.select_group_slices(media_type="image")
assert dataset.load_brain_results("objects_clip").config.supports_prompts
near = images.to_patches("objects").sort_by_similarity(
    {query!r}, k=3, brain_key="objects_clip"
)
print(*near.values("objects.id"))
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split()[-3:] == best
    dataset.delete()


def test_concepts_reload_the_embedder_that_made_the_vectors(
    tmp_path: Path, folder: Path
) -> None:
    dataset = painted_dataset(tmp_path, scatter(["car", "dog"]))
    rmb.detect_objects(dataset, FakeDetector())
    rmb.embed_objects(dataset, str(folder))
    assert open_index(dataset, "objects_clip").supports_prompts
    assert rmb.match_concepts(dataset)["objects"] == 2
    with pytest.raises(RaremineError, match=r"other settings \(embedder\)"):
        rmb.embed_objects(dataset, _brighter(folder, tmp_path / "other"))


def _brighter(folder: Path, copy: Path) -> str:
    from safetensors.torch import load_file, save_file

    shutil.copytree(folder, copy)
    state = load_file(copy / f"{NAME}.safetensors")
    state["visual.proj"] = state["visual.proj"] * 2
    save_file(state, copy / f"{NAME}.safetensors")
    return str(copy)
