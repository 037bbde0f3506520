"""What a person does in the App, in a line each.

Everything is found by what a person reads, or by ``data-cy``, FiftyOne's own
mark for tests.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

_ROW = (
    'xpath=.//p[normalize-space()="{label}"]'
    '/ancestor::div[contains(@class,"MuiGrid-grid-xs-12")][1]'
)
_EXECUTE = re.compile(r"/operators/execute")


def open_dataset(page: Any, app: str, name: str, query: str = "") -> None:
    """Opens a dataset and waits until its grid has drawn something."""
    url = f"{app}/datasets/{name}{query}"
    page.goto(url, wait_until="domcontentloaded")
    drawn(page)


def drawn(page: Any) -> None:
    """Waits until the grid has drawn something."""
    grid(page).locator("canvas[canvas-loaded=true]").first.wait_for()


def grid(page: Any) -> Any:
    """The grid of samples."""
    return page.get_by_test_id("fo-grid")


def wait_for_count(page: Any, text: str) -> None:
    """Waits until the grid tells a count, such as '12 groups'."""
    page.get_by_test_id("entry-counts").filter(
        has_text=re.compile(rf"^\s*{re.escape(text)}\b")
    ).wait_for()


def open_view(page: Any, slug: str) -> None:
    """Chooses a saved view from the list above the sidebar."""
    page.get_by_test_id("saved-views-selection").first.click()
    page.get_by_test_id(f"saved-views-{slug}-selection-option").click()
    page.wait_for_url(f"**view={slug}**")


def add_stage(page: Any, name: str, answers: Mapping[str, str]) -> None:
    """Adds a stage to the view in the App's search bar.

    Args:
        page: the page
        name: of the stage, such as "SortBySimilarity"
        answers: what to type, by what the empty boxes of the stage say
    """
    bar = page.get_by_test_id("view-bar")
    # what follows the last stage may lie under the icons at the bar's end
    bar.get_by_text(">", exact=True).last.dispatch_event("click")
    for says, answer in {"+ add stage": name, **answers}.items():
        bar.get_by_placeholder(says, exact=True).last.fill(answer)
        # no box says what it asks for once it is filled in
        page.keyboard.press("Enter")


def open_panel(page: Any, name: str) -> Any:
    """Opens a panel beside the grid."""
    page.get_by_test_id("new-panel-btn").first.click()
    page.get_by_test_id(f"new-panel-option-{name}").click()
    panel = page.get_by_test_id(f"panel-content-{name}")
    panel.wait_for()
    return panel


def open_form(page: Any, label: str) -> Any:
    """Opens an operator's form from the operator browser."""
    page.get_by_test_id("action-browse-operations").first.click()
    return choose_operator(page, label)


def choose_operator(page: Any, label: str) -> Any:
    """Chooses an operator in the browser, which is open; its form opens."""
    page.get_by_test_id("operators-browser-search").fill(label)
    browser = page.get_by_test_id("operators-browser")
    browser.get_by_text(label, exact=True).first.click()
    return form_of(page)


def form_of(page: Any) -> Any:
    """The form that is opening, when it can be filled in."""
    form = page.get_by_test_id("operators-prompt-modal")
    form.get_by_role("button", name="Cancel").wait_for()
    return form


def question(form: Any, label: str) -> Any:
    """The row of a form that asks for something."""
    return form.locator(_ROW.format(label=label)).first


def unfold(form: Any, section: str) -> None:
    """Opens a folded section of a form."""
    form.get_by_role("button", name=section, exact=True).click()


def fill(form: Any, label: str, text: str) -> None:
    """Types an answer."""
    box = question(form, label).locator("input, textarea").first
    box.fill(text)
    if box.get_attribute("role") == "combobox":
        # what was typed counts when it is confirmed
        box.press("Enter")
    settle(form.page)


def choose(page: Any, form: Any, label: str, answer: str) -> None:
    """Picks an answer from a list."""
    question(form, label).get_by_role("combobox").click()
    page.get_by_role("option", name=answer, exact=True).click()
    settle(page)


def settle(page: Any) -> None:
    """Waits until the form is what the server makes of all answers.

    A form asks for itself half a second after each answer. Of two such
    questions at once the first may be answered last, and FiftyOne then shows
    an outdated form; nobody types as fast as a test.
    """
    quiet = 0
    for _ in range(600):
        page.wait_for_timeout(100)
        busy = page.forms.asked > page.forms.answered
        quiet = 0 if busy else quiet + 1
        if quiet == 8:
            return
    raise AssertionError("The form did not settle within a minute.")


def button(form: Any, name: str) -> Any:
    """One of a form's own buttons, when it can be clicked."""
    found = form.get_by_role("button", name=name, exact=True)
    found.wait_for()
    form.page.wait_for_function(
        "button => !button.disabled", arg=found.element_handle()
    )
    return found


def start(form: Any, how: str = "Execute") -> None:
    """Sends a form, to be run at once or by a worker ("Schedule")."""
    other = "Schedule" if how == "Execute" else "Execute"
    either = re.compile(f"^({how}|{other})$")
    form.get_by_role("button", name=either).wait_for()
    if form.get_by_role("button", name=other, exact=True).count():
        # the arrow beside the button
        form.get_by_role("button").last.click()
        form.page.get_by_role("menuitem").filter(has_text=how).click()
    button(form, how).click()


def execute(form: Any) -> None:
    """Sends a form to be run at once, and waits until it has run."""
    with form.page.expect_request_finished(
        lambda request: bool(_EXECUTE.search(request.url)), timeout=180_000
    ):
        start(form)


def schedule(form: Any) -> None:
    """Sends a form to be run by a worker."""
    start(form, "Schedule")
    form.page.get_by_text("Operation successfully scheduled").wait_for()


def result(page: Any) -> Any:
    """The window that tells a run's result, of a short or a long run."""
    window = (
        page.get_by_role("dialog")
        .filter(has=_leave(page))
        .filter(
            has_text=re.compile(r": (done|stopped|not done)|What is wrong")
        )
    )
    window.first.wait_for(timeout=180_000)
    return window.first


def close_result(page: Any) -> None:
    """Closes the window that tells a run's result."""
    _leave(result(page)).click()
    page.get_by_role("dialog").first.wait_for(state="detached")


def _leave(inside: Any) -> Any:
    return inside.get_by_role("button", name=re.compile("^(Done|Close)$"))


def draw(page: Any, points: Sequence[tuple[float, float]]) -> None:
    """Draws a closed line with the mouse, px in the page."""
    (x, y), *others = [*points, points[0]]
    page.mouse.move(x, y)
    page.mouse.down()
    for x, y in others:
        page.mouse.move(x, y, steps=8)
    page.mouse.up()
