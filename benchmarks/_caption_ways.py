"""Captions crops in batches of one size, in a process of its own."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

PROMPT = "default"
WARM_UP = 2


def main() -> None:
    """``MODEL CROPS BATCH_SIZE MAX_NEW_TOKENS ANSWERS``: tells and writes."""
    import torch

    from benchmarks._measure import tell
    from raremine.brain.captions.prompts import build_prompt
    from raremine.brain.models.huggingface_captioner import (
        HuggingFaceCaptioner,
    )

    model, crops_path, size, longest, answers_path = sys.argv[1:]
    batch_size = int(size)
    with np.load(crops_path) as archive:
        crops = [archive[name] for name in sorted(archive.files)]
    # as the stage does: crops of a batch cost about the same
    order = sorted(
        range(len(crops)),
        key=lambda row: crops[row].shape[0] * crops[row].shape[1],
    )
    captioner = HuggingFaceCaptioner(
        model, batch_size=batch_size, max_new_tokens=int(longest)
    )
    prompt = build_prompt(PROMPT, None)
    captioner.caption(crops[:WARM_UP], [prompt] * WARM_UP)
    answers: dict[int, str] = {}

    def work() -> dict[str, Any]:
        for start in range(0, len(order), batch_size):
            rows = order[start : start + batch_size]
            said = captioner.caption(
                [crops[row] for row in rows], [prompt] * len(rows)
            )
            answers.update(zip(rows, said, strict=True))
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        return {"crops": len(order)}

    tell(work)
    Path(answers_path).write_text(
        json.dumps([answers[row] for row in range(len(crops))]),
        encoding="utf-8",
    )


if __name__ == "__main__":
    main()
