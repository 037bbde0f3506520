"""Lists in the documentation name all that the code has."""

from __future__ import annotations

import re

import pytest

from raremine.brain.errors import RaremineError
from raremine.brain.outliers.fusion import FUSIONS
from raremine.brain.outliers.scoring import SCORERS
from raremine.brain.selection.export import export_formats
from raremine.brain.selection.exporters import exporter
from raremine.brain.selection.exporters.job import check_options
from raremine.brain.selection.recipe import BALANCE, OPTIONS
from raremine.brain.strategies import registered
from tests.docs.pages import prose_of, read


def named(page: str) -> set[str]:
    return set(re.findall(r"`([\w]+)`", prose_of(page)))


@pytest.mark.parametrize(
    ("page", "names"),
    [
        ("docs/strategies.md", list(registered())),
        ("docs/outliers.md", [*SCORERS, *FUSIONS]),
        ("docs/selection.md", [*OPTIONS, *BALANCE]),
        ("docs/exports.md", export_formats()),
    ],
)
def test_a_page_names_all_there_is(page: str, names: list[str]) -> None:
    assert len(names) > 3
    assert set(names) <= named(page), sorted(set(names) - named(page))


@pytest.mark.parametrize("format", export_formats())
def test_the_options_of_a_format_are_told(format: str) -> None:
    with pytest.raises(RaremineError, match="it has") as error:
        check_options(format, exporter(format), {"no_such_option": 1})
    options = str(error.value).partition("it has ")[2].rstrip(".")
    told = named("docs/exports.md")
    for option in options.split(", "):
        assert option in told or option == "no options", option


def test_readme_and_docs_name_no_thing_that_is_gone() -> None:
    import raremine.brain as rmb

    for page in ("README.md", "docs/operators/index.md"):
        for name in re.findall(r"operators/(\w+)\.md", read(page)):
            assert name in (*rmb.__all__, "index", "show_map"), name
