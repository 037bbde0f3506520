"""Trains the demo's CLIP model on crops and the phrases true of them.

A real open_clip model of a configuration of our own: small image tower,
small text tower, CLIP's own tokenizer. Several pictures of a batch may fit
one phrase, so the contrastive target is shared among all true pairs.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from demo.phrases import ABSENT, TEMPLATES, Phrase, phrases, sentence
from demo.train_data import Crop, balanced_weights, bf16, jitter

NAME = "raremine-demo-clip"
SIZE = 80
CONFIG: dict[str, Any] = {
    "embed_dim": 128,
    "vision_cfg": {
        "image_size": SIZE,
        "layers": [1, 2, 2, 1],
        "width": 24,
        "patch_size": None,
    },
    "text_cfg": {
        "context_length": 32,
        "vocab_size": 49408,
        "width": 64,
        "heads": 4,
        "layers": 3,
    },
}
"""The open_clip model configuration."""

MEAN = np.array([0.48145466, 0.4578275, 0.40821073], np.float32)
STD = np.array([0.26862954, 0.26130258, 0.27577711], np.float32)


def register(folder: Path) -> None:
    """Makes the configuration known to open_clip in this process."""
    import open_clip

    open_clip.add_model_config(folder)


def write_config(out: Path) -> Path:
    """Writes the model configuration file and returns its path."""
    out.mkdir(parents=True, exist_ok=True)
    path = out / f"{NAME}.json"
    path.write_text(json.dumps(CONFIG, indent=2) + "\n", encoding="utf-8")
    return path


def view(
    pixels: NDArray[np.uint8], size: int, rng: np.random.Generator
) -> NDArray[np.uint8]:
    """Brings a crop to a square as pipelines do: squash or centre crop.

    CLIP's own transform scales the shorter side and keeps the centre; other
    code squashes or pads. A model that has seen all three stays usable.

    Args:
        pixels: (h, w, 3) uint8
        size: side of the result in px
        rng: draws the way

    Returns:
        (size, size, 3) uint8
    """
    way = rng.random()
    height, width = pixels.shape[:2]
    if way < 0.6 and height != width:
        side = min(height, width)
        top, left = (height - side) // 2, (width - side) // 2
        pixels = pixels[top : top + side, left : left + side]
    elif way > 0.9:
        side = max(height, width)
        square = np.zeros((side, side, 3), np.uint8)
        top, left = (side - height) // 2, (side - width) // 2
        square[top : top + height, left : left + width] = pixels
        pixels = square
    shrinks = pixels.shape[0] > size
    resized = cv2.resize(
        np.ascontiguousarray(pixels),
        (size, size),
        interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC,
    )
    return np.asarray(resized, np.uint8)


def normalise(pixels: NDArray[np.uint8]) -> torch.Tensor:
    """Turns (B, h, w, 3) uint8 into CLIP's normalised (B, 3, h, w)."""
    scaled = (pixels.astype(np.float32) / 255 - MEAN) / STD
    return torch.from_numpy(np.ascontiguousarray(scaled.transpose(0, 3, 1, 2)))


def targets(
    crops: Sequence[Crop], texts: Sequence[Phrase]
) -> NDArray[np.bool_]:
    """Tells for each pair of crop and phrase whether the phrase is true.

    Returns:
        (crops, texts) bool
    """
    return np.array([[t.holds(c.thing) for t in texts] for c in crops])


def contrastive_loss(
    image: torch.Tensor,
    text: torch.Tensor,
    scale: torch.Tensor,
    true: torch.Tensor,
) -> torch.Tensor:
    """Symmetric InfoNCE with the target mass shared among true pairs.

    As in supervised contrastive learning (Khosla et al. 2020), the positives
    of a row share its target mass evenly.

    Args:
        image: (B, D) normalised image features
        text: (T, D) normalised text features
        scale: the logit scale, already exponentiated
        true: (B, T) bool; a column without a True only repels
    """
    logits = scale * image @ text.T
    mass = true.float()
    rows = mass / mass.sum(1, keepdim=True).clamp(min=1)
    hits = mass.sum(0, keepdim=True)
    columns = mass / hits.clamp(min=1)
    by_image = -(rows * logits.log_softmax(1)).sum(1).mean()
    by_text = -(columns * logits.log_softmax(0)).sum() / (hits > 0).sum()
    return (by_image + by_text) / 2


