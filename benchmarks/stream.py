"""Detecting and embedding: raremine beside what is used today.

    python3 run.py bench stream [--json FILE] [--quick] [--detector FILE]

Where there is a GPU, YOLOv8l at 1280 runs on it as well. Images of
1600 x 900 are rendered. Each measurement is a process of its own;
the contestants take turns, and medians are told. The models of the
model-bound regime have random weights: they take as long as trained ones.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks._measure import in_fresh_process, machine, table, write_json

DEMO = Path(__file__).resolve().parents[1] / "demo" / "weights"
WAYS = {
    "research": "one image a call, crops on disk, CLIP by 32",
    "fiftyone": "FiftyOne, `apply_model` + `compute_patch_embeddings`",
    "raremine": "raremine, `detect_and_embed`",
    "floor": "model forwards alone",
}
WIDTH, HEIGHT = 1600, 900
NO_GPU = {"CUDA_VISIBLE_DEVICES": ""}
CANDIDATES = 60
"""Boxes that pass the threshold before overlapping ones are removed, where
the detector has random weights."""

THRESHOLD = -1.0986
"""The logit of a confidence of 0.25."""


def render(folder: Path, keyframes: int) -> list[Path]:
    """Renders a demo world; returns its camera images."""
    command = [sys.executable, "-m", "demo.world", str(folder)]
    command += ["--scenes", str(keyframes), "--keyframes", "1"]
    command += ["--width", str(WIDTH), "--height", str(HEIGHT)]
    subprocess.run(command, check=True, capture_output=True)
    return sorted(folder.glob("samples/CAM_*/*.jpg"))


def repeat(images: list[Path], folder: Path, count: int) -> Path:
    """Gives images further names until there are as many as asked for."""
    folder.mkdir()
    for number in range(count):
        source = images[number % len(images)]
        os.link(source, folder / f"{number:06d}.jpg")
    return folder


def random_clip(folder: Path, name: str) -> Path:
    """Makes an open_clip model with random weights; returns its weights."""
    import open_clip
    from safetensors.torch import save_file

    folder.mkdir()
    config = {
        key: value
        for key, value in open_clip.get_model_config(name).items()
        if key != "custom_text"
    }
    weights = folder / f"random-{name}.safetensors"
    weights.with_suffix(".json").write_text(json.dumps(config))
    net = open_clip.create_model(name)
    save_file(
        {k: v.contiguous() for k, v in net.state_dict().items()}, weights
    )
    return weights


def random_yolo(folder: Path, name: str, image: Path, size: int) -> Path:
    """Makes a YOLO with random weights that finds some objects.

    The scores of one class are shifted so that about ``CANDIDATES`` boxes of
    the given image pass the threshold: what comes behind the network has
    its usual work.
    """
    import cv2
    import torch
    from ultralytics import YOLO

    torch.manual_seed(0)
    yolo = YOLO(f"{name}.yaml")
    network: Any = yolo.model
    pixels = cv2.resize(cv2.imread(str(image)), (size, size * 9 // 512 * 32))
    ready = torch.from_numpy(pixels[..., ::-1].copy()).permute(2, 0, 1)[None]
    last = [branch[-1] for branch in network.model[-1].cv3]
    with torch.no_grad():
        # without statistics of an image the network's output is constant
        network.train()
        for layer in network.modules():
            if isinstance(layer, torch.nn.BatchNorm2d):
                layer.momentum = 1.0
        network(ready.float() / 255)
        for layer in last:
            layer.bias.fill_(-20.0)
            layer.bias[0] = 0.0
        output = network.eval()(ready.float() / 255)
        scores = output[0][0, 4].logit().sort(descending=True).values
        for layer in last:
            layer.bias[0] = THRESHOLD - float(scores[CANDIDATES])
    weights = folder / f"random-{name}.pt"
    yolo.save(str(weights))
    return weights


def compare(
    spec: dict[str, Any],
    folder: Path,
    rounds: int,
    environment: dict[str, str] | None = None,
) -> list[dict[str, Any]]:
    """Lets the contestants take turns; returns a row of each."""
    file = folder / "spec.json"

    def run(way: str) -> dict[str, Any]:
        file.write_text(json.dumps(spec))
        print(f"  {way} ...", flush=True)
        return in_fresh_process(
            "benchmarks._stream_contestants",
            way,
            str(file),
            environment=environment,
        )

    first = run("raremine")
    spec["crops_an_image"] = first["crops"] / spec["count"]
    spec["input"] = first["input"]
    told: dict[str, list[dict[str, Any]]] = {way: [] for way in WAYS}
    for _ in range(rounds):
        for way in WAYS:
            told[way].append(run(way))
    rows = []
    for way, name in WAYS.items():
        seconds = statistics.median(one["seconds"] for one in told[way])
        crops = told[way][0]["crops"]
        rows.append(
            {
                "way": name,
                "images": spec["count"],
                "crops": crops,
                "seconds": seconds,
                "images/s": spec["count"] / seconds,
                "crops/s": round(crops / seconds),
            }
        )
    for row in rows:
        row["of (a)"] = row["seconds"] / rows[0]["seconds"]
        row["of (b)"] = row["seconds"] / rows[1]["seconds"]
        row["floor's speed"] = rows[3]["seconds"] / row["seconds"]
    return rows


def memory(
    spec: dict[str, Any], images: list[Path], folder: Path, counts: list[int]
) -> list[dict[str, Any]]:
    """Measures raremine's peak of memory on few and on many images."""
    rows: list[dict[str, Any]] = []
    for count in counts:
        own = {
            **spec,
            "images": str(repeat(images, folder / f"repeated-{count}", count)),
            "count": count,
        }
        file = folder / "spec.json"
        file.write_text(json.dumps(own))
        print(f"  memory: {count} images ...", flush=True)
        told = in_fresh_process(
            "benchmarks._stream_contestants",
            "raremine",
            str(file),
            environment=NO_GPU,
        )
        rows.append(
            {
                "images": count,
                "crops": told["crops"],
                "seconds": told["seconds"],
                "peak MB": round(told["peak_mb"]),
                "of the first": told["peak_mb"] / rows[0]["peak MB"]
                if rows
                else 1.0,
            }
        )
    return rows


