"""Every command of README.md and docs/ runs, page by page, top to bottom.

What cannot run here says so in a comment above it, ``<!-- not run: why -->``,
and is checked as far as it can be: its syntax, and whether the functions,
arguments, commands and options that it names exist.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

import pytest

from bootstrap import SetupError
from tests.docs.checks import check_block, check_python, check_shell
from tests.docs.pages import (
    LANGUAGES,
    RUNNABLE,
    Block,
    blocks_of,
    page_paths,
)
from tests.docs.place import STARTS, Place, nothing_left, saved_as

PAGES = page_paths()
BLOCKS = [block for page in PAGES for block in blocks_of(page)]
MARKED = [b for b in BLOCKS if b.language in RUNNABLE and b.reason]
RUNNING = {
    page: [
        b
        for b in blocks_of(page)
        if (b.language in RUNNABLE and not b.reason) or saved_as(b)
    ]
    for page in PAGES
}

_COMMAND = re.compile(
    r"^\s*(\$ )?(pip|python3?|fiftyone|yolo|git|vllm|sha256sum|ln|cd) \S", re.M
)


@pytest.mark.slow
@pytest.mark.parametrize("page", [p for p in PAGES if RUNNING[p]])
def test_a_page_runs_from_top_to_bottom(page: str, place: Place) -> None:
    names: dict[str, Any] = {"__name__": "__main__"}
    with nothing_left():
        for block in RUNNING[page]:
            place.run(block, names)


@pytest.mark.parametrize("block", MARKED, ids=lambda b: b.where)
def test_what_cannot_run_is_right_as_far_as_one_can_tell(
    block: Block,
) -> None:
    check_block(block)


def test_every_block_runs_or_says_why_not() -> None:
    for block in MARKED:
        assert len(block.reason or "") >= 20, f"{block.where}: say more"
    for block in BLOCKS:
        assert block.language in LANGUAGES, (
            f"{block.where}: language '{block.language}'"
        )
        if block.language not in RUNNABLE:
            assert block.reason is None, f"{block.where}: runs nothing"
            assert not _COMMAND.search(block.text), (
                f"{block.where}: a command in a block that no test runs"
            )
    count = Counter(
        "marked" if b.reason else "run"
        for b in BLOCKS
        if b.language in RUNNABLE
    )
    assert count["run"] > 4 * count["marked"], count


def test_only_pages_that_exist_have_a_start() -> None:
    assert set(STARTS) <= set(PAGES)


def test_a_reason_is_read_from_the_comment_right_above() -> None:
    page = (
        "<!-- not run: needs a\nGPU of the reader -->\n\n```bash\na\n```\n"
        "text\n```python\nb\n```\n"
    )
    first, second = blocks_of("page.md", page)
    assert (first.language, first.text, first.line) == ("bash", "a\n", 5)
    assert first.reason == "needs a GPU of the reader"
    assert (second.text, second.reason) == ("b\n", None)


@pytest.mark.parametrize(
    "text",
    [
        "rmb.detect_everything(dataset)",
        "rmb.detect_objects(dataset, confidence=0.3)",
        "rmb.load_nuscenes('/data')",
        'foo.get_operator("@raremine/raremine/detect")',
    ],
)
def test_calls_that_do_not_exist_are_found(text: str) -> None:
    with pytest.raises(AssertionError, match="page.md:7"):
        check_python(Block("page.md", 7, "python", text, "because"))


@pytest.mark.parametrize(
    "text",
    [
        "fiftyone plugins download --all URL",
        "python3 run.py bench no-such-benchmark",
        "pip install 'raremine[everything]'",
        "echo 'not closed",
        "curl https://example.com",
    ],
)
def test_commands_that_do_not_exist_are_found(text: str) -> None:
    with pytest.raises((AssertionError, ValueError, SetupError)):
        check_shell(Block("page.md", 7, "bash", text, "because"))
