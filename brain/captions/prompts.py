"""The prompts that ask a vision-language model about one object crop.

``default`` asks for a short JSON object (class, description, keywords), so
that keyword novelty has text to work on; ``paper`` asks for one class name,
as concept-based mining does (arXiv 2512.05482). The detector's class is
passed as a hint that the model is told to check for itself.
"""

from __future__ import annotations

from raremine.brain.errors import RaremineError

ANSWER_CLASSES = (
    "car",
    "truck",
    "bus",
    "trailer",
    "construction vehicle",
    "pedestrian",
    "motorcycle",
    "bicycle",
    "traffic cone",
    "barrier",
    "others",
)
"""The ten nuScenes detection classes as words, and "others"."""

DEFAULT_PROMPT = (
    "You look at one object cut from a driving camera and watch for unusual "
    "or safety-relevant things. {hint}"
    'Answer with JSON only: {{"class": one of [{classes}], '
    '"description": one short sentence, "keywords": [up to five words]}}.'
)

PAPER_PROMPT = (
    "You watch a driving camera for unusual or safety-relevant objects. "
    "{hint}Answer with one of [{classes}] and nothing else."
)

HINT = "A detector called it '{detector_class}'; check that yourself. "

PROMPTS = {"default": DEFAULT_PROMPT, "paper": PAPER_PROMPT}


def build_prompt(kind: str, detector_class: str | None = None) -> str:
    """Returns the prompt text for one crop.

    Args:
        kind: "default", "paper", or a prompt of the user's own, which may
            hold ``{hint}``, ``{classes}`` and ``{detector_class}``
        detector_class (None): the detector's class, given as a hint

    Raises:
        RaremineError: if a prompt of the user's own has another placeholder
    """
    template = PROMPTS.get(kind, kind)
    hint = HINT.format(detector_class=detector_class) if detector_class else ""
    try:
        return template.format(
            hint=hint,
            classes=", ".join(ANSWER_CLASSES),
            detector_class=detector_class or "object",
        )
    except (KeyError, IndexError, ValueError) as error:
        raise RaremineError(
            f"The prompt cannot be filled in ({error!r}); it may use "
            "{hint}, {classes} and {detector_class}, and a literal brace is "
            "written twice: {{ }}."
        ) from error
