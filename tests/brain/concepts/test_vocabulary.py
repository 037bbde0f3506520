"""The vocabulary: shipped ones, the user's own, and its mistakes."""

from __future__ import annotations

from pathlib import Path

import pytest

from raremine.brain.concepts.vocabulary import load_vocabulary
from raremine.brain.errors import VocabularyError

CLASSES = {
    "car",
    "truck",
    "bus",
    "trailer",
    "construction_vehicle",
    "pedestrian",
    "motorcycle",
    "bicycle",
    "traffic_cone",
    "barrier",
}
TARGETS = {
    "construction vehicle",
    "bicycle",
    "motorcycle",
    "trailer",
    "truck",
}


def test_the_shipped_one_knows_how_large_things_are() -> None:
    size = {c.name: c.size for c in load_vocabulary().concepts}
    # the ten classes of nuScenes at their mean height, in metres
    means = {
        **{"car": 1.74, "truck": 2.84, "construction vehicle": 3.19},
        **{"bus": 3.47, "trailer": 3.87, "barrier": 0.98, "bicycle": 1.28},
        **{"motorcycle": 1.47, "pedestrian": 1.77, "traffic cone": 1.07},
    }
    for name, mean in means.items():
        own = size[name]
        assert own is not None
        assert own.height is not None
        low, high = own.height
        assert low < mean < high, name


@pytest.mark.parametrize("name", ["driving", "paper", None])
def test_the_shipped_ones_cover_the_ten_classes(name: str | None) -> None:
    words = load_vocabulary(name)
    assert {c.nuscenes for c in words.concepts} - {None} == CLASSES
    groups = words.groups()
    assert {n for n, g in groups.items() if g == "target"} == TARGETS
    common = {"car", "pedestrian", "traffic light", "traffic sign"}
    assert {n for n, g in groups.items() if g == "common"} >= common
    for name in CLASSES:
        assert words.concept_of(name) == name.replace("_", " ")


def test_the_paper_s_is_the_published_list() -> None:
    words = load_vocabulary("paper")
    assert words.names == [
        *("pedestrian", "car", "truck", "bicycle", "motorcycle", "bus"),
        *("train", "traffic light", "traffic sign", "construction vehicle"),
        *("trailer", "barrier", "traffic cone", "static object"),
    ]
    assert words.templates == ("{}",)
    common = {"car", "pedestrian", "traffic light", "traffic sign"}
    for name, group in words.groups().items():
        assert (group == "common") == (name in common)


@pytest.mark.parametrize(
    ("term", "concept"),
    [
        ("Excavator", "construction vehicle"),
        ("motorbike", "motorcycle"),
        ("dump truck", "truck"),
        ("car carrier", "truck"),
        ("Traffic_Light", "traffic light"),
        ("traffic  light", "traffic light"),
        ("carrot", None),
        ("", None),
    ],
)
def test_terms_find_their_concept(term: str, concept: str | None) -> None:
    assert load_vocabulary().concept_of(term) == concept


def test_targets_of_the_user_replace_the_file_s() -> None:
    words = load_vocabulary("paper")
    groups = words.groups(["Traffic_Cone", "car"])
    assert groups["traffic cone"] == groups["car"] == "target"
    assert groups["truck"] == "rare"
    assert groups["pedestrian"] == "common"
    with pytest.raises(VocabularyError, match=r"lama is not in paper.yml"):
        words.groups(["lama"])


def test_a_dict_is_a_vocabulary() -> None:
    words = load_vocabulary(
        {
            "concepts": [
                {"name": "Tram", "synonyms": ["street car"]},
                {"name": "car", "group": "common"},
            ]
        }
    )
    assert words.groups() == {"tram": "rare", "car": "common"}
    assert words.concept_of("street_car") == "tram"
    assert load_vocabulary(words) is words


