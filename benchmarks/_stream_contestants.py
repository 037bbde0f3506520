"""Detecting and embedding by one of the ways that ``stream`` compares.

    python -m benchmarks._stream_contestants WAY SPEC.json

Loading the models and a first call on two images are not counted.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

CONF, IOU, PADDING = 0.25, 0.45, 0.05
RESEARCH_BATCH = 32
PROCESSOR = "fiftyone.utils.torch.ClassifierOutputProcessor"
Work = Callable[[list[str]], dict[str, Any]]


def research(spec: dict[str, Any]) -> Work:
    """One image a call; crops saved as JPEG; then CLIP in batches of 32."""
    import torch
    from PIL import Image
    from ultralytics import YOLO

    detector: Any = YOLO(spec["detector"])
    net, preprocess, device = _clip(spec)

    def crops_of(path: str, folder: Path, number: int) -> list[Path]:
        (found,) = detector(
            path,
            imgsz=spec["imgsz"],
            conf=CONF,
            iou=IOU,
            max_det=spec["max_det"],
            device=device,
            verbose=False,
        )
        image = Image.open(path).convert("RGB")
        saved = []
        for place, box in enumerate(found.boxes.xyxy.cpu().numpy()):
            x1, y1, x2, y2 = (float(v) for v in box)
            dx, dy = PADDING * (x2 - x1), PADDING * (y2 - y1)
            frame = (
                *(max(int(x1 - dx), 0), max(int(y1 - dy), 0)),
                *(min(int(x2 + dx) + 1, image.width),),
                *(min(int(y2 + dy) + 1, image.height),),
            )
            saved.append(folder / f"{number:06d}_{place:02d}.jpg")
            image.crop(frame).save(saved[-1], quality=95)
        return saved

    def work(paths: list[str]) -> dict[str, Any]:
        with tempfile.TemporaryDirectory() as name:
            crops: list[Path] = []
            for number, path in enumerate(paths):
                crops += crops_of(path, Path(name), number)
            vectors = []
            for start in range(0, len(crops), RESEARCH_BATCH):
                batch = [
                    preprocess(Image.open(crop).convert("RGB"))
                    for crop in crops[start : start + RESEARCH_BATCH]
                ]
                with torch.no_grad():
                    features = net.encode_image(torch.stack(batch).to(device))
                vectors.append(features.cpu().numpy())
        return {"crops": sum(len(v) for v in vectors)}

    return work


def fiftyone(spec: dict[str, Any]) -> Work:
    """``apply_model``, then ``compute_patch_embeddings``."""
    import fiftyone as fo
    import open_clip
    from fiftyone.utils.open_clip import (
        TorchOpenClipModel,
        TorchOpenClipModelConfig,
    )
    from ultralytics import YOLO

    fo.config.show_progress_bars = False
    config = Path(spec["clip"]).with_suffix(".json")
    open_clip.add_model_config(config)
    model = TorchOpenClipModel(
        TorchOpenClipModelConfig(
            {
                "clip_model": config.stem,
                "pretrained": spec["clip"],
                "text_prompt": "a",
                "classes": ["car"],
                "embeddings_layer": "visual",
                "output_processor_cls": PROCESSOR,
            }
        )
    )
    detector: Any = YOLO(spec["detector"])
    detector.overrides.update(
        imgsz=spec["imgsz"], iou=IOU, max_det=spec["max_det"], verbose=False
    )

    def work(paths: list[str]) -> dict[str, Any]:
        dataset = fo.Dataset()
        dataset.add_samples([fo.Sample(path) for path in paths])
        dataset.apply_model(
            detector,
            label_field="objects",
            confidence_thresh=CONF,
            batch_size=spec["images_a_batch"],
            num_workers=2,
        )
        vectors = dataset.compute_patch_embeddings(
            model,
            "objects",
            alpha=PADDING,
            batch_size=spec["crops_a_batch"],
            num_workers=2,
        )
        count = sum(len(v) for v in vectors.values() if v is not None)
        dataset.delete()
        return {"crops": count}

    return work


def raremine(spec: dict[str, Any]) -> Work:
    """``detect_and_embed``, into a dataset and a LanceDB index."""
    import fiftyone as fo

    import raremine.brain as rmb
    from raremine.brain.models.open_clip_embedder import OpenClipEmbedder
    from raremine.brain.models.ultralytics_detector import UltralyticsDetector
    from raremine.brain.stream.images import read_image

    detector = UltralyticsDetector(
        spec["detector"],
        conf=CONF,
        iou=IOU,
        imgsz=spec["imgsz"],
        max_det=spec["max_det"],
        batch_size=spec["images_a_batch"],
    )
    ready = detector.prepare(read_image(_paths(spec)[0]))
    shape = list(ready.pixels.shape[:2])
    embedder = OpenClipEmbedder(
        str(Path(spec["clip"]).parent), batch_size=spec["crops_a_batch"]
    )

    def work(paths: list[str]) -> dict[str, Any]:
        dataset = fo.Dataset()
        # as an importer does: no sample is alive afterwards
        dataset.add_samples(fo.Sample(path) for path in paths)
        with tempfile.TemporaryDirectory() as folder:
            summary = rmb.detect_and_embed(
                dataset,
                detector,
                embedder,
                embed={"padding": PADDING, "index_dir": folder},
                workers=spec["workers"],
                progress=False,
            )
            dataset.delete_brain_runs()
        dataset.delete()
        return {"crops": summary["embed"]["objects"], "input": shape}

    return work


def floor(spec: dict[str, Any]) -> Work:
    """As many forwards of both models, on tensors that are ready."""
    import torch
    from ultralytics import YOLO

    net, _, device = _clip(spec)
    network: Any = YOLO(spec["detector"]).model
    network = network.to(device).eval().fuse()
    size = net.visual.image_size
    height, width = (size, size) if isinstance(size, int) else size
    image = torch.rand(1, 3, *spec["input"], device=device)
    crop = torch.rand(1, 3, height, width, device=device)

    def work(paths: list[str]) -> dict[str, Any]:
        crops = round(spec["crops_an_image"] * len(paths))
        with torch.inference_mode():
            for model, one, count, batch in (
                (network, image, len(paths), spec["images_a_batch"]),
                (net.encode_image, crop, crops, spec["crops_a_batch"]),
            ):
                ready = one.repeat(batch, 1, 1, 1)
                for start in range(0, count, batch):
                    model(ready[: min(batch, count - start)])
            if device == "cuda":
                torch.cuda.synchronize()
        return {"crops": crops}

    return work


WAYS: dict[str, Callable[[dict[str, Any]], Work]] = {
    "research": research,
    "fiftyone": fiftyone,
    "raremine": raremine,
    "floor": floor,
}


def _clip(spec: dict[str, Any]) -> tuple[Any, Any, str]:
    import open_clip
    import torch

    config = Path(spec["clip"]).with_suffix(".json")
    open_clip.add_model_config(config)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    net, _, preprocess = open_clip.create_model_and_transforms(
        config.stem, pretrained=spec["clip"], device=device
    )
    return net.eval(), preprocess, device


def _paths(spec: dict[str, Any]) -> list[str]:
    return sorted(str(path) for path in Path(spec["images"]).iterdir())


if __name__ == "__main__":
    from benchmarks._measure import tell

    way, file = sys.argv[1:]
    given = json.loads(Path(file).read_text())
    import torch

    threads = torch.get_num_threads()
    run = WAYS[way](given)
    chosen = _paths(given)
    run(chosen[:2])
    # Ultralytics leaves a core less for all of the process
    torch.set_num_threads(threads)
    tell(lambda: run(chosen))
