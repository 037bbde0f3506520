"""Which scenes belong to which split.

nuScenes fixes its splits by scene name. The lists are facts of the data set
(the same as ``nuscenes.utils.splits``, against which they are tested); they
are kept here as ranges of scene numbers because importing the devkit costs
about two seconds.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path

from raremine.brain.errors import DatarootError

_TRAIN = """
1-2 4-11 19-34 41-76 120-135 138-139 149-152 154-155 157-168 170-185 187-188
190-196 199-200 202-204 206-214 218-220 222 224-264 283-306 315-318 321
323-324 328 347-386 388-403 405-408 410-459 461-465 467-469 471-472 474-480
499-502 504-515 517-518 525-539 541-546 566 568 570-578 580 582-600 639-679
681 683-689 695-698 700-701 703-719 726-728 730-731 733-741 744 746-747
749-752 757-765 767-769 786-787 789-792 803-806 808-813 815-817 819-822
847-856 858 860-866 868-873 875-878 880 882-903 945 947 949 952-953 955-961
975-984 988-992 994-1025 1044-1058 1074-1102 1104-1110
"""
_VAL = """
3 12-18 35-36 38-39 92-110 221 268-278 329-332 344-346 519-524 552-565
625-627 629-630 632-638 770-771 775 777-778 780-784 794-800 802 904-917
919-931 962-963 966-969 971-972 1059-1073
"""
_TEST = """
77-91 111-119 140 142-148 265-266 279-282 307-314 333-343 481-498 547-551
601-604 606-624 827-831 833-842 844-846 932-933 935-943 1026-1043
"""
_MINI_TRAIN = "61 553 655 757 796 1077 1094 1100"
_MINI_VAL = "103 916"

_OF_VERSION = {
    "v1.0-mini": {"mini_train": _MINI_TRAIN, "mini_val": _MINI_VAL},
    "v1.0-trainval": {"train": _TRAIN, "val": _VAL},
    "v1.0-test": {"test": _TEST},
}


@cache
def official_splits(version: str) -> dict[str, tuple[str, ...]]:
    """Returns nuScenes' own splits of a version.

    Args:
        version: name of a version folder, such as "v1.0-trainval"

    Returns:
        scene names by split: ``train`` and ``val``, ``test``, or
        ``mini_train`` and ``mini_val``; empty for a version that is not one
        of nuScenes' own
    """
    return {
        split: tuple(_scene_names(ranges))
        for split, ranges in _OF_VERSION.get(version, {}).items()
    }


Splits = str | Path | Mapping[str, Sequence[str]]
"""Scene names by split, or a JSON file that holds such a map."""


def scene_splits(
    version_dir: Path,
    version: str,
    scene_names: Iterable[str],
    own: Splits | None = None,
) -> dict[str, str]:
    """Returns the split of each scene.

    A file ``splits.json`` in the version folder (the devkit's form for
    custom splits: scene names by split name) goes before the official lists.
    A scene that it names in two splits belongs to the first of them.

    Args:
        version_dir: the folder of the tables
        version: its name
        scene_names: the scenes to look up
        own (None): the user's splits, which then are the only ones

    Returns:
        split by scene name, "" for a scene that is in no split

    Raises:
        DatarootError: if own splits or ``splits.json`` cannot be read or
            are not a map of lists of names
    """
    split_of: dict[str, str] = {}
    sources: list[Mapping[str, Sequence[str]]]
    if own is not None:
        sources = [_given_splits(own)]
    else:
        path = version_dir / "splits.json"
        custom = _splits_of(path) if path.is_file() else {}
        sources = [custom, official_splits(version)]
    for splits in sources:
        for split, names in splits.items():
            for name in names:
                split_of.setdefault(name, split)
    return {name: split_of.get(name, "") for name in scene_names}


_WANTED = (
    "expected a map from split name to a list of scene names, such as "
    '{"train": ["scene-0001"]}'
)


def _given_splits(own: Splits) -> Mapping[str, Sequence[str]]:
    if isinstance(own, str | Path):
        return _splits_of(Path(own).expanduser())
    if not _is_splits(own):
        raise DatarootError(f"splits={own!r} cannot be used; {_WANTED}.")
    return own


def _splits_of(path: Path) -> dict[str, list[str]]:
    try:
        splits = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise DatarootError(
            f"Cannot read the splits in {path}: {error.strerror}."
        ) from error
    except ValueError as error:
        raise DatarootError(
            f"{path} is not valid JSON ({error}); {_WANTED}."
        ) from error
    if not _is_splits(splits):
        raise DatarootError(f"{path} cannot be used; {_WANTED}.")
    return dict(splits)


def _is_splits(value: object) -> bool:
    return isinstance(value, Mapping) and all(
        isinstance(names, list | tuple)
        and all(isinstance(name, str) for name in names)
        for names in value.values()
    )


def _scene_names(ranges: str) -> list[str]:
    names = []
    for part in ranges.split():
        first, _, last = part.partition("-")
        for number in range(int(first), int(last or first) + 1):
            names.append(f"scene-{number:04d}")
    return names
