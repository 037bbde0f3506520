"""What an export format is given, and what it has to offer."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol, TypeVar

import fiftyone as fo

from raremine.brain.errors import RaremineError
from raremine.brain.objects import FrameTable
from raremine.brain.pool import EVALUATION_SPLITS
from raremine.brain.progress import ProgressArgument
from raremine.brain.selection.result import Selection

_T = TypeVar("_T")


@dataclass(frozen=True)
class ExportJob:
    """One export.

    Attributes:
        dataset: the root dataset
        selection: the selection
        folder: where to write: an empty folder that becomes the export when
            everything in it is finished. A format writes nowhere else.
        stem: the selection's name, safe as a file name
        final: where the folder will lie in the end, for files that must
            name their own place
        progress (None): for ``raremine.brain.progress.Progress``
    """

    dataset: fo.Dataset
    selection: Selection
    folder: Path
    stem: str
    final: Path
    progress: ProgressArgument = None
    _read: dict[str, Any] = field(
        default_factory=dict, repr=False, compare=False
    )

    def once(self, name: str, read: Callable[[], _T]) -> _T:
        """Returns what ``read`` returned when it was called first.

        ``space`` and ``write`` need the same things, which take seconds to
        read from a large dataset.

        Args:
            name: what is read, another for every function and argument
            read: reads it
        """
        if name not in self._read:
            self._read[name] = read()
        found: _T = self._read[name]
        return found

    @property
    def frames(self) -> FrameTable:
        """All keyframes of the dataset, sorted by sample token."""
        from raremine.brain.frames import read_keyframes

        return self.once("frames", lambda: read_keyframes(self.dataset))

    @property
    def missing_tokens(self) -> list[str]:
        """Sample tokens of the selection that the dataset has no longer."""
        present = set(self.frames.sample_token.tolist())
        return [t for t in self.selection.tokens if t not in present]

    @cached_property
    def train_tokens(self) -> list[str]:
        """Sample tokens of the selection, by scene and time."""
        chosen = set(self.selection.tokens)
        return [t for t in self._in_time() if t in chosen]

    @cached_property
    def evaluation_tokens(self) -> dict[str, list[str]]:
        """Sample tokens of each evaluation split, by scene and time."""
        split_of = dict(
            zip(
                self.frames.sample_token.tolist(),
                self.frames.split.tolist(),
                strict=True,
            )
        )
        found: dict[str, list[str]] = {}
        for token in self._in_time():
            if split_of[token] in EVALUATION_SPLITS:
                found.setdefault(split_of[token], []).append(token)
        return dict(sorted(found.items()))

    def _in_time(self) -> list[str]:
        rows = sorted(
            zip(
                self.frames.scene.tolist(),
                self.frames.timestamp.tolist(),
                self.frames.sample_token.tolist(),
                strict=True,
            )
        )
        return [token for _, _, token in rows]


@dataclass(frozen=True)
class Written:
    """What a format has written.

    Attributes:
        main: the file or folder in ``ExportJob.folder`` that training code
            is pointed to
        facts: what the datasheet should tell about it beyond the selection
            itself, by name: plain values for JSON
        notes: sentences that the user should read
    """

    main: Path
    facts: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


class Exporter(Protocol):
    """An export format.

    The keyword arguments of ``write`` are the format's options; ``space``
    takes the same.
    """

    summary: str
    """What it writes, in a few words that follow the format's name."""

    def space(self, job: ExportJob, **options: Any) -> int:
        """Returns the bytes that the export will need on disk, at most."""

    def write(self, job: ExportJob, **options: Any) -> Written:
        """Writes the selection into ``job.folder``."""


def check_options(
    name: str, exporter: Exporter, options: Mapping[str, Any]
) -> None:
    """Refuses options that a format does not have.

    Raises:
        RaremineError: naming the options that it has
    """
    parameters = inspect.signature(exporter.write).parameters.values()
    known = [p.name for p in parameters if p.kind is p.KEYWORD_ONLY]
    unknown = sorted(set(options) - set(known))
    if unknown:
        raise RaremineError(
            f"Format '{name}' has no option '{unknown[0]}'; it has "
            f"{', '.join(known) or 'none'}."
        )
    needed = [
        p.name
        for p in parameters
        if p.kind is p.KEYWORD_ONLY and p.default is p.empty
    ]
    for option in needed:
        if options.get(option) is None:
            raise RaremineError(
                f"Format '{name}' needs the option '{option}'; pass it, see "
                "the documentation of the format."
            )
