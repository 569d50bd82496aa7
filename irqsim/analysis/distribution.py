"""How long something took, over many times: counts, quantiles and histograms in little memory.

Up to `EXACT_MAX` values are kept as they are, and quantiles of them are exact.  Beyond that
they are counted in buckets whose width grows with the value: each power of two is divided
into `1 << SUB_BITS` of them, as an HDR histogram does.  A quantile is then the middle of its
bucket and differs from the exact one by at most `ERROR` of it; values below `2 << SUB_BITS`
ns have buckets of their own.  Count, total, mean, least and greatest are always exact.
"""

from __future__ import annotations

from typing import Final

EXACT_MAX: Final = 1024
SUB_BITS: Final = 7
ERROR: Final = 1 / (1 << SUB_BITS + 1)
"""The greatest relative error of a quantile that comes from buckets."""

NS_PER_US: Final = 1000

Bucket = tuple[int, int, int]
"""The least and the greatest value that it counts, and how many they are."""


class LinearHistogram:
    """Counts in steps of a microsecond, up to a limit, as cyclictest keeps them."""

    __slots__ = ("counts", "limit", "nr_overflows", "nr_seen", "overflows")

    def __init__(self, limit: int) -> None:
        self.limit = limit
        """Values from so many microseconds on overflow."""
        self.counts = [0] * limit
        self.nr_overflows = 0
        self.overflows: list[int] = []
        """Which values did, by their number in the order in which they came: the first ones."""
        self.nr_seen = 0

    def add(self, value_ns: int) -> None:
        """Count a value; parts of a microsecond are dropped."""
        value_us = value_ns // NS_PER_US
        if value_us < self.limit:
            self.counts[value_us] += 1
        else:
            self.nr_overflows += 1
            if len(self.overflows) < self.limit:
                self.overflows.append(self.nr_seen)
        self.nr_seen += 1


class Distribution:
    """Durations in ns.  A negative one, which clocks that differ can make, counts as 0."""

    __slots__ = ("_buckets", "_values", "count", "linear", "max", "max_at_ns", "min", "total")

    def __init__(self, linear: LinearHistogram | None = None) -> None:
        self.linear = linear
        self.count = 0
        self.total = 0
        self.min = 0
        self.max = 0
        self.max_at_ns = 0
        """When the greatest one began, the first of them."""
        self._values: list[int] = []
        self._buckets: dict[int, int] | None = None

    def add(self, value: int, at_ns: int) -> None:
        """Count a duration that began at a time."""
        if value < 0:
            value = 0
        if not self.count:
            self.min = self.max = value
            self.max_at_ns = at_ns
        elif value > self.max:
            self.max = value
            self.max_at_ns = at_ns
        elif value < self.min:
            self.min = value
        self.count += 1
        self.total += value
        if self.linear is not None:
            self.linear.add(value)
        if self._buckets is None:
            self._values.append(value)
            if len(self._values) > EXACT_MAX:
                self._buckets = _counted(self._values)
                self._values = []
        else:
            index = bucket_of(value)
            self._buckets[index] = self._buckets.get(index, 0) + 1

    @property
    def is_exact(self) -> bool:
        """Quantiles are those of the values themselves."""
        return self._buckets is None

    @property
    def mean(self) -> float:
        """In ns; 0 for none."""
        return self.total / self.count if self.count else 0.0

    def quantile(self, per_mille: int) -> int:
        """The least value that so many thousandths of all do not exceed; 0 for none."""
        assert 0 < per_mille <= 1000, per_mille
        rank = -(-self.count * per_mille // 1000)
        if self._buckets is None:
            return sorted(self._values)[rank - 1] if rank else 0
        for low, high, count in self.buckets():
            rank -= count
            if rank <= 0:
                return min(max((low + high) // 2, self.min), self.max)
        raise AssertionError("the buckets hold all values")

    def buckets(self) -> list[Bucket]:
        """What has been counted, ascending, without empty ones."""
        counts = _counted(self._values) if self._buckets is None else self._buckets
        return [(*bounds_of(index), counts[index]) for index in sorted(counts)]


def bucket_of(value: int) -> int:
    """The number of the bucket that counts a value; buckets ascend with their values."""
    shift = value.bit_length() - SUB_BITS - 1
    if shift <= 0:
        return value
    return (shift << SUB_BITS) + (value >> shift)


def bounds_of(index: int) -> tuple[int, int]:
    """The least and the greatest value of a bucket."""
    shift = (index >> SUB_BITS) - 1
    if shift <= 0:
        return index, index
    low = (index - (shift << SUB_BITS)) << shift
    return low, low + (1 << shift) - 1


def _counted(values: list[int]) -> dict[int, int]:
    counts: dict[int, int] = {}
    for value in values:
        index = bucket_of(value)
        counts[index] = counts.get(index, 0) + 1
    return counts
