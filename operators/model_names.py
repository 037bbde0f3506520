"""Models that forms suggest; any other that the library knows can be typed."""

from __future__ import annotations

DETECTORS = (
    "yolov8l.pt",
    "yolov8n.pt",
    "yolov8m.pt",
    "yolov8x.pt",
    "yolo11l.pt",
    "rtdetr-l.pt",
)
EMBEDDERS = ("ViT-B-32", "ViT-B-16", "ViT-L-14", "ViT-B-16-SigLIP2")
WEIGHTS = ("laion2b_s34b_b79k", "openai", "datacomp_xl_s13b_b90k", "webli")
CAPTIONERS = (
    "Qwen/Qwen2-VL-2B-Instruct",
    "Qwen/Qwen2.5-VL-3B-Instruct",
    "Qwen/Qwen2.5-VL-7B-Instruct",
    "http://localhost:8000/v1",
)
DEVICES = ("cpu", "cuda", "cuda:0", "mps")
