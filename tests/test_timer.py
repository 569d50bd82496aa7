"""The laws of the timer wheel: kernel/time/timer.c."""

from __future__ import annotations

import pytest

from tests.kernel_scenarios import Outcome, device, kernel, lasting, run, run_free, task, timer

BUSY = task("busy", ["run 3s"], cpu=0)
"""A CPU that ticks."""


def _fires_at(outcome: Outcome, name: str = "t") -> list[int]:
    return outcome.times("timer_expire_entry", name)


# -- when --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("hz", "now_us", "delay", "fires_us"),
    [
        (250, 2500, "6ms", 12_000),
        (250, 2500, "1ms", 8_000),
        (250, 4000, "4ms", 12_000),
        (250, 5000, "10ms", 20_000),
        (100, 2500, "6ms", 20_000),
        (100, 25_000, "20ms", 50_000),
        (1000, 2500, "6ms", 9_000),
        (1000, 2000, "1ms", 4_000),
    ],
)
def test_a_timer_fires_on_the_tick_after_the_jiffy_asked_for(
    hz: int, now_us: int, delay: str, fires_us: int
) -> None:
    """jiffies + delay in jiffies, rounded up, and one more tick: never early.

    Source: calc_index() (HZ=250: +6 ms at 2.5 ms fires at 12 ms).
    """
    outcome = run_free(
        kernel(hz=hz) + timer("t") + device("d", [f"{now_us}us"], [f"mod_timer t {delay}"])
    )
    assert _fires_at(outcome) == [fires_us]


def test_expires_in_the_scenario_is_rounded_up_and_fires_a_tick_later() -> None:
    """10 ms are 3 jiffies of 4 ms: 16 ms.  Source: calc_index()."""
    assert _fires_at(run_free(timer("t", expires="10ms"))) == [16_000]


def test_a_timer_that_arms_itself_again_is_late_by_a_tick_each_time() -> None:
    """A period of 10 ms at HZ=250 comes every 16 ms.  Source: calc_index(), timer->expires."""
    outcome = run_free(lasting("81ms") + timer("t", period="10ms"))
    assert _fires_at(outcome) == [16_000, 32_000, 48_000, 64_000, 80_000]