def _draw_phrases(
    batch: Sequence[Crop], rng: np.random.Generator
) -> tuple[list[Phrase], list[str]]:
    """Draws one phrase a crop and some true of none, as sentences.

    Repeats are left out; the absent things only push pictures away.
    """
    absent = ABSENT[int(rng.integers(len(ABSENT)))]
    chosen = {absent: Phrase(absent, concept="nothing here")}
    for crop in batch:
        options = phrases(crop.thing)
        phrase = options[int(rng.integers(len(options)))]
        chosen[phrase.text] = phrase
    texts = [
        sentence(text, TEMPLATES[int(rng.integers(len(TEMPLATES)))])
        for text in chosen
    ]
    return list(chosen.values()), texts


def train_embedder(
    crops: Sequence[Crop],
    out: Path,
    *,
    minutes: float = 12.0,
    seed: int = 0,
    batch: int = 96,
    rate: float = 1.5e-3,
    resume: bool = False,
) -> dict[str, Any]:
    """Trains the model and writes ``out/NAME.json`` and ``.safetensors``.

    Args:
        crops: training crops
        out: the embedder's weights folder
        minutes (12.0): training time; the schedule follows the clock
        seed (0): seed of sampling and initial weights
        batch (96): crops a step
        rate (1.5e-3): peak learning rate
        resume (False): start from the weights in ``out``

    Returns:
        the parameters that were used and the last mean loss
    """
    import open_clip

    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    write_config(out)
    register(out)
    start_from = str(out / f"{NAME}.safetensors") if resume else None
    model = open_clip.create_model(NAME, pretrained=start_from)
    tokenizer = open_clip.get_tokenizer(NAME)
    model.train()
    model.visual.to(memory_format=torch.channels_last)
    decayed = [p for p in model.parameters() if p.ndim > 1]
    free = [p for p in model.parameters() if p.ndim <= 1]
    optimiser = torch.optim.AdamW(
        [
            {"params": decayed, "weight_decay": 0.02},
            {"params": free, "weight_decay": 0.0},
        ],
        lr=rate,
        betas=(0.9, 0.98),
    )
    weights = balanced_weights(crops)
    start = saved = time.monotonic()
    losses: list[float] = []
    while (elapsed := (time.monotonic() - start) / (60 * minutes)) < 1:
        warm = min(1.0, (len(losses) + 1) / 100)
        for group in optimiser.param_groups:
            group["lr"] = rate * warm * (0.02 + 0.98 * _cosine(elapsed))
        picked = rng.choice(len(crops), batch, p=weights)
        chosen = [crops[i] for i in picked]
        pixels = np.stack([view(jitter(c, rng), SIZE, rng) for c in chosen])
        texts, sentences = _draw_phrases(chosen, rng)
        true = torch.from_numpy(targets(chosen, texts))
        with bf16():
            image = model.encode_image(
                normalise(pixels).to(memory_format=torch.channels_last),
                normalize=True,
            ).float()
        text = model.encode_text(tokenizer(sentences), normalize=True)
        loss = contrastive_loss(image, text, model.logit_scale.exp(), true)
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        with torch.no_grad():
            model.logit_scale.clamp_(0, np.log(50))
        losses.append(loss.item())
        if len(losses) % 50 == 0:
            print(
                f"embedder step {len(losses)} "
                f"({elapsed:.0%}) loss {np.mean(losses[-50:]):.3f}",
                flush=True,
            )
        if time.monotonic() - saved > 120:
            save_embedder(model, out)
            saved = time.monotonic()
    save_embedder(model, out)
    return {
        "crops": len(crops),
        "steps": len(losses),
        "batch": batch,
        "learning rate": rate,
        "parameters": sum(p.numel() for p in model.parameters()),
        "last loss": round(float(np.mean(losses[-50:])), 3),
    }


def _cosine(share: float) -> float:
    return float((1 + np.cos(np.pi * min(1.0, share))) / 2)


def save_embedder(model: torch.nn.Module, out: Path) -> Path:
    """Writes the weights as fp16 safetensors and returns their path."""
    from safetensors.torch import save_file

    state = {
        name: (
            value.half().contiguous()
            if value.is_floating_point()
            else value.contiguous()
        )
        for name, value in model.state_dict().items()
    }
    path = out / f"{NAME}.safetensors"
    part = path.with_suffix(".part")
    save_file(state, part)
    part.replace(path)
    return path
