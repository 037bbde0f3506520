"""The report of a mined dataset: what it says, and what it must not do."""

from __future__ import annotations

import base64
import io
import json
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import fiftyone as fo
import numpy as np
import pytest
from PIL import Image

from raremine.brain.errors import MissingStageError, RaremineError
from raremine.brain.evaluation.stage import evaluate_mining
from raremine.brain.report.content import gather, selection_reach
from raremine.brain.report.stage import write_report
from raremine.brain.selection.stage import select_frames
from tests.brain.grouped import Keyframe, grouped_dataset

ATTACK = (
    '</q><script>document.title="gone"</script><img src="https://evil.test/'
    'x.png" onerror="alert(1)"> & "quoted"'
)
FRAMES = 20


def an_object(group: str, concept: str, score: float, **more: Any) -> dict:
    return {
        "label": "truck" if group == "target" else "car",
        "confidence": 0.5,
        "group": group,
        "concept": concept,
        "concept_score": score,
        "ambiguous": False,
        "outlier_score": score,
        "outlier": score > 0.5,
        "caption_status": "ok" if group != "common" else "skipped",
        "caption": f"a {concept}" if group != "common" else None,
        "keywords": [concept] if group != "common" else [],
        "reason": f"because it is a {concept}",
        **more,
    }


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Iterator[fo.Dataset]:
    """20 keyframes: 4 with a target, as the ground truth has it; one lie."""
    keyframes = []
    for i in range(FRAMES):
        objects = [an_object("common", "car", 0.1 + i / 100)]
        truth = []
        if i % 5 == 0:
            objects.append(an_object("target", "trailer", 0.8 + i / 100))
            truth = [{"label": "trailer", "instance_token": f"t{i}"}]
        if i == 1:
            objects.append(an_object("rare", "animal", 0.6, caption=ATTACK,
                                     keywords=["<b>animal</b>"],
                                     reason=f"caption says '{ATTACK}'"))
        keyframes.append(
            Keyframe(
                token=f"token-{i:02d}",
                scene=f"scene-{i // 5}",
                objects={"CAM_BACK": objects},
                truth={"CAM_BACK": truth},
            )
        )
    dataset = grouped_dataset(keyframes)
    _paint(dataset, tmp_path_factory.mktemp("images"))
    yield dataset
    dataset.delete()


def _paint(dataset: fo.Dataset, folder: Path) -> None:
    """Gives the camera of the objects images; that of token-05 is broken."""
    for sample in dataset.select_group_slices("CAM_BACK"):
        path = folder / f"{sample.sample_token}.jpg"
        if sample.sample_token == "token-05":
            path.write_bytes(b"no image")
        else:
            pixels = np.zeros((100, 200, 3), np.uint8)
            # what the boxes (.4 to .5 of each side) hold is red
            pixels[40:50, 80:100] = (250, 0, 0)
            Image.fromarray(pixels).save(path, quality=95)
        sample.filepath = str(path)
        sample.save()


@pytest.fixture(scope="module")
def result(dataset: fo.Dataset) -> dict[str, Any]:
    """What ``mine`` returns, in short."""
    selection = select_frames(
        dataset, {"random": 0.1, "target": 0.1}, name="chosen"
    )
    report = evaluate_mining(dataset, seeds=range(5))
    return {
        "preset": "default",
        "images": 2 * FRAMES,
        "stages": [
            {
                "stage": "detect_objects",
                "images": 40,
                "objects": 25,
                "failures": 1,
                "failed": [{"where": "<i>a.jpg", "reason": "truncated"}],
                "seconds": 1.0,
            }
        ],
        "seconds": {"detect": 1.0, "select": 0.1},
        "selection": selection.to_dict(),
        "evaluation": report.to_json(),
    }


@pytest.fixture(scope="module")
def page(
    dataset: fo.Dataset,
    result: dict[str, Any],
    tmp_path_factory: pytest.TempPathFactory,
) -> str:
    path = tmp_path_factory.mktemp("report") / "new" / "report.html"
    assert write_report(dataset, result, path) == path
    return path.read_text(encoding="utf-8")


class _Page(HTMLParser):
    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self._open: list[str] = []
        self.unbalanced: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(
        self, tag: str, attrs: list[tuple[str, str | None]]
    ) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in ("img", "meta", "br"):
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if not self._open or self._open.pop() != tag:
            self.unbalanced.append(tag)

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


def test_captions_are_shown_and_never_interpreted(page: str) -> None:
    found = _Page(page)
    assert not found.unbalanced
    tags = {tag for tag, _ in found.elements}
    assert "script" not in tags
    assert not any(a.startswith("on") for _, e in found.elements for a in e)
    assert 'alert(1)"> & "quoted"' in found.text
    assert "<b>animal</b>" in found.text


