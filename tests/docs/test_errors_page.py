"""Messages that docs/errors.md quotes are those of the code."""

from __future__ import annotations

import ast
import re
from functools import cache

import pytest

from tests.docs.pages import ROOT, read

PAGE = "docs/errors.md"
FOLDERS = ("brain/**/*.py", "operators/**/*.py", "bootstrap/*.py", "*.py")
GAP = "…"

QUOTES = re.compile(r"^(?:\||-) `(.+?)`(?= \||\. |$| )", re.M)

QUOTED = QUOTES.findall(read(PAGE)) + [
    message
    for path in sorted((ROOT / "docs" / "operators").glob("*.md"))
    for message in QUOTES.findall(
        path.read_text("utf-8").partition("## What can go wrong")[2]
    )
]


@cache
def texts() -> frozenset[str]:
    """Every text in the code, with a gap for what is filled in."""
    found = set()
    for pattern in FOLDERS:
        for path in ROOT.glob(pattern):
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                if isinstance(node, (ast.Constant, ast.JoinedStr)):
                    found.add(_text(node))
    return frozenset(found)


def _text(node: ast.AST) -> str:
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.JoinedStr):
        return "".join(map(_text, node.values))
    return GAP


def is_quoted_right(message: str) -> bool:
    """Whether a text of the code has a message's words in their order."""
    parts = [part.strip() for part in message.split(GAP)]
    words = [part for part in parts if part.strip("'.`")]
    wanted = re.compile(".*".join(map(re.escape, words)), re.S)
    return bool(words) and any(wanted.search(text) for text in texts())


def test_there_are_messages() -> None:
    assert len(QUOTED) > 50
    assert max(map(len, QUOTED)) < 160


@pytest.mark.parametrize("message", QUOTED)
def test_a_quoted_message_is_one_of_the_code(message: str) -> None:
    assert is_quoted_right(message), f"no text of the code is '{message}'"


def test_other_messages_are_not() -> None:
    assert is_quoted_right("Dataset '…' has no objects in field '…'; run")
    assert not is_quoted_right("Dataset '…' has no objects in column '…'")
    assert not is_quoted_right("in field '…' Dataset '…' has no objects")
