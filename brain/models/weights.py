"""Where a model's weights lie, which ones they are, and on which device."""

from __future__ import annotations

import hashlib
from pathlib import Path

from raremine.brain.errors import ModelError


def is_local(reference: str) -> bool:
    """Whether a model reference can only mean a file or folder here.

    A bare name such as ``yolov8l.pt`` or ``Qwen/Qwen2-VL-2B-Instruct`` may be
    a hub's; an absolute path, one that starts with a dot, or one that exists
    is local.
    """
    path = Path(reference)
    return path.exists() or path.is_absolute() or reference[:1] in (".", "~")


def existing_path(reference: str, what: str) -> Path:
    """Returns the path of local weights.

    Args:
        reference: a file or folder
        what: what is being loaded, for the message

    Raises:
        ModelError: if nothing is there
    """
    path = Path(reference).expanduser()
    if not path.exists():
        raise ModelError(
            f"No {what} at '{reference}': the file or folder does not exist. "
            "Check the path, or give a name that its hub knows."
        )
    return path


def file_hash(path: Path) -> str:
    """Returns the first 16 hex digits of a file's or folder's SHA-256."""
    digest = hashlib.sha256()
    files = sorted(path.rglob("*")) if path.is_dir() else [path]
    for file in files:
        if not file.is_file():
            continue
        if path.is_dir():
            digest.update(str(file.relative_to(path)).encode())
        with file.open("rb") as stream:
            while block := stream.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()[:16]


def pick_device(device: str | None) -> str:
    """Returns the device to run on: the given one, else a GPU, else CPU."""
    if device:
        return device
    import torch

    if torch.cuda.is_available():
        return "cuda"
    if torch.backends.mps.is_available():
        return "mps"
    return "cpu"