GOOD = "- {name: car, group: common}\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("concepts: [", r"words.yml, line \d+: not valid YAML"),
        ("", "words.yml: expected a mapping with a list 'concepts'"),
        ("concepts: car", "expected a mapping with a list 'concepts'"),
        ("concepts: {a: b}", "expected a mapping with a list 'concepts'"),
        (f"concepts:\n{GOOD}", "at least two concepts"),
        (
            f"concepts:\n{GOOD}- {{name: tram, grup: rare}}",
            "line 3: concept 'tram' has unknown key grup",
        ),
        (
            f"# words\n\nconcepts:\n{GOOD}- {{group: rare}}",
            "line 5: a concept needs a 'name'",
        ),
        (
            f"concepts:\n{GOOD}- {{name: tram, group: odd}}",
            "line 3: concept 'tram' has group 'odd'; choose common",
        ),
        (
            f"concepts:\n{GOOD}- {{name: tram, synonyms: train}}",
            "line 3: 'synonyms' of concept 'tram' must be a list",
        ),
        (
            f"concepts:\n{GOOD}- {{name: van, fine: [Car]}}",
            "line 3: 'car' of concept 'van' already belongs to 'car'",
        ),
        (
            f"concepts:\n{GOOD}- {{name: tram, nuscenes: [car]}}",
            "line 3: 'nuscenes' of concept 'tram'",
        ),
        (
            f"concepts:\n{GOOD}- {{name: tram, needs_size: 1}}",
            "line 3: 'needs_size' of concept 'tram' must be true or false",
        ),
        (
            f"concepts:\n{GOOD}- {{name: tram, needs_size: true}}",
            "line 3: concept 'tram' needs its 'size'",
        ),
        (
            f"concepts:\n{GOOD}- {{name: tram, size: 3}}",
            "line 3: 'size' of concept 'tram' must give height, width",
        ),
        (
            f"concepts:\n{GOOD}- {{name: tram, size: {{depth: [1, 2]}}}}",
            "line 3: 'size' of concept 'tram' must give height, width",
        ),
        (
            f"concepts:\n{GOOD}- name: tram\n  size:\n    width: [9, 2]",
            "line 5: the width of 'tram' must be the least and the most",
        ),
        (
            f"concepts:\n{GOOD}- {{name: tram, size: {{height: [0, 2]}}}}",
            "line 3: the height of 'tram' must be the least and the most",
        ),
        (
            f"concepts:\n{GOOD}- {{name: tram, size: {{height: ['1', 2]}}}}",
            "line 3: the height of 'tram' must be",
        ),
        (
            f"concepts:\n{GOOD}- {{name: tram, fine: [' ']}}",
            "line 3: concept 'tram' has a blank",
        ),
        (
            f"templates: ['a photo']\nconcepts:\n{GOOD}- {{name: tram}}",
            r"line 1: template 'a photo' must hold \{\} once",
        ),
        (
            f"templates: 'a {{}}'\nconcepts:\n{GOOD}- {{name: tram}}",
            "line 1: 'templates' must be a list",
        ),
        (
            "templates:\n- 'a {}'\n- 'the {} or {}'\nconcepts: []",
            r"line 3: template 'the \{\} or \{\}' must hold",
        ),
        (
            f"concepts:\n{GOOD}- name: tram\n  group: rare\n"
            "  fine:\n  - trolley\n  - car\n",
            "line 7: 'car' of concept 'tram' already belongs to 'car'",
        ),
        (
            f"concepts:\n{GOOD}- name: tram\n  group: odd\n",
            "line 4: concept 'tram' has group 'odd'",
        ),
        (
            f"concepts:\n{GOOD}- name: tram\n  templates: ['a tram']\n",
            r"line 4: template 'a tram' of concept 'tram' must hold \{\}",
        ),
        (
            f"concepts:\n{GOOD}- name: tram\n  fine: [a]\n  fine: [b]\n",
            "line 5: 'fine' stands here a second time",
        ),
        (
            f"concepts:\n{GOOD}- name: tram\nconcept: []\n",
            "line 4: the vocabulary has unknown key concept",
        ),
    ],
)
def test_a_mistake_is_told_with_its_line(
    tmp_path: Path, text: str, message: str
) -> None:
    path = tmp_path / "words.yml"
    path.write_text(text)
    with pytest.raises(VocabularyError, match=message):
        load_vocabulary(path)


def test_a_file_that_is_no_text_or_not_there(tmp_path: Path) -> None:
    path = tmp_path / "words.yml"
    with pytest.raises(VocabularyError, match=r"No vocabulary file.*words"):
        load_vocabulary(path)
    path.write_bytes(b"concepts: [\xff\xfe]")
    with pytest.raises(VocabularyError, match="not a UTF-8 text file"):
        load_vocabulary(path)


def test_aliases_are_followed_once(tmp_path: Path) -> None:
    path = tmp_path / "words.yml"
    path.write_text(
        "templates: &t ['a {}']\nconcepts:\n- {name: car, templates: *t}\n"
        "- {name: tram, templates: *t}\n"
    )
    words = load_vocabulary(path)
    assert [c.templates for c in words.concepts] == [("a {}",)] * 2
    path.write_text(f"concepts:\n{GOOD}- {{name: tram, fine: &f [*f]}}\n")
    with pytest.raises(VocabularyError, match="line 3: 'fine' of concept"):
        load_vocabulary(path)