def _bucket(jiffies: int, level: int, hz: int) -> int:
    """The jiffy of a level's bucket: jiffies count from 300 s below the wrap."""
    start = (1 << 32) - 300 * hz
    gran = 1 << 3 * level
    return ((start + jiffies) // gran + 1) * gran - start


@pytest.mark.parametrize(
    ("delay", "level"), [(62, 0), (63, 1), (100, 1), (503, 1), (504, 2), (1000, 2)]
)
@pytest.mark.parametrize("hz", [250, 1000])
def test_far_timers_fire_at_the_granularity_of_their_level(
    hz: int, delay: int, level: int
) -> None:
    """63 buckets of a level are eight times as coarse as those below, and never early.

    Source: LVL_START(), LVL_GRAN(), calc_wheel_index().
    """
    outcome = run_free(kernel(hz=hz) + timer("t", expires=f"{delay * 1000 // hz}ms"))
    tick_us = 1_000_000 // hz
    assert _fires_at(outcome) == [_bucket(delay, level, hz) * tick_us]


def test_a_far_timer_that_waits_does_not_make_others_coarse() -> None:
    """The wheel's clock is brought up to jiffies whenever a timer is armed.

    Source: forward_timer_base().
    """
    outcome = run_free(
        timer("far", expires="3s")
        + timer("t")
        + device("d", ["1004ms"], ["mod_timer t 20ms"])
        + BUSY
    )
    assert _fires_at(outcome) == [1_028_000]


def test_a_delay_of_nothing_fires_on_the_next_tick() -> None:
    """expires = jiffies: its bucket is the next jiffy's.  Source: calc_index()."""
    outcome = run_free(timer("t") + device("d", ["5ms"], ["mod_timer t 0ms"]))
    assert _fires_at(outcome) == [8_000]


# -- in which order ----------------------------------------------------------------------


def test_the_last_timer_of_a_bucket_runs_first() -> None:
    """They are put at the list's head.  Source: enqueue_timer(): hlist_add_head()."""
    steps = ["mod_timer a 5ms", "mod_timer b 5ms", "mod_timer c 5ms"]
    outcome = run_free(timer("a") + timer("b") + timer("c") + device("d", ["1ms"], steps))
    assert outcome.gists("timer_expire_entry") == ["c", "b", "a"]


def test_higher_levels_run_first() -> None:
    """Of timers that are due at one jiffy.  Source: __run_timers(): while (levels--)."""
    due = _bucket(100, 1, 250)
    near_ms = (due - 1) * 4
    outcome = run_free(
        timer("far", expires="400ms")
        + timer("near")
        + device("d", [f"{near_ms - 20}ms"], ["mod_timer near 20ms"])
    )
    assert outcome.gists("timer_expire_entry") == ["far", "near"]
    assert _fires_at(outcome, "far") == _fires_at(outcome, "near") == [due * 4000]


def test_timers_of_different_jiffies_run_in_their_order() -> None:
    """Also where the softirq comes late and finds both due.  Source: __run_timers(): clk++."""
    outcome = run_free(
        timer("late", expires="8ms")
        + timer("early", expires="4ms")
        + task("a", ["local_irq_disable", "run 30ms", "local_irq_enable", "run 9ms"], cpu=0)
    )
    assert outcome.gists("timer_expire_entry") == ["early", "late"]


# -- where -------------------------------------------------------------------------------


def test_a_timer_runs_in_the_timer_softirq_with_interrupts_on() -> None:
    """Raised by the tick; detached with them off.  Source: expire_timers()."""
    outcome = run(BUSY.replace("3s", "20ms") + timer("t", "run 5us", expires="4ms"))
    story = outcome.story(
        *("softirq_raise", "softirq_entry", "timer_cancel", "timer_expire_entry"),
        *("timer_expire_exit", "softirq_exit"),
    )
    assert story == [
        "d.h.. softirq_raise TIMER",
        "..s.. softirq_entry TIMER",
        "d.s.. timer_cancel ",
        "..s.. timer_expire_entry t",
        "..s.. timer_expire_exit ",
        "..s.. softirq_exit TIMER",
    ]


def test_a_timer_runs_on_the_cpu_that_armed_it() -> None:
    """It is pinned.  Source: get_target_base(): TIMER_PINNED."""
    outcome = run(timer("t") + device("d", ["1ms"], ["mod_timer t 8ms"], affinity=[2]))
    assert outcome.one("timer_expire_entry").cpu == 2


def test_the_first_expiry_is_on_the_cpu_of_the_scenario() -> None:
    """`cpu` says whose wheel holds it.  Source: add_timer_on()."""
    assert run(timer("t", expires="4ms", cpu=3)).one("timer_expire_entry").cpu == 3


def test_the_tick_raises_timer_only_when_one_is_due() -> None:
    """Source: run_local_timers(): next_expiry."""
    outcome = run_free(BUSY.replace("3s", "50ms") + timer("t", expires="20ms"))
    assert outcome.times("softirq_raise", "TIMER") == [24_000]


def test_an_idle_cpu_wakes_for_its_first_timer_only() -> None:
    """The stopped tick is set to the wheel's next expiry.

    Source: get_next_timer_interrupt(), kernel/time/tick-sched.c: tick_nohz_stop_tick.
    """
    outcome = run_free(timer("t", expires="100ms"))
    clock = [line.time_us for line in outcome.irqs("arch_timer") if "entry" in line.event]
    assert clock == [104_000]


# -- armed, moved, disarmed --------------------------------------------------------------


def test_a_timer_that_is_moved_fires_once_at_its_new_time() -> None:
    """Source: __mod_timer()."""
    outcome = run_free(
        timer("t", expires="20ms") + device("d", ["10ms"], ["mod_timer t 40ms"])
    )
    assert _fires_at(outcome) == [52_000]


def test_a_timer_that_is_moved_is_taken_out_first() -> None:
    """timer_cancel, then timer_start.  Source: __mod_timer(): detach_if_pending()."""
    outcome = run_free(
        timer("t", expires="20ms") + device("d", ["10ms"], ["mod_timer t 40ms"])
    )
    names = [line.event for line in outcome.of("timer_start", "timer_cancel")]
    # It was armed before the log begins.
    assert names == ["timer_cancel", "timer_start", "timer_cancel"]


def test_a_timer_that_is_armed_for_the_same_jiffy_stays_as_it_is() -> None:
    """No event, and its place in the bucket is the same.  Source: __mod_timer(): !diff."""
    steps = ["mod_timer a 5ms", "mod_timer b 5ms", "mod_timer a 5ms"]
    outcome = run_free(timer("a") + timer("b") + device("d", ["1ms"], steps))
    assert outcome.gists("timer_start") == ["a", "b"]
    assert outcome.gists("timer_expire_entry") == ["b", "a"]


def test_a_timer_that_is_deleted_does_not_fire() -> None:
    """timer_cancel, and nothing more.  Source: del_timer()."""
    outcome = run_free(timer("t", expires="20ms") + device("d", ["10ms"], ["del_timer t"]))
    assert outcome.times("timer_cancel") == [10_000]
    assert _fires_at(outcome) == []


def test_deleting_a_timer_that_is_not_armed_is_no_event() -> None:
    """Source: del_timer(): timer_pending()."""
    outcome = run(timer("t") + device("d", ["10ms"], ["del_timer t"]))
    assert outcome.of("timer_cancel") == []


def test_the_tick_still_looks_for_a_timer_that_has_been_deleted() -> None:
    """del_timer() leaves next_expiry: TIMER is raised once for nothing on a busy CPU.

    Source: detach_if_pending(): next_expiry_recalc; run_local_timers().
    """
    outcome = run_free(
        BUSY.replace("3s", "50ms")
        + timer("t", expires="20ms")
        + device("d", ["10ms"], ["del_timer t"])
    )
    assert outcome.times("softirq_raise", "TIMER") == [24_000]
    assert _fires_at(outcome) == []


def test_a_timer_may_arm_itself_in_its_function() -> None:
    """It has been detached before.  Source: expire_timers(): detach_timer()."""
    outcome = run_free(lasting("30ms") + timer("t", "mod_timer t 4ms", expires="4ms"))
    assert _fires_at(outcome) == [8_000, 16_000, 24_000]


# -- sleeping ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("hz", "start_us", "sleep", "wakes_us"),
    [
        (250, 2900, "3ms", 12_000),
        (250, 100, "4ms", 12_000),
        (250, 3900, "1ms", 12_000),
        (100, 2900, "3ms", 30_000),
        (1000, 2900, "3ms", 7_000),
        (1000, 2900, "500us", 5_000),
    ],
)
def test_msleep_sleeps_a_jiffy_more_and_wakes_at_a_tick(
    hz: int, start_us: int, sleep: str, wakes_us: int
) -> None:
    """msecs_to_jiffies(n) + 1 jiffies, and the wheel's tick: D meanwhile.

    Source: msleep(), schedule_timeout().
    """
    outcome = run_free(
        kernel(hz=hz)
        + task("a", [f"run {start_us}us", f"msleep {sleep}", "trace_printk up"], cpu=0)
    )
    assert outcome.said_at("up") == wakes_us
    assert "a:D>swapper/0" in outcome.switches()
    assert outcome.one("timer_expire_entry").gist == "process_timeout"


def test_msleep_goes_on_sleeping_when_it_is_woken() -> None:
    """For what is left of its time.  Source: msleep(): while (timeout)."""
    outcome = run_free(
        task("a", ["msleep 20ms", "trace_printk up"], cpu=0)
        + device("d", ["5ms"], ["wake_up_process a"])
    )
    assert outcome.said_at("up") == 28_000
