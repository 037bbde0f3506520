"""A server as a captioner, with every way in which a server can fail.

The server is a stub on this machine; a real one is asked in
tests/brain/captions/test_real_server.py.
"""

from __future__ import annotations

import _thread
import asyncio
import json
import logging
import pickle
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from raremine.brain.captions.asking import ANSWER_SCHEMA
from raremine.brain.errors import ModelError
from raremine.brain.models import server_captioner
from raremine.brain.models.loading import captioner_factory
from raremine.brain.models.protocols import AnsweringCaptioner, Captioner
from raremine.brain.models.server_captioner import ServerCaptioner
from tests.brain.models.chat_stub import Asked, ChatStub, Reply, answer_body

KEY = "sk-very-secret-0123456789"


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_captioner, "FIRST_WAIT", 0.002)
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)


@pytest.fixture
def serve() -> Iterator[Callable[..., ChatStub]]:
    running: list[ChatStub] = []

    def start(reply: Callable[[Asked], Reply], **options: Any) -> ChatStub:
        stub = ChatStub(reply, **options)
        stub.__enter__()
        running.append(stub)
        return stub

    yield start
    for stub in running:
        stub.__exit__()


def crops(n: int) -> list[np.ndarray]:
    """Crops that say their number in their first pixel."""
    rng = np.random.default_rng(0)
    out = []
    for number in range(n):
        crop = rng.integers(0, 255, (40 + number, 60, 3), dtype=np.uint8)
        crop[0, 0] = number
        out.append(crop)
    return out


def number_of(asked: Asked) -> int:
    return int(asked.image[0, 0, 0])


def named(asked: Asked) -> Reply:
    return Reply(answer_body(f"crop {number_of(asked)}: {asked.prompt}"))


def captioner(stub: ChatStub, **options: Any) -> ServerCaptioner:
    return ServerCaptioner(stub.address, "tiny", **options)


def asks(n: int) -> tuple[list[np.ndarray], list[str]]:
    return crops(n), [f"what is {i}?" for i in range(n)]


def test_answers_come_in_the_order_of_the_crops(serve: Any) -> None:
    def slow_first(asked: Asked) -> Reply:
        time.sleep(0.01 * (12 - number_of(asked)))
        return named(asked)

    model = captioner(serve(slow_first), concurrency=5)
    assert isinstance(model, Captioner)
    assert isinstance(model, AnsweringCaptioner)
    assert model.caption(*asks(12)) == [
        f"crop {i}: what is {i}?" for i in range(12)
    ]
    assert model.caption([], []) == []


def test_requests_run_side_by_side_but_no_more_than_allowed(
    serve: Any,
) -> None:
    three = threading.Barrier(3, timeout=10)

    def together(asked: Asked) -> Reply:
        three.wait()  # breaks unless three requests are under way at a time
        return named(asked)

    stub = serve(together)
    captioner(stub, concurrency=3, retries=0).caption(*asks(9))
    assert stub.most_under_way == 3


def test_waiting_for_a_place_is_no_time_out(serve: Any) -> None:
    def slow(asked: Asked) -> Reply:
        time.sleep(0.2)
        return named(asked)

    # all of them take longer than the time-out of one
    model = captioner(serve(slow), concurrency=2, timeout=1.0, retries=0)
    assert len(model.caption(*asks(14))) == 14


def test_what_is_sent(serve: Any) -> None:
    stub = serve(named)
    (crop, *_), prompts = asks(1)
    captioner(stub, max_new_tokens=33).caption([crop], prompts)
    (asked,) = stub.asked
    assert asked.path == "/v1/chat/completions"
    assert asked.body["model"] == "tiny"
    assert asked.body["temperature"] == 0
    assert asked.body["max_tokens"] == 33
    assert "response_format" not in asked.body
    assert "authorization" not in asked.headers
    assert asked.url.startswith("data:image/png;base64,")
    np.testing.assert_array_equal(asked.image, crop)


