"""Trains one detector on one split and measures it on the held-out world.

It begins as detectors in practice do: with a network that knows a few common
classes from elsewhere, whose last layers are made new for the ten classes.
The demo detector is that network. It has learned six COCO classes on other
worlds and never heard of trailers, barriers, cones or construction vehicles.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from benchmarks._measure import tell

BATCH = 16
HELD_OUT = "held_out"

LEARNING_RATE = 1e-3


def train(
    work: Path,
    images: str,
    held_out: str,
    names: list[str],
    *,
    pictures: int,
    seed: int,
    start: str,
    frozen: int,
    image_size: int,
    device: str,
) -> dict[str, Any]:
    """Trains for a number of pictures and returns AP by class.

    Args:
        work: scratch folder
        images: folder of the split's images, in YOLO's layout
        held_out: likewise, to measure on
        names: classes in the order of their numbers
        pictures: how many pictures the training looks at in all. The same
            for every contestant, so that a larger split is seen less often
            and none gains by more steps.
        seed: of the order of the pictures and of the new layers
        start: weights or a model configuration to start from
        frozen: number of first layers that do not learn
        image_size: px
        device: as Ultralytics has it

    Returns:
        ``ap50`` and ``ap`` (COCO's mean over IoU .5-.95) by class, and
        ``epochs``
    """
    import torch
    import yaml
    from ultralytics import YOLO
    from ultralytics.utils import SETTINGS

    from demo.train_detector import TRAINING, half_forward

    torch.set_num_threads(1)
    SETTINGS.update({"sync": False})
    data = work / "data.yaml"
    # Ultralytics writes its list of labels beside them, and trainings that
    # run at the same time must not write the same file
    for part in ("images", "labels"):
        own = work / HELD_OUT / part
        own.mkdir(parents=True, exist_ok=True)
        there = Path(held_out).parents[1] / part / Path(held_out).name
        (own / "train").symlink_to(there)
    pictures_there = sorted(Path(images).iterdir())
    # it also validates twice at the end, which need not take long
    first = work / "first.txt"
    first.write_text(f"{pictures_there[0]}\n", encoding="utf-8")
    content = {
        "train": images,
        "val": str(first),
        "test": str(work / HELD_OUT / "images" / "train"),
        "names": names,
    }
    data.write_text(yaml.safe_dump(content), encoding="utf-8")
    count = len(pictures_there)
    epochs = max(round(pictures / count), 1)
    model = YOLO(start, task="detect")
    if device == "cpu":
        model.add_callback("on_train_start", half_forward)
    model.train(
        data=str(data),
        epochs=epochs,
        imgsz=image_size,
        batch=BATCH,
        nbs=BATCH,
        seed=seed,
        freeze=frozen,
        device=device,
        amp=device != "cpu",
        project=str(work),
        name="run",
        exist_ok=True,
        val=False,
        plots=False,
        workers=0 if device == "cpu" else 8,
        cache="ram",
        verbose=False,
        lr0=LEARNING_RATE,
        **TRAINING,
    )
    trained: Any = YOLO(work / "run" / "weights" / "last.pt")
    found = trained.val(
        data=str(data),
        split="test",
        imgsz=image_size,
        batch=BATCH,
        device=device,
        workers=0,
        plots=False,
        verbose=False,
        project=str(work),
        name="val",
        exist_ok=True,
    )
    box = found.box
    measured = {
        names[c]: (float(box.ap50[at]), float(box.ap[at]))
        for at, c in enumerate(box.ap_class_index.tolist())
    }
    return {
        "ap50": {name: ap[0] for name, ap in measured.items()},
        "ap": {name: ap[1] for name, ap in measured.items()},
        "epochs": epochs,
    }


def main() -> None:
    """One JSON object with the arguments of ``train``."""
    options = json.loads(sys.argv[1])
    work = Path(options.pop("work"))
    work.mkdir(parents=True, exist_ok=True)
    tell(lambda: train(work, **options))


if __name__ == "__main__":
    main()
