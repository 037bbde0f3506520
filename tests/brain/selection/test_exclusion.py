"""Frames to leave out, from files and from other selections."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from raremine.brain.errors import RecipeError
from raremine.brain.selection.exclusion import (
    read_tokens,
    with_exclusions_read,
)
from raremine.brain.selection.recipe import Recipe, load_recipe
from raremine.brain.selection.rule import select
from tests.brain.selection.tables import frame_table

KNOWN = [f"t{i}" for i in range(10)]


def no_selection(name: str) -> list[str]:
    raise AssertionError(name)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("tokens.txt", "t1\n\n# round one\n  t2  # seen\n"),
        ("tokens", "\ufefft1\r\nt2\r\n"),
        ("list.json", '["t1", "t2"]'),
        ("export.json", '{"meta": {}, "tokens": ["t1", "t2"]}'),
        ("splits.json", '{"train": ["t1"], "more": ["t2"]}'),
        ("picks.csv", 'why,sample_token\n"a, b",t1\nc,t2\n'),
        ("PICKS.CSV", "sample_token\nt1\nt2\n"),
    ],
)
def test_files_of_tokens(tmp_path: Path, name: str, text: str) -> None:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    assert read_tokens(path) == ["t1", "t2"]


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("a.txt", "# nothing\n", "no sample token in"),
        ("a.json", "[", "not valid JSON"),
        ("a.json", '{"tokens": {"t1": 1}}', "holds no sample tokens"),
        ("a.json", "[1, 2]", "holds no sample tokens"),
        ("a.csv", "token\nt1\n", "no column 'sample_token' .columns: token"),
        ("a.txt", None, "cannot be read"),
    ],
)
def test_bad_files(
    tmp_path: Path, name: str, text: str | None, words: str
) -> None:
    path = tmp_path / name
    if text is not None:
        path.write_text(text)
    with pytest.raises(RecipeError, match=words) as caught:
        read_tokens(path)
    assert name in str(caught.value)


def test_files_and_selections_become_tokens(tmp_path: Path) -> None:
    path = tmp_path / "seen.txt"
    path.write_text("t1\nt2\nof_another_data_set\n")
    recipe = Recipe(
        {"random": 0.1},
        exclude=("t9",),
        exclude_file=(str(path),),
        exclude_selection=("round 1",),
    )
    read, notes = with_exclusions_read(
        recipe, KNOWN, {"round 1": ["t2", "t5"]}.__getitem__
    )
    assert read == Recipe({"random": 0.1}, exclude=("t9", "t1", "t2", "t5"))
    assert notes == [
        f"Frames excluded by {path}: 2; tokens there that are not in this "
        "data set: 1.",
        "Frames excluded by selection 'round 1': 2.",
    ]
    again, nothing = with_exclusions_read(read, KNOWN, no_selection)
    assert (again, nothing) == (read, [])


def test_a_file_about_nothing_here_is_an_error(tmp_path: Path) -> None:
    """JPEG stems in place of sample tokens matched nothing, silently."""
    path = tmp_path / "names.txt"
    path.write_text("n015-2018-07-24-11-22-45+0800__CAM_FRONT__15324\n")
    recipe = Recipe({"random": 0.1}, exclude_file=(str(path),))
    with pytest.raises(RecipeError, match="None of the 1 tokens.*CAM_FRONT"):
        with_exclusions_read(recipe, KNOWN, no_selection)


def test_a_path_counts_from_the_recipe_s_folder(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "seen.json").write_text(json.dumps(["t1"]))
    path = tmp_path / "sub" / "recipe.yml"
    path.write_text("random: 0.1\nexclude_file: ../seen.json\n")
    read, _ = with_exclusions_read(load_recipe(path), KNOWN, no_selection)
    assert read.exclude == ("t1",)


def test_the_rule_itself_reads_no_files() -> None:
    for option in ("exclude_file", "exclude_selection"):
        with pytest.raises(RecipeError, match="use select_frames"):
            select(frame_table(), {"random": 0.1, option: "x"})