def test_images_can_be_made_smaller(serve: Any) -> None:
    stub = serve(named)
    model = captioner(
        stub, concurrency=1, max_pixels=5000, image_format="jpeg"
    )
    ramp = np.linspace(0, 255, 300).astype(np.uint8)
    wide = np.repeat(np.tile(ramp, (100, 1))[..., None], 3, axis=2)
    thin = np.full((3, 200, 3), 90, np.uint8)
    model.caption([wide, thin], ["a", "b"])
    first, second = (asked.image for asked in stub.asked)
    assert stub.asked[0].url.startswith("data:image/jpeg;")
    height, width = first.shape[:2]
    assert 4500 < height * width <= 5000
    assert abs(width / height - 3) < 0.1
    near = np.interp(np.linspace(0, 299, width), np.arange(300), ramp)
    assert np.abs(first[height // 2, :, 0] - near).max() < 4
    # the Qwen2-VL family refuses thinner ones
    assert second.shape[0] == 28


ONCE = {
    "429": Reply("slow down", 429),
    "500": Reply("oops", 500),
    "503": Reply("<html>starting</html>", 503),
    "half an answer": Reply(cut=True),
    "half a JSON text": Reply(answer_body("x")[:-9]),
    "no JSON": Reply("it is a car"),
    "no answer in it": Reply("{}"),
    "null": Reply("null"),
    "an error as an answer": Reply('{"error": {"message": "busy"}}'),
    "deep JSON": Reply("[" * 100_000),
}


@pytest.mark.parametrize("fault", ONCE)
def test_what_passes_is_asked_again(serve: Any, fault: str) -> None:
    tries: Counter[int] = Counter()

    def first_time(asked: Asked) -> Reply:
        number = number_of(asked)
        tries[number] += 1
        if tries[number] == 1 and number % 2:
            return ONCE[fault]
        return named(asked)

    model = captioner(serve(first_time))
    assert model.caption(*asks(6)) == [
        f"crop {i}: what is {i}?" for i in range(6)
    ]
    assert [tries[i] for i in range(6)] == [1, 2] * 3


def test_a_time_out_is_asked_again(serve: Any) -> None:
    release = threading.Event()
    tries: Counter[int] = Counter()

    def hangs_once(asked: Asked) -> Reply:
        tries[number_of(asked)] += 1
        if tries[number_of(asked)] == 1:
            release.wait(20)
        return named(asked)

    model = captioner(serve(hangs_once), timeout=0.4)
    try:
        assert model.caption(*asks(2)) == [
            "crop 0: what is 0?",
            "crop 1: what is 1?",
        ]
    finally:
        release.set()
    assert tries == {0: 2, 1: 2}


def test_retry_after_holds_all_requests_back(serve: Any) -> None:
    arrived: list[float] = []

    def limited(asked: Asked) -> Reply:
        arrived.append(time.monotonic())
        if len(arrived) == 1:
            return Reply("", 429, {"Retry-After": "1"})
        return named(asked)

    captioner(serve(limited), concurrency=1).caption(*asks(3))
    assert len(arrived) == 4
    assert arrived[1] - arrived[0] >= 0.99


def test_one_bad_crop_costs_only_itself(serve: Any) -> None:
    replies = {
        1: Reply('{"error": {"message": "image is broken"}}', 400),
        2: Reply("oops", 500),
        3: Reply(answer_body(None, refusal="I will not.")),
        4: Reply(answer_body("", finish="content_filter")),
        5: Reply(answer_body('{"class": "ca', finish="length")),
        6: Reply(answer_body([{"type": "text", "text": " in parts "}])),
        7: Reply(answer_body("free", usage=None)),
        8: Reply('{"detail": "unprocessable"}', 422),
    }
    stub = serve(lambda a: replies.get(number_of(a)) or named(a))
    got = captioner(stub, retries=2).ask(*asks(10))
    assert [a.error for a in got] == [
        None,
        "HTTP 400: image is broken",
        "HTTP 500: oops (tried 3 times)",
        *[None] * 5,
        "HTTP 422: unprocessable",
        None,
    ]
    assert got[3].refusal == "I will not."
    assert "filter" in str(got[4].refusal)
    assert got[5].cut_off and not got[0].cut_off
    assert got[6].text == "in parts"
    assert got[7].tokens is None
    assert got[9].tokens == (100, 10)
    # what cannot pass is asked once
    assert Counter(map(number_of, stub.asked)) == {
        **dict.fromkeys(range(10), 1),
        2: 3,
    }


STOPS = {
    "a wrong key": (Reply(f"bad key {KEY}", 401), "refuses access.*api_key"),
    "no permission": (Reply("no", 403), "refuses access"),
    "no money": (Reply("no", 402), "account"),
    "no such model": (
        Reply('{"error": {"message": "no model"}}', 404),
        "does not know the model .*HTTP 404: no model.*served_model",
    ),
    "no credit": (
        Reply('{"error": {"code": "insufficient_quota"}}', 429),
        "no credit left",
    ),
    "a redirect": (
        Reply("", 307, {"Location": "https://else.where/v1"}),
        "https://else.where/v1.*Use its own address",
    ),
}


@pytest.mark.parametrize("fault", STOPS)
def test_what_cannot_pass_stops_everything(serve: Any, fault: str) -> None:
    reply, message = STOPS[fault]
    stub = serve(lambda _: reply)
    model = captioner(stub, concurrency=2, api_key=KEY)
    with pytest.raises(ModelError, match=message) as caught:
        model.prepare()
    assert len(stub.asked) == 1
    with pytest.raises(ModelError, match=message) as also:
        model.ask(*asks(50))
    assert len(stub.asked) <= 4
    for error in (caught.value, also.value):
        assert KEY not in str(error)
        assert "\n" not in str(error)


def test_a_server_that_answers_no_more_is_given_up(serve: Any) -> None:
    stub = serve(lambda _: Reply("out of memory", 500))
    model = captioner(stub, concurrency=4, retries=1)
    with pytest.raises(
        ModelError, match="none of the last 16 crops .*out of memory"
    ):
        model.ask(*asks(100))
    assert len(stub.asked) < 50


def test_no_server_is_said_at_once() -> None:
    model = ServerCaptioner("http://127.0.0.1:9/v1", "tiny")
    with pytest.raises(
        ModelError, match="127.0.0.1:9/v1 does not answer .*ConnectError"
    ):
        model.prepare()
    with pytest.raises(ModelError, match="does not say which models"):
        ServerCaptioner("http://127.0.0.1:9/v1")


@pytest.fixture
def interruptible() -> Iterator[None]:
    """A process that a shell started in the background ignores Ctrl-C."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
def test_an_interrupt_leaves_nothing_running(serve: Any) -> None:
    release = threading.Event()

    def hangs(asked: Asked) -> Reply:
        # exactly one of them, even where others arrive at the same moment
        if len(stub.asked) >= 4 and asked is stub.asked[3]:
            _thread.interrupt_main()
        release.wait(60)
        return named(asked)

    stub = serve(hangs)
    model = captioner(stub, concurrency=4)
    try:
        with pytest.raises(KeyboardInterrupt):
            model.ask(*asks(40))
        names = [thread.name for thread in threading.enumerate()]
        assert not any("raremine-ask" in name for name in names)
    finally:
        release.set()
    assert len(stub.asked) == 4
    stub.asked.clear()
    release.set()
    assert len(model.caption(*asks(3))) == 3  # and it can be used again


def test_a_running_event_loop_does_not_matter(serve: Any) -> None:
    model = captioner(serve(named))

    async def cell() -> list[str]:
        return model.caption(*asks(2))

    assert len(asyncio.run(cell())) == 2


def test_the_schema_is_sent_where_it_is_taken(serve: Any) -> None:
    stub = serve(named)
    model = captioner(stub)
    model.prepare(ANSWER_SCHEMA)
    model.caption(*asks(1))
    assert model.asks_for_schema
    for asked in stub.asked:
        sent = asked.body["response_format"]
        assert sent["type"] == "json_schema"
        assert sent["json_schema"]["strict"] is True
        assert sent["json_schema"]["schema"] == ANSWER_SCHEMA
    stub.asked.clear()
    model.prepare(None)
    model.caption(*asks(1))
    captioner(stub, json_schema=False).prepare(ANSWER_SCHEMA)
    assert not any("response_format" in a.body for a in stub.asked)


@pytest.mark.parametrize("status", [400, 422])
def test_the_schema_is_left_out_where_it_is_refused(
    serve: Any, status: int
) -> None:
    def plain(asked: Asked) -> Reply:
        if "response_format" in asked.body:
            return Reply('{"detail": "Unexpected fields"}', status)
        return named(asked)

    stub = serve(plain)
    model = captioner(stub)
    model.prepare(ANSWER_SCHEMA)
    assert not model.asks_for_schema
    assert len(model.caption(*asks(2))) == 2
    assert len(stub.asked) == 4
    with pytest.raises(ModelError, match="Unexpected fields"):
        captioner(stub, json_schema=True).prepare(ANSWER_SCHEMA)


def test_a_server_that_takes_no_images_is_refused(serve: Any) -> None:
    stub = serve(lambda _: Reply('{"error": "text only"}', 400))
    with pytest.raises(ModelError, match=r"\(HTTP 400: text only\).*vision"):
        captioner(stub).prepare(ANSWER_SCHEMA)


def test_the_newer_name_of_max_tokens(serve: Any) -> None:
    def newer(asked: Asked) -> Reply:
        if "max_tokens" in asked.body:
            return Reply("Use 'max_completion_tokens' instead.", 400)
        return named(asked)

    stub = serve(newer)
    model = captioner(stub, max_new_tokens=7)
    model.prepare(ANSWER_SCHEMA)
    assert model.asks_for_schema
    model.caption(*asks(1))
    assert stub.asked[-1].body["max_completion_tokens"] == 7


def test_the_key_goes_into_the_header_only(
    serve: Any,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("OTHER_KEY", "sk-other")
    echo = {0: Reply(f"you sent {KEY}", 400), 1: Reply(f"no {KEY}", 500)}
    stub = serve(lambda a: echo.get(number_of(a)) or named(a))
    model = captioner(stub, retries=1)
    answers = model.ask(*asks(3))
    assert stub.asked[0].headers["authorization"] == f"Bearer {KEY}"
    captioner(stub, api_key_env="OTHER_KEY").ask(*asks(1))
    assert stub.asked[-1].headers["authorization"] == "Bearer sk-other"
    captioner(stub, api_key_env="").ask(*asks(1))
    assert "authorization" not in stub.asked[-1].headers
    told = [repr(model), repr(answers), json.dumps(model.identity())]
    told += [model.base_url, model.name, caplog.text]
    assert "***" in str(answers[0].error)
    assert "***" in str(answers[1].error)
    assert KEY not in "".join(told)


def test_credentials_of_an_address_are_not_kept(serve: Any) -> None:
    stub = serve(named)
    address = stub.address.replace("//", "//me:pass-word@")
    model = ServerCaptioner(address, "tiny")
    model.ask(*asks(1))
    assert stub.asked[0].headers["authorization"].startswith("Basic ")
    assert model.base_url == stub.address
    assert "pass-word" not in json.dumps(model.identity())


@pytest.mark.parametrize(
    "address",
    [
        "localhost:8000",
        "ftp://host/v1",
        "http://",
        "http://host:port/v1",
        "https://me:pass-word@host/v1?key=pass-word",
    ],
)
def test_what_is_no_address(address: str) -> None:
    with pytest.raises(ModelError, match="such as http://localhost") as error:
        ServerCaptioner(address, "tiny")
    assert "pass-word" not in str(error.value)


def test_the_only_model_need_not_be_named(serve: Any) -> None:
    one = serve(named, models=("/models/qwen",))
    model = ServerCaptioner(one.address)
    model.ask(*asks(1))
    assert one.asked[0].body["model"] == "/models/qwen"
    assert model.name == "qwen"  # no path of a machine in the data
    two = serve(named, models=("b", "a"))
    with pytest.raises(ModelError, match="has 2 models: a, b. Pass one"):
        ServerCaptioner(two.address)


def test_settings_that_make_no_sense() -> None:
    for options in ({"concurrency": 0}, {"retries": -1}, {"timeout": 0}):
        with pytest.raises(ModelError, match="concurrency ≥ 1"):
            ServerCaptioner("http://host", "tiny", **options)
    with pytest.raises(ModelError, match="'gif'.*png, jpeg"):
        ServerCaptioner("http://host", "tiny", image_format="gif")


def test_a_captioner_is_chosen_by_what_names_it(serve: Any) -> None:
    stub = serve(named)
    defaults = {"concurrency": 16, "api_key_env": "OPENAI_API_KEY"}
    make = captioner_factory(
        stub.address, "tiny", **defaults, device=None, max_new_tokens=9
    )
    # another process makes its own from this
    model = pickle.loads(pickle.dumps(make))()
    assert isinstance(model, ServerCaptioner)
    assert model.identity()["max_new_tokens"] == 9
    model = captioner_factory(
        {"server": stub.address, "model": "big", "concurrency": 2},
        **defaults,
    )()
    assert (model.name, model.batch_size) == ("big", 8)
    assert captioner_factory(model)() is model


def test_options_of_another_kind_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="device cannot be set for a server"):
        captioner_factory("http://host/v1", "tiny", device="cuda")
    with pytest.raises(ModelError, match="served_model names a model"):
        captioner_factory(str(tmp_path), "tiny")
    with pytest.raises(ModelError, match="timeout cannot be set"):
        captioner_factory(str(tmp_path), timeout=3)
    with pytest.raises(ModelError, match="needs 'server'"):
        captioner_factory({"model": "tiny"})


@pytest.mark.parametrize(
    ("size", "sent"),
    [
        ((1, 1), (28, 28)),
        ((400, 1), (2800, 28)),
        ((1, 300), (28, 2800)),
        ((28, 28), (28, 28)),
        ((90, 20), (126, 28)),
        ((300, 200), (300, 200)),
    ],
)
def test_thin_crops_are_enlarged_to_what_the_models_take(
    size: tuple[int, int], sent: tuple[int, int]
) -> None:
    from PIL import Image

    from raremine.brain.models.crop_encoding import fit_size

    assert fit_size(Image.new("RGB", size)).size == sent
