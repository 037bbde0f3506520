"""In the browser: a training split is selected and written to files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import fiftyone as fo

import raremine.brain as rmb
from tests.app import driver

NAME = "by_hand"


def test_a_selection_is_made_and_exported(
    page: Any, mined: fo.Dataset, tmp_path: Path
) -> None:
    form = driver.open_form(page, "Select frames")
    driver.fill(form, "Name", NAME)
    driver.choose(page, form, "Recipe", "own shares")
    driver.fill(form, "Random share (0 to 1)", "0.3")
    driver.fill(form, "Target share (0 to 1)", "0.3")
    driver.execute(form)
    summary = driver.result(page).inner_text()
    driver.close_result(page)

    mined.reload()
    assert NAME in rmb.list_selections(mined)
    tagged = mined.match_tags(NAME)
    splits = set(tagged.values("split"))
    assert 1 < len(tagged) <= 6 and splits == {"train"}
    assert str(len(tagged)) in summary.split()
    # the split is a saved view now, in the list without a reload
    driver.open_view(page, f"{NAME.replace('_', '-')}-train")
    driver.wait_for_count(page, f"{len(tagged)} groups")

    form = driver.open_form(page, "Export selection")
    driver.fill(form, "Selection", NAME)
    driver.fill(form, "Output folder", str(tmp_path / "out"))
    driver.execute(form)
    summary = driver.result(page).inner_text()
    driver.close_result(page)
    files = {path.name: path for path in (tmp_path / "out").rglob("*.*")}
    (path,) = [p for n, p in files.items() if n == f"{NAME}.json"]
    tokens = json.loads(path.read_text())["tokens"]
    assert sorted(tokens) == sorted(tagged.values("sample_token"))
    assert str(path) in summary


def test_a_mistake_is_told_in_the_form(page: Any, mined: fo.Dataset) -> None:
    before = rmb.list_selections(mined)
    form = driver.open_form(page, "Select frames")
    driver.fill(form, "Name", "too_much")
    driver.choose(page, form, "Recipe", "own shares")
    driver.fill(form, "Random share (0 to 1)", "0.9")
    driver.fill(form, "Target share (0 to 1)", "0.9")
    form.get_by_text("1.8").first.wait_for()
    send = form.get_by_role("button", name="Execute", exact=True)
    assert send.is_disabled()
    form.get_by_role("button", name="Cancel").click()
    mined.reload()
    assert rmb.list_selections(mined) == before
