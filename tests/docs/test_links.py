"""Links, anchors and pictures of the documentation lead somewhere."""

from __future__ import annotations

from pathlib import PurePosixPath
from urllib.parse import unquote

import pytest

from tests.docs.pages import (
    ROOT,
    anchors_of,
    blocks_of,
    links_of,
    page_paths,
    read,
)

PAGES = page_paths()


def _inside(page: str, target: str) -> str:
    """A target's path from the repository, without ``..``."""
    parts: list[str] = []
    for part in (PurePosixPath(page).parent / target).parts:
        if part == "..":
            assert parts, f"{page}: {target} leads out of the repository"
            parts.pop()
        else:
            parts.append(part)
    return "/".join(parts)


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_to_files_and_headings(page: str) -> None:
    for target, image in links_of(page):
        if target.startswith(("https://", "http://")):
            assert not image, f"{page}: the picture {target} lies elsewhere"
            continue
        path, _, anchor = unquote(target).partition("#")
        other = _inside(page, path) if path else page
        assert (ROOT / other).exists(), f"{page}: no {target}"
        if anchor:
            assert anchor in anchors_of(other), f"{page}: no {target}"


def test_every_page_can_be_reached_from_the_readme() -> None:
    reached, ahead = set(), ["README.md"]
    while ahead:
        page = ahead.pop()
        if page in reached or not page.endswith(".md"):
            continue
        reached.add(page)
        for target, _ in links_of(page):
            path = unquote(target).partition("#")[0]
            if path and not path.startswith("http"):
                other = _inside(page, path)
                if (ROOT / other).is_file():
                    ahead.append(other)
    assert set(PAGES) <= reached


@pytest.mark.parametrize("folder", ["docs", "docs/operators"])
def test_the_table_of_contents_names_every_page(folder: str) -> None:
    index = f"{folder}/index.md"
    listed = {
        _inside(index, target.partition("#")[0])
        for target, _ in links_of(index)
        if not target.startswith("http")
    }
    here = {page for page in PAGES if page.rpartition("/")[0] == folder}
    assert here - {index} <= listed


def test_every_picture_is_shown_somewhere() -> None:
    text = "".join(read(page) for page in PAGES)
    for path in (ROOT / "docs" / "images").iterdir():
        assert path.name in text, f"no page shows {path.name}"


def test_pages_have_one_title() -> None:
    for page in PAGES:
        lines = [line for line in read(page).splitlines() if line.strip()]
        if page != "README.md":
            assert lines[0].startswith("# "), page
        assert blocks_of(page) is not None
