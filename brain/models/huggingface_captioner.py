"""Qwen2-VL and its successors through transformers as a captioner."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from raremine.brain.errors import ModelError
from raremine.brain.models.crop_encoding import fit_size
from raremine.brain.models.weights import (
    existing_path,
    file_hash,
    is_local,
    pick_device,
)

ATTENTION = ("sdpa", "flash_attention_2", "eager")


class HuggingFaceCaptioner:
    """An image-text-to-text model behind the ``Captioner`` protocol.

    Made for Qwen2-VL, Qwen2.5-VL and Qwen3-VL. Batches are padded on the
    left, as decoder-only generation needs, and decoded greedily.

    Args:
        model: a hub id (``Qwen/Qwen2-VL-2B-Instruct``) or a local folder
        device (None): torch device, None = a GPU if there is one
        dtype (None): torch dtype name. None = on a GPU bfloat16, in which
            these models were trained (activations of Qwen2.5-VL and later
            can overflow float16), or float16 where the GPU has no bfloat16;
            elsewhere float32
        attention (None): "sdpa", "flash_attention_2" (a package of its own)
            or "eager"; None = sdpa, torch's own fused kernels
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
        attention: str | None = None,
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
        self._dtype = dtype or _native_dtype(self._device)
        self._attention = attention or ATTENTION[0]
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
            self._reference,
            self._dtype,
            self._attention,
            self._device,
            self._pixels,
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
        from PIL import Image

        if not crops:
            return []
        inputs = self._processor(
            text=[self._chat(prompt) for prompt in prompts],
            images=[fit_size(Image.fromarray(crop)) for crop in crops],
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
            "attention": self._attention,
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


def _native_dtype(device: str) -> str:
    import torch

    if not device.startswith("cuda"):
        return "float32"
    return "bfloat16" if torch.cuda.is_bf16_supported() else "float16"


def _load(
    reference: str,
    dtype: str,
    attention: str,
    device: str,
    pixels: dict[str, int],
) -> tuple[Any, Any]:
    import torch
    from transformers import AutoModelForImageTextToText, AutoProcessor

    if is_local(reference):
        existing_path(reference, "captioner model")
    try:
        processor = AutoProcessor.from_pretrained(reference, **pixels)
        net = AutoModelForImageTextToText.from_pretrained(
            reference,
            dtype=getattr(torch, dtype),
            attn_implementation=attention,
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
