"""Durations, CPU sets and softirq names: text to integers and back."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from irqsim.units import (
    SOFTIRQ_NAMES,
    TIME_MAX_NS,
    Duration,
    format_cpulist,
    format_cpumask,
    format_duration,
    format_ns,
    parse_cpulist,
    parse_duration,
    parse_time,
)

TICKS = st.sampled_from((1, 10, 1_000, 2_500))
NANOSECONDS = st.integers(0, 10**15)
CPUS = st.lists(st.integers(0, 200), max_size=20)


@pytest.mark.parametrize(
    ("text", "ns"),
    [("250ns", 1_000), ("2us", 2_000), ("1.5ms", 1_500_000), ("3s", 3 * 10**9), ("0s", 0)],
)
def test_time_is_rounded_up_to_whole_ticks(text: str, ns: int) -> None:
    assert ns == parse_time(text, 1_000)


def test_bare_integer_counts_ticks() -> None:
    assert parse_time(3, 2_500) == 7_500
    assert parse_time("3", 2_500) == 7_500


@given(
    st.integers(0, 10**9), st.integers(0, 10**9), st.sampled_from(("ns", "us", "ms", "s")), TICKS
)
def test_nonzero_time_never_becomes_zero(whole: int, part: int, unit: str, tick_ns: int) -> None:
    """It is the least multiple of the tick that is not shorter, without a rounding error."""
    exact = Fraction(f"{whole}.{part}") * {"ns": 1, "us": 10**3, "ms": 10**6, "s": 10**9}[unit]
    if exact > TIME_MAX_NS - tick_ns:
        return
    ns = parse_time(f"{whole}.{part}{unit}", tick_ns)
    assert ns % tick_ns == 0
    assert exact <= ns < exact + tick_ns
    assert (ns == 0) == (exact == 0)


@given(NANOSECONDS)
def test_formatted_time_reads_back(ns: int) -> None:
    assert parse_time(format_ns(ns), 1) == ns


@pytest.mark.parametrize(
    ("text", "duration"),
    [
        ("2us..5us", Duration("uniform", 2_000, 5_000)),
        ("~8us", Duration("exponential", 8_000)),
        ("8us±1us", Duration("normal", 8_000, 1_000)),
        ("8us+-1us", Duration("normal", 8_000, 1_000)),
        ("8us ± 1us", Duration("normal", 8_000, 1_000)),
        ("5us..5us", Duration("fixed", 5_000)),
        ("8us±0", Duration("fixed", 8_000)),
        ("1.5us", Duration("fixed", 2_000)),
    ],
)
def test_random_durations(text: str, duration: Duration) -> None:
    assert parse_duration(text, 1_000) == duration


@given(
    st.one_of(
        st.builds(Duration, st.just("fixed"), NANOSECONDS),
        st.builds(Duration, st.just("exponential"), st.integers(1, 10**15)),
        st.builds(Duration, st.just("normal"), NANOSECONDS, st.integers(1, 10**15)),
        st.tuples(NANOSECONDS, st.integers(1, 10**12)).map(
            lambda pair: Duration("uniform", pair[0], pair[0] + pair[1])
        ),
    )
)
def test_formatted_duration_reads_back(duration: Duration) -> None:
    assert parse_duration(format_duration(duration), 1) == duration


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("", "expected a time"),
        ("2 parsecs", "expected a time"),
        ("-1us", "expected a time"),
        ("1e3us", "expected a time"),
        ("5us..2us", "from short to long"),
        ("~0us", "above zero"),
        ("99999999999s", "292 years"),
        ("9" * 50, "expected a time"),
    ],
)
def test_what_is_no_duration_is_refused(text: str, word: str) -> None:
    with pytest.raises(ValueError, match=word):
        parse_duration(text, 1_000)


@pytest.mark.parametrize("text", ["~8us", "2us..5us", "8us±1us", "8us+-1us"])
def test_fixed_time_refuses_randomness(text: str) -> None:
    with pytest.raises(ValueError, match="fixed"):
        parse_time(text, 1_000)


def test_negative_ticks_are_refused() -> None:
    with pytest.raises(ValueError, match="negative"):
        parse_duration(-1, 1_000)


@given(st.text(max_size=30), TICKS)
def test_no_text_breaks_the_duration_reader(text: str, tick_ns: int) -> None:
    try:
        duration = parse_duration(text, tick_ns)
    except ValueError:
        return
    assert 0 <= duration.a <= TIME_MAX_NS


@given(CPUS)
def test_cpulist_reads_back(cpus: list[int]) -> None:
    if cpus:
        assert parse_cpulist(format_cpulist(cpus)) == tuple(sorted(set(cpus)))
    else:
        assert format_cpulist(cpus) == ""


def test_cpulist_as_the_kernel_writes_it() -> None:
    assert format_cpulist((6, 0, 1, 2, 3)) == "0-3,6"
    assert parse_cpulist("0-3,6") == (0, 1, 2, 3, 6)


@pytest.mark.parametrize("text", ["", "a", "3-1", "1,,2", "-1", "99999", "1-", "0x1"])
def test_what_is_no_cpulist_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="CPU"):
        parse_cpulist(text)


def test_cpumask_as_the_kernel_writes_it() -> None:
    assert format_cpumask((0, 1, 2, 3), 4) == "f"
    assert format_cpumask((1,), 8) == "02"
    assert format_cpumask((0, 33), 34) == "2,00000001"
    assert format_cpumask((), 64) == "00000000,00000000"


@given(CPUS, st.integers(201, 300))
def test_cpumask_holds_exactly_its_cpus(cpus: list[int], nbits: int) -> None:
    mask = int(format_cpumask(cpus, nbits).replace(",", ""), 16)
    assert {cpu for cpu in range(nbits) if mask >> cpu & 1} == set(cpus)


def test_softirqs_stand_in_vector_order() -> None:
    """Source: the enum of include/linux/interrupt.h."""
    assert SOFTIRQ_NAMES.index("HI") == 0
    assert SOFTIRQ_NAMES.index("NET_RX") == 3
    assert SOFTIRQ_NAMES.index("TASKLET") == 6
    assert SOFTIRQ_NAMES.index("RCU") == 9
    assert len(SOFTIRQ_NAMES) == 10
