"""The evaluation's own page: what it shows, and that it needs nothing."""

from __future__ import annotations

import base64
import html
import io
import re
from collections.abc import Iterator
from pathlib import Path

import fiftyone as fo
import numpy as np
import pytest
from PIL import Image

import raremine.brain as rmb
from raremine.brain.errors import RaremineError
from raremine.brain.evaluation.report import MiningReport
from raremine.brain.evaluation.stage import evaluate_mining, load_report
from raremine.brain.report.evaluation_examples import (
    default_pairs,
    read_missed,
)
from raremine.brain.report.stage import write_report
from tests.brain.fakes import FakeDetector, painted_dataset, scatter

ATTACK = '<script>alert("x")</script>'
CLASSES = ("car", "truck", "car", "bus", "person", "car", "car")


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Iterator[fo.Dataset]:
    names = [CLASSES[i % len(CLASSES)] for i in range(96)]
    dataset = painted_dataset(
        tmp_path_factory.mktemp("images"),
        scatter(names, per_image=2),
        truth=True,
    )
    rmb.detect_objects(dataset, FakeDetector())
    yield dataset
    dataset.delete()


@pytest.fixture(scope="module")
def report(dataset: fo.Dataset) -> MiningReport:
    return evaluate_mining(
        dataset,
        ["detector_class", "least_confidence", "random", "oracle"],
        [0.1, 0.25],
        seeds=range(3),
    )


@pytest.fixture(scope="module")
def page(
    report: MiningReport,
    dataset: fo.Dataset,
    tmp_path_factory: pytest.TempPathFactory,
) -> str:
    path = tmp_path_factory.mktemp("pages") / "deep" / "page.html"
    assert report.to_html(path, dataset, title=ATTACK) == path
    assert [p.name for p in path.parent.iterdir()] == ["page.html"]
    return path.read_text(encoding="utf-8")


def test_it_needs_no_other_file_and_runs_nothing(page: str) -> None:
    assert "default-src 'none'" in html.unescape(page)
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    sources = re.findall(r'(?:src|href)="([^"]*)"', page)
    assert sources and all(s.startswith("data:image/") for s in sources)
    assert not re.findall(r"url\(|@import", page)
    assert "nan" not in re.sub(r'src="[^"]*"', "", page).lower().split()


def test_every_section_is_there(page: str, report: MiningReport) -> None:
    ids = re.findall(r'<section id="(\w+)"', page)
    assert ids == [
        *("recall", "classes", "strategies", "pairs"),
        *("differences", "objects", "overlap", "signals"),
    ]
    cell = report.cell("detector_class", "frame_lift")
    assert cell is not None
    assert f"{cell['mean']:.1f}×" in page
    pair = report.compare("detector_class", "random")
    assert f"{100 * pair['difference']:+.1f}" in page


def test_crops_of_what_one_found_and_the_other_missed(
    page: str, report: MiningReport, dataset: fo.Dataset
) -> None:
    pairs = default_pairs(report)
    assert pairs[0] == ("detector_class", "least_confidence")
    assert ("random", "detector_class") in pairs
    _, boxes, missed = read_missed(report, dataset, pairs)
    assert any(len(m.rows) for m in missed)
    for one in missed:
        assert set(boxes["label"][one.rows]) <= {"truck"}
    assert page.count("<figure") == sum(len(m.rows) for m in missed)
    encoded = re.findall(r'data:image/jpeg;base64,([^"]+)', page)[0]
    with Image.open(io.BytesIO(base64.b64decode(encoded))) as crop:
        color = np.asarray(crop).reshape(-1, 3).mean(axis=0)
    # the painted truck and not the ground around it
    row = missed[0].rows[0]
    assert color.std() > 5, (color, boxes["label"][row])


def test_pairs_by_name(
    report: MiningReport, dataset: fo.Dataset, tmp_path: Path
) -> None:
    path = report.to_html(
        tmp_path / "p.html", dataset, compare=[("oracle", "random")]
    )
    text = path.read_text(encoding="utf-8")
    assert "Found by oracle (ceiling), missed by random" in text
    assert "missed by oracle" not in text
    with pytest.raises(RaremineError, match="'magic'.*least_confidence"):
        report.to_html(path, dataset, compare=[("magic", "random")])


def test_a_box_that_was_deleted_since(
    report: MiningReport, dataset: fo.Dataset
) -> None:
    other = MiningReport.from_dict(report.to_dict())
    other.differences = {"a": {"b": ["0" * 24, *_some_label(dataset)]}}
    _, boxes, (missed,) = read_missed(other, dataset, [("a", "b")])
    assert len(missed.rows) == 1
    assert boxes.label_id[missed.rows].tolist() == _some_label(dataset)


def _some_label(dataset: fo.Dataset) -> list[str]:
    view = dataset.select_group_slices(media_type="image")
    return [
        i for s in view.values("ground_truth.detections.id") for i in s or ()
    ][:1]


def test_without_the_dataset_there_are_numbers(
    report: MiningReport, tmp_path: Path
) -> None:
    path = report.to_html(tmp_path / "numbers.html")
    text = path.read_text(encoding="utf-8")
    assert 'id="pairs"' in text and 'id="differences"' not in text


def test_a_report_of_an_earlier_version(
    report: MiningReport, dataset: fo.Dataset, tmp_path: Path
) -> None:
    """It had means and spreads alone."""
    data = report.to_dict()
    old = {
        "meta": {k: v for k, v in data["meta"].items() if k != "objects"},
        "table": [
            {k: v for k, v in row.items() if k not in ("low", "high")}
            for row in data["table"]
        ],
        "curves": [
            {k: v for k, v in row.items() if k not in ("low", "high")}
            for row in data["curves"]
        ],
    }
    again = MiningReport.from_dict(old)
    assert again.table.low.isna().all()
    path = again.to_html(tmp_path / "old.html", dataset)
    ids = re.findall(r'<section id="(\w+)"', path.read_text("utf-8"))
    assert ids == ["recall", "classes", "strategies"]


def test_the_recorded_report_makes_the_same_page(
    report: MiningReport, dataset: fo.Dataset, tmp_path: Path
) -> None:
    texts = [
        r.to_html(tmp_path / name, dataset).read_text("utf-8")
        for name, r in (("a", report), ("b", load_report(dataset)))
    ]
    assert texts[0] == texts[1]


def test_one_strategy_of_a_name_that_nobody_knows(
    dataset: fo.Dataset, tmp_path: Path
) -> None:
    alone = evaluate_mining(
        dataset,
        {"by time": lambda frames, seed: frames.timestamp.argsort()},
        [0.25],
        seeds=[0],
        brain_key="alone",
    )
    text = alone.to_html(tmp_path / "alone.html", dataset).read_text("utf-8")
    assert text.count('class="line default"') >= 2
    assert 'id="pairs"' not in text
    mined = write_report(
        dataset, {"evaluation": alone.to_dict()}, tmp_path / "mined.html"
    ).read_text("utf-8")
    assert "by time" in mined and 'class="line default"' in mined


def test_where_it_cannot_be_written(
    report: MiningReport, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RaremineError, match="cannot be written"):
        report.to_html(tmp_path / "file" / "page.html")
