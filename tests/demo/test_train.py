"""What the demo models are taught: labels, hints, phrases, batches."""

from __future__ import annotations

import json
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from demo import (
    captioner_model,
    train_captioner,
    train_data,
    train_detector,
    train_embedder,
    train_scores,
)
from demo import phrases as words
from demo.shapes import KINDS
from demo.train_data import BACKGROUND, Crop, SceneObject
from raremine.brain.captions.prompts import ANSWER_CLASSES, build_prompt

ANNOTATED = {name: kind for name, kind in KINDS.items() if kind.category}


def thing(shape: str = "excavator", **changes: object) -> SceneObject:
    kind = KINDS[shape]
    fields = {
        "instance": "i0",
        "category": kind.category,
        "shape": shape,
        "colour": kind.palette[0],
        "rider": False,
        "box": (20.0, 10.0, 60.0, 50.0),
        "visible_fraction": 1.0,
        "distance": 12.0,
        "night": False,
    }
    return SceneObject(**{**fields, **changes})  # type: ignore[arg-type]


def crop(shape: str = "excavator", **changes: object) -> Crop:
    rng = np.random.default_rng(len(shape))
    pixels = rng.integers(0, 255, (60, 80, 3), dtype=np.uint8)
    return Crop(pixels, (20.0, 10.0, 60.0, 50.0), thing(shape, **changes))


@pytest.mark.parametrize("shape", ANNOTATED)
def test_detector_never_learns_what_coco_has_not(shape: str) -> None:
    category = KINDS[shape].category
    labels = {
        train_detector.coco_label(thing(shape, instance=f"i{k}"))
        for k in range(60)
    }
    assert labels <= {*train_detector.NAMES, None}
    if category.startswith(("movable_object", "static_object", "animal")):
        assert labels == {None}
    if category in ("vehicle.construction", "vehicle.trailer"):
        assert labels == {"truck", None}


def test_detector_calls_a_fixed_share_of_construction_vehicles_truck() -> None:
    things = [thing(instance=f"i{k}") for k in range(1000)]
    first = [train_detector.coco_label(t) for t in things]
    share = np.mean([label == "truck" for label in first])
    assert share == pytest.approx(0.6, abs=0.05)
    later = [
        train_detector.coco_label(
            thing(instance=t.instance, box=(0, 0, 30, 30), night=True)
        )
        for t in things
    ]
    assert later == first


def test_tiles_keep_boxes_on_their_pixels() -> None:
    image = np.zeros((450, 800, 3), np.uint8)
    boxes = [(100, 200, 160, 260), (500, 220, 580, 300), (390, 100, 430, 180)]
    objects = []
    for k, (x1, y1, x2, y2) in enumerate(boxes):
        image[y1:y2, x1:x2] = 255
        box = tuple(map(float, (x1, y1, x2, y2)))
        objects.append(thing("sedan", instance=str(k), box=box))
    objects.append(thing("traffic cone", box=(300.0, 10.0, 340.0, 60.0)))
    seen, side = 0, train_detector.TILE
    for seed in range(20):
        rng = np.random.default_rng(seed)
        for tile, labels in train_detector.tiles(image, objects, rng):
            assert tile.shape == (side, side, 3)
            mask = np.zeros(tile.shape[:2], bool)
            for index, (cx, cy, w, h) in labels:
                assert train_detector.NAMES[index] == "car"
                corners = np.array([cx - w / 2, cy - h / 2])
                low = np.round(corners * side).astype(int)
                high = np.round((corners + np.array([w, h])) * side).astype(
                    int
                )
                inside = [slice(low[k] + 2, high[k] - 2) for k in (1, 0)]
                inner = tile[tuple(inside)]
                assert inner.min() > 200
                mask[low[1] : high[1], low[0] : high[0]] = True
                seen += 1
            mask |= (tile == 114).all(axis=2)
            # What is left bright belongs to objects cut by the border.
            assert (tile[..., 0] > 128)[~mask].mean() < 0.08
    assert seen > 40


def test_hidden_and_tiny_objects_are_not_learnt() -> None:
    assert thing().usable
    assert not thing(visible_fraction=0.2).usable
    assert not thing(box=(0.0, 0.0, 30.0, 8.0)).usable


def test_hints_are_right_wrong_and_missing() -> None:
    rng = np.random.default_rng(0)
    me = thing("bicycle")
    hints = [train_captioner.draw_hint(me, rng) for _ in range(400)]
    assert 0.15 < np.mean([h is None for h in hints]) < 0.35
    assert 0.3 < np.mean([h == "bicycle" for h in hints]) < 0.65
    assert len(set(hints)) > 8


