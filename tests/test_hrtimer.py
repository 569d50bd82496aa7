"""The laws of high-resolution timers: kernel/time/hrtimer.c."""

from __future__ import annotations

import pytest

from tests.kernel_scenarios import device, hrtimer, kernel, lasting, run, run_free, table, task


def test_a_hard_timer_runs_in_the_clock_interrupt() -> None:
    """Between its two lines, with interrupts off.  Source: hrtimer_interrupt()."""
    outcome = run(hrtimer("h", "run 5us", expires="1500us"))
    story = [
        f"{line.letters} {line.event}"
        for line in outcome.lines
        if line.event.startswith(("hrtimer_expire", "irq_handler"))
    ]
    assert story == [
        "d.h.. irq_handler_entry",
        "d.h.. hrtimer_expire_entry",
        "d.h.. hrtimer_expire_exit",
        "d.h.. irq_handler_exit",
    ]


def test_an_hrtimer_fires_at_its_time_and_not_at_a_tick() -> None:
    """The clock event is set to the first expiry.  Source: tick_program_event()."""
    outcome = run_free(hrtimer("h", expires="1234us"))
    assert outcome.times("hrtimer_expire_entry") == [1234]


def test_a_soft_timer_runs_in_its_softirq() -> None:
    """The clock interrupt only raises HRTIMER.  Source: hrtimer_interrupt()."""
    outcome = run(hrtimer("h", "run 5us", expires="1500us", mode="soft"))
    events = ("softirq_raise", "softirq_entry", "hrtimer_expire_entry", "softirq_exit")
    assert [line.event for line in outcome.of(*events)] == list(events)
    assert outcome.one("softirq_raise", "HRTIMER").letters == "d.h.."


def test_a_soft_timer_is_logged_with_interrupts_on() -> None:
    """The base's lock is dropped, and interrupts restored, before both events.

    Source: __run_hrtimer(): raw_spin_unlock_irqrestore().
    """
    outcome = run(hrtimer("h", "run 5us", expires="1500us", mode="soft"))
    assert outcome.one("hrtimer_expire_entry").letters == "..s.."
    assert outcome.one("hrtimer_expire_exit").letters == "..s.."


def test_the_softirq_is_raised_before_the_hard_timers_run() -> None:
    """Source: hrtimer_interrupt(): raise_softirq_irqoff() precedes __hrtimer_run_queues()."""
    outcome = run(
        hrtimer("soft", expires="1500us", mode="soft") + hrtimer("hard", expires="1500us")
    )
    names = [
        line.gist for line in outcome.of("softirq_raise", "hrtimer_expire_entry", "softirq_entry")
    ]
    assert names == ["HRTIMER", "hard", "HRTIMER", "soft"]


def test_timers_expire_in_the_order_of_their_times() -> None:
    """Not of arming; all that are due run in one interrupt.  Source: __hrtimer_run_queues()."""
    steps = ["hrtimer_start b 30us", "hrtimer_start a 20us", "local_irq_disable"]
    outcome = run_free(
        hrtimer("a")
        + hrtimer("b")
        + task("t", [*steps, "run 100us", "local_irq_enable", "run 1us"], cpu=0, mode="kernel")
    )
    assert outcome.gists("hrtimer_expire_entry") == ["a", "b"]
    entries = [line for line in outcome.irqs("arch_timer") if line.event == "irq_handler_entry"]
    assert len(entries) == 1


def test_a_periodic_timer_does_not_drift() -> None:
    """hrtimer_forward() adds whole periods to the expiry.  Source: hrtimer_forward()."""
    outcome = run(lasting("5500us") + hrtimer("h", "run 300us", period="1ms"))
    times = [line.text.split("now=")[1] for line in outcome.of("hrtimer_expire_entry")]
    assert len(times) == 5
    offsets = {int(time) % 1_000_000 for time in times}
    assert len(offsets) == 1


def test_a_periodic_timer_skips_what_it_missed() -> None:
    """Late by more than a period: the periods in between are gone.  Source: hrtimer_forward()."""
    outcome = run_free(
        lasting("8500us")
        + hrtimer("h", period="1ms")
        + task(
            "a",
            ["run 1500us", "local_irq_disable", "run 4ms", "local_irq_enable", "run 1us"],
            cpu=0,
        )
    )
    assert outcome.times("hrtimer_expire_entry", "h") == [1000, 5500, 6000, 7000, 8000]


