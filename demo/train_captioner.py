"""Trains the demo's captioner: a real Qwen2-VL model, only very small.

First the vision tower learns by itself to tell shapes, classes and colours
apart, which is cheap; then the whole model learns to answer the prompts of
``brain/captions``. The detector's hint in the prompt is right, wrong or
missing at random, so that the answer has to come from the picture.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from demo.captioner_model import (
    COCO_HINTS,
    OWN_PROMPTS,
    Example,
    build_model,
    build_processor,
    load_captioner,
    messages,
    save_captioner,
)
from demo.phrases import answer, answer_class
from demo.train_data import Crop, SceneObject, balanced_weights, bf16, jitter
from raremine.brain.captions.prompts import build_prompt

LIKELY_HINT = {
    "pedestrian": ("pedestrian", "person"),
    "construction vehicle": ("truck", "car", "bus"),
    "trailer": ("truck", "bus", "car"),
    "traffic cone": ("fire hydrant", "person"),
    "barrier": ("bench", "car"),
    "others": ("person", "dog", "car", "truck"),
}
"""What a COCO detector probably calls a class it has no right name for."""


def draw_hint(thing: SceneObject, rng: np.random.Generator) -> str | None:
    """Draws a detector's class: none, likely or plainly wrong.

    Args:
        thing: the object
        rng: source of randomness

    Returns:
        None in 25 % of the cases, a likely name in 45 %, any name in 30 %
    """
    draw = rng.random()
    if draw < 0.25:
        return None
    name = answer_class(thing.category)
    likely = LIKELY_HINT.get(name, (name,))
    names = likely if draw < 0.7 else COCO_HINTS
    return str(names[int(rng.integers(len(names)))])


def draw_example(
    thing: SceneObject, rng: np.random.Generator, hint: str | None = None
) -> Example:
    """Draws prompt kind, wording and hint for one object.

    Args:
        thing: the object
        rng: source of randomness
        hint (None): the detector's class, where it is known; two times of
            three it is given as it is
    """
    kind = "default" if rng.random() < 0.7 else "paper"
    if hint is None or rng.random() < 1 / 3:
        hint = draw_hint(thing, rng)
    prompt = build_prompt(kind, hint)
    if rng.random() < 0.06:
        options = OWN_PROMPTS[kind]
        prompt = options[int(rng.integers(len(options)))]
    return Example(prompt, answer(thing, kind))


class Heads(nn.Module):
    """Linear read-outs of the mean visual token, for the first stage."""

    def __init__(self, width: int, sizes: Sequence[int]) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.heads = nn.ModuleList([nn.Linear(width, n) for n in sizes])

    def forward(self, tokens: list[torch.Tensor]) -> list[torch.Tensor]:
        """Maps per-picture (n, width) tokens to one (B, size) per head."""
        mean = self.norm(torch.stack([t.float().mean(0) for t in tokens]))
        return [head(mean) for head in self.heads]


def _targets(crops: Sequence[Crop]) -> tuple[torch.Tensor, list[int]]:
    """Returns (crops, heads) integer targets and the heads' sizes."""
    columns = [
        [f"{c.thing.category}/{c.thing.shape}" for c in crops],
        [answer_class(c.thing.category) for c in crops],
        [c.thing.colour for c in crops],
        [str(c.thing.night) for c in crops],
        [str(c.thing.rider) for c in crops],
    ]
    names = [sorted(set(column)) for column in columns]
    rows = [
        [known.index(value) for value in column]
        for known, column in zip(names, columns, strict=True)
    ]
    return torch.tensor(rows).T.contiguous(), [len(known) for known in names]


