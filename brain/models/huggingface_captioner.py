"""Qwen2-VL and its successors through transformers as a captioner."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from raremine.brain.errors import ModelError
from raremine.brain.models.weights import (
    existing_path,
    file_hash,
    is_local,
    pick_device,
)

SMALLEST_SIDE = 28
"""Pixels; Qwen2-VL's processor refuses images thinner than one patch pair."""


class HuggingFaceCaptioner:
    """An image-text-to-text model behind the ``Captioner`` protocol.

    Batches are padded on the left, as decoder-only generation needs, and
    decoded greedily.

    Args:
        model: a hub id (``Qwen/Qwen2-VL-2B-Instruct``) or a local folder
        device (None): torch device, None = a GPU if there is one
        dtype (None): torch dtype name, None = float16 on a GPU, else float32
        batch_size (None): crops in one generation, None = 32 on a GPU, else
            16
        max_new_tokens (96): longest answer
        min_pixels (None): smallest image the processor makes, None = its own
        max_pixels (None): largest image the processor makes, None = its own

    Raises:
        ModelError: if the model is absent or of another kind
    """

    def __init__(
        self,
        model: str,
        *,
        device: str | None = None,
        dtype: str | None = None,
        batch_size: int | None = None,
        max_new_tokens: int = 96,
        min_pixels: int | None = None,
        max_pixels: int | None = None,
    ) -> None:
        self._reference = str(model)
        self.name = (
            Path(self._reference).name
            if is_local(self._reference)
            else self._reference
        )
        self._device = pick_device(device)
        on_gpu = self._device.startswith("cuda")
        self._dtype = dtype or ("float16" if on_gpu else "float32")
        self._max_new_tokens = max_new_tokens
        self._pixels = {
            key: value
            for key, value in (
                ("min_pixels", min_pixels),
                ("max_pixels", max_pixels),
            )
            if value is not None
        }
        self.batch_size = batch_size or (32 if on_gpu else 16)
        self._processor, self._net = _load(
            self._reference, self._dtype, self._device, self._pixels
        )

    def caption(
        self, crops: Sequence[np.ndarray], prompts: Sequence[str]
    ) -> list[str]:
        """Answers one prompt a crop.

        Args:
            crops: (h, w, 3) uint8 RGB, any sizes
            prompts: one prompt a crop

        Returns:
            the answers, stripped, in the order of the crops
        """
        import torch

        if not crops:
            return []
        inputs = self._processor(
            text=[self._chat(prompt) for prompt in prompts],
            images=[_image(crop) for crop in crops],
            padding=True,
            return_tensors="pt",
        ).to(self._device)
        with torch.inference_mode():
            tokens = self._net.generate(
                **inputs,
                max_new_tokens=self._max_new_tokens,
                do_sample=False,
            )
        answers = self._processor.batch_decode(
            tokens[:, inputs["input_ids"].shape[1] :],
            skip_special_tokens=True,
        )
        return [answer.strip() for answer in answers]

    def identity(self) -> dict[str, Any]:
        """Returns the model's name, hash of local files, and settings."""
        path = Path(self._reference).expanduser()
        return {
            "model": self.name,
            "sha256": file_hash(path) if path.exists() else None,
            "dtype": self._dtype,
            "max_new_tokens": self._max_new_tokens,
            **self._pixels,
        }

    def _chat(self, prompt: str) -> str:
        message = {
            "role": "user",
            "content": [
                {"type": "image"},
                {"type": "text", "text": prompt},
            ],
        }
        return str(
            self._processor.apply_chat_template(
                [message], tokenize=False, add_generation_prompt=True
            )
        )


def _image(crop: np.ndarray) -> Any:
    """Returns the crop, enlarged if it is too thin for the processor."""
    from PIL import Image

    image = Image.fromarray(crop)
    short = min(image.size)
    if short >= SMALLEST_SIDE:
        return image
    scale = SMALLEST_SIDE / short
    width, height = (
        min(round(side * scale), SMALLEST_SIDE * 100) for side in image.size
    )
    return image.resize(
        (max(width, 1), max(height, 1)), Image.Resampling.BICUBIC
    )


def _load(
    reference: str, dtype: str, device: str, pixels: dict[str, int]
) -> tuple[Any, Any]:
    import torch
    from transformers import AutoModelForImageTextToText, AutoProcessor

    if is_local(reference):
        existing_path(reference, "captioner model")
    try:
        processor = AutoProcessor.from_pretrained(reference, **pixels)
        net = AutoModelForImageTextToText.from_pretrained(
            reference, dtype=getattr(torch, dtype)
        )
    except Exception as error:
        lines = str(error).strip().splitlines() or [type(error).__name__]
        raise ModelError(
            f"Captioner '{reference}' could not be loaded "
            f"({lines[0][:200]}). Pass the folder or hub id of an "
            "image-text-to-text model such as Qwen/Qwen2-VL-2B-Instruct; a "
            "hub id needs the network once."
        ) from error
    processor.tokenizer.padding_side = "left"
    return processor, net.eval().to(device)
