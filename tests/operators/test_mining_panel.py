"""The Mining panel: what it shows, what a click opens, what may go wrong."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import fiftyone as fo
import fiftyone.operators as foo
import pytest
from bson import json_util
from fiftyone.operators.executor import ExecutionContext, Executor

from raremine.operators.panel import mining_state
from tests.brain.overview.mined import (
    SELECTED,
    add_selection,
    mined_dataset,
)

PANEL = "@raremine/raremine/mining"


@pytest.fixture
def full() -> Iterator[fo.Dataset]:
    """The mined dataset of the overview's tests, with a selection."""
    dataset = mined_dataset()
    add_selection(dataset)
    yield dataset
    dataset.delete()


class Panel:
    """The panel as the App drives it, event after event."""

    def __init__(self, dataset: fo.Dataset) -> None:
        self.dataset = dataset
        self.state: dict[str, Any] = {}
        self.asked: list[Any] = []
        self.shown: dict[str, Any] = {}

    def send(self, method: str, **params: Any) -> Panel:
        """Sends an event."""
        request = {
            "dataset_name": self.dataset.name,
            "params": {
                "panel_id": "p",
                "panel_state": json.loads(json.dumps(self.state)),
                "__method__": method,
                **params,
            },
        }
        ctx = ExecutionContext(
            request, executor=Executor(), operator_uri=PANEL
        )
        foo.get_operator(PANEL).execute(ctx)
        # whatever goes to the App has to be JSON
        self.asked = [
            json.loads(json.dumps(call.to_json()))
            for call in ctx.executor._requests
        ]
        self.state = ctx.panel_state
        for output in self.of("show_panel_output"):
            self.shown = output["output"]
        return self

    def of(self, name: str) -> list[dict[str, Any]]:
        """What the last event asked the App to do, of one kind."""
        return [
            call["params"]
            for call in self.asked
            if call["operator_uri"].endswith(name)
        ]

    @property
    def notices(self) -> list[str]:
        """What the last event told the user as a problem."""
        return [
            n["message"] for n in self.of("notify") if n["variant"] != "info"
        ]

    @property
    def view(self) -> Any:
        """The view that the last event opened."""
        (shown,) = self.of("set_view")
        stages = json_util.loads(json.dumps(shown["view"]))
        return fo.DatasetView._build(self.dataset, stages)

    def parts(self) -> dict[str, dict[str, Any]]:
        """Everything that is shown: path → its description."""
        return dict(_walk(self.shown["type"], ""))


def _walk(kind: Any, path: str) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, one in (kind.get("properties") or {}).items():
        place = f"{path}.{name}" if path else name
        yield place, one
        yield from _walk(one["type"], place)


def _plots(panel: Panel) -> dict[str, dict[str, Any]]:
    return {
        path: one["view"]
        for path, one in panel.parts().items()
        if one["view"] and one["view"]["name"] == "PlotlyView"
    }


def _texts(panel: Panel) -> str:
    found = []
    for one in panel.parts().values():
        view = one["view"] or {}
        for key in ("description", "label"):
            found.append(str(view.get(key) or ""))
        found.append(str(one.get("default") or ""))
    return " | ".join(found)


def test_every_bar_and_bin_opens_what_its_text_counts(
    full: fo.Dataset,
) -> None:
    panel = Panel(full).send("on_load")
    plots = _plots(panel)
    assert {path.split(".")[1] for path in plots} >= {
        *("funnel", "concepts", "scores_a", "scores_b"),
        *("pareto", "selection"),
    }
    opened = 0
    for path, plot in plots.items():
        if path.endswith("pareto.plot"):
            continue
        clickable = [trace for trace in plot["data"] if trace.get("ids")]
        assert len(clickable) == 1, path
        (trace,) = clickable
        assert len(set(trace["ids"])) == len(trace["ids"]), path
        for link, text in zip(trace["ids"], trace["hovertext"], strict=True):
            count = int(text.split(": ")[-1].split(" ")[0].replace(",", ""))
            panel.send("on_open", id=link)
            if not count:
                assert panel.of("set_view") == []
                continue
            assert len(panel.view) == count, (path, text)
            opened += 1
    assert opened > 30


