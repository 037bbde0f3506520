"""What is rare here, and what should I take: one screen."""

from __future__ import annotations

import logging
from typing import Any

import fiftyone.operators as foo
import fiftyone.operators.types as types

from raremine.brain.errors import RaremineError
from raremine.brain.overview import views
from raremine.operators.panel import mining_links as links
from raremine.operators.panel.mining_cards import ALL
from raremine.operators.panel.mining_layout import lay_out, lay_out_problem
from raremine.operators.panel.mining_state import (
    CACHE,
    Choice,
    Content,
    NoObjectsError,
    read_content,
)

NAME = "mining"
PLUGIN = "@raremine/raremine"

_QUIET = {
    *("on_open", "on_point", "on_lasso", "on_row", "on_keyframe"),
    *("on_clear", "on_run"),
}
"""Events that leave the panel as it is: nothing is drawn or sent again."""

_logger = logging.getLogger(__name__)


class Mining(foo.Panel):
    """What is rare here, and what should I take.

    State: ``choice`` is what the user chose (see ``Choice``), ``shown`` the
    label and sample ids of the table's rows. Whatever is drawn comes from
    the cache, so the state stays small: the App sends it with each event.
    """

    @property
    def config(self) -> foo.PanelConfig:
        """FiftyOne's description of the panel."""
        return foo.PanelConfig(
            name=NAME,
            label="Mining",
            icon="travel_explore",
            allow_multiple=False,
            surfaces="grid",
            help_markdown=(
                "What was mined, how rare it is and what was selected. "
                "Every bar, bin, point and row opens its objects in the grid."
            ),
        )

    def execute(self, ctx: Any) -> Any:
        """Handles an event; whatever goes wrong becomes a notice.

        An exception that left this method would take the panel's place.
        """
        name = ctx.params.get("__method__")
        if name in (None, "on_startup"):
            return super().execute(ctx)
        drawn = name not in _QUIET
        try:
            drawn = getattr(self, name)(ctx) is not False and drawn
        except RaremineError as error:
            ctx.ops.notify(str(error), variant="warning")
        except Exception as error:
            _logger.exception("The Mining panel's event %s failed", name)
            ctx.ops.notify(_unexpected(error), variant="error")
        if drawn:
            ctx.ops.show_panel_output(self.render(ctx))
        return None

    def on_load(self, ctx: Any) -> None:
        """Reads the dataset."""

    def on_change_dataset(self, ctx: Any) -> None:
        """Reads the dataset that was opened instead."""
        self._choose(ctx, Choice())

    def on_refresh(self, ctx: Any) -> None:
        """Reads everything anew, whatever is in the cache."""
        if ctx.dataset is not None:
            CACHE.forget(ctx.dataset._root_dataset)

    def on_done(self, ctx: Any) -> None:
        """Reads again after an operator that was started here.

        If that selected frames, the new selection is what one wants to see.
        """
        self._choose(ctx, self._chosen(ctx).changed(selection=None))

    def on_field(self, ctx: Any) -> bool:
        """Shows another mined field."""
        return self._change(ctx, "field")

    def on_score_a(self, ctx: Any) -> bool:
        """Shows another score in the first histogram."""
        return self._change(ctx, "score_a")

    def on_score_b(self, ctx: Any) -> bool:
        """Shows another score in the second histogram."""
        return self._change(ctx, "score_b")

    def on_cut_a(self, ctx: Any) -> bool:
        """Moves the first threshold."""
        return self._change(ctx, "cut_a")

    def on_cut_b(self, ctx: Any) -> bool:
        """Moves the second threshold."""
        return self._change(ctx, "cut_b")

    def on_x(self, ctx: Any) -> bool:
        """Draws another signal across the scatter."""
        return self._change(ctx, "x")

    def on_y(self, ctx: Any) -> bool:
        """Draws another signal up the scatter."""
        return self._change(ctx, "y")

    def on_rank_by(self, ctx: Any) -> bool:
        """Ranks the table by another score."""
        return self._change(ctx, "rank_by")

    def on_rank_group(self, ctx: Any) -> bool:
        """Shows another group in the table."""
        return self._change(ctx, "rank_group")

    def on_selection(self, ctx: Any) -> bool:
        """Shows another selection."""
        return self._change(ctx, "selection")

    def on_open(self, ctx: Any) -> None:
        """Opens what a bar, a bin, a curve or a button stands for."""
        link = ctx.params.get("id")
        dataset, field = ctx.dataset._root_dataset, self._field(ctx)
        self._show(ctx, links.open_link(dataset, field, link))

    def on_point(self, ctx: Any) -> None:
        """Opens the object behind a point."""
        self._open_points(ctx, [ctx.params.get("id")])

    def on_lasso(self, ctx: Any) -> None:
        """Opens the objects inside a lasso or a box."""
        points = ctx.params.get("data") or []
        self._open_points(ctx, [p.get("id") for p in points])

    def on_row(self, ctx: Any) -> None:
        """Opens the object of a row."""
        label_id, sample_id = self._row(ctx)
        dataset, field = ctx.dataset._root_dataset, self._field(ctx)
        opened = views.open_chosen(dataset, field, [label_id], [sample_id])
        self._show(ctx, opened)

    def on_keyframe(self, ctx: Any) -> None:
        """Opens the whole keyframe of a row's object."""
        _, sample_id = self._row(ctx)
        dataset = ctx.dataset._root_dataset
        self._show(ctx, views.open_keyframe(dataset, sample_id))

    def on_clear(self, ctx: Any) -> None:
        """Goes back to the whole dataset."""
        ctx.ops.clear_view()

    def on_run(self, ctx: Any) -> None:
        """Opens the form of an operator."""
        uri = f"{PLUGIN}/{ctx.params['operator']}"
        ctx.prompt(
            uri, params=ctx.params.get("with") or {}, on_success=self.on_done
        )

    def render(self, ctx: Any) -> types.Property:
        """Lays out what was read, or says why there is nothing."""
        try:
            content = read_content(ctx.dataset, self._chosen(ctx))
            self._remember(ctx, content)
            return lay_out(content, self)
        except NoObjectsError as error:
            return lay_out_problem(
                "Nothing was mined yet", str(error), self, error.advice
            )
        except RaremineError as error:
            return lay_out_problem("Nothing to show", str(error), self)
        except Exception as error:
            _logger.exception("The Mining panel could not be drawn")
            return lay_out_problem(
                "The panel could not be drawn", _unexpected(error), self
            )

    def _change(self, ctx: Any, name: str) -> bool:
        """Takes over what an input was set to; False if nothing changed.

        The App also reports what an input begins with, and a slider twice.
        """
        value = ctx.params.get("value")
        if value == ALL:
            value = None
        choice = self._chosen(ctx)
        if getattr(choice, name) == value:
            return False
        self._choose(ctx, choice.changed(**{name: value}))
        return True

    @staticmethod
    def _chosen(ctx: Any) -> Choice:
        return Choice.of(ctx.panel.get_state("choice"))

    @staticmethod
    def _choose(ctx: Any, choice: Choice) -> None:
        ctx.panel.set_state("choice", choice.to_dict())

    @staticmethod
    def _remember(ctx: Any, content: Content) -> None:
        """Keeps in the state what events and inputs need."""
        choice = content.choice
        shown = [[r.label_id, r.sample_id] for r in content.table or ()]
        inputs = {
            "head.field": choice.field,
            "page.scores_a.score": choice.score_a,
            "page.scores_a.cut": choice.cut_a,
            "page.scores_b.score": choice.score_b,
            "page.scores_b.cut": choice.cut_b,
            "page.pareto.controls.x": choice.x,
            "page.pareto.controls.y": choice.y,
            "page.unusual.controls.rank_by": choice.rank_by,
            "page.unusual.controls.rank_group": choice.rank_group or ALL,
            "page.selection.controls.name": choice.selection,
        }
        wanted = {"choice": choice.to_dict(), "shown": shown, **inputs}
        for path, value in wanted.items():
            if ctx.panel.get_state(path) != value:
                ctx.panel.set_state(path, value)

    def _field(self, ctx: Any) -> str:
        return self._chosen(ctx).field or "objects"

    @staticmethod
    def _row(ctx: Any) -> tuple[str, str]:
        shown = ctx.panel.get_state("shown") or []
        row = ctx.params.get("row", -1)
        if not 0 <= row < len(shown):
            raise RaremineError("Click on a row of the table, not its head.")
        label_id, sample_id = shown[row]
        return label_id, sample_id

    def _open_points(self, ctx: Any, ids: list[Any]) -> None:
        wanted = {str(i) for i in ids if i}
        if not wanted:
            return
        content = read_content(ctx.dataset, self._chosen(ctx))
        points = [p for p in content.points or () if p.label_id in wanted]
        if not points:
            raise RaremineError(
                "These objects are not drawn any more; press 'Refresh'."
            )
        opened = views.open_chosen(
            ctx.dataset._root_dataset,
            content.mined.name,
            [p.label_id for p in points],
            [p.sample_id for p in points],
        )
        self._show(ctx, opened)

    @staticmethod
    def _show(ctx: Any, opened: views.Opened) -> None:
        ctx.ops.set_view(view=opened.view)
        ctx.ops.notify(opened.message, variant="info")


def _unexpected(error: Exception) -> str:
    return (
        f"Something went wrong in the panel ({type(error).__name__}: "
        f"{error}). The server's log says more; 'Refresh' tries again."
    )
