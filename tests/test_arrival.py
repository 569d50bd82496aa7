"""Arrivals come when the scenario says."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from irqsim.hw.arrival import bursts, listed, periodic, poisson
from irqsim.prng import stream
from irqsim.units import Duration

US = 1000
MS = 1000 * US


def every_ms(
    start: int | None = None,
    until: int | None = None,
    count: int | None = None,
    jitter: Duration | None = None,
) -> Iterator[int]:
    return periodic(MS, start, until, count, jitter, stream(0, "device"), US)


def test_listed_times_are_sorted() -> None:
    """Times come in ascending order however they are listed; equal ones stay two."""
    assert list(listed([3, 1, 2, 2])) == [1, 2, 2, 3]


def test_the_first_periodic_arrival_is_one_period_in() -> None:
    """Without a start the first arrival comes after one period; without an end none is last."""
    assert list(islice(every_ms(), 3)) == [MS, 2 * MS, 3 * MS]


def test_start_is_the_first_arrival_and_until_is_not_included() -> None:
    """`start` says when the first comes, `until` is excluded, `count` counts."""
    assert list(every_ms(start=0, until=2 * MS)) == [0, MS]
    assert list(every_ms(until=2 * MS + 1)) == [MS, 2 * MS]
    assert list(every_ms(start=5 * MS, count=2)) == [5 * MS, 6 * MS]
    assert list(every_ms(count=0)) == []
    assert list(every_ms(start=5, until=5)) == []


def test_jitter_delays_each_arrival_from_its_own_period() -> None:
    """Jitter does not add up."""
    times = list(every_ms(count=50, jitter=Duration("uniform", 0, 100 * US)))
    assert all(0 <= time - n * MS <= 100 * US for n, time in enumerate(times, 1))
    assert len({time % MS for time in times}) > 10


def test_the_first_poisson_arrival_is_one_gap_in() -> None:
    """Without a start the first arrival is random; with one it is there."""
    mean = 50 * US
    free = list(poisson(mean, None, None, 5, stream(0, "device"), US))
    given_start = list(poisson(mean, 7 * US, None, 5, stream(0, "device"), US))
    assert given_start[0] == 7 * US
    assert free[0] > 0
    assert list(poisson(mean, None, free[3], None, stream(0, "device"), US)) == free[:3]


def test_poisson_keeps_its_mean_whatever_the_tick() -> None:
    """Rounding to ticks does not stretch the mean gap."""
    for tick in (1, US, 25 * US):
        *_, last = poisson(50 * US, None, None, 20_000, stream(0, "device"), tick)
        assert abs(last // 20_000 - 50 * US) < 1 * US


def test_bursts_come_each_period_and_count_counts_them() -> None:
    """A burst is so many arrivals a gap apart."""
    assert list(bursts(3, US, MS, None, None, 2)) == [
        *(MS, MS + US, MS + 2 * US),
        *(2 * MS, 2 * MS + US, 2 * MS + 2 * US),
    ]
    assert list(bursts(2, 0, MS, 0, None, 1)) == [0, 0]
    assert list(bursts(3, US, MS, 0, MS + US, None)) == [0, US, 2 * US, MS]


def test_bursts_that_are_longer_than_the_period_overlap() -> None:
    """Each burst keeps its own pace."""
    assert list(bursts(3, 6, 10, 0, None, 2)) == [0, 6, 10, 12, 16, 22]


@given(
    st.integers(0, 3),
    st.none() | st.integers(0, 50).map(lambda n: n * US),
    st.none() | st.integers(0, 200).map(lambda n: n * US),
    st.integers(1, 40),
    st.integers(1, 30),
)
def test_arrivals_are_ticks_in_order_before_the_end(
    kind: int, start: int | None, until: int | None, count: int, size: int
) -> None:
    """All arrivals are whole ticks, never decreasing, from `start` to before `until`."""
    numbers = stream(0, "any")
    jitter = Duration("exponential", 20 * US)
    arrivals = [
        lambda: periodic(size * US, start, until, count, None, numbers, US),
        lambda: periodic(size * US, start, until, count, jitter, numbers, US),
        lambda: poisson(size * US, start, until, count, numbers, US),
        lambda: bursts(size, 2 * US, 7 * US, start, until, count),
    ][kind]()
    times = list(arrivals)
    assert times == sorted(times)
    assert all(time % US == 0 for time in times)
    assert all(time >= (start or 0) for time in times)
    if until is None:
        assert len(times) == count * (size if kind == 3 else 1)
    else:
        assert all(time < until for time in times)


def test_what_would_never_advance_is_refused() -> None:
    """A period or mean of nothing is the caller's mistake."""
    for wrong in (
        periodic(0, None, None, None, None, stream(0, ""), US),
        poisson(0, None, None, None, stream(0, ""), US),
        bursts(1, US, 0, None, None, None),
        bursts(0, US, MS, None, None, None),
    ):
        with pytest.raises(AssertionError):
            next(wrong)
