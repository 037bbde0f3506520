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
class Filtered:
    """An info file that was cut down.

    Attributes:
        layout: "v2", "legacy" or "openpcdet"
        tokens: sample tokens of the entries that stayed, in their order
        total: number of entries that there were
    """

    layout: str
    tokens: list[str]
    total: int


def filter_file(path: Path, wanted: Collection[str], target: Path) -> Filtered:
    """Writes an info file with the wanted entries alone.

    A large file is cut as it is, without loading anything. Others are loaded
    by a restricted unpickler.

    Args:
        path: the file
        wanted: sample tokens
        target: where to write

    Raises:
        RaremineError: if it cannot be read or is of no known layout
    """
    if path.is_file() and path.stat().st_size >= _LARGE:
        from raremine.brain.selection.exporters.pickle_cut import cut_entries

        cut = cut_entries(path, tuple(LIST_KEY.values()), wanted, target)
        if cut is not None:
            layout = next(
                (name for name, key in LIST_KEY.items() if key == cut.key),
                OPENPCDET,
            )
            return Filtered(layout, cut.tokens, cut.total)
    document = load_pickle(path)
    layout, every = _entries(path, document)
    tokens = [_token(path, at, entry) for at, entry in enumerate(every)]
    kept = [at for at, token in enumerate(tokens) if token in wanted]
    entries = [every[at] for at in kept]
    if layout == OPENPCDET:
        document = entries
    else:
        document[LIST_KEY[layout]] = entries
    with target.open("wb") as file, collection_paused():
        pickle.dump(document, file, protocol=PROTOCOL)
    return Filtered(layout, [tokens[at] for at in kept], len(every))


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
