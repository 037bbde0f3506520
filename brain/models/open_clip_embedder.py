"""open_clip as an embedder: a known name and tag, or local files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from raremine.brain.errors import ModelError
from raremine.brain.models.crop_resampling import (
    CropResampling,
    resample_crop,
    resample_crops,
)
from raremine.brain.models.weights import (
    existing_path,
    file_hash,
    is_local,
    pick_device,
)

DTYPES = ("float32", "float16", "bfloat16")


class OpenClipEmbedder:
    """A CLIP model behind the ``PreparingEmbedder`` protocol.

    Crops reach the model through its own preprocessing: the levels are those
    of open_clip's transform, computed by Pillow in ``prepare`` or, on a GPU,
    for a whole batch at once in ``embed_prepared``. A transform that is not
    known exactly is applied as it is.

    Args:
        model: a model name that open_clip knows, with ``pretrained`` naming
            its weights; or a local folder that holds everything: either
            open_clip's own layout (``open_clip_config.json`` with its
            weights) or ``NAME.json`` beside ``NAME.safetensors``
        pretrained (None): a tag that open_clip knows or a weights file
        device (None): torch device, None = a GPU if there is one
        batch_size (None): crops in one forward, None = 256 on a GPU, else 64
        dtype (None): "float16" or "bfloat16" = the image model computes in
            mixed precision, which pays only on a GPU; None = "float32".
            Texts are always embedded in float32
        resampling (None): "pillow" = each crop by itself in ``prepare``;
            "batched" = a batch at once on the model's device, with the same
            levels (not on MPS, which has no double precision); None =
            "batched" on a CUDA GPU, else "pillow"

    Raises:
        ModelError: if the model or its weights are absent or unreadable, or
            an option has an unknown value
    """

    def __init__(
        self,
        model: str,
        pretrained: str | None = None,
        *,
        device: str | None = None,
        batch_size: int | None = None,
        dtype: str | None = None,
        resampling: Literal["pillow", "batched"] | None = None,
    ) -> None:
        import torch

        self.dtype = _one_of("dtype", dtype or "float32", DTYPES)
        self._device = pick_device(device)
        name, weights = _find(str(model), pretrained)
        self.name = Path(model).name if is_local(str(model)) else str(model)
        self._pretrained = pretrained
        self.loader: dict[str, Any] = {
            "model": str(model),
            "pretrained": pretrained,
        }
        """How another process, such as the App's, loads it again."""
        if self.dtype != "float32":
            self.loader["dtype"] = self.dtype
        local = weights or name.removeprefix("local-dir:")
        self._files = Path(local).expanduser() if is_local(local) else None
        self._net, self._preprocess, self._tokenizer = _load(name, weights)
        self._net.eval().to(self._device)
        for parameter in self._net.parameters():
            parameter.requires_grad_(False)
        on_gpu = self._device.startswith("cuda")
        self._known = _read_transform(self._preprocess)
        chosen = resampling or ("batched" if on_gpu else "pillow")
        self._batched = (
            _one_of("resampling", chosen, ("pillow", "batched")) == "batched"
        )
        self.logit_scale = float(self._net.logit_scale.exp())
        self.batch_size = batch_size or (256 if on_gpu else 64)
        with torch.inference_mode():
            self.dim = int(self.embed_texts(["a"]).shape[1])

    def embed_images(self, crops: Sequence[np.ndarray]) -> np.ndarray:
        """Embeds crops with the model's own preprocessing.

        Args:
            crops: (h, w, 3) uint8 RGB, any sizes from 1 × 1

        Returns:
            (n, dim) float32, not normalised
        """
        return self.embed_prepared([self.prepare(crop) for crop in crops])

    def prepare(self, crop: np.ndarray) -> Any:
        """Makes one crop ready; safe in any thread.

        Args:
            crop: (h, w, 3) uint8 RGB, from 1 × 1 on

        Returns:
            what ``embed_prepared`` takes: the resampled levels, the crop
            itself where the device resamples, or the output of a transform
            that is not known

        Raises:
            ModelError: if the crop is not such an array
        """
        from PIL import Image

        if (
            crop.dtype != np.uint8
            or crop.ndim != 3
            or crop.shape[2] != 3
            or not crop.size
        ):
            raise ModelError(
                f"A crop is {crop.shape} {crop.dtype}; the embedder takes "
                "(height, width, 3) uint8 RGB of at least one pixel. Convert "
                "the image to RGB first."
            )
        if self._known is None:
            return self._preprocess(Image.fromarray(crop))
        if self._batched:
            return np.ascontiguousarray(crop)
        return resample_crop(crop, self._known.resampling)

    def embed_prepared(self, prepared: Sequence[Any]) -> np.ndarray:
        """Embeds what ``prepare`` made, ``batch_size`` in one forward.

        Args:
            prepared: any number of results of ``prepare``

        Returns:
            (n, dim) float32, not normalised
        """
        import torch

        chunks = [np.zeros((0, self.dim), np.float32)]
        kind = torch.device(self._device).type
        mixed = torch.autocast(
            kind,
            getattr(torch, self.dtype),
            enabled=self.dtype != "float32",
        )
        for start in range(0, len(prepared), self.batch_size):
            with torch.inference_mode():
                pixels = self._input(prepared[start : start + self.batch_size])
                with mixed:
                    features = self._net.encode_image(pixels)
                chunks.append(features.float().cpu().numpy())
        return np.asarray(np.concatenate(chunks), np.float32)

    def _input(self, prepared: Sequence[Any]) -> Any:
        """Makes (n, 3, height, width) normalised float32 on the device."""
        import torch

        if self._known is None:
            return torch.stack(list(prepared)).to(self._device)
        if self._batched:
            levels = resample_crops(
                prepared, self._known.resampling, device=self._device
            )
        else:
            stacked = torch.from_numpy(np.stack(list(prepared)))
            levels = stacked.to(self._device).permute(0, 3, 1, 2)
        pixels = levels.to(
            torch.float32, memory_format=torch.contiguous_format
        )
        mean, std = (
            torch.tensor(values, device=self._device).view(3, 1, 1)
            for values in (self._known.mean, self._known.std)
        )
        # ToTensor's and Normalize's own steps, so that no bit differs
        return pixels.div_(255).sub_(mean).div_(std)

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
        """Returns the model's name, its weights, their hash and dtype.

        float32 is not named: runs recorded before there was a choice stay
        as they are.
        """
        path = self._files
        own: dict[str, Any] = {
            "model": self.name,
            "pretrained": Path(self._pretrained).name
            if self._pretrained
            else None,
            "sha256": None if path is None else file_hash(path),
        }
        if self.dtype != "float32":
            own["dtype"] = self.dtype
        return own


