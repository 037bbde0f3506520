"""Trains the demo's captioner: a real Qwen2-VL model, only very small.

First the vision tower learns by itself to tell shapes, classes and colours
apart, which is cheap; then the whole model learns to answer the prompts of
``brain/captions``. The detector's hint in the prompt is right, wrong or
missing at random, so that the answer has to come from the picture.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from demo.phrases import answer, answer_class
from demo.train_data import Crop, SceneObject, balanced_weights, bf16, jitter
from raremine.brain.captions.prompts import ANSWER_CLASSES, build_prompt

PATCH = 14
PIXELS = 112 * 112
"""Every crop is scaled to about this many px: at most 16 visual tokens."""

END, START, STOP = "<|endoftext|>", "<|im_start|>", "<|im_end|>"
VISION = ("<|vision_start|>", "<|vision_end|>")
PAD = ("<|image_pad|>", "<|video_pad|>")
SPECIAL = (END, START, STOP, *VISION, *PAD)

CHAT_TEMPLATE = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n"
    "{% if m['content'] is string %}{{ m['content'] }}"
    "{% else %}{% for c in m['content'] %}"
    "{% if c['type'] == 'image' %}"
    "<|vision_start|><|image_pad|><|vision_end|>"
    "{% else %}{{ c['text'] }}{% endif %}"
    "{% endfor %}{% endif %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)

PIECES = (
    r'\{"class": "|", "description": "|", "keywords": \["|", "|"\]\}'
    r"| ?[A-Za-z]+| ?[0-9]+| ?[^\sA-Za-z0-9]+|\s+"
)
"""Where the tokenizer may never merge across: JSON frame, words, signs."""

COCO_HINTS = (
    "person",
    "car",
    "truck",
    "bus",
    "bicycle",
    "motorcycle",
    "train",
    "traffic light",
    "fire hydrant",
    "stop sign",
    "bench",
    "dog",
    "boat",
    "pedestrian",
)
"""Names a detector may give, in COCO's or nuScenes' words."""

LIKELY_HINT = {
    "pedestrian": ("pedestrian", "person"),
    "construction vehicle": ("truck", "car", "bus"),
    "trailer": ("truck", "bus", "car"),
    "traffic cone": ("fire hydrant", "person"),
    "barrier": ("bench", "car"),
    "others": ("person", "dog", "car", "truck"),
}
"""What a COCO detector probably calls a class it has no right name for."""

OWN_PROMPTS = {
    "default": (
        "Describe the object. Answer with JSON only.",
        "What do you see? Answer with JSON.",
    ),
    "paper": ("What is this object?", "Name the class of the object."),
}
"""Other wordings, so that a prompt of the user's own also works a little."""


@dataclass(frozen=True)
class Example:
    """A prompt and its answer for one object."""

    prompt: str
    answer: str


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


def draw_example(thing: SceneObject, rng: np.random.Generator) -> Example:
    """Draws prompt kind, wording and hint for one object."""
    kind = "default" if rng.random() < 0.7 else "paper"
    hint = draw_hint(thing, rng)
    prompt = build_prompt(kind, hint)
    if rng.random() < 0.06:
        options = OWN_PROMPTS[kind]
        prompt = options[int(rng.integers(len(options)))]
    return Example(prompt, answer(thing, kind))


def prompt_fragments() -> list[str]:
    """Returns the fixed parts of the prompts, each to become one token.

    That brings a prompt from about 80 tokens to about 10, most of the
    captioner's cost.
    """
    mark = "\N{REPLACEMENT CHARACTER}"
    parts: list[str] = []
    for kind in OWN_PROMPTS:
        plain, hinted = build_prompt(kind, None), build_prompt(kind, mark)
        before, after = hinted.split(mark)
        size = 0
        while size < len(plain) and plain[size] == before[size]:
            size += 1
        parts += [before[:size], before[size:]]
        tail = plain[size:]
        parts += [after[: len(after) - len(tail)], tail]
    return [p for p in dict.fromkeys(parts) if len(p) > 3]


