"""Help texts that forms take from docstrings."""

from __future__ import annotations

from raremine.operators.forms import argument_help


def _documented(a: int, b: float = 0.5, **rest: int) -> None:
    """Does something.

    Args:
        a: first thing, which takes
            two lines: with a colon
        b (0.5): second thing, ``None`` allowed, None = none
        c ((1, 2)): a default with brackets, or any ``Thing``
        d: a name (.a, .b), or any ``Thing``
        e: a name, a folder or any ``Thing``
        **rest: the rest

    Returns:
        f: no argument
    """


def test_descriptions_are_joined_and_worded_for_a_form() -> None:
    assert argument_help(_documented) == {
        "a": "First thing, which takes two lines: with a colon",
        "b": "Second thing, None allowed, empty = none",
        "c": "A default with brackets",
        "d": "A name (.a, .b)",
        "e": "A name or a folder",
        "rest": "The rest",
    }


def test_a_function_without_a_docstring_has_no_help() -> None:
    assert argument_help(lambda: None) == {}
