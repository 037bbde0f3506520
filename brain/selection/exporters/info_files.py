"""Info files of training code: their layouts, reading, filtering, writing.

An info file is a pickle: a list of entries, one for each keyframe, alone
(OpenPCDet) or in a dictionary beside facts about all of them (mmdetection3d).
"""

from __future__ import annotations

import pickle
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from raremine.brain.errors import RaremineError
from raremine.brain.nuscenes.garbage import collection_paused
from raremine.brain.selection.exporters.restricted_pickle import load_pickle

V2, LEGACY, OPENPCDET = "v2", "legacy", "openpcdet"
"""Layouts: mmdetection3d from 1.1 on; before, and BEVFusion; OpenPCDet."""

LIST_KEY = {V2: "data_list", LEGACY: "infos"}
"""Key of the list of entries, in layouts that are a dictionary."""

PROTOCOL = 3
"""Every Python 3 reads it, so the older environments that training code lives
in do. Numbers in it say which value is fetched again, so that the pickler can
begin anew between entries (from protocol 4 on they are left out)."""

_LARGE = 32_000_000
"""Bytes from which on it is faster to look for entries before making them."""

_FORGET = 500
"""Entries after which the pickler forgets values that it could point to."""


@dataclass(frozen=True)
class InfoFile:
    """An info file, with some of its entries.

    Attributes:
        path: the file
        layout: "v2", "legacy" or "openpcdet"
        document: what the file holds, with the kept entries alone
        entries: the kept entries, in the order of the file
        total: number of entries in the file
    """

    path: Path
    layout: str
    document: Any
    entries: list[dict[str, Any]]
    total: int


def read_infos(path: Path, wanted: Collection[str]) -> InfoFile:
    """Reads the wanted entries of an info file, through restricted pickle.

    Args:
        path: the file
        wanted: sample tokens

    Returns:
        the file with the entries of these tokens, in its order

    Raises:
        RaremineError: if it cannot be read or is of no known layout
    """
    found = None
    if path.is_file() and path.stat().st_size >= _LARGE:
        from raremine.brain.selection.exporters.pickle_cut import load_entries

        found = load_entries(path, tuple(LIST_KEY.values()), wanted)
    if found is not None:
        document, total = found
        layout, entries = _entries(path, document)
        return InfoFile(path, layout, document, entries, total)
    document = load_pickle(path)
    layout, every = _entries(path, document)
    tokens = [_token(path, at, entry) for at, entry in enumerate(every)]
    entries = [
        entry
        for entry, token in zip(every, tokens, strict=True)
        if token in wanted
    ]
    if layout == OPENPCDET:
        document = entries
    else:
        document[LIST_KEY[layout]] = entries
    return InfoFile(path, layout, document, entries, len(every))


def _entries(path: Path, document: Any) -> tuple[str, list[Any]]:
    """Returns the layout of an info file and its list of entries."""
    if isinstance(document, list):
        return OPENPCDET, document
    keys = list(document) if isinstance(document, dict) else []
    for layout, key in LIST_KEY.items():
        if key in keys and isinstance(document[key], list):
            return layout, document[key]
    if not keys:
        holds = f"a {type(document).__name__}"
    else:
        shown = ", ".join(map(str, keys[:4])) + ", ..." * (len(keys) > 4)
        holds = f"a dictionary of {shown}"
    raise RaremineError(
        f"{path} is no info file: it holds {holds}. Expected a dictionary "
        "with 'data_list' or 'infos' (mmdetection3d, BEVFusion) or a list "
        "(OpenPCDet); a database of ground truth objects is none."
    )


def _token(path: Path, at: int, entry: Any) -> str:
    token = entry.get("token") if isinstance(entry, dict) else None
    if not isinstance(token, str):
        raise RaremineError(
            f"Entry {at} of {path} has no sample token ('token'), so nobody "
            "knows which keyframe it is; make the info file again with the "
            "converter of your training code."
        )
    return token


def write_pickle(document: Any, path: Path) -> None:
    """Writes an info file that has been read, or parts of one."""
    with path.open("wb") as file, collection_paused():
        pickle.dump(document, file, protocol=PROTOCOL)


class Streamed:
    """A list that is pickled without ever being there as a whole.

    Args:
        entries: what is in it
    """

    def __init__(self, entries: Iterable[Any]) -> None:
        self._entries = entries
        self.pickler: pickle.Pickler | None = None

    def _each(self) -> Iterator[Any]:
        for number, entry in enumerate(self._entries, start=1):
            yield entry
            if number % _FORGET == 0 and self.pickler is not None:
                # else it would keep every entry, to point to it again
                self.pickler.clear_memo()

    def __reduce__(self) -> tuple[Any, ...]:
        # read as list(), to which these are appended
        return list, (), None, self._each()


def write_streamed(
    layout: str, head: dict[str, Any], entries: Streamed, path: Path
) -> None:
    """Writes an info file entry by entry.

    Args:
        layout: its layout
        head: what is beside the list of entries, for layouts that have it
        entries: the list
        path: where to write
    """
    key = LIST_KEY.get(layout)
    document = entries if key is None else {**head, key: entries}
    with path.open("wb") as file, collection_paused():
        entries.pickler = pickle.Pickler(file, protocol=PROTOCOL)
        entries.pickler.dump(document)
