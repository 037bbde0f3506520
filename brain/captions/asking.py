"""Asks a captioner about a batch of crops, so that every crop has an end."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from raremine.brain.captions.parsing import Caption, cleaned, parse_answer
from raremine.brain.captions.prompts import ANSWER_CLASSES
from raremine.brain.errors import ModelError
from raremine.brain.models.protocols import (
    Answer,
    AnsweringCaptioner,
    Captioner,
)

SORTED_BATCHES = 8
"""Batches of crops held at a time to sort them by size, so that a batch's
crops cost about the same number of visual tokens and little is padding."""

ANSWER_SCHEMA: Mapping[str, Any] = {
    "type": "object",
    "properties": {
        "class": {"type": "string", "enum": list(ANSWER_CLASSES)},
        "description": {"type": "string"},
        "keywords": {"type": "array", "items": {"type": "string"}},
    },
    "required": ["class", "description", "keywords"],
    "additionalProperties": False,
}
"""JSON schema of the default prompt's answer."""

Batch = list[tuple[int, np.ndarray]]
"""Rows and their crops."""


def held_crops(captioner: Captioner) -> int:
    """Returns how many crops to cut ahead for a captioner."""
    if isinstance(captioner, AnsweringCaptioner):
        return captioner.batch_size
    return captioner.batch_size * SORTED_BATCHES


def split_batches(
    batches: Iterator[Batch], captioner: Captioner
) -> Iterator[Batch]:
    """Yields batches as the captioner wants them.

    A model that pads gets crops of similar size together. One that answers
    each crop on its own gets a small batch first, from which the rest can be
    estimated.
    """
    if not isinstance(captioner, AnsweringCaptioner):
        size = captioner.batch_size
        for batch in batches:
            batch.sort(key=lambda item: item[1].shape[0] * item[1].shape[1])
            for start in range(0, len(batch), size):
                yield batch[start : start + size]
        return
    first = max(captioner.batch_size // 4, 1)
    for number, batch in enumerate(batches):
        if number == 0 and len(batch) > first:
            yield batch[:first]
            yield batch[first:]
        else:
            yield batch


def ask(
    captioner: Captioner, crops: Sequence[np.ndarray], prompts: Sequence[str]
) -> list[Answer]:
    """Returns an answer a crop; one bad crop costs only itself.

    Raises:
        ModelError: if the captioner can answer no crop at all
    """
    try:
        if isinstance(captioner, AnsweringCaptioner):
            answers = captioner.ask(crops, prompts)
        else:
            answers = [
                Answer(str(text)) for text in captioner.caption(crops, prompts)
            ]
        if len(answers) != len(crops):
            raise ValueError(f"{len(answers)} answers for {len(crops)} crops")
        return answers
    except ModelError:
        raise
    except Exception as error:
        if len(crops) == 1:
            return [Answer(error=f"{type(error).__name__}: {error}")]
    out: list[Answer] = []
    for crop, prompt in zip(crops, prompts, strict=True):
        out += ask(captioner, [crop], [prompt])
    return out


def read(answer: Answer, prompt: str) -> Caption:
    """Returns what an answer to a prompt says.

    Args:
        answer: of a captioner
        prompt: "default" expects JSON; any other expects plain text
    """
    if answer.error:
        return Caption("failed", reason=cleaned(answer.error))
    if answer.refusal:
        return Caption("refused", reason=cleaned(answer.refusal)[:200])
    caption = parse_answer(answer.text, prompt)
    if caption.status == "unparsable" and answer.cut_off:
        return Caption(
            "unparsable",
            reason=f"{caption.reason}; the answer was cut off at its longest, "
            "raise max_new_tokens",
        )
    return caption
