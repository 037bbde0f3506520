"""The map of objects, every camera coloured."""

from __future__ import annotations

from typing import Any

import fiftyone.operators as foo
import fiftyone.operators.types as types

from raremine.brain.errors import RaremineError
from raremine.brain.maps.show import (
    color_choices,
    list_maps,
    read_map,
    view_of_objects,
)
from raremine.operators.panel import map_plot

NAME = "object_map"

HEIGHT = "calc(100vh - 250px)"
"""What the App's head and the panel's controls leave of a window."""


class ObjectMap(foo.Panel):
    """The map of objects, every camera coloured.

    State: ``brain_key`` and ``color_by`` are what the user chose, ``maps``
    and ``colors`` what there is to choose from, ``drawn`` the choice that
    the traces (data ``map``), ``layout`` and ``note`` belong to, ``problem``
    is why there are none.
    """

    @property
    def config(self) -> foo.PanelConfig:
        """FiftyOne's description of the panel."""
        return foo.PanelConfig(
            name=NAME,
            label="Map of objects",
            icon="bubble_chart",
            allow_multiple=False,
            surfaces="grid",
            help_markdown=(
                "Objects that look alike lie close together. Draw a lasso "
                "around some to see their crops; a click on the legend "
                "hides a category, a double click shows it alone."
            ),
        )

    def on_load(self, ctx: Any) -> None:
        """Draws the map that the panel was opened for, or the first."""
        self.draw(ctx)

    def on_change_dataset(self, ctx: Any) -> None:
        """Draws a map of the dataset that was opened instead."""
        self.draw(ctx)

    def on_choose_map(self, ctx: Any) -> None:
        """Draws another map."""
        self._choose(ctx, "brain_key")

    def on_choose_color(self, ctx: Any) -> None:
        """Colours the map by another column."""
        self._choose(ctx, "color_by")

    def on_lasso(self, ctx: Any) -> None:
        """Shows the crops of the objects inside a lasso or a box."""
        chosen = ctx.params.get("data") or []
        label_ids = [point["id"] for point in chosen if point.get("id")]
        if not label_ids:
            return
        try:
            view = view_of_objects(
                ctx.dataset, ctx.panel.get_state("brain_key"), label_ids
            )
        except RaremineError as error:
            ctx.ops.notify(str(error), variant="error")
            return
        ctx.ops.set_view(view=view)

    def on_clear(self, ctx: Any) -> None:
        """Leaves the crops and goes back to the whole dataset."""
        ctx.ops.clear_view()

    def draw(self, ctx: Any) -> None:
        """Reads and draws, or says why it cannot."""
        try:
            colored = self._read(ctx)
        except RaremineError as error:
            ctx.panel.set_state("problem", str(error))
            return
        ctx.panel.set_state("problem", None)
        ctx.panel.set_state("drawn", self._choice(ctx))
        ctx.panel.set_state("note", map_plot.summary(colored))
        ctx.panel.set_state("layout", map_plot.layout(colored))
        self._forget_copy(ctx)
        ctx.panel.set_data("map", map_plot.traces(colored))

    def render(self, ctx: Any) -> types.Property:
        """Lays the panel out."""
        panel = types.Object()
        problem = ctx.panel.get_state("problem")
        if problem:
            panel.view(
                "problem",
                types.Notice(label="There is no map", description=problem),
            )
            panel.btn("again", label="Look again", on_click=self.on_load)
        else:
            self._controls(panel, ctx)
            panel.plot(
                "map",
                layout=ctx.panel.get_state("layout") or {},
                config={"scrollZoom": True, "displaylogo": False},
                on_selected=self.on_lasso,
                height=HEIGHT,
            )
        space = {"container": {"sx": {"padding": "0.5rem 1rem"}}}
        return types.Property(
            panel, view=types.GridView(gap=1, componentsProps=space)
        )

    def _choose(self, ctx: Any, name: str) -> None:
        ctx.panel.set_state(name, ctx.params["value"])
        # The App also reports the choice that a drop-down begins with.
        if self._choice(ctx) == ctx.panel.get_state("drawn"):
            self._forget_copy(ctx)
        else:
            self.draw(ctx)

    @staticmethod
    def _choice(ctx: Any) -> list[Any]:
        return [ctx.panel.get_state(n) for n in ("brain_key", "color_by")]

    @staticmethod
    def _forget_copy(ctx: Any) -> None:
        # When a drop-down changes, the App copies the drawn data into the
        # state, mixes old traces with new ones, and sends it with each call.
        ctx.panel.set_state("map", None)

    def _controls(self, panel: types.Object, ctx: Any) -> None:
        row = panel.h_stack("controls", gap=2, align_y="center")
        maps = ctx.panel.get_state("maps") or []
        if len(maps) > 1:
            row.enum(
                "brain_key",
                maps,
                label="Map",
                default=ctx.panel.get_state("brain_key"),
                view=types.DropdownView(),
                on_change=self.on_choose_map,
            )
        row.enum(
            "color_by",
            ctx.panel.get_state("colors") or [],
            label="Color by",
            default=ctx.panel.get_state("color_by"),
            view=types.DropdownView(),
            on_change=self.on_choose_color,
        )
        row.btn(
            "clear",
            label="Whole dataset",
            icon="undo",
            variant="outlined",
            on_click=self.on_clear,
        )
        row.btn(
            "again",
            label="Draw again",
            icon="refresh",
            variant="outlined",
            on_click=self.on_load,
        )
        panel.md(ctx.panel.get_state("note") or "", name="note")

    def _read(self, ctx: Any) -> Any:
        """Reads what the user chose, where that still exists."""
        if ctx.dataset is None:
            raise RaremineError("Open a dataset first.")
        maps = list_maps(ctx.dataset)
        if not maps:
            raise RaremineError(
                f"Dataset '{ctx.dataset.name}' has no map of objects yet; "
                "run 'Map objects' first."
            )
        brain_key = ctx.panel.get_state("brain_key")
        if brain_key not in maps:
            brain_key = "objects_map" if "objects_map" in maps else maps[0]
        field = ctx.dataset.get_brain_info(brain_key).config.patches_field
        colors = color_choices(ctx.dataset, field)
        color_by = ctx.panel.get_state("color_by")
        if color_by not in colors:
            color_by = colors[0] if colors else "label"
        ctx.panel.set_state("maps", maps)
        ctx.panel.set_state("brain_key", brain_key)
        ctx.panel.set_state("colors", colors)
        ctx.panel.set_state("color_by", color_by)
        return read_map(ctx.dataset, brain_key, color_by)
