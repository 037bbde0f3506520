"""Open the map of objects."""

from __future__ import annotations

from typing import Any

import fiftyone.operators as foo
import fiftyone.operators.types as types

from raremine.brain.maps.show import color_choices, list_maps
from raremine.operators.panel.object_map import NAME


def open_map(
    ctx: Any, brain_key: str | None = None, color_by: str | None = None
) -> None:
    """Opens the panel with the map of objects beside the samples.

    Args:
        ctx: FiftyOne's execution context
        brain_key (None): which map, None = the panel's choice
        color_by (None): what to colour by, None = the panel's choice
    """
    state = {"brain_key": brain_key, "color_by": color_by}
    ctx.ops.open_panel(
        NAME,
        is_active=True,
        layout="horizontal",
        state={k: v for k, v in state.items() if v},
    )


class ShowMap(foo.Operator):
    """Open the map of objects."""

    @property
    def config(self) -> foo.OperatorConfig:
        """FiftyOne's description of the operator."""
        return foo.OperatorConfig(
            name="show_map",
            label="Show the map of objects",
            description="Open the map with the crops of all cameras coloured",
            icon="bubble_chart",
            dynamic=True,
            risk_level=types.RiskLevel.LOW,
            view_target=False,
        )

    def resolve_input(self, ctx: Any) -> types.Property:
        """Asks which map and which colours."""
        inputs = types.Object()
        maps = [] if ctx.dataset is None else list_maps(ctx.dataset)
        if not maps:
            text = "There is no map of objects; run 'Map objects' first."
            inputs.view(
                "no_map",
                types.Warning(label="No map yet", description=text),
                invalid=True,
                error_message=text,
            )
        else:
            chosen = ctx.params.get("brain_key")
            chosen = chosen if chosen in maps else maps[0]
            config = ctx.dataset.get_brain_info(chosen).config
            colors = color_choices(ctx.dataset, config.patches_field)
            inputs.enum(
                "brain_key",
                maps,
                label="Map",
                default=chosen,
                view=types.DropdownView(),
            )
            inputs.enum(
                "color_by",
                colors,
                label="Color by",
                default=colors[0],
                view=types.DropdownView(),
            )
        return types.Property(inputs, view=types.View(label=self.config.label))

    def execute(self, ctx: Any) -> None:
        """Opens the panel."""
        open_map(ctx, ctx.params.get("brain_key"), ctx.params.get("color_by"))
