"""Qwen2-VL behind the captioner protocol, with a tiny model made here.

Its weights are random, so its answers mean nothing; but they are the answers
of the real classes, and must not depend on what else is in a batch.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from raremine.brain.errors import ModelError
from raremine.brain.models.huggingface_captioner import HuggingFaceCaptioner
from raremine.brain.models.protocols import Captioner

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


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    import torch
    from tokenizers import (
        Tokenizer,
        decoders,
        models,
        pre_tokenizers,
        trainers,
    )
    from transformers import (
        PreTrainedTokenizerFast,
        Qwen2VLConfig,
        Qwen2VLForConditionalGeneration,
        Qwen2VLImageProcessor,
        Qwen2VLProcessor,
        Qwen2VLVideoProcessor,
    )

    folder = tmp_path_factory.mktemp("qwen") / "tiny-qwen"
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
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=base,
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        additional_special_tokens=SPECIAL,
    )
    processor = Qwen2VLProcessor(
        image_processor=Qwen2VLImageProcessor(
            min_pixels=56 * 56, max_pixels=112 * 112
        ),
        tokenizer=tokenizer,
        video_processor=Qwen2VLVideoProcessor(),
        chat_template=TEMPLATE,
    )
    ids = {t: tokenizer.convert_tokens_to_ids(t) for t in SPECIAL}
    config = Qwen2VLConfig(
        text_config={
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
        },
        vision_config={
            "depth": 1,
            "embed_dim": 32,
            "hidden_size": 64,
            "num_heads": 2,
            "mlp_ratio": 2,
            "initializer_range": 0.3,
        },
        image_token_id=ids["<|image_pad|>"],
        video_token_id=ids["<|video_pad|>"],
        vision_start_token_id=ids["<|vision_start|>"],
        vision_end_token_id=ids["<|vision_end|>"],
    )
    torch.manual_seed(1)
    net = Qwen2VLForConditionalGeneration(config)
    net.save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def captioner(folder: Path) -> HuggingFaceCaptioner:
    return HuggingFaceCaptioner(str(folder), device="cpu", max_new_tokens=8)


def crops() -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    shapes = [(60, 90), (200, 40), (1, 1), (1, 400), (300, 1), (28, 28)]
    return [rng.integers(0, 255, (*s, 3), dtype=np.uint8) for s in shapes]


PROMPTS = ["what is it", "?", "a much longer question than that", "x", "", "y"]


def test_a_batch_answers_as_each_crop_alone(
    captioner: HuggingFaceCaptioner,
) -> None:
    assert isinstance(captioner, Captioner)
    # sizes and lengths differ, so most rows are padded
    together = captioner.caption(crops(), PROMPTS)
    alone = [
        captioner.caption([crop], [prompt])[0]
        for crop, prompt in zip(crops(), PROMPTS, strict=True)
    ]
    assert together == alone
    assert len(set(together)) > 1
    # greedy: the same again
    assert captioner.caption(crops(), PROMPTS) == together


def test_answers_depend_on_crop_and_prompt(
    captioner: HuggingFaceCaptioner,
) -> None:
    crop = crops()[0]
    assert captioner.caption([crop], ["a"]) != captioner.caption([crop], ["b"])
    answers = captioner.caption([crop, 255 - crop], ["what is it"] * 2)
    assert answers[0] != answers[1]


def test_the_prompt_is_no_part_of_the_answer(
    captioner: HuggingFaceCaptioner,
) -> None:
    (answer,) = captioner.caption(crops()[:1], ["what is it"])
    assert "what is it" not in answer
    assert "assistant" not in answer
    assert "<|" not in answer


def test_nothing_in_nothing_out(captioner: HuggingFaceCaptioner) -> None:
    assert captioner.caption([], []) == []


def test_pixel_limits_reach_the_processor(folder: Path) -> None:
    def patches(**limits: int) -> int:
        captioner = HuggingFaceCaptioner(str(folder), device="cpu", **limits)
        big = np.zeros((280, 280, 3), np.uint8)
        return int(
            captioner._processor.image_processor(images=[big])[
                "image_grid_thw"
            ].prod()
        )

    assert patches() == 64  # 112 × 112 pixels in patches of 14
    assert patches(max_pixels=56 * 56) == 16
    assert patches(min_pixels=224 * 224, max_pixels=224 * 224) == 256


def test_the_identity_says_which_weights_and_settings(
    folder: Path, tmp_path: Path
) -> None:
    captioner = HuggingFaceCaptioner(
        str(folder), device="cpu", max_new_tokens=5, max_pixels=9999
    )
    identity = captioner.identity()
    assert identity["model"] == captioner.name == "tiny-qwen"
    assert identity["max_new_tokens"] == 5
    assert identity["max_pixels"] == 9999
    assert identity["dtype"] == "float32"
    copy = tmp_path / "tiny-qwen"
    shutil.copytree(folder, copy)
    config = copy / "generation_config.json"
    config.write_text(config.read_text().replace("{", '{"top_k": 7,', 1))
    other = HuggingFaceCaptioner(str(copy), device="cpu").identity()
    assert other["sha256"] != identity["sha256"]


def test_wrong_models_are_told_with_their_path(
    folder: Path, tmp_path: Path
) -> None:
    absent = tmp_path / "absent"
    with pytest.raises(ModelError, match=f"No captioner model at '{absent}'"):
        HuggingFaceCaptioner(str(absent))
    with pytest.raises(ModelError, match=f"'{tmp_path}' could not be loaded"):
        HuggingFaceCaptioner(str(tmp_path))
    with pytest.raises(ModelError, match="'no/such-model' could not be"):
        HuggingFaceCaptioner("no/such-model")
    broken = tmp_path / "broken"
    shutil.copytree(folder, broken)
    (broken / "model.safetensors").write_bytes(b"no weights")
    with pytest.raises(ModelError, match=f"'{broken}' could not be loaded"):
        HuggingFaceCaptioner(str(broken))
    (broken / "model.safetensors").unlink()
    with pytest.raises(ModelError, match=f"'{broken}' could not be loaded"):
        HuggingFaceCaptioner(str(broken))