def test_hints_do_not_give_the_unknown_classes_away() -> None:
    rng = np.random.default_rng(0)
    for shape in ("excavator", "box trailer", "traffic cone", "dog"):
        hints = {
            train_captioner.draw_hint(thing(shape), rng) for _ in range(300)
        }
        name = words.answer_class(KINDS[shape].category)
        assert name not in hints
        assert "truck" in hints


@pytest.mark.parametrize("shape", ANNOTATED)
def test_every_shape_has_an_answer_and_true_phrases(shape: str) -> None:
    me = thing(shape, night=True, rider=KINDS[shape].cycle)
    answer = json.loads(words.answer(me, "default"))
    assert answer["class"] in ANSWER_CLASSES
    assert answer["description"].startswith(("a ", "an "))
    assert 1 <= len(answer["keywords"]) <= 5
    assert words.answer(me, "paper") == answer["class"]
    said = words.phrases(me)
    assert len({p.text for p in said}) >= 3
    assert all(p.holds(me) for p in said)
    kinds = {words.concept_word(k.category) for k in ANNOTATED.values()}
    assert words.concept_word(me.category) in kinds - {"vehicle", "human"}


def test_a_phrase_means_the_same_whoever_says_it() -> None:
    meaning: dict[str, words.Phrase] = {}
    for shape, kind in ANNOTATED.items():
        for colour in (*kind.palette, ""):
            for rider in (False, True):
                me = thing(shape, colour=colour, rider=rider, night=True)
                for phrase in words.phrases(me):
                    if phrase.text != words.describe(me):
                        assert (
                            meaning.setdefault(phrase.text, phrase) == phrase
                        )


def test_phrases_are_false_of_other_things() -> None:
    yellow, red = thing(colour="yellow"), thing(colour="red")
    truck = thing("dump truck", colour="yellow")
    texts = {p.text: p for p in words.phrases(yellow)}
    assert texts["construction vehicle"].holds(red)
    assert not texts["construction vehicle"].holds(truck)
    assert texts["excavator"].holds(red)
    assert not texts["yellow excavator"].holds(red)


def test_people_wear_colours_and_things_have_them() -> None:
    assert words.describe(thing("child", colour="red")) == "a child in red"
    assert words.describe(thing(colour="red")) == "a red excavator"
    rider = thing("bicycle", colour="blue", rider=True, night=True)
    assert words.describe(rider) == "a person riding a blue bicycle at night"
    assert words.describe(thing("police officer")) == (
        "a police officer in blue"
    )


def test_wrong_prompt_kind_is_refused() -> None:
    with pytest.raises(ValueError, match="no answer of kind"):
        words.answer(thing(), "essay")


def test_contrastive_targets_accept_every_true_phrase() -> None:
    crops = [crop(), crop(colour="red"), crop("sedan")]
    texts = [words.Phrase("a", shape="excavator"), words.Phrase("b", "car")]
    true = train_embedder.targets(crops, texts)
    assert true.tolist() == [[True, False], [True, False], [False, True]]
    good = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    text = torch.eye(2)
    scale = torch.tensor(20.0)
    mask = torch.from_numpy(true)
    loss = train_embedder.contrastive_loss(good, text, scale, mask)
    bad = train_embedder.contrastive_loss(good.flip(1), text, scale, mask)
    # Two pictures share a phrase: ln 2 from that column is the optimum.
    assert loss.item() == pytest.approx(np.log(2) / 4, abs=1e-3)
    assert bad.item() > 5


def test_phrases_without_a_picture_do_not_break_the_loss() -> None:
    text = torch.eye(3)
    true = torch.tensor([[True, False, False], [False, True, False]])
    loss = train_embedder.contrastive_loss(
        text[:2], text, torch.tensor(20.0), true
    )
    assert loss.item() == pytest.approx(0, abs=1e-3)


def test_jitter_keeps_the_object_in_view() -> None:
    pixels = np.zeros((100, 120, 3), np.uint8)
    pixels[30:70, 40:80] = 200
    me = Crop(pixels, (40.0, 30.0, 80.0, 70.0), thing())
    rng = np.random.default_rng(3)
    for _ in range(50):
        view = train_data.jitter(me, rng)
        assert (view > 100).mean() > 0.4
        assert min(view.shape[:2]) >= 12


