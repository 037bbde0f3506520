"""Each operator has its page, with tables and options that are not stale."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from typing import Any

import fiftyone as fo
import fiftyone.operators as foo
import fiftyone.operators.types as types
import pytest
import yaml
from fiftyone.operators.executor import ExecutionContext

from tests.docs.pages import ROOT, prose_of, read

SECTIONS = ["Options", "What it writes", "What can go wrong", "Next"]

MANIFEST = yaml.safe_load((ROOT / "fiftyone.yml").read_text())


def _tables() -> Any:
    path = ROOT / "docs" / "tables.py"
    spec = importlib.util.spec_from_file_location("docs_tables", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_tables_are_up_to_date() -> None:
    tables = _tables()
    pages: list[Path] = tables.pages()
    assert len(pages) > 30
    stale = [
        path.relative_to(ROOT).as_posix()
        for path in pages
        if tables.refreshed(path.read_text("utf-8"))
        != path.read_text("utf-8")
    ]
    assert not stale, f"run `python docs/tables.py`; stale are {stale}"


def test_a_changed_docstring_makes_a_page_stale() -> None:
    tables = _tables()
    text = read("docs/operators/detect_objects.md")
    assert "| `conf` | `0.25` | smallest confidence |" in text
    changed = text.replace("smallest confidence", "least confidence")
    assert tables.refreshed(changed) == text


def test_a_table_has_a_row_for_each_option() -> None:
    def stage(
        samples: Any, size: int = 3, *, kinds: Any = ("a", "b"), **kw: Any
    ) -> None:
        """Does something.

        Args:
            samples: any collection
            size (3): how large, a|b,
                on two lines
            kinds (("a", "b")): which ``kinds``
            **kw: more

        Returns:
            none: at all
        """

    assert _tables().option_table(stage).splitlines()[2:] == [
        "| `size` | `3` | how large, a\\|b, on two lines |",
        "| `kinds` | `['a', 'b']` | which `kinds` |",
    ]


def test_there_is_a_page_for_each_operator_and_no_other() -> None:
    pages = {p.stem for p in (ROOT / "docs" / "operators").glob("*.md")}
    assert pages == {"index", *MANIFEST["operators"]}


@pytest.mark.parametrize("name", MANIFEST["operators"])
def test_pages_have_the_same_sections(name: str) -> None:
    text = read(f"docs/operators/{name}.md")
    title = foo.get_operator(f"@raremine/raremine/{name}").config.label
    assert text.startswith(f"# {title}\n")
    found = re.findall(r"^## (.*)$", text, re.M)
    assert [s for s in found if s in SECTIONS] == SECTIONS
    if name != "show_map":
        assert found[0] == "From Python"
        assert f"rmb.{name}(" in text
        assert f'"@raremine/raremine/{name}"' in text
        assert f"<!-- options: {name} -->" in text


@pytest.mark.slow
@pytest.mark.parametrize("name", MANIFEST["operators"])
def test_a_page_names_every_question_of_its_form(
    name: str, mined: fo.Dataset
) -> None:
    uri = f"@raremine/raremine/{name}"
    operator = foo.get_operator(uri)
    ctx = ExecutionContext({"dataset_name": mined.name}, operator_uri=uri)
    asked = set(_questions(operator.resolve_input(ctx).type))
    named = set(re.findall(r"`(\w+)`", prose_of(f"docs/operators/{name}.md")))
    assert asked <= named, (
        f"docs/operators/{name}.md says nothing of {sorted(asked - named)}"
    )


def _questions(inputs: Any) -> list[str]:
    """Names of what a form asks, also inside of its sections."""
    names = []
    for name, question in inputs.properties.items():
        if isinstance(question.type, types.Object):
            names += _questions(question.type)
        elif not isinstance(question.type, types.Void):
            names.append(name)
    return names
