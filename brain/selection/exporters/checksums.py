"""What an export consists of: a checksum of every file, a list of links."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

SUMS = "SHA256SUMS"
"""Checksums in the form that ``sha256sum --check`` reads."""

LINKS = "links.json"
"""What links point to, by name."""

_BLOCK = 1 << 20


@dataclass
class Inventory:
    """What is in a folder.

    Attributes:
        sums: SHA-256 of every regular file, by path in the folder
        bytes: size of these files
        links: target of every symbolic link, by path in the folder
        hard_links: paths of files that lie elsewhere as well. They were not
            written and are not read.
    """

    sums: dict[str, str] = field(default_factory=dict)
    bytes: int = 0
    links: dict[str, str] = field(default_factory=dict)
    hard_links: list[str] = field(default_factory=list)


def take_inventory(folder: Path) -> Inventory:
    """Reads every regular file in a folder, once; follows no link.

    Args:
        folder: the folder, in which nothing is being written

    Returns:
        what it holds, sorted by path
    """
    found = Inventory()
    for entry in sorted(_entries(str(folder)), key=lambda entry: entry.path):
        name = Path(entry.path).relative_to(folder).as_posix()
        if entry.is_symlink():
            found.links[name] = os.fspath(Path(entry.path).readlink())
            continue
        facts = entry.stat()
        if facts.st_nlink > 1:
            found.hard_links.append(name)
            continue
        found.sums[name] = _sha256(entry.path)
        found.bytes += facts.st_size
    return found


def write_inventory(folder: Path) -> dict[str, Any]:
    """Writes the checksums and links of a folder beside its files.

    Args:
        folder: the folder

    Returns:
        numbers of files, bytes and links, and ``sha256``: the checksum of
        the list of checksums, one for the whole folder
    """
    found = take_inventory(folder)
    lines = "".join(
        _sums_line(name, digest) for name, digest in found.sums.items()
    )
    content = lines.encode("utf-8", "surrogateescape")
    (folder / SUMS).write_bytes(content)
    if found.links:
        text = json.dumps(found.links, indent=0, ensure_ascii=True)
        (folder / LINKS).write_text(text + "\n", encoding="utf-8")
    return {
        "files": len(found.sums),
        "bytes": found.bytes,
        "links": len(found.links),
        "hard_links": len(found.hard_links),
        "sha256": hashlib.sha256(content).hexdigest(),
    }


def _entries(folder: str) -> Iterator[os.DirEntry[str]]:
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                yield from _entries(entry.path)
            else:
                yield entry


def _sha256(path: str) -> str:
    digest = hashlib.sha256()
    with Path(path).open("rb", buffering=0) as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def _sums_line(name: str, digest: str) -> str:
    """A line of a checksum file; names with line breaks as GNU has them."""
    if "\\" in name or "\n" in name:
        name = name.replace("\\", "\\\\").replace("\n", "\\n")
        return f"\\{digest}  {name}\n"
    return f"{digest}  {name}\n"
