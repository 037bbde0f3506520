"""What all operators have in common: a form, one SDK call, a summary."""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping
from contextlib import nullcontext, suppress
from typing import Any, ClassVar

import fiftyone as fo
import fiftyone.operators as foo
import fiftyone.operators.types as types
from fiftyone.operators.executor import ExecutionError, ExecutionOptions

import raremine.brain as rmb
from raremine.brain import errors
from raremine.brain.progress import listening
from raremine.operators.amounts import (
    Amount,
    amount_of,
    finished_of,
    forget_amounts,
)
from raremine.operators.app_process import asked_by_app, in_app
from raremine.operators.cancellation import Cancellation, cancellation_of
from raremine.operators.estimates import (
    RATES,
    Estimate,
    advice,
    estimate,
    remember,
)
from raremine.operators.forms import Form, answers, field_of
from raremine.operators.live_run import SHOWN, run_live
from raremine.operators.next_steps import steps_after
from raremine.operators.progress import Reporter
from raremine.operators.results import plain, show
from raremine.operators.targets import target_words

_FIFTYONES_OWN = {
    "view_target",
    "custom_view_target",
    "panel_id",
    "panel_state",
}
_RAISED = re.compile(r"^raremine\.brain\.errors\.(\w+): (.*)", re.M | re.S)


