"""When a device wants service: endless or ending sequences of times.

Every generator yields absolute times in ns, whole ticks, never decreasing.  `until` is not
included.  Without `start` the first arrival comes after one period or gap.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from heapq import heappop, heappush, heapreplace

from irqsim.prng import Stream, draw
from irqsim.units import Duration


def listed(times: Iterable[int]) -> Iterator[int]:
    """Yield these times, in ascending order."""
    return iter(sorted(times))


def periodic(
    every: int,
    start: int | None,
    until: int | None,
    count: int | None,
    jitter: Duration | None,
    stream: Stream,
    tick: int,
) -> Iterator[int]:
    """Yield a time each period.

    Jitter delays a single arrival, not those after it; one that is delayed beyond its
    successor delays that one to the same time.
    """
    assert every > 0
    nominal = every if start is None else start
    last = 0
    left = count
    while left is None or left > 0:
        late = 0 if jitter is None else draw(jitter, stream, tick)
        last = max(last, _whole_ticks(nominal, tick) + late)
        if until is not None and last >= until:
            return
        yield last
        nominal += every
        left = None if left is None else left - 1


def poisson(
    mean: int,
    start: int | None,
    until: int | None,
    count: int | None,
    stream: Stream,
    tick: int,
) -> Iterator[int]:
    """Yield times with exponentially distributed gaps of this mean.

    Only the times are rounded up to ticks, not the gaps, so that the mean is kept.
    """
    assert mean > 0
    now = stream.exponential(mean) if start is None else start
    left = count
    while left is None or left > 0:
        arrival = _whole_ticks(now, tick)
        if until is not None and arrival >= until:
            return
        yield arrival
        now += stream.exponential(mean)
        left = None if left is None else left - 1


def bursts(
    burst: int,
    gap: int,
    every: int,
    start: int | None,
    until: int | None,
    count: int | None,
) -> Iterator[int]:
    """Yield `burst` times, a gap apart, each period; `count` counts bursts.

    A burst that is longer than the period overlaps with the next one.
    """
    assert burst > 0
    assert every > 0
    begin = every if start is None else start
    left = count
    # The bursts under way: the time of their next arrival, and how many they still have.
    running: list[tuple[int, int]] = []
    while True:
        while (left is None or left > 0) and (not running or begin <= running[0][0]):
            heappush(running, (begin, burst))
            begin += every
            left = None if left is None else left - 1
        if not running:
            return
        now, remaining = running[0]
        if until is not None and now >= until:
            return
        yield now
        if remaining > 1:
            heapreplace(running, (now + gap, remaining - 1))
        else:
            heappop(running)


def _whole_ticks(time: int, tick: int) -> int:
    return -(-time // tick) * tick
