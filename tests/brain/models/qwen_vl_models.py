"""Tiny models of the Qwen-VL families, with the real classes of each.

Their weights are random, so their answers mean nothing; but they are made
by the code that runs the real ones.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

SPECIAL = [
    *("<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|vision_start|>"),
    *("<|vision_end|>", "<|image_pad|>", "<|video_pad|>"),
]

TEMPLATE = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n"
    "{% for c in m['content'] %}{% if c['type'] == 'image' %}"
    "<|vision_start|><|image_pad|><|vision_end|>{% else %}{{ c['text'] }}"
    "{% endif %}{% endfor %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)

FAMILIES = ("qwen2_vl", "qwen2_5_vl", "qwen3_vl")

PATCH = {"qwen2_vl": 14, "qwen2_5_vl": 14, "qwen3_vl": 16}
"""Pixels of a patch's side; a visual token is 2 × 2 patches."""


def save_model(folder: Path, family: str) -> None:
    """Writes a model and its processor as the hub would have them."""
    import torch
    import transformers as tf

    tokenizer = _tokenizer()
    side = PATCH[family] * 4
    images = tf.Qwen2VLImageProcessor(
        patch_size=PATCH[family],
        min_pixels=side * side,
        max_pixels=4 * side * side,
    )
    processor_of = {
        "qwen2_vl": (tf.Qwen2VLProcessor, tf.Qwen2VLVideoProcessor),
        "qwen2_5_vl": (tf.Qwen2_5_VLProcessor, tf.Qwen2VLVideoProcessor),
        "qwen3_vl": (tf.Qwen3VLProcessor, tf.Qwen3VLVideoProcessor),
    }
    kind, videos = processor_of[family]
    processor = kind(
        image_processor=images,
        tokenizer=tokenizer,
        video_processor=videos(),
        chat_template=TEMPLATE,
    )
    ids = {t: tokenizer.convert_tokens_to_ids(t) for t in SPECIAL}
    text = {
        "vocab_size": len(tokenizer),
        "hidden_size": 64,
        "intermediate_size": 128,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 512,
        "rope_parameters": {
            "rope_type": "default",
            "mrope_section": [2, 3, 3],
            "rope_theta": 10000.0,
        },
        "bos_token_id": ids["<|im_start|>"],
        "eos_token_id": ids["<|im_end|>"],
        "pad_token_id": ids["<|endoftext|>"],
        "initializer_range": 0.3,
    }
    tokens = {
        "image_token_id": ids["<|image_pad|>"],
        "video_token_id": ids["<|video_pad|>"],
        "vision_start_token_id": ids["<|vision_start|>"],
        "vision_end_token_id": ids["<|vision_end|>"],
    }
    torch.manual_seed(1)
    net = _net(family, text, tokens)
    net.save_pretrained(folder)
    processor.save_pretrained(folder)


def _net(family: str, text: dict[str, Any], tokens: dict[str, int]) -> Any:
    import transformers as tf

    if family == "qwen2_vl":
        vision = {
            "depth": 1,
            "embed_dim": 32,
            "hidden_size": 64,
            "num_heads": 2,
            "mlp_ratio": 2,
            "initializer_range": 0.3,
        }
        return tf.Qwen2VLForConditionalGeneration(
            tf.Qwen2VLConfig(text_config=text, vision_config=vision, **tokens)
        )
    vision = {
        "depth": 2,
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_heads": 2,
        "out_hidden_size": 64,
        "initializer_range": 0.3,
        "patch_size": PATCH[family],
    }
    if family == "qwen2_5_vl":
        # windows of one token and one layer that sees all of them
        vision |= {"window_size": 28, "fullatt_block_indexes": [1]}
        return tf.Qwen2_5_VLForConditionalGeneration(
            tf.Qwen2_5_VLConfig(
                text_config=text, vision_config=vision, **tokens
            )
        )
    vision |= {"deepstack_visual_indexes": [0], "num_position_embeddings": 64}
    return tf.Qwen3VLForConditionalGeneration(
        tf.Qwen3VLConfig(
            text_config={**text, "head_dim": 16},
            vision_config=vision,
            **tokens,
        )
    )


def _tokenizer() -> Any:
    from tokenizers import (
        Tokenizer,
        decoders,
        models,
        pre_tokenizers,
        trainers,
    )
    from transformers import PreTrainedTokenizerFast

    base = Tokenizer(models.BPE())
    base.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    base.decoder = decoders.ByteLevel()
    base.train_from_iterator(
        ["system user assistant what is it"],
        trainers.BpeTrainer(
            vocab_size=300,
            special_tokens=SPECIAL,
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        ),
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=base,
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        additional_special_tokens=SPECIAL,
    )