class StageOperator(foo.Operator):
    """An operator that is the App's door to one SDK function.

    A subclass says what it is, fills the form and makes the call.

    Attributes:
        stage: name of the operator and of its SDK function
        label: name in the App
        description: one sentence for the operator browser
        icon: name of a Material icon
        risk: what the worst answers can do to what is there: read it (low);
            write or replace what a run can make again (medium); delete or
            replace what cannot be made again, or files (high)
        needs_dataset: whether it works on a dataset at all
        works_on_view: whether it works on a target that the user chooses,
            and not on the whole dataset
        shows_view: whether a run sets the App's view, which a reload of the
            dataset would take away again
        parts: names of SDK functions whose options the form also asks for
        positional: names of the SDK function's positional arguments behind
            the collection
        counts: detections field that the notice counts objects of, where
            the form asks for none; "" = it counts no objects
        finished_at: field that is set on what is finished, with ``{field}``
            for the detections field; "" = a rerun does everything again
    """

    stage: ClassVar[str]
    label: ClassVar[str]
    description: ClassVar[str]
    icon: ClassVar[str]
    risk: ClassVar[types.RiskLevel] = types.RiskLevel.MEDIUM
    needs_dataset: ClassVar[bool] = True
    works_on_view: ClassVar[bool] = True
    shows_view: ClassVar[bool] = False
    parts: ClassVar[tuple[str, ...]] = ()
    positional: ClassVar[tuple[str, ...]] = ()
    counts: ClassVar[str] = "objects"
    finished_at: ClassVar[str] = ""

    @property
    def config(self) -> foo.OperatorConfig:
        """FiftyOne's description of the operator."""
        return foo.OperatorConfig(
            name=self.stage,
            label=self.label,
            description=self.description,
            icon=self.icon,
            # what is chosen decides what else is asked, and what is wrong
            dynamic=True,
            execute_as_generator=in_app(),
            allow_immediate_execution=True,
            allow_delegated_execution=True,
            risk_level=self.risk,
            view_target=self.works_on_view,
        )

    def fill_form(self, form: Form, ctx: Any) -> None:
        """Asks for the parameters of the call."""
        raise NotImplementedError

    def run(
        self, ctx: Any, arguments: dict[str, Any], progress: Any
    ) -> Mapping[str, Any]:
        """Makes the one call into the SDK.

        Args:
            ctx: FiftyOne's execution context
            arguments: what the user set; the rest has the SDK's defaults
            progress: for the SDK's argument of that name

        Returns:
            the summary
        """
        raise NotImplementedError

    def left_over(self, ctx: Any) -> set[str]:
        """Names of parameters that only other choices in the form ask for.

        The App sends what was filled in before the choice was changed.
        """
        return set()

    def form(self, ctx: Any) -> Form:
        """Builds the operator's form for a context."""
        form = Form(
            getattr(rmb, self.stage), *(getattr(rmb, n) for n in self.parts)
        )
        if self.needs_dataset and ctx.dataset is None:
            form.missing("No dataset", "Open a dataset first.")
            return form
        if self.works_on_view:
            form.target(ctx)
        if form.live and ctx.dataset is not None:
            self.tell_work(form, ctx)
        self.fill_form(form, ctx)
        if form.live:
            self.check_form(form, answers(ctx.params), ctx)
        return form

    def check_form(
        self, form: Form, given: Mapping[str, Any], ctx: Any
    ) -> None:
        """Says what is wrong with the answers so far.

        Only a person in the App is told here; the SDK checks the same.

        Args:
            form: the filled form
            given: the answers, whatever section they are in
            ctx: FiftyOne's execution context
        """

    def amount(self, ctx: Any) -> Amount:
        """Counts what the run works on.

        Raises:
            RaremineError: if the target holds no images
        """
        field = answers(ctx.params).get("field") or self.counts
        return amount_of(ctx, field or None, whole=not self.works_on_view)

    def estimated(self, ctx: Any) -> Estimate | None:
        """Estimates how long the run will take, None = nobody knows."""
        rate = RATES.get(self.stage)
        if rate is None or ctx.dataset is None:
            return None
        count = getattr(self.amount(ctx), rate.unit) or 0
        given = answers(ctx.params)
        if self.finished_at and not given.get("overwrite"):
            field = given.get("field") or self.counts
            path = self.finished_at.format(field=field)
            count = max(count - finished_of(ctx, path), 0)
        model = given.get("model") or given.get("detector")
        return estimate(
            ctx.dataset, self.stage, count, model if rate.weights else None
        )

    def tell_work(self, form: Form, ctx: Any) -> None:
        """Tells what will be done, on how much and roughly how long."""
        try:
            where = "the whole dataset"
            if self.works_on_view:
                where = target_words(ctx)
            text = f"Works on {where}: {self.amount(ctx)}."
            if not self.works_on_view and ctx.has_custom_view:
                text += " The current view plays no part."
            took = self.estimated(ctx)
        except errors.RaremineError as error:
            form.missing("There is nothing to work on", str(error))
            return
        if took is not None:
            text += f" Takes {took}."
            known = inspect.signature(getattr(rmb, self.stage)).parameters
            redone = answers(ctx.params).get("overwrite")
            if "overwrite" in known and not redone:
                text += " What is finished already is not done again."
            if took.long:
                text += f" {advice()}"
        form.notice("What will be done", text)

    def resolve_execution_options(self, ctx: Any) -> ExecutionOptions:
        """Offers both ways to run, and prefers scheduling of long runs."""
        took = None
        if in_app():
            with suppress(errors.RaremineError):
                took = self.estimated(ctx)
        return ExecutionOptions(
            allow_immediate_execution=True,
            allow_delegated_execution=True,
            default_choice_to_delegated=took is not None and took.long,
        )

    def resolve_input(self, ctx: Any) -> types.Property:
        """Shows the form."""
        view = types.View(label=self.label, description=self.description)
        return types.Property(self.form(ctx).inputs, view=view)

    def execute(self, ctx: Any) -> Any:
        """Runs the stage; a user's mistake becomes a sentence.

        In the App it is shown as such. Everywhere else it is raised, so that
        a script stops and a delegated run counts as failed.

        Returns:
            the summary, or for the App a generator of messages that ends
            with it
        """
        if asked_by_app(ctx):
            return run_live(
                ctx,
                lambda reporter, cancellation: self._run(
                    ctx, reporter, cancellation
                ),
                lambda results: self._output(ctx, results),
            )
        if not ctx.delegated:
            return self._run(ctx, None, None)
        cancellation = cancellation_of(ctx)
        reporter = Reporter(
            lambda share, text: ctx.set_progress(progress=share, label=text),
            cancellation,
        )
        return self._run(ctx, reporter, cancellation)

    def _run(
        self,
        ctx: Any,
        reporter: Reporter | None,
        cancellation: Cancellation | None,
    ) -> dict[str, Any]:
        watching = cancellation.watching() if cancellation else nullcontext()
        try:
            with watching, listening(reporter):
                arguments = self._arguments(ctx)
                summary = plain(self.run(ctx, arguments, reporter))
        except errors.RaremineError as error:
            if ctx.delegated or not in_app():
                raise
            ctx.ops.notify(str(error), variant="error")
            return {"error": str(error)}
        if ctx.dataset is not None:
            remember(ctx.dataset, summary)
        forget_amounts()
        reloads = not self.shows_view and ctx.dataset is not None
        if reloads and not ctx.delegated:
            ctx.ops.reload_dataset()
        return dict(summary)

    def resolve_output(self, ctx: Any) -> types.Property | None:
        """Shows the summary, unless the run has shown it already."""
        results = ctx.results or {}
        return None if results.get(SHOWN) else self._output(ctx, results)

    def _output(self, ctx: Any, results: Mapping[str, Any]) -> types.Property:
        field = field_of(ctx.params)
        steps = steps_after(self.stage, ctx.dataset, results, field)
        return show(results, steps, f"{self.label}: done")

    def __call__(
        self,
        samples: Any,
        *values: Any,
        delegate: bool = False,
        **arguments: Any,
    ) -> Any:
        """Runs the operator from Python.

        ``foo.get_operator(uri)(samples, ...)`` takes what the form takes.

        Args:
            samples: dataset or view
            *values: the positional arguments behind it, as the SDK has them
            delegate (False): queue the run instead of running it here
            **arguments: further parameters by name

        Returns:
            FiftyOne's ``ExecutionResult``

        Raises:
            RaremineError: what the SDK function raises
            ExecutionError: for any other failure
        """
        ctx = {"dataset": samples}
        if isinstance(samples, fo.DatasetView):
            ctx = {"view": samples}
        return self._call(ctx, values, arguments, delegate)

    def _call(
        self,
        ctx: dict[str, Any],
        values: tuple[Any, ...],
        arguments: dict[str, Any],
        delegate: bool,
    ) -> Any:
        """Executes through FiftyOne; the SDK's errors stay what they are."""
        if len(values) > len(self.positional):
            raise TypeError(
                f"{self.stage} takes {len(self.positional)} positional "
                f"parameters, got {len(values)}."
            )
        params = dict(zip(self.positional, values, strict=False))
        params = plain({**params, **arguments})
        try:
            return foo.execute_operator(
                self.uri, ctx, params=params, request_delegation=delegate
            )
        except ExecutionError as error:
            match = _RAISED.search(str(error))
            kind = getattr(errors, match[1], None) if match else None
            if match is None or kind is None:
                raise
            raise kind(match[2].strip()) from None

    def _arguments(self, ctx: Any) -> dict[str, Any]:
        """The user's parameters; empty ones mean the SDK's default."""
        names = self.form(ctx).names - _FIFTYONES_OWN
        params = answers(ctx.params)
        unknown = sorted(set(params) - names - _FIFTYONES_OWN)
        if unknown and not self.left_over(ctx).issuperset(unknown):
            raise errors.RaremineError(
                f"Operator {self.stage} has no parameter "
                f"{', '.join(map(repr, unknown))}; it takes "
                f"{', '.join(sorted(names))}."
            )
        return {
            name: value
            for name, value in params.items()
            if name in names and value not in (None, "", [])
        }
