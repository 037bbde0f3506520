"""In the browser: a person says what a selected patch is, and it stays."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import fiftyone as fo
import numpy as np
import pytest

import raremine.brain as rmb
from raremine.brain.columns import read_objects
from tests.app import driver

LABEL = "Correct objects"


@pytest.fixture
def patches(app: str, page: Any, dataset: fo.Dataset) -> Iterator[fo.Dataset]:
    """A copy of the dataset, opened in the page as patches of all cameras."""
    copy = dataset.clone("app-test-corrected", persistent=True)
    view = copy.select_group_slices(media_type="image").to_patches("objects")
    copy.save_view("patches", view)
    driver.open_dataset(page, app, copy.name, "?view=patches")
    driver.wait_for_count(page, "24 patches")
    yield copy
    copy.delete()


def test_a_selected_patch_is_corrected_and_stays(
    page: Any, patches: fo.Dataset
) -> None:
    form = driver.open_form(page, LABEL)
    form.get_by_text("Nothing selected").wait_for()
    assert form.get_by_role("button", name="Execute").is_disabled()
    form.get_by_role("button", name="Cancel").click()

    # the strip at the top of a tile selects it
    tile = driver.grid(page).get_by_test_id("looker").first
    tile.hover(position={"x": 15, "y": 12})
    tile.click(position={"x": 15, "y": 12})
    form = driver.open_form(page, LABEL)
    form.get_by_text("1 object is selected.").wait_for()
    driver.fill(form, "Concept", "trailer")
    driver.execute(form)
    driver.result(page)

    (corrected,) = _by_hand(patches)
    assert corrected == ("trailer", "target")
    # this process opened the dataset before the App wrote to it
    rmb.match_concepts(patches, evidence="text", embedder=Blind())
    assert _by_hand(patches) == [corrected]


def _by_hand(dataset: fo.Dataset) -> list[tuple[str, str]]:
    table = read_objects(dataset, names=("concept_source", "concept", "group"))
    return [
        (concept, group)
        for source, concept, group in zip(
            table["concept_source"],
            table["concept"],
            table["group"],
            strict=True,
        )
        if source == "human"
    ]


class Blind:
    """An embedder to which all texts are the same."""

    name = "blind"
    logit_scale = 1.0
    dim = 2
    batch_size = 8

    def embed_images(self, crops: Sequence[Any]) -> np.ndarray:
        return self.embed_texts(crops)

    def embed_texts(self, texts: Sequence[Any]) -> np.ndarray:
        return np.tile([1.0, 0.0], (len(texts), 1))

    def identity(self) -> dict[str, Any]:
        return {"model": self.name}