def test_a_click_draws_nothing_anew(full: fo.Dataset) -> None:
    panel = Panel(full).send("on_load")
    panel.send("on_open", id='{"see":"images"}')
    assert panel.of("show_panel_output") == []
    assert len(json.dumps(panel.asked)) < 5_000


def test_rows_open_their_object_and_its_keyframe(full: fo.Dataset) -> None:
    panel = Panel(full).send("on_load")
    rows = panel.parts()["page.unusual.rows"]["default"]
    assert rows[0]["what"].startswith("animal (detector: car) · Rare")
    assert rows[0]["crop"] == "no image"
    for number in (0, 3):
        panel.send("on_row", row=number)
        assert panel.view.values("id") == [rows[number]["id"]]
        panel.send("on_keyframe", row=number)
        assert panel.view.media_type == "group"
        cameras = panel.view.select_group_slices(media_type="image")
        ids = cameras.values("objects.detections.id", unwind=True)
        assert rows[number]["id"] in ids
    panel.send("on_row", row=-1)
    assert panel.notices


def test_points_and_lassos_open_their_crops(full: fo.Dataset) -> None:
    panel = Panel(full).send("on_load")
    traces = _plots(panel)["page.pareto.plot"]["data"]
    by_name = {trace["name"]: trace["ids"] for trace in traces}
    assert len(by_name["front 0"]) == 4
    panel.send("on_point", id=by_name["front 0"][0])
    assert panel.view.values("id") == [by_name["front 0"][0]]
    chosen = [*by_name["front 0"], *by_name["front 1"]]
    panel.send("on_lasso", data=[{"id": i} for i in chosen])
    assert sorted(panel.view.values("id")) == sorted(chosen)
    panel.send("on_lasso", data=[])
    assert panel.asked == []
    panel.send("on_point", id="0" * 24)
    assert panel.notices


