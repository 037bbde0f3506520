"""In the browser: objects found by a text, in each way that the App has."""

from __future__ import annotations

import re
from typing import Any

import fiftyone as fo
import pytest

import raremine.brain as rmb
from tests.app import driver

QUERY, K = "a truck", 9
KEY = "objects_clip"
PANEL = "similarity_search_panel"


@pytest.fixture
def back(page: Any, mined: fo.Dataset) -> fo.PatchesView:
    """The objects of the open camera, as the patches button shows them."""
    page.get_by_test_id("action-clips-patches").click()
    page.get_by_test_id("item-action-objects").click()
    patches = mined.select_group_slices("CAM_FRONT").to_patches("objects")
    driver.wait_for_count(page, f"{len(patches)} patches")
    assert len(patches) > K
    return patches


def test_a_text_finds_objects_of_all_cameras(
    page: Any, mined: fo.Dataset
) -> None:
    found = rmb.search_objects(mined, QUERY, k=K)
    # the button beside FiftyOne's own search, known by its icon
    page.get_by_test_id("fo-grid-actions").get_by_text("manage_search").click()
    form = driver.form_of(page)
    driver.fill(form, "Query", QUERY)
    driver.fill(form, "Objects to show", str(K))
    driver.fill(form, "Name", "trucks")
    driver.execute(form)
    driver.close_result(page)
    driver.wait_for_count(page, f"{K} patches")
    driver.drawn(page)
    mined.reload()
    kept = mined.load_saved_view("trucks")
    assert kept.values("id") == found.values("id")
    assert "truck" in kept.values("objects.label")[:3]
    mined.delete_saved_view("trucks")


def test_the_search_bar_finds_objects_by_a_text(
    page: Any, back: fo.PatchesView
) -> None:
    found = back.sort_by_similarity(QUERY, k=K, brain_key=KEY)
    typed = {
        "query": QUERY,
        "k (default=None)": str(K),
        "reverse (default=False)": "False",
        "dist_field (default=None)": "",
        "brain key": KEY,
    }
    with page.expect_response(_sets_the_view) as answer:
        driver.add_stage(page, "SortBySimilarity", typed)
    driver.wait_for_count(page, f"{K} patches")
    driver.drawn(page)
    stage = dict(answer.value.json()["data"]["setView"][-1]["kwargs"])
    (match, *_) = stage["_state"]["pipeline"]
    shown = [one["$oid"] for one in match["$match"]["_id"]["$in"]]
    assert sorted(shown) == sorted(found.values("id"))


def test_the_similarity_panel_finds_objects_by_a_text(
    page: Any, back: fo.PatchesView
) -> None:
    page.get_by_test_id("action-sort-by-similarity").click()
    panel = page.get_by_test_id(f"panel-content-{PANEL}")
    # it opens on the list of indexes
    panel.get_by_text("Back to similarity searches").wait_for()
    panel.get_by_role("button").first.click()
    panel.get_by_role("button", name="New Search").click()
    # "All Patches" would be those of the grouped dataset, which has none
    panel.get_by_text("Current Patches View", exact=True).click()
    panel.get_by_placeholder("Enter a text prompt...").fill(QUERY)
    panel.get_by_role("button", name="Search", exact=True).click()
    page.get_by_role("menuitem").filter(has_text="Execute").click()
    panel.get_by_text("Completed", exact=True).wait_for()
    panel.get_by_text(re.compile(r"^\d+ results$")).wait_for()


def _sets_the_view(response: Any) -> bool:
    asked = response.request.post_data or ""
    return "setViewMutation" in asked and "SortBySimilarity" in asked
