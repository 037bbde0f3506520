"""Captions of a dataset from a server: estimate, reruns, and what is kept."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import fiftyone as fo
import pytest

import raremine.brain as rmb
from raremine.brain.columns import read_objects
from raremine.brain.errors import ModelError, RaremineError
from raremine.brain.models import server_captioner
from raremine.brain.models.server_captioner import ServerCaptioner
from raremine.brain.runs import run_params
from tests.brain.fakes import (
    Color,
    FakeCaptioner,
    FakeDetector,
    center,
    color_of,
    colors_of,
    painted_dataset,
    scatter,
    values,
)
from tests.brain.models.chat_stub import Asked, ChatStub, Reply, answer_body

NAMES = ["car", "person", "truck", "dog", "bus", "bench", "bicycle", "car"]
KEY = "sk-very-secret-0123456789"


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_captioner, "FIRST_WAIT", 0.002)
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)


@pytest.fixture
def dataset(tmp_path: Path) -> fo.Dataset:
    dataset = painted_dataset(tmp_path, scatter(NAMES, per_image=2))
    rmb.detect_objects(dataset, FakeDetector())
    return dataset


def seen(asked: Asked) -> Color:
    return center(asked.image)


def right(asked: Asked) -> Reply:
    # prepare()'s grey image is nobody's colour
    color = seen(asked)
    if color == (127, 127, 127):
        return Reply()
    return Reply(
        answer_body(FakeCaptioner.answer(color, "JSON" in asked.prompt))
    )


@pytest.fixture
def serve() -> Iterator[Callable[..., ChatStub]]:
    running: list[ChatStub] = []

    def start(reply: Callable[[Asked], Reply] = right) -> ChatStub:
        running.append(ChatStub(reply))
        return running[-1].__enter__()

    yield start
    for stub in running:
        stub.__exit__()


def caption(dataset: fo.Dataset, stub: ChatStub, **options: Any) -> Any:
    options = {"served_model": "tiny", "candidates": "all", **options}
    return rmb.caption_objects(dataset, stub.address, **options)


def status_of(dataset: fo.Dataset) -> dict[Color, Any]:
    colors = colors_of(dataset)
    table = read_objects(dataset, names=["caption_status"])
    return {
        colors[i]: s
        for i, s in zip(table.label_id, table["caption_status"], strict=True)
    }


def test_captions_are_those_of_the_same_model_loaded_here(
    dataset: fo.Dataset, serve: Any
) -> None:
    fields = ("caption", "caption_keywords", "caption_raw", "caption_class")
    rmb.caption_objects(dataset, FakeCaptioner(), candidates="all")
    here = list(values(dataset, *fields))
    dataset.delete_brain_run("objects_captions")
    stub = serve()
    summary = caption(dataset, stub, concurrency=2)
    assert summary["status"] == {"ok": len(NAMES)}
    assert list(values(dataset, *fields)) == here
    assert "enum" in json.dumps(stub.asked[-1].body["response_format"])
    assert any("'truck'" in a.prompt for a in stub.asked)


def test_an_estimate_comes_from_the_first_crops(
    dataset: fo.Dataset, serve: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", logger="raremine")
    stub = serve()
    options = {"concurrency": 2, "price_per_million_tokens": [2.0, 30.0]}
    summary = caption(dataset, stub, estimate_only=True, **options)
    # two crops asked, and the one question before them
    assert len(stub.asked) == 3
    assert Counter(status_of(dataset).values()) == {"ok": 2, None: 6}
    told = summary["estimate"]
    assert told["crops"] == 8
    assert told["seconds"] > 0 and told["crops_per_second"] > 0
    assert (told["prompt_tokens"], told["answer_tokens"]) == (800, 80)
    assert told["cost"] == pytest.approx(800 * 2e-6 + 80 * 30e-6)
    assert summary["usage"]["prompt_tokens"] == 200
    assert "8 crops, about" in caplog.text
    # what was asked for the estimate is kept, not asked again
    summary = caption(dataset, stub, **options)
    assert summary["objects"] == 6
    assert summary["estimate"]["crops"] == 6
    assert summary["usage"] == {
        "prompt_tokens": 600,
        "answer_tokens": 60,
        "cost": pytest.approx(600 * 2e-6 + 60 * 30e-6),
    }
    assert set(status_of(dataset).values()) == {"ok"}


def test_no_price_is_made_up(dataset: fo.Dataset, serve: Any) -> None:
    stub = serve()
    assert "cost" not in caption(dataset, stub)["estimate"]
    for price in ("much", -1, [1, 2, 3]):
        with pytest.raises(RaremineError, match="is no price: pass"):
            caption(dataset, stub, price_per_million_tokens=price)


def test_statuses_to_ask_for_again_can_be_chosen(
    dataset: fo.Dataset, serve: Any
) -> None:
    bad = {
        color_of("dog", 3): Reply("no", 400),
        color_of("bus", 4): Reply(answer_body(None, refusal="No.")),
        color_of("bench", 5): Reply(answer_body("a bench")),
    }
    stub = serve(lambda a: bad.get(seen(a)) or right(a))
    summary = caption(dataset, stub)
    before = {"ok": 5, "failed": 1, "refused": 1, "unparsable": 1}
    assert summary["status"] == before
    bad.clear()
    stub.asked.clear()
    with pytest.raises(RaremineError, match="retry cannot name 'ok'.*failed"):
        caption(dataset, stub, retry=("ok", "failed"))
    summary = caption(dataset, stub, retry=())
    assert (summary["objects"], stub.asked) == (0, [])
    assert Counter(status_of(dataset).values()) == before
    caption(dataset, stub, retry="unparsable")
    assert status_of(dataset)[color_of("bench", 5)] == "ok"
    assert status_of(dataset)[color_of("dog", 3)] == "failed"
    assert len(stub.asked) == 2
    caption(dataset, stub)
    assert set(status_of(dataset).values()) == {"ok"}


def test_an_answer_that_was_cut_off_says_so(
    dataset: fo.Dataset, serve: Any
) -> None:
    stub = serve(lambda a: Reply(answer_body('{"cl', finish="length")))
    caption(dataset, stub)
    table = read_objects(
        dataset, names=["caption_status", "caption_reason", "caption_raw"]
    )
    assert set(table["caption_status"]) == {"unparsable"}
    assert set(table["caption_raw"]) == {'{"cl'}
    assert all("raise max_new_tokens" in r for r in table["caption_reason"])


def test_a_server_that_lets_nobody_in_changes_nothing(
    dataset: fo.Dataset, serve: Any
) -> None:
    stub = serve(lambda _: Reply("", 401))
    with pytest.raises(ModelError, match="refuses access"):
        caption(dataset, stub)
    assert len(stub.asked) == 1
    assert not dataset.has_brain_run("objects_captions")
    assert dataset.get_field("objects.detections.caption_status") is None


def test_what_a_dying_server_said_is_kept(
    dataset: fo.Dataset, serve: Any
) -> None:
    alive = [True]

    def dies(asked: Asked) -> Reply:
        if len(stub.asked) > 5:
            alive[0] = False
        return right(asked) if alive[0] else Reply("", 404)

    stub = serve(dies)
    with pytest.raises(ModelError, match="does not know the model"):
        caption(dataset, stub, concurrency=1, batch_size=4)
    kept = Counter(status_of(dataset).values())
    # batches of 1, 3 and 4, behind the first question
    assert kept == {"ok": 4, None: 4}
    again = serve()
    summary = caption(dataset, again)
    # another address is no other setting
    assert summary["status"] == {"ok": 4}
    assert set(status_of(dataset).values()) == {"ok"}


def test_nothing_to_do_needs_no_server(
    dataset: fo.Dataset, serve: Any
) -> None:
    caption(dataset, serve())
    dead = ServerCaptioner("http://127.0.0.1:9/v1", "tiny")
    assert rmb.caption_objects(dataset, dead, candidates="all")["objects"] == 0


def test_the_run_keeps_the_address_and_no_secret(
    dataset: fo.Dataset, serve: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    stub = serve()
    address = stub.address.replace("//", "//me:pass-word@")
    summary = rmb.caption_objects(
        dataset, address, served_model="tiny", candidates="all"
    )
    params = run_params(dataset, "objects_captions") or {}
    assert params["server"] == stub.address
    assert params["captioner"]["model"] == "tiny"
    info = dataset.get_brain_info("objects_captions").serialize()
    everything = json.dumps([info, summary], default=str)
    for secret in (KEY, "pass-word"):
        assert secret not in everything
    with pytest.raises(RaremineError, match=r"\(captioner\)"):
        caption(dataset, stub, max_new_tokens=5)