def test_a_threshold_moves_without_asking_the_database(
    full: fo.Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    panel = Panel(full).send("on_load")

    def fail(*_: Any) -> None:
        raise AssertionError("counted again")

    monkeypatch.setattr(mining_state.histogram, "count_grid", fail)
    monkeypatch.setattr(mining_state, "count_objects", fail)
    panel.send("on_cut_a", value=0.7)
    parts = panel.parts()
    button = parts["page.scores_a.beyond.open"]["view"]
    count = int(button["label"].split(" ")[0])
    panel.send("on_open", **button["params"])
    assert len(panel.view) == count
    assert count == 7
    both = parts["page.scores_a.beyond.both"]["view"]
    panel.send("on_open", **both["params"])
    assert len(panel.view) == int(both["label"].split(" ")[0])


def test_what_an_input_begins_with_is_no_change(full: fo.Dataset) -> None:
    panel = Panel(full).send("on_load")
    for name, value in (
        ("on_field", "objects"),
        ("on_score_a", "outlier_score"),
        ("on_cut_a", panel.state["choice"]["cut_a"]),
        ("on_rank_group", "all groups"),
        ("on_selection", SELECTED),
    ):
        assert panel.send(name, value=value).asked == [], name


def test_choices_are_kept_and_followed(full: fo.Dataset) -> None:
    panel = Panel(full).send("on_load")
    panel.send("on_rank_group", value="target")
    rows = panel.parts()["page.unusual.rows"]["default"]
    assert {row["what"] for row in rows} == {"truck · Target"}
    panel.send("on_score_b", value="concept_margin")
    # there is no such score here, so the panel chooses one
    assert panel.state["choice"]["score_b"] == "novelty"
    panel.send("on_score_a", value="novelty")
    choice = panel.state["choice"]
    assert (choice["score_a"], choice["score_b"]) == (
        "novelty",
        "outlier_score",
    )
    assert choice["rank_group"] == "target"


def test_the_state_stays_small(full: fo.Dataset) -> None:
    panel = Panel(full).send("on_load").send("on_cut_a", value=0.5)
    assert len(json.dumps(panel.state)) < 5_000


def test_the_selection_tells_its_shortage(full: fo.Dataset) -> None:
    texts = _texts(Panel(full).send("on_load"))
    assert "target found 2 of 3 keyframes" in texts
    assert "a note" in texts
    assert "4 keyframes" in texts


def test_a_selection_made_from_here_is_shown(full: fo.Dataset) -> None:
    panel = Panel(full).send("on_load")
    assert panel.state["choice"]["selection"] == SELECTED
    add_selection(full, "newer")
    panel.send("on_cut_a", value=0.5)
    assert panel.state["choice"]["selection"] == SELECTED
    panel.send("on_done")
    assert panel.state["choice"]["selection"] == "newer"


def test_nothing_mined_yet_offers_the_first_step(dataset: fo.Dataset) -> None:
    panel = Panel(dataset).send("on_load")
    assert "no detected objects yet" in _texts(panel)
    button = panel.parts()["buttons.first"]["view"]
    panel.send("on_run", **button["params"])
    (prompt,) = panel.of("prompt_user_for_operation")
    assert prompt["operator_uri"] == "@raremine/raremine/mine"


def test_detections_alone_already_show_something(mined: fo.Dataset) -> None:
    panel = Panel(mined).send("on_load")
    assert panel.notices == []
    parts = panel.parts()
    assert "page.concepts.bars" in parts
    assert parts["next_run"]["view"]["params"]["operator"] == "embed_objects"
    for card in ("pareto", "keywords", "concepts"):
        assert f"page.{card}.run" in parts
    # confidence is a score, too
    assert "page.scores_a.histogram" in parts


def test_another_dataset_forgets_the_choices(
    full: fo.Dataset, mined: fo.Dataset
) -> None:
    panel = Panel(full).send("on_load").send("on_rank_group", value="rare")
    panel.dataset = mined
    panel.send("on_change_dataset")
    assert panel.state["choice"]["rank_group"] is None
    assert "page.concepts.bars" in panel.parts()


def test_a_part_that_fails_leaves_the_others(
    full: fo.Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise ZeroDivisionError("broken")

    monkeypatch.setattr(mining_state.runs, "top_keywords", fail)
    monkeypatch.setattr(mining_state.rows, "first_fronts", fail)
    panel = Panel(full).send("on_load")
    assert "ZeroDivisionError: broken" in _texts(panel)
    plots = _plots(panel)
    assert "page.funnel.bars" in plots
    assert "page.keywords.bars" not in plots
    assert "page.pareto.plot" not in plots


@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("on_open", {"id": None}),
        ("on_open", {"id": "no json"}),
        ("on_open", {"id": '{"see":"objects"}'}),
        ("on_open", {"id": '{"see":"selection","name":"x","part":null}'}),
        ("on_row", {"row": 99}),
        ("on_row", {"row": None}),
        ("on_no_such_event", {}),
        ("on_run", {}),
    ],
)
def test_whatever_goes_wrong_is_a_notice(
    full: fo.Dataset, method: str, params: dict[str, Any]
) -> None:
    panel = Panel(full).send("on_load").send(method, **params)
    opened = [v for v in panel.of("set_view") if v]
    assert panel.notices or not opened or len(panel.view) == 0


def test_a_panel_that_cannot_be_drawn_says_so(
    full: fo.Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise KeyError("broken")

    monkeypatch.setattr("raremine.operators.panel.mining.lay_out", fail)
    panel = Panel(full).send("on_load")
    assert "could not be drawn" in _texts(panel)
    assert "buttons.again" in panel.parts()


def test_a_deleted_object_is_a_sentence(full: fo.Dataset) -> None:
    panel = Panel(full).send("on_load")
    full.delete_samples(full.values("id"))
    panel.send("on_row", row=0)
    assert "not in the dataset any more" in panel.notices[0]
