"""open_clip as an embedder: a known name and tag, or local files."""

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


class OpenClipEmbedder:
    """A CLIP model behind the ``Embedder`` protocol.

    Args:
        model: a model name that open_clip knows, with ``pretrained`` naming
            its weights; or a local folder that holds everything: either
            open_clip's own layout (``open_clip_config.json`` with its
            weights) or ``NAME.json`` beside ``NAME.safetensors``
        pretrained (None): a tag that open_clip knows or a weights file
        device (None): torch device, None = a GPU if there is one
        batch_size (None): crops in one forward, None = 256 on a GPU, else 64

    Raises:
        ModelError: if the model or its weights are absent or unreadable
    """

    def __init__(
        self,
        model: str,
        pretrained: str | None = None,
        *,
        device: str | None = None,
        batch_size: int | None = None,
    ) -> None:
        import torch

        self._device = pick_device(device)
        name, weights = _find(str(model), pretrained)
        self.name = Path(model).name if is_local(str(model)) else str(model)
        self._pretrained = pretrained
        self.loader = {"model": str(model), "pretrained": pretrained}
        """How another process, such as the App's, loads it again."""
        local = weights or name.removeprefix("local-dir:")
        self._files = Path(local).expanduser() if is_local(local) else None
        self._net, self._preprocess, self._tokenizer = _load(name, weights)
        self._net.eval().to(self._device)
        for parameter in self._net.parameters():
            parameter.requires_grad_(False)
        self.logit_scale = float(self._net.logit_scale.exp())
        self.batch_size = batch_size or (
            256 if self._device.startswith("cuda") else 64
        )
        with torch.inference_mode():
            self.dim = int(self.embed_texts(["a"]).shape[1])

    def embed_images(self, crops: Sequence[np.ndarray]) -> np.ndarray:
        """Embeds crops with the model's own preprocessing.

        Args:
            crops: (h, w, 3) uint8 RGB, any sizes from 1 × 1

        Returns:
            (n, dim) float32, not normalised
        """
        import torch
        from PIL import Image

        if not crops:
            return np.zeros((0, self.dim), np.float32)
        batch = torch.stack(
            [self._preprocess(Image.fromarray(crop)) for crop in crops]
        )
        with torch.inference_mode():
            features = self._net.encode_image(batch.to(self._device))
        return np.asarray(features.float().cpu().numpy(), np.float32)

    def embed_texts(self, texts: Sequence[str]) -> np.ndarray:
        """Embeds texts.

        Args:
            texts: any number of texts

        Returns:
            (n, dim) float32, L2-normalised
        """
        import torch

        chunks = []
        with torch.inference_mode():
            for start in range(0, len(texts), 256):
                tokens = self._tokenizer(list(texts[start : start + 256]))
                features = self._net.encode_text(tokens.to(self._device))
                features = torch.nn.functional.normalize(features.float())
                chunks.append(features.cpu().numpy())
        if not chunks:
            return np.zeros((0, self.dim), np.float32)
        return np.asarray(np.concatenate(chunks), np.float32)

    def identity(self) -> dict[str, Any]:
        """Returns the model's name, its weights and their hash."""
        path = self._files
        return {
            "model": self.name,
            "pretrained": Path(self._pretrained).name
            if self._pretrained
            else None,
            "sha256": None if path is None else file_hash(path),
        }


def _find(model: str, pretrained: str | None) -> tuple[str, str | None]:
    """Returns the name to create and the weights to load."""
    import open_clip

    if not is_local(model):
        if model.startswith(("hf-hub:", "local-dir:")):
            return model, None
        if model not in open_clip.list_models():
            raise ModelError(
                f"open_clip knows no model '{model}'. Pass one of its names "
                "(open_clip.list_models()) or a local folder."
            )
        if not pretrained:
            raise ModelError(
                f"Model '{model}' needs pretrained weights: pass a tag such "
                "as 'laion2b_s34b_b79k' or a weights file. Random weights "
                "are never used."
            )
        if is_local(pretrained):
            existing_path(pretrained, "embedder weights")
        return model, pretrained
    folder = existing_path(model, "embedder model")
    if folder.is_file():
        raise ModelError(
            f"Embedder '{model}' is a file; pass the folder that holds the "
            "model's .json and .safetensors, or open_clip's name for the "
            "architecture with pretrained='<this file>'."
        )
    if (folder / "open_clip_config.json").is_file():
        return f"local-dir:{folder}", None
    for config in sorted(folder.glob("*.json")):
        weights = config.with_suffix(".safetensors")
        if weights.is_file():
            open_clip.add_model_config(config)
            return config.stem, str(weights)
    raise ModelError(
        f"Folder '{model}' holds no open_clip model: expected "
        "open_clip_config.json, or NAME.json beside NAME.safetensors."
    )


def _load(name: str, weights: str | None) -> tuple[Any, Any, Any]:
    import open_clip

    try:
        net, preprocess = open_clip.create_model_from_pretrained(
            name, pretrained=weights
        )
        return net, preprocess, open_clip.get_tokenizer(name)
    except Exception as error:
        lines = str(error).strip().splitlines() or [type(error).__name__]
        raise ModelError(
            f"Embedder '{name}' with weights '{weights}' could not be loaded "
            f"({lines[0][:200]}). Pass a folder or file that exists, or go "
            "online once so that open_clip can fetch the weights."
        ) from error
