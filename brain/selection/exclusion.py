"""Frames that must not be selected, named in a file or by a selection."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from raremine.brain.errors import RecipeError
from raremine.brain.selection.recipe import Recipe


def with_exclusions_read(
    recipe: Recipe,
    known: Iterable[str],
    tokens_of: Callable[[str], Iterable[str]],
) -> tuple[Recipe, list[str]]:
    """Puts the tokens of files and selections into a recipe.

    A recipe with nothing but tokens chooses the same frames when the file
    has changed or the selection is gone.

    Args:
        recipe: the recipe
        known: sample tokens of all keyframes. Tokens that are not among them
            are left out, as where a file is about a larger data set.
        tokens_of: gives the sample tokens of a selection by its name

    Returns:
        the recipe with ``exclude`` alone, and what was read, for the user

    Raises:
        RecipeError: if a file cannot be read or names no keyframe at all
    """
    if not recipe.exclude_file and not recipe.exclude_selection:
        return recipe, []
    keyframes = set(known)
    excluded = dict.fromkeys(recipe.exclude)
    notes = []
    for path in recipe.exclude_file:
        tokens = set(read_tokens(Path(path).expanduser()))
        here = sorted(tokens & keyframes)
        if not here:
            raise RecipeError(
                f"None of the {len(tokens)} tokens in {path} is a keyframe "
                f"of this data set, such as '{min(tokens)}'; give nuScenes "
                "sample tokens, not file names or sample_data tokens."
            )
        note = f"Frames excluded by {path}: {len(here)}"
        if len(here) < len(tokens):
            note += (
                "; tokens there that are not in this data set: "
                f"{len(tokens) - len(here)}"
            )
        notes.append(note + ".")
        excluded.update(dict.fromkeys(here))
    for name in recipe.exclude_selection:
        here = sorted(set(tokens_of(name)) & keyframes)
        notes.append(f"Frames excluded by selection '{name}': {len(here)}.")
        excluded.update(dict.fromkeys(here))
    recipe = replace(
        recipe,
        exclude=tuple(excluded),
        exclude_file=(),
        exclude_selection=(),
    )
    return recipe, notes


def read_tokens(path: Path) -> list[str]:
    """Reads sample tokens from a file.

    Args:
        path: ``.json``: a list of tokens, a map with the list ``tokens`` as
            ``export_selection`` writes it, or a map of splits to lists;
            ``.csv``: a table with the column ``sample_token``; anything
            else: a token a line, where empty lines and what follows a ``#``
            do not count

    Raises:
        RecipeError: if it cannot be read or holds no token
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise RecipeError(
            f"The tokens in {path} cannot be read ({error}); give a text, "
            "JSON or CSV file of sample tokens."
        ) from error
    if path.suffix.lower() == ".json":
        tokens = _of_json(path, text)
    elif path.suffix.lower() == ".csv":
        tokens = _of_csv(path, text)
    else:
        lines = (line.partition("#")[0] for line in text.splitlines())
        tokens = [line.strip() for line in lines if line.strip()]
    if not tokens:
        raise RecipeError(f"There is no sample token in {path}.")
    return tokens


def _of_json(path: Path, text: str) -> list[str]:
    try:
        content: Any = json.loads(text)
    except ValueError as error:
        raise RecipeError(f"{path} is not valid JSON: {error}") from error
    if isinstance(content, Mapping):
        lists = (
            [content["tokens"]]
            if "tokens" in content
            else list(content.values())
        )
    else:
        lists = [content]
    if not all(isinstance(part, list) for part in lists) or not all(
        isinstance(token, str) for part in lists for token in part
    ):
        raise RecipeError(
            f"{path} holds no sample tokens: give a list of them, or a map "
            "of splits to lists."
        )
    return [token for part in lists for token in part]


def _of_csv(path: Path, text: str) -> list[str]:
    rows = csv.DictReader(text.splitlines())
    if "sample_token" not in (rows.fieldnames or ()):
        raise RecipeError(
            f"{path} has no column 'sample_token' (columns: "
            f"{', '.join(rows.fieldnames or ()) or 'none'})."
        )
    return [row["sample_token"] for row in rows if row["sample_token"]]