@dataclass(frozen=True)
class _Preprocessing:
    """What a transform of open_clip does, read from its parts."""

    resampling: CropResampling
    mean: tuple[float, ...]
    std: tuple[float, ...]


def _read_transform(transform: Any) -> _Preprocessing | None:
    """Reads open_clip's inference transform; None = not known exactly.

    The transform's own parts are read rather than the configuration that it
    was made from: open_clip does not follow its configuration everywhere (it
    ignores the interpolation where the input is not square).
    """
    from open_clip.transform import (
        CenterCropOrPad,
        MaybeConvertMode,
        MaybeToTensor,
    )
    from torchvision.transforms import CenterCrop, Compose, Normalize

    if type(transform) is not Compose or len(transform.transforms) < 4:
        return None
    resize, *crop, convert, to_tensor, normalize = transform.transforms
    if (
        type(convert) is not MaybeConvertMode
        or convert.mode != "RGB"
        or type(to_tensor) is not MaybeToTensor
        or type(normalize) is not Normalize
        or len(normalize.mean) != 3
        or len(normalize.std) != 3
    ):
        return None
    known = _read_resize(resize)
    if known is None:
        return None
    if not crop:
        if known.resize != "exact":
            return None
    elif len(crop) == 1 and type(crop[0]) in (CenterCrop, CenterCropOrPad):
        fill = getattr(crop[0], "fill", 0)
        if not isinstance(fill, int):
            return None
        height, width = crop[0].size
        known = replace(known, size=(int(height), int(width)), fill=fill)
    else:
        return None
    return _Preprocessing(
        known,
        tuple(float(value) for value in normalize.mean),
        tuple(float(value) for value in normalize.std),
    )


def _read_resize(resize: Any) -> CropResampling | None:
    from open_clip.transform import ResizeKeepRatio
    from torchvision.transforms import InterpolationMode, Resize

    filters: dict[Any, Literal["bilinear", "bicubic"]] = {
        InterpolationMode.BILINEAR: "bilinear",
        InterpolationMode.BICUBIC: "bicubic",
    }
    chosen = filters.get(getattr(resize, "interpolation", None))
    if chosen is None:
        return None
    sides = resize.size
    sides = [sides] if isinstance(sides, int) else list(sides)
    if not all(isinstance(side, int) for side in sides):
        return None
    target = (sides[0], sides[-1])
    if type(resize) is Resize and resize.max_size is None:
        rule: Literal["edge", "exact"] = "edge" if len(sides) == 1 else "exact"
        return CropResampling(target, rule, target, interpolation=chosen)
    if (
        type(resize) is ResizeKeepRatio
        and len(sides) == 2
        and not resize.random_scale_prob
        and not resize.random_aspect_prob
    ):
        return CropResampling(target, "ratio", target, resize.longest, chosen)
    return None


def _one_of(option: str, value: str, known: Sequence[str]) -> str:
    if value not in known:
        raise ModelError(
            f"The embedder's {option} is '{value}'; pass one of "
            f"{', '.join(known)}."
        )
    return value


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
