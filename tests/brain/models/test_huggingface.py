"""Qwen2-VL, 2.5 and 3 behind the captioner protocol, with tiny models.

Their weights are random, so their answers mean nothing; but they are the
answers of the real classes, and must not depend on what else is in a batch.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from raremine.brain.errors import ModelError
from raremine.brain.models.huggingface_captioner import HuggingFaceCaptioner
from raremine.brain.models.protocols import Captioner
from tests.brain.models.qwen_vl_models import FAMILIES, PATCH, save_model


@pytest.fixture(scope="module", params=FAMILIES)
def family(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, family: str) -> Path:
    folder = tmp_path_factory.mktemp(family) / "tiny-qwen"
    save_model(folder, family)
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


def test_pixel_limits_reach_the_processor(folder: Path, family: str) -> None:
    side = PATCH[family]

    def patches(**limits: int) -> int:
        captioner = HuggingFaceCaptioner(str(folder), device="cpu", **limits)
        big = np.zeros((20 * side, 20 * side, 3), np.uint8)
        return int(
            captioner._processor.image_processor(images=[big])[
                "image_grid_thw"
            ].prod()
        )

    assert patches() == 8 * 8  # what the folder says
    assert patches(max_pixels=(4 * side) ** 2) == 4 * 4
    limit = (16 * side) ** 2
    assert patches(min_pixels=limit, max_pixels=limit) == 16 * 16


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