def test_a_timer_that_is_started_again_is_moved() -> None:
    """was_armed=1.  Source: hrtimer_start_range_ns(): remove_hrtimer()."""
    outcome = run_free(
        hrtimer("h", expires="2ms") + device("d", ["1ms"], ["hrtimer_start h 5ms"])
    )
    assert outcome.times("hrtimer_expire_entry", "h") == [6000]
    assert outcome.one("hrtimer_start", "h").text.endswith("was_armed=1")


def test_a_timer_that_is_cancelled_does_not_fire() -> None:
    """Source: hrtimer_try_to_cancel(), remove_hrtimer()."""
    outcome = run_free(hrtimer("h", expires="2ms") + device("d", ["1ms"], ["hrtimer_cancel h"]))
    assert outcome.of("hrtimer_expire_entry", gist="h") == []
    assert 1000 in outcome.times("hrtimer_cancel")


def test_cancelling_a_timer_that_is_not_armed_is_no_event() -> None:
    """Source: remove_hrtimer(): HRTIMER_STATE_ENQUEUED."""
    outcome = run(hrtimer("h") + device("d", ["1ms"], ["hrtimer_cancel h"]))
    assert outcome.of("hrtimer_cancel") == []


def test_a_timer_runs_on_the_cpu_that_started_it() -> None:
    """Source: hrtimer_start_range_ns(): this_cpu_ptr(&hrtimer_bases)."""
    outcome = run(hrtimer("h") + device("d", ["1ms"], ["hrtimer_start h 1ms"], affinity=[3]))
    assert outcome.one("hrtimer_expire_entry").cpu == 3


def test_interrupts_off_delay_a_timer() -> None:
    """It fires where they come on.  Source: hrtimer_interrupt()."""
    outcome = run_free(
        hrtimer("h", expires="1ms")
        + task("a", ["local_irq_disable", "run 3ms", "local_irq_enable", "run 1us"], cpu=0)
    )
    assert outcome.times("hrtimer_expire_entry", "h") == [3000]


def test_softirqs_that_run_delay_a_soft_timer_and_no_hard_one() -> None:
    """A hard one interrupts them; a soft one waits for the next pass.

    Source: hrtimer_run_softirq(), __do_softirq().
    """
    outcome = run_free(
        table("softirq", BLOCK=["run 2ms"])
        + hrtimer("hard", expires="1500us")
        + hrtimer("soft", expires="1500us", mode="soft")
        + device("d", ["1ms"], ["raise_softirq BLOCK"])
    )
    assert outcome.times("hrtimer_expire_entry", "hard") == [1500]
    assert outcome.of("hrtimer_expire_entry", gist="hard")[0].letters == "d.H.."
    assert outcome.times("hrtimer_expire_entry", "soft") == [3000]


def test_the_tick_and_other_timers_share_the_clock() -> None:
    """Each fires at its own time.  Source: hrtimer_interrupt(); tick_sched_timer()."""
    outcome = run_free(
        task("a", ["run 9ms"], cpu=0) + hrtimer("h", expires="5ms")
    )
    fired = [(line.gist, line.time_us) for line in outcome.of("hrtimer_expire_entry", cpu=0)]
    assert fired == [("tick_sched_timer", 4000), ("h", 5000), ("tick_sched_timer", 8000)]


@pytest.mark.parametrize("release", ["4.19", "5.10"])
def test_before_2026_an_expiry_is_logged_as_a_cancellation_too(release: str) -> None:
    """hrtimer_cancel right before each hrtimer_expire_entry.

    Source: __run_hrtimer(): debug_deactivate() of releases up to 6.1.16x.
    """
    outcome = run(kernel(release=release) + hrtimer("h", expires="1500us"))
    events = [line.event for line in outcome.lines if line.event.startswith("hrtimer_")]
    assert events[:2] == ["hrtimer_cancel", "hrtimer_expire_entry"]


def test_hrtimer_cancel_waits_for_a_function_that_runs_elsewhere() -> None:
    """When it returns the timer is neither armed nor running.  Source: hrtimer_cancel()."""
    outcome = run_free(
        hrtimer("h", "run 1ms", expires="1ms")
        + task("a", ["run 1500us", "hrtimer_cancel h", "trace_printk back"], cpu=1)
    )
    assert outcome.said_at("back") == 2000