def build_processor(things: Iterable[SceneObject]) -> Any:
    """Builds tokenizer, image processor and chat template.

    Args:
        things: objects whose answers the tokenizer's vocabulary is made from

    Returns:
        a ``Qwen2VLProcessor``
    """
    from tokenizers import (
        AddedToken,
        Regex,
        Tokenizer,
        decoders,
        models,
        pre_tokenizers,
        trainers,
    )
    from transformers import (
        PreTrainedTokenizerFast,
        Qwen2VLImageProcessor,
        Qwen2VLProcessor,
        Qwen2VLVideoProcessor,
    )

    corpus = sorted({answer(t, "default") for t in things})
    corpus += [build_prompt(kind, None) for kind in OWN_PROMPTS]
    corpus += [p for options in OWN_PROMPTS.values() for p in options] * 2
    corpus += [f"'{name}'" for name in (*COCO_HINTS, *ANSWER_CLASSES)] * 4
    corpus += ["system", "user", "assistant"] * 2
    core = Tokenizer(models.BPE())
    core.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(PIECES), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    core.decoder = decoders.ByteLevel()
    core.train_from_iterator(
        corpus,
        trainers.BpeTrainer(
            vocab_size=1200,
            special_tokens=list(SPECIAL),
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        ),
    )
    core.add_tokens(
        [AddedToken(p, normalized=False) for p in prompt_fragments()]
    )
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=core,
        eos_token=STOP,
        pad_token=END,
        additional_special_tokens=list(SPECIAL),
    )
    tokenizer.chat_template = CHAT_TEMPLATE
    sizes = {"min_pixels": PIXELS * 3 // 4, "max_pixels": PIXELS}
    return Qwen2VLProcessor(
        image_processor=Qwen2VLImageProcessor(
            patch_size=PATCH, merge_size=2, **sizes
        ),
        tokenizer=tokenizer,
        video_processor=Qwen2VLVideoProcessor(),
        chat_template=CHAT_TEMPLATE,
    )


def build_model(tokenizer: Any) -> Any:
    """Builds the untrained ``Qwen2VLForConditionalGeneration``."""
    from transformers import Qwen2VLConfig, Qwen2VLForConditionalGeneration

    ids = {t: tokenizer.convert_tokens_to_ids(t) for t in SPECIAL}
    config = Qwen2VLConfig(
        text_config={
            "vocab_size": len(tokenizer),
            "hidden_size": 192,
            "intermediate_size": 448,
            "num_hidden_layers": 4,
            "num_attention_heads": 6,
            "num_key_value_heads": 2,
            "max_position_embeddings": 1024,
            "rope_parameters": {
                "rope_type": "default",
                "mrope_section": [4, 6, 6],
                "rope_theta": 10000.0,
            },
            "bos_token_id": ids[START],
            "eos_token_id": ids[STOP],
            "pad_token_id": ids[END],
            "tie_word_embeddings": True,
        },
        vision_config={
            "depth": 4,
            "embed_dim": 160,
            "hidden_size": 192,
            "num_heads": 5,
            "mlp_ratio": 3,
            "patch_size": PATCH,
            "spatial_merge_size": 2,
            "temporal_patch_size": 2,
            "in_channels": 3,
        },
        image_token_id=ids[PAD[0]],
        video_token_id=ids[PAD[1]],
        vision_start_token_id=ids[VISION[0]],
        vision_end_token_id=ids[VISION[1]],
        tie_word_embeddings=True,
    )
    model = Qwen2VLForConditionalGeneration(config)
    model.generation_config.do_sample = False
    model.generation_config.eos_token_id = [ids[STOP]]
    model.generation_config.pad_token_id = ids[END]
    return model


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


def messages(example: Example, answered: bool) -> list[dict[str, Any]]:
    """Returns the chat of one example, with or without its answer."""
    chat: list[dict[str, Any]] = [
        {
            "role": "user",
            "content": [
                {"type": "image"},
                {"type": "text", "text": example.prompt},
            ],
        }
    ]
    if answered:
        chat.append({"role": "assistant", "content": example.answer})
    return chat


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
        images=[torch.from_numpy(i).permute(2, 0, 1) for i in images],
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
) -> dict[str, Any]:
    """Trains the model and saves it with its processor to ``out``.

    Args:
        crops: training crops
        out: the captioner's weights folder
        minutes (25.0): training time; the schedule follows the clock
        seed (0): seed of sampling and initial weights
        batch (48): crops a step
        rate (1.5e-3): peak learning rate

    Returns:
        the parameters that were used and the last mean loss
    """
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    processor = build_processor(c.thing for c in crops)
    model = build_model(processor.tokenizer)
    weights = balanced_weights(crops)
    steps = _train_vision(
        model, processor, crops, weights, rng, 0.35 * minutes, batch, rate
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
    span = 60 * 0.65 * minutes
    while (share := (time.monotonic() - start) / span) < 1:
        _set_rate(optimiser, [r for _, r in groups], len(losses), share)
        chosen = [crops[i] for i in rng.choice(len(crops), batch, p=weights)]
        inputs = collate(
            processor,
            [jitter(c, rng) for c in chosen],
            [draw_example(c.thing, rng) for c in chosen],
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
        images = [
            torch.from_numpy(jitter(crops[i], rng)).permute(2, 0, 1)
            for i in picked
        ]
        inputs = processor.image_processor(images, return_tensors="pt")
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
    factor = min(1.0, (step + 1) / 100)
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


def save_captioner(model: Any, processor: Any, out: Path) -> None:
    """Saves model (fp16 safetensors) and processor for ``AutoModel…``."""
    import copy

    out.mkdir(parents=True, exist_ok=True)
    processor.tokenizer.padding_side = "left"
    copy.deepcopy(model).half().save_pretrained(out)
    processor.save_pretrained(out)


def generate(
    model: Any,
    processor: Any,
    images: list[Any],
    prompts: Sequence[str],
    max_new_tokens: int = 64,
) -> list[str]:
    """Answers a batch greedily.

    Args:
        model: the loaded model
        processor: the loaded processor
        images: (h, w, 3) uint8 arrays
        prompts: one a picture
        max_new_tokens (64): where to cut an answer off

    Returns:
        the answers
    """
    processor.tokenizer.padding_side = "left"
    texts = [
        processor.apply_chat_template(
            messages(Example(prompt, ""), False),
            tokenize=False,
            add_generation_prompt=True,
        )
        for prompt in prompts
    ]
    inputs = processor(
        text=texts,
        images=[torch.from_numpy(i).permute(2, 0, 1) for i in images],
        padding=True,
        return_tensors="pt",
    )
    with torch.inference_mode():
        ids = model.generate(
            **inputs, max_new_tokens=max_new_tokens, do_sample=False
        )
    size = inputs["input_ids"].shape[1]
    answers = processor.batch_decode(
        ids[:, size:], skip_special_tokens=True
    )
    return [str(a) for a in answers]