def _visual_tokens(model: Any, inputs: Any) -> list[torch.Tensor]:
    grid = inputs["image_grid_thw"]
    with bf16(), sdpa_kernel(SDPBackend.MATH):
        result = model.model.visual(inputs["pixel_values"], grid_thw=grid)
    merged = getattr(result, "pooler_output", result)
    return list(torch.split(merged, (grid.prod(1) // 4).tolist()))


def collate(processor: Any, images: list[Any], examples: list[Example]) -> Any:
    """Builds a right-padded training batch with labels on the answers only.

    Args:
        processor: the ``Qwen2VLProcessor``
        images: (h, w, 3) uint8 arrays
        examples: one a picture

    Returns:
        the model's inputs, with ``labels``
    """
    tokenizer = processor.tokenizer
    tokenizer.padding_side = "right"
    texts = [
        processor.apply_chat_template(messages(e, True), tokenize=False)
        for e in examples
    ]
    batch = processor(
        text=texts,
        images=list(images),
        input_data_format="channels_last",
        padding=True,
        return_tensors="pt",
    )
    labels = batch["input_ids"].clone()
    labels[batch["attention_mask"] == 0] = -100
    for row, example in zip(labels, examples, strict=True):
        # The chat ends with answer, stop mark and a line break.
        size = len(tokenizer(example.answer)["input_ids"]) + 2
        last = int((row != -100).sum())
        row[: last - size] = -100
        row[last - 1] = -100
    batch["labels"] = labels
    return batch


def train_captioner(
    crops: Sequence[Crop],
    out: Path,
    *,
    minutes: float = 25.0,
    seed: int = 0,
    batch: int = 48,
    rate: float = 1.5e-3,
    resume: bool = False,
) -> dict[str, Any]:
    """Trains the model and saves it with its processor to ``out``.

    Args:
        crops: training crops
        out: the captioner's weights folder
        minutes (25.0): training time; the schedule follows the clock
        seed (0): seed of sampling and initial weights
        batch (48): crops a step
        rate (1.5e-3): peak learning rate
        resume (False): start from the model and tokenizer in ``out``, the
            vision tower included

    Returns:
        the parameters that were used and the last mean loss
    """
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    weights = balanced_weights(crops)
    steps = 0
    if resume:
        model, processor = load_captioner(out)
        attend_in_one_batch(model)
    else:
        processor = build_processor(c.thing for c in crops)
        model = build_model(processor.tokenizer)
        start_from_cosines(model)
        attend_in_one_batch(model)
        steps = _train_vision(
            model, processor, crops, weights, rng, 0.5 * minutes, batch, rate
        )
    model.train()
    vision = list(model.model.visual.parameters())
    known = {id(p) for p in vision}
    text = [p for p in model.parameters() if id(p) not in known]
    groups = [(vision, 0.4 * rate), (text, rate)]
    optimiser = torch.optim.AdamW(
        [{"params": p, "lr": r, "weight_decay": 0.02} for p, r in groups],
        betas=(0.9, 0.98),
    )
    losses: list[float] = []
    start = saved = time.monotonic()
    span = 60 * (1.0 if resume else 0.5) * minutes
    while (share := (time.monotonic() - start) / span) < 1:
        _set_rate(optimiser, [r for _, r in groups], len(losses), share)
        chosen = [crops[i] for i in rng.choice(len(crops), batch, p=weights)]
        inputs = collate(
            processor,
            [jitter(c, rng) for c in chosen],
            [draw_example(c.thing, rng, c.hint) for c in chosen],
        )
        # The plain kernel: on CPUs the fused one has a slow backward pass.
        with bf16(), sdpa_kernel(SDPBackend.MATH):
            loss = model(**inputs).loss
        _step(optimiser, loss, model)
        losses.append(loss.item())
        if len(losses) % 50 == 0:
            print(
                f"captioner step {len(losses)} ({share:.0%}) "
                f"loss {np.mean(losses[-50:]):.4f}",
                flush=True,
            )
        if time.monotonic() - saved > 120:
            save_captioner(model, processor, out)
            saved = time.monotonic()
    save_captioner(model, processor, out)
    return {
        "crops": len(crops),
        "vision steps": steps,
        "steps": len(losses),
        "batch": batch,
        "learning rate": rate,
        "vocabulary": len(processor.tokenizer),
        "parameters": sum(p.numel() for p in model.parameters()),
        "last loss": round(float(np.mean(losses[-50:])), 4),
    }


def start_from_cosines(model: Any) -> None:
    """Sets the patch embedding to a cosine basis of light and colour.

    A tower this small learns much faster from the low frequencies of a patch
    than from random sums of its pixels. Rows are scaled up with frequency,
    against the 1/f fall of pictures.

    Args:
        model: the untrained model; changed in place
    """
    weight = model.model.visual.patch_embed.proj.weight
    width, _, frames, side, _ = weight.shape
    grid = (np.arange(side) + 0.5) * np.pi / side
    waves = sorted(
        ((u, v) for u in range(side) for v in range(side)),
        key=lambda uv: (uv[0] + uv[1], uv),
    )
    mixes = np.array([[1, 1, 1], [1, -1, 0], [-0.5, -0.5, 1]])
    mixes /= np.linalg.norm(mixes, axis=1, keepdims=True)
    counts = [width - 2 * (width // 5), width // 5, width // 5]
    rows = []
    for mix, count in zip(mixes, counts, strict=True):
        for u, v in waves[:count]:
            wave = np.outer(np.cos(u * grid), np.cos(v * grid))
            wave *= (1 + u + v) / (np.linalg.norm(wave) * side * frames)
            rows.append(mix[:, None, None] * wave)
    basis = torch.tensor(np.array(rows), dtype=weight.dtype)
    with torch.no_grad():
        weight.copy_(basis[:, :, None].expand_as(weight))


def attend_in_one_batch(model: Any) -> None:
    """Lets the vision tower attend to all pictures of a batch at once.

    transformers calls the attention kernel once a picture, which on a CPU
    costs more than the mathematics. The result is the same; only this
    object is changed, nothing of it is saved.

    Args:
        model: the model; its attention modules get another ``forward``
    """
    for block in model.model.visual.blocks:
        block.attn.forward = _padded_attention(block.attn)


def _padded_attention(attn: Any) -> Any:
    from transformers.models.qwen2_vl.modeling_qwen2_vl import (
        apply_rotary_pos_emb_vision,
    )

    def forward(
        hidden_states: torch.Tensor,
        cu_seqlens: torch.Tensor,
        position_embeddings: tuple[torch.Tensor, torch.Tensor],
        **_: Any,
    ) -> torch.Tensor:
        size = hidden_states.shape[0]
        parts = attn.qkv(hidden_states).reshape(size, 3, attn.num_heads, -1)
        query, key, value = parts.unbind(1)
        query, key = apply_rotary_pos_emb_vision(
            query, key, *position_embeddings
        )
        lengths = cu_seqlens.diff()
        longest = int(lengths.max())
        real = torch.arange(longest)[None] < lengths[:, None]

        def pad(flat: torch.Tensor) -> torch.Tensor:
            full = flat.new_zeros(len(lengths), longest, *flat.shape[1:])
            full[real] = flat
            return full.transpose(1, 2)

        scores = pad(query) @ pad(key).transpose(2, 3) * attn.scaling
        scores = scores.masked_fill(~real[:, None, None], -1e4)
        mixed = scores.float().softmax(-1).to(value.dtype) @ pad(value)
        return attn.proj(mixed.transpose(1, 2)[real].reshape(size, -1))

    return forward


def _train_vision(
    model: Any,
    processor: Any,
    crops: Sequence[Crop],
    weights: np.ndarray,
    rng: np.random.Generator,
    minutes: float,
    batch: int,
    rate: float,
) -> int:
    """Trains the vision tower with linear read-outs; returns the steps."""
    labels, sizes = _targets(crops)
    heads = Heads(model.config.text_config.hidden_size, sizes)
    parts = nn.ModuleList([model.model.visual, heads])
    optimiser = torch.optim.AdamW(
        parts.parameters(), lr=rate, weight_decay=0.02, betas=(0.9, 0.98)
    )
    parts.train()
    step, seen = 0, []
    start = time.monotonic()
    while (share := (time.monotonic() - start) / (60 * minutes)) < 1:
        # The schedule stops half way down: the second stage goes on.
        _set_rate(optimiser, [rate], step, 0.6 * share)
        picked = rng.choice(len(crops), batch, p=weights)
        inputs = processor.image_processor(
            [jitter(crops[i], rng) for i in picked],
            input_data_format="channels_last",
            return_tensors="pt",
        )
        results = heads(_visual_tokens(model, inputs))
        wanted = labels[torch.from_numpy(picked)]
        losses = [
            nn.functional.cross_entropy(r, wanted[:, k])
            for k, r in enumerate(results)
        ]
        _step(optimiser, torch.stack(losses).sum(), parts)
        right = results[0].argmax(1) == wanted[:, 0]
        seen.append(right.float().mean().item())
        step += 1
        if step % 50 == 0:
            print(
                f"captioner vision step {step} ({share:.0%}) "
                f"shape accuracy {np.mean(seen[-50:]):.3f}",
                flush=True,
            )
    return step


def _set_rate(
    optimiser: torch.optim.Optimizer,
    rates: Sequence[float],
    step: int,
    share: float,
) -> None:
    """Sets warm-up and cosine decay for the share of the time gone."""
    factor = min(1.0, (step + 1) / 40)
    factor *= 0.02 + 0.49 * (1 + np.cos(np.pi * min(1.0, share)))
    for group, rate in zip(optimiser.param_groups, rates, strict=True):
        group["lr"] = rate * factor


def _step(
    optimiser: torch.optim.Optimizer, loss: torch.Tensor, module: nn.Module
) -> None:
    optimiser.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(module.parameters(), 1.0)
    optimiser.step()
