"""What is wrong with a dataroot: collected first, then told in one go."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from raremine.brain.errors import DatarootError

_LISTED = 5
"""Problems of one kind that are told one by one; the others are counted."""


@dataclass(slots=True)
class _Kind:
    fatal: bool
    count: int = 0
    texts: list[str] = field(default_factory=list)


class Problems:
    """Collects problems by kind, so that a million rows tell one story.

    Args:
        strict (False): take what could be skipped for fatal as well
    """

    def __init__(self, strict: bool = False) -> None:
        self._strict = strict
        self._kinds: dict[str, _Kind] = {}

    def add(self, kind: str, text: str, *, fatal: bool = False) -> None:
        """Adds a problem.

        Args:
            kind: what problems it is counted with, such as
                "sample_data.ego_pose_token"
            text: a sentence: what is wrong, where, what to do
            fatal (False): whether nothing may be loaded because of it
        """
        known = self._kinds.setdefault(kind, _Kind(fatal or self._strict))
        known.count += 1
        if len(known.texts) < _LISTED:
            known.texts.append(text)

    def __len__(self) -> int:
        return sum(kind.count for kind in self._kinds.values())

    def lines(self, *, fatal: bool | None = None) -> list[str]:
        """Returns the problems as sentences.

        Args:
            fatal (None): only the fatal ones, or only the others
        """
        return list(self._lines(fatal))

    def _lines(self, fatal: bool | None) -> Iterator[str]:
        for name, kind in self._kinds.items():
            if fatal is not None and kind.fatal != fatal:
                continue
            yield from kind.texts
            more = kind.count - len(kind.texts)
            if more:
                yield f"{more} more problems of {name}."

    def raise_fatal(self) -> None:
        """Raises an error that lists all fatal problems, if there are any.

        Raises:
            DatarootError: the one problem, or a list of them
        """
        lines = self.lines(fatal=True)
        if not lines:
            return
        if len(lines) == 1:
            raise DatarootError(lines[0])
        count = sum(k.count for k in self._kinds.values() if k.fatal)
        listed = "\n".join(f"- {line}" for line in lines)
        raise DatarootError(
            f"The dataroot has {count} problems; nothing was loaded:\n{listed}"
        )
