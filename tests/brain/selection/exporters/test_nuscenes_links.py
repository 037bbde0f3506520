"""Chains in time and the sweeps that keyframes need, against plain loops."""

from __future__ import annotations

import itertools

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from raremine.brain.selection.exporters.nuscenes_links import (
    ends,
    link,
    with_sweeps,
)

rows = st.lists(
    st.tuples(
        *(st.integers(0, 2), st.integers(0, 12)),
        *(st.booleans(), st.booleans()),
    ),
    max_size=25,
)


def chains(chain: list[int], stamp: list[int]) -> dict[int, list[int]]:
    found: dict[int, list[int]] = {}
    for row in sorted(range(len(chain)), key=lambda i: (stamp[i], i)):
        found.setdefault(chain[row], []).append(row)
    return found


@given(rows, st.one_of(st.none(), st.integers(0, 6)))
def test_links_lead_to_the_nearest(
    drawn: list[tuple[int, int, bool, bool]], gap: int | None
) -> None:
    chain, stamp = [d[0] for d in drawn], [d[1] for d in drawn]
    found = link(np.array(chain, int), np.array(stamp, int), gap)
    before, after = [-1] * len(drawn), [-1] * len(drawn)
    for members in chains(chain, stamp).values():
        for a, b in itertools.pairwise(members):
            if gap is None or stamp[b] - stamp[a] <= gap:
                after[a], before[b] = b, a
    assert found.before.tolist() == before
    assert found.after.tolist() == after
    if not drawn:
        return
    names, first, last, count = ends(np.array(chain), found.order)
    for name, a, b, n in zip(names, first, last, count, strict=True):
        members = chains(chain, stamp)[name]
        assert (members[0], members[-1], len(members)) == (a, b, n)


@given(
    rows, st.integers(0, 5), st.lists(st.booleans(), min_size=3, max_size=3)
)
def test_sweeps_are_counted_back_from_the_keyframe(
    drawn: list[tuple[int, int, bool, bool]], count: int, clouds: list[bool]
) -> None:
    chain, stamp = [d[0] for d in drawn], [d[1] for d in drawn]
    own = [d[2] for d in drawn]
    shown = [d[2] and d[3] for d in drawn]
    cloud = [clouds[c] for c in chain]
    kept = list(shown)
    owner = [-1] * len(drawn)
    for members in chains(chain, stamp).values():
        for at, row in enumerate(members):
            following = [m for m in members[at:] if shown[m]]
            owner[row] = following[0] if following else -1
            if count and own[row]:
                kept[row] = True
            if shown[row] and cloud[row] and count:
                for m in members[max(0, at - count) : at]:
                    kept[m] = True
    found, following_ = with_sweeps(
        np.array(chain, int),
        np.array(stamp, int),
        np.array(shown, bool),
        np.array(own, bool),
        np.array(cloud, bool),
        count,
    )
    assert found.tolist() == kept
    assert following_.tolist() == owner