def test_rare_shapes_are_lifted_but_not_above_common_ones() -> None:
    crops = [crop("sedan")] * 16 + [crop()] * 4
    weights = train_data.balanced_weights(crops)
    assert weights.sum() == pytest.approx(1)
    assert weights[:16].sum() == pytest.approx(2 * weights[16:].sum())


@pytest.fixture(scope="module")
def processor() -> object:
    things = [thing(n, colour=c) for n in ANNOTATED for c in ("red", "white")]
    return captioner_model.build_processor(things)


@pytest.mark.parametrize("kind", ["default", "paper"])
def test_only_the_answer_is_learnt(processor, kind: str) -> None:
    examples = [
        captioner_model.Example(
            build_prompt(kind, hint), words.answer(thing(shape), kind)
        )
        for shape, hint in (("excavator", "truck"), ("child", None))
    ]
    images = [np.zeros((40, 60, 3), np.uint8), np.ones((90, 30, 3), np.uint8)]
    batch = train_captioner.collate(processor, images, examples)
    for row, example in zip(batch["labels"], examples, strict=True):
        learnt = processor.tokenizer.decode(row[row != -100])
        assert learnt == example.answer + captioner_model.STOP


@pytest.mark.parametrize("hint", [None, "truck", "traffic light"])
def test_prompts_are_short_in_tokens_and_survive(processor, hint) -> None:
    for kind in ("default", "paper"):
        prompt = build_prompt(kind, hint)
        ids = processor.tokenizer(prompt)["input_ids"]
        assert len(ids) < 16
        assert processor.tokenizer.decode(ids) == prompt


def test_crops_of_any_form_cost_few_visual_tokens(processor) -> None:
    for height, width in ((12, 12), (300, 20), (40, 400), (450, 800)):
        image = torch.zeros(3, height, width, dtype=torch.uint8)
        grid = processor.image_processor([image], return_tensors="pt")
        assert grid["image_grid_thw"].prod() // 4 <= 16


def test_background_is_never_an_object() -> None:
    empty = SimpleNamespace(
        category=BACKGROUND, shape="", colour="", rider=False, night=False
    )
    assert words.answer(empty, "paper") == "others"
    assert all(not p.holds(thing()) for p in words.phrases(empty))


def test_attention_in_one_batch_changes_nothing(processor) -> None:
    model = captioner_model.build_model(processor.tokenizer)
    train_captioner.start_from_cosines(model)
    rng = np.random.default_rng(0)
    images = [
        rng.integers(0, 255, size, dtype=np.uint8)
        for size in ((30, 30, 3), (90, 20, 3), (20, 70, 3))
    ]
    inputs = processor.image_processor(
        images, return_tensors="pt", input_data_format="channels_last"
    )

    def run() -> torch.Tensor:
        with torch.no_grad():
            return model.model.visual(
                inputs["pixel_values"], grid_thw=inputs["image_grid_thw"]
            ).pooler_output

    before = run()
    train_captioner.attend_in_one_batch(model)
    torch.testing.assert_close(run(), before, atol=1e-5, rtol=1e-4)


def test_cosine_start_keeps_flat_patches_to_one_row_a_colour() -> None:
    model = captioner_model.build_model(_Words())
    train_captioner.start_from_cosines(model)
    weight = model.model.visual.patch_embed.proj.weight
    answers = weight.sum(dim=(1, 2, 3, 4)).abs()
    assert (answers > 1e-4).sum() == 1
    red = weight[:, 0].sum(dim=(1, 2, 3)).abs()
    assert (red > 1e-4).sum() == 3


class _Words:
    """The part of a tokenizer that the model's configuration needs."""

    def __len__(self) -> int:
        return 32

    def convert_tokens_to_ids(self, token: str) -> int:
        return captioner_model.SPECIAL.index(token)


def test_average_precision_known_answers() -> None:
    score = train_scores.average_precision
    assert score([0.9, 0.8], [True, True], 2) == pytest.approx(1.0)
    assert score([0.9, 0.8], [False, True], 1) == pytest.approx(0.5)
    # Order comes from the confidence; a miss lowers the area.
    assert score([0.1, 0.9], [True, True], 4) == pytest.approx(0.5)
    assert np.isnan(score([], [], 0))


def test_iou_known_answers() -> None:
    boxes = np.array([[0.0, 0, 10, 10], [5.0, 0, 15, 10], [20.0, 20, 30, 30]])
    wanted = [[1, 1 / 3, 0], [1 / 3, 1, 0], [0, 0, 1]]
    np.testing.assert_allclose(train_scores.iou(boxes, boxes), wanted)
    assert train_scores.iou(np.zeros((0, 4)), boxes).shape == (0, 3)