def main() -> None:
    """Runs the regimes that this machine can and prints their tables."""
    parser = argparse.ArgumentParser(
        prog="run.py bench stream", description=__doc__.splitlines()[0]
    )
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument(
        "--quick", action="store_true", help="few images, one round"
    )
    parser.add_argument(
        "--detector",
        type=Path,
        help="weights of the model-bound regime, such as yolov8n.pt "
        "(default: YOLOv8n with random weights)",
    )
    options = parser.parse_args()
    import torch

    few, many, rounds = (12, 24, 1) if options.quick else (48, 576, 3)
    demo_clip = DEMO / "embedder" / "raremine-demo-clip.safetensors"
    parts: dict[str, list[dict[str, Any]]] = {}
    with tempfile.TemporaryDirectory(prefix="raremine-bench-") as name:
        folder = Path(name)
        print("  rendering ...", flush=True)
        images = render(folder / "world", 4 if options.quick else 16)
        common = {"images_a_batch": 8, "crops_a_batch": 64, "workers": 2}
        overhead = {
            **common,
            "images": str(repeat(images, folder / "many", many)),
            "count": many,
            "detector": str(DEMO / "detector.pt"),
            "clip": str(demo_clip),
            "imgsz": 320,
            "max_det": 50,
        }
        bound = {
            **common,
            "images": str(repeat(images, folder / "few", few)),
            "count": few,
            "detector": str(
                options.detector.expanduser().resolve()
                if options.detector
                else random_yolo(folder, "yolov8n", images[0], 640)
            ),
            "clip": str(random_clip(folder / "clip", "ViT-B-32")),
            "imgsz": 640,
            # random weights find what they find
            "max_det": 10,
        }
        parts["overhead-bound"] = compare(overhead, folder, rounds, NO_GPU)
        parts["model-bound"] = compare(bound, folder, rounds, NO_GPU)
        if torch.cuda.is_available():
            on_gpu = {
                **bound,
                "images": overhead["images"],
                "count": many,
                "detector": str(
                    random_yolo(folder, "yolov8l", images[0], 1280)
                ),
                "imgsz": 1280,
                "images_a_batch": 32,
                "crops_a_batch": 256,
                "workers": os.cpu_count(),
            }
            parts["GPU"] = compare(on_gpu, folder, rounds)
        parts["memory"] = memory(
            overhead,
            images,
            folder,
            [50, 200] if options.quick else [1000, 4000],
        )
    here = machine("fiftyone", "torch", "ultralytics", "open_clip_torch")
    for part, rows in parts.items():
        print(f"\n{part}\n\n{table(rows)}")
    print(f"\n{', '.join(f'{k} {v}' for k, v in here.items())}")
    write_json(options.json, {**parts, "machine": here})


if __name__ == "__main__":
    main()
