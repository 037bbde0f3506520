"""The demo's captioner: tokenizer, processor and a small Qwen2-VL model.

All classes are the ones of transformers; only the sizes and the vocabulary
are the demo's own. The fixed parts of the prompts are single tokens, which
takes most of the cost out of a caption.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from demo.phrases import Describable, answer
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


def build_processor(things: Iterable[Describable]) -> Any:
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


def save_captioner(model: Any, processor: Any, out: Path) -> None:
    """Saves model (fp16 safetensors) and processor for ``AutoModel…``."""
    out.mkdir(parents=True, exist_ok=True)
    processor.tokenizer.padding_side = "left"
    copy.deepcopy(model).half().save_pretrained(out)
    processor.save_pretrained(out)


def load_captioner(out: Path) -> tuple[Any, Any]:
    """Loads the captioner as any image-text-to-text model.

    Returns:
        model and processor
    """
    from transformers import AutoModelForImageTextToText, AutoProcessor

    model = AutoModelForImageTextToText.from_pretrained(
        out, dtype=torch.float32, local_files_only=True
    )
    processor = AutoProcessor.from_pretrained(out, local_files_only=True)
    return model.eval(), processor


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
        images=list(images),
        input_data_format="channels_last",
        padding=True,
        return_tensors="pt",
    )
    with torch.inference_mode():
        ids = model.generate(
            **inputs, max_new_tokens=max_new_tokens, do_sample=False
        )
    size = inputs["input_ids"].shape[1]
    answers = processor.batch_decode(ids[:, size:], skip_special_tokens=True)
    return [str(a) for a in answers]
