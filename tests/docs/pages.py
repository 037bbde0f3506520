"""The documentation as data: its pages, their blocks, links and anchors."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

RUNNABLE = ("python", "bash")
LANGUAGES = {*RUNNABLE, "yaml", "json", "text", "mermaid"}

_FENCE = re.compile(r"^(?P<indent> *)(?P<ticks>```+)(?P<language>\S*)\s*$")
_REASON = re.compile(r"<!--\s*not run:\s*(?P<reason>.*?)\s*-->\s*$", re.S)
_LINK = re.compile(r"(?P<image>!?)\[[^\]]*\]\((?P<target>[^)\s]+)\)")
_HEADING = re.compile(r"^(#+)\s+(?P<text>.*?)\s*#*$", re.M)


@dataclass(frozen=True)
class Block:
    """One fenced block.

    Attributes:
        page: path of the page, from the repository
        line: number of its first line of text
        language: what stands behind the opening fence
        text: what stands inside
        reason: why it cannot run here, from a comment right above it
    """

    page: str
    line: int
    language: str
    text: str
    reason: str | None

    @property
    def where(self) -> str:
        """Page and line."""
        return f"{self.page}:{self.line}"


def page_paths() -> list[str]:
    """Returns every page, README.md first."""
    folder = ROOT / "docs"
    pages = sorted(p.relative_to(ROOT) for p in folder.rglob("*.md"))
    return ["README.md", *(p.as_posix() for p in pages)]


def read(page: str) -> str:
    """Returns a page's text."""
    return (ROOT / page).read_text("utf-8")


def blocks_of(page: str, text: str | None = None) -> list[Block]:
    """Returns a page's fenced blocks.

    Args:
        page: its path
        text (None): its text, None = read

    Raises:
        ValueError: if a block does not end
    """
    lines = (read(page) if text is None else text).splitlines()
    blocks: list[Block] = []
    start = None
    before: list[str] = []
    for number, line in enumerate(lines, 1):
        match = _FENCE.match(line)
        if start is None:
            if match:
                start, fence = number, match
            else:
                before.append(line)
        elif match and not match["language"] and (
            match["ticks"] == fence["ticks"]
        ):
            indent = len(fence["indent"])
            body = [one[indent:] for one in lines[start : number - 1]]
            reason = _REASON.search("\n".join(before).rstrip())
            blocks.append(
                Block(
                    page,
                    start + 1,
                    fence["language"],
                    "\n".join(body) + "\n",
                    reason and " ".join(reason["reason"].split()),
                )
            )
            start, before = None, []
    if start is not None:
        raise ValueError(f"{page}:{start}: this block does not end.")
    return blocks


def prose_of(page: str) -> str:
    """Returns a page's text without its fenced blocks and comments."""
    kept, inside = [], ""
    for line in read(page).splitlines():
        match = _FENCE.match(line)
        if not inside and match:
            inside = match["ticks"]
        elif inside:
            if match and match["ticks"] == inside:
                inside = ""
        else:
            kept.append(line)
    return re.sub(r"<!--.*?-->", "", "\n".join(kept), flags=re.S)


def links_of(page: str) -> list[tuple[str, bool]]:
    """Returns the targets of a page's links, and whether each is an image."""
    text = re.sub(r"`[^`\n]*`", "", prose_of(page))
    return [(m["target"], bool(m["image"])) for m in _LINK.finditer(text)]


def anchors_of(page: str) -> set[str]:
    """Returns the anchors that GitHub gives a page's headings."""
    anchors: set[str] = set()
    for match in _HEADING.finditer(prose_of(page)):
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", match["text"])
        slug = re.sub(r"[^\w\- ]", "", plain.lower()).replace(" ", "-")
        number, unique = 0, slug
        while unique in anchors:
            number += 1
            unique = f"{slug}-{number}"
        anchors.add(unique)
    return anchors
