"""Numbers that README and scale-out show are those of docs/benchmarks.md."""

from __future__ import annotations

import re

import pytest

from tests.docs.pages import read

CLAIMS = [
    # page, what it says, the row of docs/benchmarks.md that says so
    ("README.md", "AUROC of 0.954", r"Fisher: 3 × knn .*\| +0\.954 \|"),
    ("README.md", "uniqueness 0.523", r"FiftyOne's uniqueness \| +0\.523 \|"),
    ("README.md", "576 images", r"one image a call.*\| +576 \|.* 17 \|"),
    ("README.md", "8.5 s against 17 s", r"`detect_and_embed` .* 8\.54 \|"),
    ("README.md", "two calls (29 s)", r"`apply_model`.*\| +576 \|.* 29 \|"),
    ("README.md", "10 s and 1 GB", r"cameras and LiDAR .* 9\.85 \| +1,011 \|"),
    ("README.md", "66 s and 8 GB", r"nuscenes-devkit, .* 66 \| +8,041 \|"),
    ("README.md", "270 s", r"\| default .* 270 \|"),
    ("README.md", "selected from in 0.2 s", r"random 10 %, target.* 0\.16 \|"),
    ("docs/scale-out.md", "4,785 samples/s", r"\| raremine .* 4,785 \|"),
    ("docs/scale-out.md", "0.96 images/s", r"`detect_and_embed` .* 0\.96 \|"),
    ("docs/scale-out.md", "13.5 ms", r"takes 13\.5 ms on the real"),
    ("docs/scale-out.md", "270 s, 4.7 GB", r"\| default .* 4,722 \|"),
    ("docs/scale-out.md", "UMAP 49 s", r"\| map umap .* 49 \|"),
    ("docs/scale-out.md", "t-SNE 77 s", r"\| map tsne .* 77 \|"),
    ("docs/scale-out.md", "two signals: 0.5 s", r"000,000 \| +2 .* 0\.48 \|"),
    ("docs/scale-out.md", "left out 1.8 s", r"no near duplicates.* 1\.81 \|"),
    ("docs/scale-out.md", "of trainval: 20 s", r"the tenth alone .* 20 \|"),
    ("docs/scale-out.md", "20 seeds: 80 s", r"20 seeds: .*\n?.*\*\*80 s\*\*"),
    ("docs/scale-out.md", "1.03 times", r"\| +4,000 \|.* 1\.03 \|"),
    ("docs/tutorial.md", "0.96 images a second", r"_and_embed` .* 0\.96 \|"),
]


@pytest.mark.parametrize(
    ("page", "said", "row"), CLAIMS, ids=lambda value: str(value)[:40]
)
def test_a_number_is_one_that_was_measured(
    page: str, said: str, row: str
) -> None:
    assert said in " ".join(read(page).split()), f"{page}: '{said}' is gone"
    assert re.search(row, read("docs/benchmarks.md")), (
        f"{page} says '{said}', docs/benchmarks.md no longer does"
    )
