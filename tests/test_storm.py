"""The laws of our detector of interrupt storms: kernel/irq/storm.py."""

from __future__ import annotations

from itertools import pairwise

import pytest

from tests.kernel_scenarios import Outcome, Toml, device, kernel, lasting, run, task

# 20 interrupts in 1 ms are allowed, one more is not.
WATCH: dict[str, Toml] = {"storm_threshold": 20_000, "storm_window": "1ms"}
HOLD: dict[str, Toml] = {**WATCH, "storm_hold": "20ms"}
POLL: dict[str, Toml] = {**WATCH, "storm_action": "poll", "storm_poll": "100us"}


def _burst(count: int, every: str = "20us", name: str = "d", **keys: Toml) -> str:
    keys.setdefault("trigger", "edge")
    return device(name, {"every": every, "count": count}, ["run 1us"], **keys)


def _said(outcome: Outcome) -> list[str]:
    return [text for text in outcome.dmesg if text.startswith("irqsim: ")]


def _entries(outcome: Outcome, name: str = "d") -> list[int]:
    return [line.time_us for line in outcome.irqs(name) if line.event == "irq_handler_entry"]


def test_a_line_within_the_threshold_is_left_alone() -> None:
    """20 in each window, for ever."""
    outcome = run(kernel(**HOLD) + _burst(200, "50us"))
    assert outcome.dmesg == []
    assert len(_entries(outcome)) == 200


def test_one_interrupt_too_many_disables_the_line() -> None:
    """At the 21st within a millisecond; what it does next is said as well."""
    outcome = run(kernel(**HOLD) + _burst(200))
    assert outcome.dmesg[0] == (
        "irqsim: irq 13 (d): storm, 21 interrupts in 400us (more than 20000 per second): "
        "disabled for 20ms"
    )
    assert len([when for when in _entries(outcome) if when < 20_000]) == 21


def test_a_window_begins_with_the_first_interrupt_behind_the_last() -> None:
    """Two bursts that would be too many together are none in windows of their own."""
    arrivals = [f"{begin + 10 * index}us" for begin in (1000, 2005) for index in range(15)]
    assert run(kernel(**HOLD) + device("d", arrivals, [], trigger="edge")).dmesg == []
    together = [f"{1000 + 10 * index}us" for index in range(30)]
    assert _said(run(kernel(**HOLD) + device("d", together, [], trigger="edge")))


def test_a_low_threshold_takes_two_interrupts_at_least() -> None:
    """One alone is no rate."""
    settings: dict[str, Toml] = {**HOLD, "storm_threshold": 1}
    assert run(kernel(**settings) + device("d", ["1ms"], [])).dmesg == []
    assert _said(run(kernel(**settings) + device("d", ["1ms", "1500us"], [])))


def test_a_held_line_is_enabled_again() -> None:
    """At the tick behind the hold; an edge that came meanwhile is replayed once."""
    outcome = run(kernel(**HOLD) + _burst(200))
    assert _said(outcome)[1] == "irqsim: irq 13 (d): enabled again after 20ms"
    later = [when for when in _entries(outcome) if when > 20_000]
    assert len(later) == 1
    assert outcome.device_counts("d") == [200, 177, 0, 23, 0]


def test_a_level_line_asks_again_when_its_hold_is_over() -> None:
    """Nothing is lost: it was asserted all the time."""
    outcome = run(kernel(**HOLD) + _burst(200, trigger="level"))
    assert outcome.device_counts("d") == [200, 0, 0, 200, 0]


def test_a_storm_that_lasts_is_caught_again_and_again() -> None:
    """Each time with a report, and with a pause of the hold at least."""
    outcome = run(kernel(**HOLD) + lasting("100ms") + _burst(10_000))
    storms = [text for text in _said(outcome) if "storm" in text]
    assert len(storms) >= 4
    gaps = [later - earlier for earlier, later in pairwise(_entries(outcome))]
    assert max(gaps) >= 20_000


def test_a_polled_line_is_served_by_the_timer() -> None:
    """Every 100 us from the storm on, in the clock's interrupt."""
    outcome = run(kernel(**POLL) + _burst(100))
    polls = outcome.times("hrtimer_expire_entry", "irqsim_storm_poll")
    assert {later - earlier for earlier, later in pairwise(polls)} == {100}
    served = [when for when in _entries(outcome) if polls[0] <= when <= polls[-1]]
    assert served == polls


def test_a_polled_line_goes_back_to_interrupts_when_its_rate_is_down() -> None:
    """A poll of the window found nothing, and no more found something than is allowed."""
    outcome = run(
        kernel(**POLL) + _burst(100) + _burst(3, "5ms", name="x", spi=9)
    )
    assert _said(outcome)[1:] == [
        "irqsim: irq 13 (d): back to interrupts, 6 of 10 polls found something"
    ]
    assert not outcome.simulation.machine.line_of("d").depth


def test_a_storm_that_goes_on_is_polled_for_ever() -> None:
    """Every poll finds something: nobody knows how much there is."""
    outcome = run(kernel(**POLL) + lasting("50ms") + _burst(10_000))
    assert len(_said(outcome)) == 1
    assert len(_entries(outcome)) < 21 + 500 + 1


def test_polls_do_not_count_as_interrupts() -> None:
    """/proc/interrupts knows what came through the controller."""
    outcome = run(kernel(**POLL) + _burst(100))
    assert sum(outcome.simulation.machine.line_of("d").kstat_irqs) < len(_entries(outcome))


def test_other_lines_go_on() -> None:
    """Only the one that storms is disabled."""
    outcome = run(kernel(**HOLD) + _burst(200) + _burst(50, "100us", name="other", spi=2))
    assert len(_entries(outcome, "other")) == 50


@pytest.mark.parametrize("step", ["enable_irq d", "free_irq d"])
def test_a_driver_may_end_the_hold(step: str) -> None:
    """Who enables the line or gives it back is not surprised by a second enable."""
    outcome = run(
        kernel(**HOLD) + _burst(25) + task("op", ["run 5ms", step], cpu=1, mode="kernel")
    )
    assert len(outcome.dmesg) == 1


def test_per_cpu_interrupts_are_not_watched() -> None:
    """Nobody can disable one for all CPUs."""
    outcome = run(
        kernel(**HOLD)
        + device("p", {"every": "20us", "count": 100}, ["run 1us"], ppi=3)
    )
    assert outcome.dmesg == []