def test_the_page_needs_nothing_else(page: str) -> None:
    found = _Page(page)
    sources = [
        value
        for tag, attributes in found.elements
        for name, value in attributes.items()
        if name in ("src", "href", "srcset", "data", "action")
    ]
    assert sources
    assert all(str(s).startswith("data:image/") for s in sources)
    assert "@import" not in page
    assert "url(" not in page
    policy = next(
        a["content"]
        for tag, a in found.elements
        if tag == "meta" and "http-equiv" in a
    )
    assert "default-src 'none'" in str(policy)


def test_crops_are_cut_from_the_images(page: str) -> None:
    uris = re.findall(r'src="data:image/jpeg;base64,([^"]+)"', page)
    # 4 targets of which one image is broken, 1 rare, and some common ones
    assert len(uris) > 4
    crop = Image.open(io.BytesIO(base64.b64decode(uris[0]))).convert("RGB")
    red, green, blue = crop.getpixel((crop.width // 2, crop.height // 2))
    assert red > 200 > 60 > max(green, blue)
    assert "image not readable" in page


def test_numbers_of_the_run(page: str, result: dict[str, Any]) -> None:
    text = _Page(page).text
    # 4 of 20 frames hold a target, all found: the first 20 % hold them all
    assert "100% of the frames with a target are in the first 20%" in text
    assert "25 objects found" in text
    assert "4 + 1 Target and Rare objects" in text
    assert "4 of 20 train frames selected" in text
    assert "Target (4 objects)" in text
    assert "because it is a trailer" in text
    assert "40 images, 25 objects" in text
    assert "<i>a.jpg" in text
    assert "trailer (4)" in text


def test_a_selection_is_measured_against_its_pool(
    dataset: fo.Dataset, result: dict[str, Any]
) -> None:
    content = gather(dataset, result)
    assert content.selection is not None
    reach = selection_reach(dataset, content.frames, content.selection)
    assert reach is not None
    holding = {f"token-{i:02d}" for i in (0, 5, 10, 15)}
    taken = len(holding & set(content.selection.tokens))
    assert taken >= 2
    assert reach.frame_recall == taken / 4
    assert reach.instance_recall == taken / 4
    assert reach.share == 4 / 20
    assert reach.by_class["trailer"] == (taken, 4)


def test_the_rarest_words_come_first(
    dataset: fo.Dataset, result: dict[str, Any]
) -> None:
    words = gather(dataset, result).keywords
    assert [(k.word, k.objects) for k in words] == [
        ("<b>animal</b>", 1),
        ("trailer", 4),
    ]
    assert words[0].novelty == pytest.approx(np.log(5))


def test_what_is_recorded_serves_without_a_result(
    dataset: fo.Dataset, result: dict[str, Any], tmp_path: Path
) -> None:
    write_report(dataset, None, tmp_path / "report.html", title="Mine <1>")
    text = _Page((tmp_path / "report.html").read_text("utf-8")).text
    assert "100% of the frames with a target are in the first 20%" in text
    assert "“chosen”: 4 of 20 frames" in text
    assert "Mine <1>" in text


def test_a_dataset_with_detections_alone(tmp_path: Path) -> None:
    dataset = grouped_dataset(
        [
            Keyframe(
                token="a",
                objects={"CAM_FRONT": [{"label": "car", "confidence": 0.5}]},
            )
        ],
        summary=False,
    )
    try:
        path = write_report(dataset, {}, tmp_path / "report.html")
        text = _Page(path.read_text("utf-8")).text
        for missing in (
            "No groups yet: run match_concepts",
            "No outlier scores yet: run score_outliers",
            "No captions",
            "No frames were selected yet",
            "Nothing was measured",
        ):
            assert missing in text
        assert "1 objects" not in text.replace("1 objects found", "")
    finally:
        dataset.delete()


def test_a_detector_that_found_nothing(tmp_path: Path) -> None:
    dataset = grouped_dataset([Keyframe(token="a")])
    try:
        path = write_report(dataset, {}, tmp_path / "report.html")
        assert "The detector found nothing" in path.read_text("utf-8")
    finally:
        dataset.delete()


def test_nothing_detected_yet(tmp_path: Path) -> None:
    dataset = fo.Dataset()
    try:
        dataset.add_sample(fo.Sample("/nowhere/a.jpg"))
        with pytest.raises(MissingStageError, match="run detect_objects"):
            write_report(dataset, {}, tmp_path / "report.html")
    finally:
        dataset.delete()


def test_a_page_that_cannot_be_written(
    dataset: fo.Dataset, result: dict[str, Any], tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RaremineError, match="cannot be written"):
        write_report(dataset, result, tmp_path / "file" / "report.html")
    (tmp_path / "folder").mkdir()
    with pytest.raises(RaremineError, match="cannot be written"):
        write_report(dataset, result, tmp_path / "folder")
    assert [p.name for p in tmp_path.iterdir() if "tmp" in p.name] == []


def test_the_result_may_come_from_a_file(
    dataset: fo.Dataset, result: dict[str, Any], tmp_path: Path
) -> None:
    again = json.loads(json.dumps(result))
    again["evaluation"] = json.loads(again["evaluation"])
    assert gather(dataset, again).evaluation is not None
