"""Random numbers are the same everywhere, and distributed as they say."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from irqsim.prng import PPM, Stream, draw, stream
from irqsim.units import Duration

NR_DRAWS = 20_000


def test_a_stream_is_its_seed_and_name() -> None:
    """The same seed and name give the same numbers; another seed or name gives others."""

    def first(seed: int, name: str) -> list[int]:
        numbers = stream(seed, name)
        return [numbers.bits(64) for _ in range(4)]

    assert first(1, "eth0") == first(1, "eth0")
    others = [first(1, "eth0"), first(2, "eth0"), first(1, "eth1"), first(11, "eth0"), first(1, "")]
    assert len({tuple(numbers) for numbers in others}) == len(others)


def test_numbers_never_change() -> None:
    """The numbers of one release are those of every other: logs stay what they were."""
    numbers = stream(42, "eth0")
    assert numbers.bits(64) == 2224302259244034125
    assert numbers.below(1000) == 912
    assert numbers.exponential(1_000_000) == 409498
    assert numbers.normal(1_000_000, 1000) == 999079


def test_splitmix64_is_the_published_one() -> None:
    """From state 0 the first outputs are those of the reference implementation."""
    numbers = Stream(0)
    assert numbers.bits(64) == 0xE220A8397B1DCDAF
    assert numbers.bits(64) == 0x6E789E6AA1B965F4


@given(st.integers(), st.integers(0, 64), st.integers(1, 1 << 64))
def test_draws_stay_within_their_bounds(seed: int, nr_bits: int, bound: int) -> None:
    """bits(n) has n bits; below(n) is below n; uniform() includes both ends."""
    numbers = stream(seed, "bounds")
    assert 0 <= numbers.bits(nr_bits) < 1 << nr_bits
    assert 0 <= numbers.below(bound) < bound
    assert -5 <= numbers.uniform(-5, 7) <= 7
    assert numbers.uniform(bound, bound) == bound
    assert numbers.normal(0, bound) >= 0
    assert numbers.exponential(bound) >= 0


def test_uniform_reaches_every_value_alike() -> None:
    """Each of the values is drawn about as often as any other."""
    numbers = stream(0, "uniform")
    counts = [0] * 5
    for _ in range(NR_DRAWS):
        counts[numbers.uniform(10, 14) - 10] += 1
    assert all(abs(count - NR_DRAWS // 5) < NR_DRAWS // 50 for count in counts)


def test_chance_is_in_parts_per_million() -> None:
    """0 never happens, a million always, and 100,000 one time in ten."""
    numbers = stream(0, "chance")
    assert not any(numbers.chance(0) for _ in range(100))
    assert all(numbers.chance(PPM) for _ in range(100))
    hits = sum(numbers.chance(100_000) for _ in range(NR_DRAWS))
    assert abs(hits - NR_DRAWS // 10) < NR_DRAWS // 100


def test_exponential_has_its_quantiles() -> None:
    """Mean 1: one half is above ln 2, 36.8 % above 1, 5 % above 3, 1.8 % above 4."""
    numbers = stream(0, "exponential")
    mean = 1_000_000
    values = [numbers.exponential(mean) for _ in range(NR_DRAWS)]
    assert abs(sum(values) // NR_DRAWS - mean) < mean // 50
    for limit, per_mille in ((105_361, 900), (693_147, 500), (mean, 368), (3 * mean, 50)):
        above = sum(value > limit for value in values)
        assert abs(above * 1000 // NR_DRAWS - per_mille) <= 12
    above = sum(value > 4 * mean for value in values)
    assert abs(above * 1000 // NR_DRAWS - 18) <= 4


def test_normal_has_its_quantiles() -> None:
    """68.3 % lie within one sigma of the mean, 95.4 % within two; half are above it."""
    numbers = stream(0, "normal")
    mean, sigma = 10_000_000, 1_000_000
    values = [numbers.normal(mean, sigma) for _ in range(NR_DRAWS)]
    assert abs(sum(values) // NR_DRAWS - mean) < sigma // 30
    assert abs(sum(value > mean for value in values) * 1000 // NR_DRAWS - 500) <= 12
    for sigmas, per_mille in ((1, 683), (2, 954)):
        within = sum(abs(value - mean) <= sigmas * sigma for value in values)
        assert abs(within * 1000 // NR_DRAWS - per_mille) <= 12


def test_a_negative_normal_is_zero() -> None:
    """A normal duration is never below zero."""
    numbers = stream(0, "clipped")
    values = [numbers.normal(0, 1000) for _ in range(1000)]
    assert min(values) == 0
    assert 350 < sum(value == 0 for value in values) < 650


@pytest.mark.parametrize(
    ("duration", "tick_ns", "expected"),
    [
        (Duration("fixed", 0), 1000, 0),
        (Duration("fixed", 1), 1000, 1000),
        (Duration("fixed", 2000), 1000, 2000),
        (Duration("fixed", 2001), 1000, 3000),
        (Duration("uniform", 5001, 5999), 1000, 6000),
        (Duration("uniform", 0, 0), 1000, 0),
        (Duration("exponential", 1), 1_000_000, 1_000_000),
        (Duration("normal", 2500, 0), 1000, 3000),
    ],
)
def test_draw_rounds_up_to_whole_ticks(duration: Duration, tick_ns: int, expected: int) -> None:
    """A drawn duration is whole ticks, and not zero unless it was."""
    assert draw(duration, stream(0, "draw"), tick_ns) == expected


def test_a_fixed_duration_draws_nothing() -> None:
    """Making a random duration fixed leaves the rest of the stream to the others."""
    numbers, same = stream(0, "a"), stream(0, "a")
    draw(Duration("fixed", 5), numbers, 1)
    assert numbers.bits(64) == same.bits(64)


def test_impossible_requests_are_refused() -> None:
    """Empty ranges and negative spreads are the caller's mistake."""
    numbers = stream(0, "wrong")
    with pytest.raises(AssertionError):
        numbers.below(0)
    with pytest.raises(AssertionError):
        numbers.bits(65)
    with pytest.raises(AssertionError):
        numbers.uniform(2, 1)
    with pytest.raises(AssertionError):
        numbers.normal(0, -1)
