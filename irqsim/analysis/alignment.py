"""How two long sequences go together: what both have, and what only one of them has.

Where they are the same they are walked through side by side.  Where they part, Myers' greedy
algorithm looks for the fewest insertions and deletions after which both go on together for
`RESYNC` events; that much is settled, and the walk goes on.  So the memory is bounded by the
window, and the time by the length of the sequences and the square of what differs at one
place - where a general diff (difflib) is quadratic in the whole and takes what is frequent
for noise, and one by unique elements (patience) finds none: in a log nearly every event comes
again and again.

Where no such place is found after `COST_MAX` edits, the path that went furthest is taken, and
the next attempts are given up the sooner, until one succeeds: of logs that have nothing in
common nobody needs the shortest script.

Source: E. W. Myers, An O(ND) Difference Algorithm and Its Variations, Algorithmica 1986.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, Protocol

from attrs import frozen

WINDOW: Final = 8192
"""Elements of each sequence that are looked at together."""
RESYNC: Final = 32
COST_MAX: Final = 400
COST_MIN: Final = 32
BLOCK: Final = 4096


class Numbers(Protocol):
    """A sequence of numbers that may lie on disk."""

    def __len__(self) -> int: ...

    def numbers(self, start: int, stop: int) -> list[int]:
        """Those from one place to another; fewer at the end."""


@frozen
class Same:
    """So many elements that both have."""

    a: int
    b: int
    """Where they begin in each."""
    count: int


@frozen
class Parted:
    """A place where they differ: single edits, with what both have between them."""

    a: int
    b: int
    missing: tuple[int, ...]
    """The places in A of what B has not."""
    inserted: tuple[int, ...]
    """The places in B of what A has not."""
    kept: tuple[tuple[int, int], ...]
    """The places of what both have."""


Step = tuple[int, int, bool]
"""Where an edit begins in both, and whether it is a deletion (in A only)."""


def align(a: Numbers, b: Numbers) -> Iterator[Same | Parted]:
    """The two sequences as alternating stretches, in their order and without a gap."""
    i = j = 0
    cost_max = COST_MAX
    while True:
        count = _common(a, i, b, j)
        if count:
            yield Same(i, j, count)
            i, j = i + count, j + count
        if i >= len(a) and j >= len(b):
            return
        left, right = a.numbers(i, i + WINDOW), b.numbers(j, j + WINDOW)
        is_end = i + len(left) >= len(a), j + len(right) >= len(b)
        steps, x, y, is_found = _search(left, right, is_end, cost_max)
        cost_max = COST_MAX if is_found else max(COST_MIN, cost_max // 2)
        yield _parted(i, j, x, y, steps)
        i, j = i + x, j + y


def _common(a: Numbers, i: int, b: Numbers, j: int) -> int:
    """How many elements are the same from here on."""
    start = i
    while True:
        left, right = a.numbers(i, i + BLOCK), b.numbers(j, j + BLOCK)
        if left == right and left:
            i, j = i + len(left), j + len(left)
            continue
        for one, other in zip(left, right, strict=False):
            if one != other:
                break
            i += 1
        return i - start


def _search(
    a: list[int], b: list[int], is_end: tuple[bool, bool], cost_max: int
) -> tuple[list[Step], int, int, bool]:
    """Edits until both go together again; how far that is in each, and whether they do."""
    n, m = len(a), len(b)
    furthest = {1: 0}
    history: list[dict[int, int]] = []
    for cost in range(cost_max + 1):
        history.append(dict(furthest))
        for k in range(-cost, cost + 1, 2):
            down = k == -cost or (k != cost and furthest[k - 1] < furthest[k + 1])
            x = furthest[k + 1] if down else furthest[k - 1] + 1
            y = x - k
            if x > n or y > m:
                # Beyond an end; a path along the edge stays there.
                furthest[k] = x
                continue
            begin = x
            while x < n and y < m and a[x] == b[y]:
                x, y = x + 1, y + 1
            furthest[k] = x
            if x == n and y == m:
                return _back(history, k, x), x, y, True
            if cost and x - begin >= RESYNC:
                return _back(history, k, x), x, y, True
            at_edge = (x == n and not is_end[0]) or (y == m and not is_end[1])
            if cost and at_edge and x + y:
                return _back(history, k, x), x, y, False
    inside = [k for k in furthest if abs(k) <= cost_max and (k - cost_max) % 2 == 0
              and furthest[k] <= n and furthest[k] - k <= m]  # fmt: skip
    best = max(inside, key=lambda k: (2 * furthest[k] - k, -abs(k), k))
    x = furthest[best]
    return _back(history, best, x), x, x - best, False


def _back(history: list[dict[int, int]], k: int, x: int) -> list[Step]:
    """The edits of a path, from its end to its beginning and turned round."""
    steps: list[Step] = []
    for cost in range(len(history) - 1, 0, -1):
        before = history[cost]
        down = k == -cost or (k != cost and before[k - 1] < before[k + 1])
        k = k + 1 if down else k - 1
        x = before[k]
        steps.append((x, x - k, not down))
    return steps[::-1]


def _parted(i: int, j: int, x: int, y: int, steps: list[Step]) -> Parted:
    missing: list[int] = []
    inserted: list[int] = []
    kept: list[tuple[int, int]] = []
    left = right = 0
    for at_x, at_y, is_deletion in steps:
        kept += [(i + left + each, j + right + each) for each in range(at_x - left)]
        left, right = at_x, at_y
        if is_deletion:
            missing.append(i + left)
            left += 1
        else:
            inserted.append(j + right)
            right += 1
    kept += [(i + left + each, j + right + each) for each in range(x - left)]
    return Parted(i, j, tuple(missing), tuple(inserted), tuple(kept))
