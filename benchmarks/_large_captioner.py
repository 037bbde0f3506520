"""A captioner of Qwen2-VL-2B's architecture with random weights.

Its answers mean nothing and never end by themselves; what it costs is what
the real one costs for answers of that length.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

TEXT_2B: dict[str, Any] = {
    "hidden_size": 1536,
    "intermediate_size": 8960,
    "num_hidden_layers": 28,
    "num_attention_heads": 12,
    "num_key_value_heads": 2,
    "vocab_size": 151936,
    "tie_word_embeddings": True,
    "rope_parameters": {
        "rope_type": "default",
        "mrope_section": [16, 24, 24],
        "rope_theta": 1_000_000.0,
    },
}
VISION_2B: dict[str, Any] = {
    "depth": 32,
    "embed_dim": 1280,
    "hidden_size": 1536,
    "num_heads": 16,
    "mlp_ratio": 4,
}

PIXELS = {"shortest_edge": 56 * 56, "longest_edge": 448 * 448}
"""Areas between which a crop is sent: 4 to 256 visual tokens."""


def write_model(
    folder: Path,
    demo: Path,
    text: dict[str, Any] = TEXT_2B,
    vision: dict[str, Any] = VISION_2B,
) -> int:
    """Writes the model with the demo's tokenizer; returns its parameters.

    Args:
        folder: where to
        demo: the demo's captioner, for tokenizer and processor
        text: sizes of the language model
        vision: sizes of the image encoder
    """
    import json

    import torch
    from transformers import (
        AutoConfig,
        Qwen2VLConfig,
        Qwen2VLForConditionalGeneration,
    )

    shutil.copytree(
        demo, folder, ignore=shutil.ignore_patterns("*.safetensors")
    )
    small = AutoConfig.from_pretrained(demo, local_files_only=True)
    tokens = {
        name: getattr(small, name)
        for name in (
            "image_token_id",
            "video_token_id",
            "vision_start_token_id",
            "vision_end_token_id",
        )
    }
    ends = {
        name: getattr(small.text_config, name)
        for name in ("bos_token_id", "eos_token_id", "pad_token_id")
    }
    config = Qwen2VLConfig(
        text_config={**text, **ends}, vision_config=vision, **tokens
    )
    torch.manual_seed(0)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    with torch.device(device):
        net: Any = Qwen2VLForConditionalGeneration(config)
    net.to(dtype=torch.bfloat16)
    net.save_pretrained(folder)
    path = folder / "processor_config.json"
    processor = json.loads(path.read_text(encoding="utf-8"))
    processor["image_processor"]["size"] = PIXELS
    path.write_text(json.dumps(processor), encoding="utf-8")
    return sum(p.numel() for p in net.parameters())
